// What a migration carries is all that a store has.
import { afterAll, expect, it } from "vitest";
import { carriedTables, tablesNotCarried } from "../../src/store/carry-tables.ts";
import { rowsOf } from "../../src/store/database.ts";
import { LocalDatabase } from "../../src/store/local-database.ts";
import { prepareSchema } from "../../src/store/schema.ts";

/** Into tables of other names, or of a running process alone. */
const otherwise = ["event_types", "log_offsets", "seen_keys", "seen_runs", "seen_times"];
const ofProcess = ["delta_spans", "open_spans", "open_windows", "open_candidates"];

const database = await LocalDatabase.open(":memory:");
afterAll(() => database.close());

it.each([
  [{ kind: "same" } as const],
  [{ kind: "other", logId: "other", beginOffsets: [5, 6, 7] } as const],
])("every table of a store is carried, or named as one that isn't: %j", async (log) => {
  const identity = { logId: "log", partitionCount: 2, seed: "0".repeat(16) };
  await database.write((connection) => prepareSchema(connection, identity));
  const rows = await rowsOf(database.writer, "SELECT table_name AS name FROM duckdb_tables()");
  const carried = carriedTables(log, log.kind === "same" ? 2 : 3).map(({ name }) => name);
  expect(new Set(carried).size).toBe(carried.length);
  const known = new Set([...carried, ...tablesNotCarried, ...otherwise, ...ofProcess]);
  const names = rows.map(({ name }) => String(name));
  expect(names.length).toBeGreaterThan(30);
  expect(names.filter((name) => !known.has(name))).toEqual([]);
  const partitions = log.kind === "same" ? [0, 1] : [0, 1, 2];
  for (const p of partitions) {
    const own = [`seen_keys_${p}`, `seen_runs_${p}`];
    expect(carried).toEqual(expect.arrayContaining(own));
  }
});
