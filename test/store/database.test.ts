// What DuckDB must do for answers to be of one moment.
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
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

const endless = "SELECT count(*) FROM range(10_000_000) AS a, range(1_000_000) AS b WHERE a > b";

describe("connections", () => {
  let database: Database;
  beforeEach(async () => {
    database = await Database.open(":memory:");
  });
  afterEach(() => database.close());

  it("a transaction left open keeps only one other from running", async () => {
    await database.writer.run("CREATE TABLE t (x INTEGER)");
    await database.writer.run("BEGIN TRANSACTION");
    await database.writer.run("INSERT INTO t VALUES (1)");
    const write = () =>
      database.write((connection) => connection.run("INSERT INTO t VALUES (2)").then(() => null));
    await expect(write()).rejects.toThrow(/transaction/);
    await write();
    expect(await rowsOf(database.writer, "FROM t")).toEqual([{ x: 2 }]);
  });

  it("what maintains beside the writer ends when the store closes", async () => {
    const maintaining = database.maintain((connection) => connection.run(endless));
    const judged = expect(maintaining).rejects.toThrow(/interrupt/i);
    await new Promise((resolve) => setTimeout(resolve, 50));
    database.refuseDeferrable();
    await judged;
    await expect(database.maintain(async () => 1)).rejects.toThrow(/closing/);
    const read = database.read(60_000, (connection) => rowsOf(connection, "SELECT 1 AS x"));
    expect(await read).toEqual([{ x: 1 }]);
  });

  it("a read past its budget is interrupted, and its connection answers the next", async () => {
    for (let i = 0; i < 4; i++) {
      const read = database.read(50, (connection) => connection.run(endless));
      await expect(read).rejects.toMatchObject({ code: "query_timeout" });
    }
    const read = database.read(60_000, (connection) => rowsOf(connection, "SELECT 1 AS x"));
    expect(await read).toEqual([{ x: 1 }]);
  });
});
