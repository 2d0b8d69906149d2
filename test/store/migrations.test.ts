// The store's format: new folders and upgraded ones end alike, newer ones are left as they are.
import { expect, it } from "vitest";
import { rowsOf } from "../../src/store/database.ts";
import { LocalDatabase } from "../../src/store/local-database.ts";
import { checkFormat, migrate, storeFormat } from "../../src/store/migrations.ts";
import { databaseDefaults } from "../../src/store/open-instance.ts";
import { prepareSchema } from "../../src/store/schema.ts";

const identity = { logId: "log", partitionCount: 2, seed: "0123456789abcdef" };

async function withDatabase(work: (database: LocalDatabase) => Promise<void>): Promise<void> {
  const database = await LocalDatabase.open(":memory:", databaseDefaults);
  try {
    await work(database);
  } finally {
    await database.close();
  }
}

function columnsOf(database: LocalDatabase) {
  return rowsOf(
    database.writer,
    `SELECT table_name, column_name, column_index, data_type, is_nullable
     FROM duckdb_columns() WHERE NOT internal ORDER BY ALL`,
  );
}

async function metaOf(database: LocalDatabase): Promise<Record<string, string>> {
  const rows = await rowsOf(database.writer, "SELECT key, value FROM meta");
  return Object.fromEntries(rows.map((row) => [String(row["key"]), String(row["value"])]));
}

it("makes a new folder in this program's format, and says who wrote it", () =>
  withDatabase(async (database) => {
    const prepared = await database.write((c) => prepareSchema(c, identity, "1.2.3"));
    expect(prepared).toEqual({ ...identity, formatBefore: 0 });
    const meta = await metaOf(database);
    expect(meta).toMatchObject({ format: String(storeFormat), writtenBy: "1.2.3" });
    // A later start by another version of the same format changes nothing of it.
    const again = await database.write((c) => prepareSchema(c, identity, "1.2.4"));
    expect(again.formatBefore).toBe(storeFormat);
    expect(await metaOf(database)).toEqual(meta);
  }));

it("ends an upgrade with the tables of a new folder", () =>
  withDatabase(async (fresh) => {
    await fresh.write((c) => prepareSchema(c, identity, "1.0.0"));
    await withDatabase(async (old) => {
      // As an early build of format 1 left it: without the later tables and columns.
      const early = [
        "CREATE TABLE meta (key VARCHAR PRIMARY KEY, value VARCHAR NOT NULL)",
        `INSERT INTO meta VALUES ('format', '1'), ('logId', 'log'), ('partitionCount', '2'),
           ('seed', '0123456789abcdef')`,
        "CREATE TABLE log_offsets (partition INTEGER NOT NULL, next_offset BIGINT NOT NULL)",
        "INSERT INTO log_offsets VALUES (0, 7), (1, 8)",
        `CREATE TABLE raw_files (path VARCHAR NOT NULL, first_time TIMESTAMP_MS NOT NULL,
           last_time TIMESTAMP_MS NOT NULL, rows BIGINT NOT NULL, bytes BIGINT NOT NULL)`,
      ];
      for (const statement of early) await old.writer.run(statement);
      const prepared = await old.write((c) => prepareSchema(c, identity, "1.0.0"));
      expect(prepared.formatBefore).toBe(1);
      expect(await columnsOf(old)).toEqual(await columnsOf(fresh));
      const offsets = await rowsOf(old.writer, "SELECT next_offset FROM log_offsets");
      expect(offsets.map((row) => Number(row["next_offset"]))).toEqual([7, 8]);
    });
  }));

it("refuses a newer format by both versions, and changes nothing", () =>
  withDatabase(async (database) => {
    await database.write((c) => prepareSchema(c, identity, "1.0.0"));
    await database.writer.run(`UPDATE meta SET value = CASE key
      WHEN 'format' THEN '${storeFormat + 1}' WHEN 'writtenBy' THEN '9.0.0' ELSE value END`);
    await database.writer.run("DROP TABLE kept_answers");
    const before = await columnsOf(database);
    const refusal = {
      code: "data_folder_newer",
      message:
        `this data folder has store format ${storeFormat + 1}, written by rankstream 9.0.0; ` +
        `this is rankstream 1.0.0, which reads formats 1 to ${storeFormat}`,
    };
    await expect(checkFormat(database.writer, "1.0.0")).rejects.toMatchObject(refusal);
    await expect(database.write((c) => migrate(c, "1.0.0"))).rejects.toMatchObject(refusal);
    expect(await columnsOf(database)).toEqual(before);
    expect((await metaOf(database))["writtenBy"]).toBe("9.0.0");
  }));
