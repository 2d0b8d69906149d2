/** Open minutes as readers see them while a checkpoint replaces them. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { layout } from "../../src/kernel/layout.ts";
import { rowsOf } from "../../src/store/database.ts";
import { LocalDatabase } from "../../src/store/local-database.ts";
import { databaseDefaults } from "../../src/store/open-instance.ts";
import { readOpen, writeOpen } from "../../src/store/open-windows.ts";
import { prepareSchema } from "../../src/store/schema.ts";
import { StagedTables } from "../../src/store/staged.ts";
import { temporaryFolder } from "../support/service.ts";

const rows = 50_000;
const minutes = [100, 101, 102, 103];
const replacements = 12;

/** A minute's candidates in the kernel's form (assembly/candidates.ts): one type, all of one. */
function candidatesOf(minute: number): ArrayBuffer {
  const list = layout.CANDIDATES_HEADER_SIZE;
  const lowers = list + layout.CANDIDATES_LIST_SIZE;
  const ends = lowers + rows * 16;
  const ids = ends + rows * 4;
  const buffer = new ArrayBuffer(Math.ceil((ids + rows * 8) / 8) * 8);
  const view = new DataView(buffer);
  view.setUint32(4, 1, true);
  view.setUint32(8, minute, true);
  view.setUint32(16, rows, true);
  view.setUint32(list + 4, rows, true);
  view.setUint32(list + 16, rows, true);
  view.setUint32(list + 24, rows * 8, true);
  for (let row = 0; row < rows; row++) {
    view.setUint32(lowers + row * 8, 1, true);
    view.setUint32(lowers + (rows + row) * 8, 1, true);
    view.setUint32(ends + row * 4, (row + 1) * 8, true);
    const id = new TextEncoder().encode(String(row).padStart(8, "0"));
    new Uint8Array(buffer, ids + row * 8, 8).set(id);
  }
  return buffer;
}

test("are seen whole, the ones before or the ones after", { timeout: 120_000 }, async () => {
  const path = join(temporaryFolder(), "store.duckdb");
  const database = await LocalDatabase.open(path, databaseDefaults);
  const identity = { logId: "log", partitionCount: 1, seed: "0".repeat(16) };
  await database.write((connection) => prepareSchema(connection, identity));
  const open = {
    minutes: minutes.map((minute) => ({ minute, candidates: candidatesOf(minute) })),
    typeNames: new Map([[0, "t"]]),
    partitions: [0],
  };
  const staged = new StagedTables();
  staged.register(database.writer);
  const rules = { staged, idOf: () => 0, isOpen: () => true, sealedBefore: 0 };
  const replace = () => database.write((connection) => writeOpen(connection, 0, open, rules));
  await replace();
  let isOver = false;
  const seen: string[] = [];
  const read = async () => {
    while (!isOver) {
      await database.read(60_000, async (connection) => {
        const pieces = await readOpen(connection, { start: 100, end: 104 }, [0]);
        const [sum] = await rowsOf(
          connection,
          `SELECT sum(lower) AS lower, sum(upper) AS upper FROM (${pieces.candidates})`,
        );
        seen.push([pieces.windows, pieces.total, sum!["lower"], sum!["upper"]].join());
      });
    }
  };
  const readers = [read(), read()];
  for (let i = 0; i < replacements; i++) await replace();
  isOver = true;
  await Promise.all(readers);
  await database.close();
  const total = rows * minutes.length;
  expect(seen.length).toBeGreaterThan(replacements);
  expect([...new Set(seen)]).toEqual([[minutes.length, total, total, total].join()]);
});
