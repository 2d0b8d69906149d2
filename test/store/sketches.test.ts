// Sketches of many windows are read and written together.
import type { DuckDBConnection } from "@duckdb/node-api";
import { afterAll, beforeAll, expect, it } from "vitest";
import { itemIds } from "../../src/kernel/item-region.ts";
import { LocalDatabase } from "../../src/store/local-database.ts";
import { prepareSchema } from "../../src/store/schema.ts";
import { Sketches } from "../../src/store/sketches.ts";
import { minuteLevel } from "../../src/store/windows.ts";

const windows = 1200;
const identity = { logId: "log", partitionCount: 1, seed: "0".repeat(16) };
const bounds = { bytesPerEventMax: 1000, tailItemsMin: 1, batchItemsMax: 1000 };

let database: LocalDatabase;
let sketches: Sketches;

beforeAll(async () => {
  database = await LocalDatabase.open(":memory:");
  await database.write((connection) => prepareSchema(connection, identity));
  await database.writer.run(`INSERT INTO event_types VALUES
    (0, 'play', 1, TIMESTAMP_MS '2026-01-01', TIMESTAMP_MS '2026-01-01')`);
  sketches = await Sketches.create({ low: 1, high: 2 }, bounds);
});

afterAll(() => database.close());

/** As a fold of `count` of each of two items off the list into each window; its statements. */
async function keep(connection: DuckDBConnection, count: number, before: number) {
  await connection.run(`CREATE OR REPLACE TEMP TABLE ranked AS
    SELECT start::INTEGER AS start, 0 AS type_id, item AS event_id, start + ${count} AS count,
      false AS is_listed
    FROM range(${windows}) AS w (start), (VALUES ('a'), ('b')) AS i (item)`);
  await connection.run(`CREATE OR REPLACE TEMP TABLE summed AS
    SELECT start::INTEGER AS start, 0 AS type_id, 10 AS total, ${before} AS threshold_before
    FROM range(${windows}) AS w (start)`);
  let statements = 0;
  const counting = new Proxy(connection, {
    get(target, name) {
      const value = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      return (sql: unknown, ...rest: unknown[]) => {
        if (/sketch_minute/.test(String(sql))) statements++;
        return Reflect.apply(value, target, [sql, ...rest]);
      };
    },
  });
  await sketches.keep(counting, minuteLevel);
  return statements;
}

async function boundsNow(connection: DuckDBConnection) {
  const asked = [0, 500, windows - 1];
  const condition = `start IN (${asked})`;
  const of = [minuteLevel, 0, "play", condition, itemIds(["a", "b"])] as const;
  const found = await sketches.bounds(connection, ...of);
  return asked.map((start) => [...found.get(start)!]);
}

it("of a fold into many windows take few statements", async () => {
  const { writer } = database;
  expect(await keep(writer, 1, 0)).toBeLessThanOrEqual(8);
  expect(await boundsNow(writer)).toEqual([1, 501, windows].map((count) => [count, count]));
  expect(await keep(writer, 5, 1)).toBeLessThanOrEqual(12);
  expect(await boundsNow(writer)).toEqual([5, 505, windows + 4].map((count) => [count, count]));
  const rows = await writer.runAndReadAll(
    "SELECT count(*), count(DISTINCT start) FROM sketch_minute",
  );
  expect(rows.getRows()).toEqual([[BigInt(windows), BigInt(windows)]]);
});
