import { afterEach, beforeEach, expect, test } from "vitest";
import { Database, rowsOf } from "../../src/store/database.ts";

let database: Database;
beforeEach(async () => {
  database = await Database.open(":memory:");
});
afterEach(() => database.close());

const endless = "SELECT count(*) FROM range(10_000_000) AS a, range(1_000_000) AS b WHERE a > b";

test("a transaction left open keeps only one other from running", async () => {
  await database.writer.run("CREATE TABLE t (x INTEGER)");
  await database.writer.run("BEGIN TRANSACTION");
  await database.writer.run("INSERT INTO t VALUES (1)");
  const write = () =>
    database.write((connection) => connection.run("INSERT INTO t VALUES (2)").then(() => null));
  await expect(write()).rejects.toThrow(/transaction/);
  await write();
  expect(await rowsOf(database.writer, "FROM t")).toEqual([{ x: 2 }]);
});

test("what maintains beside the writer ends when the store closes", async () => {
  const maintaining = database.maintain((connection) => connection.run(endless));
  const judged = expect(maintaining).rejects.toThrow(/interrupt/i);
  await new Promise((resolve) => setTimeout(resolve, 50));
  database.refuseDeferrable();
  await judged;
  await expect(database.maintain(async () => 1)).rejects.toThrow(/closing/);
  const read = database.read(60_000, (connection) => rowsOf(connection, "SELECT 1 AS x"));
  expect(await read).toEqual([{ x: 1 }]);
});

test("a read past its budget is interrupted, and its connection answers the next", async () => {
  for (let i = 0; i < 4; i++) {
    const read = database.read(50, (connection) => connection.run(endless));
    await expect(read).rejects.toMatchObject({ code: "query_timeout" });
  }
  const read = database.read(60_000, (connection) => rowsOf(connection, "SELECT 1 AS x"));
  expect(await read).toEqual([{ x: 1 }]);
});
