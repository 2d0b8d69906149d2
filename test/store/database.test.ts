// What DuckDB must do for answers to be of one moment.
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Database, databaseDefaults, insertRows, rowsOf } from "../../src/store/database.ts";
import { temporaryFolder } from "../support/service.ts";

/** Two row groups of DuckDB and some: as many rows as a large slice of windows has. */
const rowsMoved = 300_000;
const parts = 2;
const moves = 12;
const readMs = 60_000;
const testMsMax = 120_000;

describe("readers", () => {
  let database: Database;
  beforeAll(async () => {
    const path = join(temporaryFolder(), "store.duckdb");
    database = await Database.open(path, databaseDefaults);
    await database.write(async (connection) => {
      await connection.run("CREATE TABLE here (item INTEGER, name VARCHAR)");
      await connection.run("CREATE TABLE there (item INTEGER, name VARCHAR)");
      const items = `SELECT range, 'item ' || range FROM range(${parts * rowsMoved})`;
      await insertRows(connection, "here", items);
    });
  });
  afterAll(() => database.close());

  /** Moves a part of the rows to the other table, through a temporary one as seals do. */
  async function move(from: string, to: string, part: number): Promise<void> {
    const within = `item >= ${part * rowsMoved} AND item < ${(part + 1) * rowsMoved}`;
    await database.write(async (connection) => {
      await connection.run(`CREATE OR REPLACE TEMP TABLE moving AS FROM ${from} WHERE ${within}`);
      await connection.run(`DELETE FROM ${from} WHERE ${within}`);
      await insertRows(connection, to, "SELECT item, name FROM moving ORDER BY item");
    });
  }

  it("see a large transaction whole or not at all", { timeout: testMsMax }, async () => {
    let isOver = false;
    const seen: number[] = [];
    const read = async () => {
      while (!isOver) {
        await database.read(readMs, async (connection) => {
          // Twice, for what a transaction has read once must not change.
          for (let i = 0; i < 2; i++) {
            const [row] = await rowsOf(
              connection,
              `SELECT (SELECT count(*) FROM here) + (SELECT count(*) FROM there) AS rows`,
            );
            seen.push(Number(row!["rows"]));
          }
        });
      }
    };
    const readers = Array.from({ length: databaseDefaults.readersMax }, read);
    for (let i = 0; i < moves; i++) {
      const part = Math.floor(i / 2) % parts;
      await move(i % 2 === 0 ? "here" : "there", i % 2 === 0 ? "there" : "here", part);
    }
    isOver = true;
    await Promise.all(readers);
    expect(seen.length).toBeGreaterThan(moves);
    expect(seen.filter((rows) => rows !== parts * rowsMoved)).toEqual([]);
  });
});
