import { afterEach, beforeEach, expect, test } from "vitest";
import { nodeFiles } from "../../src/files.ts";
import { rowsOf } from "../../src/store/database.ts";
import { readExact } from "../../src/store/exact.ts";
import { FolderRawPlace } from "../../src/store/folder-raw-place.ts";
import { LocalDatabase } from "../../src/store/local-database.ts";
import { RawFiles, rawFilesDefaults } from "../../src/store/raw-files.ts";
import { prepareSchema } from "../../src/store/schema.ts";
import { sqlText, sqlTexts, timestampLiteral } from "../../src/store/sql.ts";
import { hasLake, startLake } from "../support/lake.ts";
import { Member } from "./lake-member.ts";

let database: LocalDatabase;
beforeEach(async () => {
  database = await LocalDatabase.open(":memory:");
});
afterEach(() => database.close());

test("a text literal is the text, whatever it holds", async () => {
  const texts = ["", "plain", "it's", "''", "'; DROP TABLE x; --", "\\'", "a\0b", "\0", "é\n😀"];
  for (const text of texts) {
    const [row] = await rowsOf(database.writer, `SELECT ${sqlText(text)} AS text`);
    expect(row!["text"], JSON.stringify(text)).toBe(text);
  }
  const [row] = await rowsOf(database.writer, `SELECT 'a' IN (${sqlTexts(texts)}) AS found`);
  expect(row!["found"]).toBe(false);
});

test.skipIf(!hasLake())("a lake is asked for any text", { timeout: 120_000 }, async () => {
  const member = await Member.open((await startLake()).placeInFolder());
  // In a file, whose figures the condition is held against, and in PostgreSQL.
  for (const rows of [1000, 3]) {
    await member.database.write((connection) =>
      connection.run(`INSERT INTO tail_minute SELECT ${rows}, 0, 'it''s ' || i, 1
        FROM range(${rows}) AS new (i)`),
    );
  }
  for (const [text, n] of [
    ["\0", 0],
    ["it's 1\0", 0],
    ["it's 1", 2],
  ] as const) {
    const sql = `SELECT count(*)::INTEGER AS n FROM tail_minute
      WHERE event_id IN (${sqlTexts([text])})`;
    const [row] = await member.database.write((connection) => rowsOf(connection, sql));
    expect(row!["n"], JSON.stringify(text)).toBe(n);
  }
  await member.database.close();
});

test("a moment's literal is the moment, up to the year 10000", async () => {
  for (const moment of [0, 1, 951_782_399_999, 253_402_300_799_999, 253_402_300_800_000]) {
    const sql = `SELECT epoch_ms(${timestampLiteral(moment)}) AS moment`;
    const [row] = await rowsOf(database.writer, sql);
    expect(Number(row!["moment"])).toBe(moment);
  }
});

test("a range to the last millisecond of 9999 and a name with NUL are answered", async () => {
  const identity = { logId: "log", partitionCount: 1, seed: "0".repeat(16) };
  await database.write((connection) => prepareSchema(connection, identity));
  const options = {
    ...rawFilesDefaults,
    place: new FolderRawPlace("/nowhere", nodeFiles),
    removeAfterMs: 0,
  };
  const rawFiles = new RawFiles(database, options);
  const query = { eventTypes: ["a\0b"], k: 10, offset: 0, budgetMs: 60_000 };
  const range = { from: 1, to: Date.UTC(9999, 11, 31, 23, 59, 59, 999) };
  const read = database.read(60_000, (c) => readExact(c, rawFiles, { ...query, ...range }));
  expect(await read).toMatchObject({ rows: [], total: 0 });
});
