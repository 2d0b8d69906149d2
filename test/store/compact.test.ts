/** Rows moved together after single ones were deleted here and there. */
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Compactor } from "../../src/store/compact.ts";
import { rowsOf } from "../../src/store/database.ts";
import { LocalDatabase } from "../../src/store/local-database.ts";
import { prepareSchema } from "../../src/store/schema.ts";
import { temporaryFolder } from "../support/service.ts";

const vectorRows = 2048;
const rows = 400 * vectorRows;

let database: LocalDatabase;

beforeEach(async () => {
  database = await LocalDatabase.open(join(temporaryFolder(), "store.duckdb"));
  const identity = { logId: "log", partitionCount: 1, seed: "0".repeat(16) };
  await database.write((connection) => prepareSchema(connection, identity));
  await database.writer.run(`INSERT INTO tail_hour
    SELECT 60 * (range // 10000), range % 3, 'item-' || range, range FROM range(${rows})
    RETURNING true`);
});
afterEach(() => database.close());

/** Vectors with a gap, by the rows' own numbers. */
async function partialVectors(): Promise<number> {
  const [row] = await rowsOf(
    database.writer,
    `SELECT count(*) AS n FROM (SELECT rowid // ${vectorRows} AS v, count(*) AS rows
     FROM tail_hour GROUP BY v) WHERE rows < ${vectorRows}`,
  );
  return Number(row!["n"]);
}

async function sums() {
  const sql =
    "SELECT count(*) AS n, sum(hash(start, type_id, event_id, count)) AS h FROM tail_hour";
  return database.read(60_000, async (c) => (await rowsOf(c, sql))[0]);
}

it("are all there at any time, and leave no more gaps than allowed", async () => {
  const compactor = new Compactor(database, { partialVectorsMax: 100 });
  compactor.look();
  expect(await compactor.step()).toBe(false);
  // One row of each vector in the first half, and of few in the second.
  await database.writer.run(`DELETE FROM tail_hour WHERE count % ${vectorRows} = 7
    AND (count < ${rows / 2} OR count % ${50 * vectorRows} = 7)`);
  const before = await sums();
  expect(await partialVectors()).toBe(204);
  // Nobody said that there is anything to look for.
  expect(await compactor.step()).toBe(false);
  const seen: unknown[] = [];
  let isOver = false;
  const reading = (async () => {
    while (!isOver) seen.push(await sums());
  })();
  compactor.look();
  let moves = 0;
  while (await compactor.step()) moves++;
  isOver = true;
  await reading;
  expect(moves).toBeGreaterThan(1);
  expect(moves).toBeLessThan(5);
  expect(seen.length).toBeGreaterThan(1);
  for (const sum of [...seen, await sums()]) expect(sum).toEqual(before);
  expect(await partialVectors()).toBeLessThanOrEqual(50 + moves);
});
