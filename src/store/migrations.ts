/**
 * The store's format, step by step. Each change of tables or columns is a step with a number of
 * its own: a folder of an older format goes through those it lacks, a new one through all, in the
 * same order, in one transaction. So both end with the same tables, and a crash within leaves the
 * old format whole. Table meta says which format a folder has; a step is never changed once it is
 * released.
 *
 *   1  no number of its own: what was written before there were steps
 *   2  every table of format 1, where an early build lacks some; columns that came to them:
 *      raw_files.checksums, jobs.owner, log_offsets.tail
 *   3  users are erased: erasure_key, erased_users, erasures, raw_erasures
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { RankstreamError } from "../errors.ts";
import { failPoint } from "../fail-point.ts";
import { mutationsTable } from "./changes.ts";
import { coarseTable } from "./coarse-table.ts";
import { rowsOf } from "./database.ts";
import { deleteTables } from "./delete-tables.ts";
import { deltaSpansTable } from "./delta-spans.ts";
import { isLake } from "./dialect.ts";
import { erasureTables } from "./erasure-sql.ts";
import { jobsColumns, jobsTable } from "./jobs.ts";
import { keptAnswersTable } from "./kept-answers.ts";
import { labelsTable } from "./labels.ts";
import { lakeDdl } from "./lake-schema.ts";
import { openTables } from "./open-windows.ts";
import { rawFilesColumns, rawFilesTable } from "./raw-files.ts";
import { seenKeysColumns, seenRunsColumns } from "./seen.ts";
import { sketchTables } from "./sketches.ts";
import { systemMetricsTable } from "./system-metrics.ts";
import { tombstonesTable } from "./tombstones.ts";
import { typeSettingsTables } from "./type-settings.ts";
import { windowTablesSql } from "./windows.ts";

/** Columns of raw events, in tables and Parquet files alike. */
export const rawColumns = `event_time TIMESTAMP_MS NOT NULL, received_at TIMESTAMP_MS NOT NULL,
  weight INTEGER NOT NULL, event_type VARCHAR NOT NULL, event_id VARCHAR NOT NULL,
  user_id VARCHAR, session_id VARCHAR, metadata VARCHAR`;

const firstTables = [
  "CREATE TABLE IF NOT EXISTS meta (key VARCHAR PRIMARY KEY, value VARCHAR NOT NULL)",
  `CREATE TABLE IF NOT EXISTS log_offsets (
     partition INTEGER NOT NULL, next_offset BIGINT NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS event_types (
     type_id INTEGER NOT NULL, event_type VARCHAR NOT NULL, total BIGINT NOT NULL,
     first_seen TIMESTAMP_MS NOT NULL, last_seen TIMESTAMP_MS NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS raw_recent (${rawColumns})`,
  rawFilesTable,
  tombstonesTable,
  ...deleteTables,
  jobsTable,
  ...typeSettingsTables,
  coarseTable,
  labelsTable,
  systemMetricsTable,
  mutationsTable,
  keptAnswersTable,
  `CREATE TABLE IF NOT EXISTS count_deltas (
     minute INTEGER NOT NULL, type_id INTEGER NOT NULL,
     event_id VARCHAR NOT NULL USING COMPRESSION uncompressed,
     partition INTEGER NOT NULL, count BIGINT NOT NULL)`,
  deltaSpansTable,
  `CREATE TABLE IF NOT EXISTS seen_keys (${seenKeysColumns})`,
  `CREATE TABLE IF NOT EXISTS seen_runs (${seenRunsColumns})`,
  `CREATE TABLE IF NOT EXISTS seen_times (
     partition INTEGER NOT NULL, newest_received_at BIGINT NOT NULL)`,
  ...openTables,
  ...sketchTables,
  ...windowTablesSql,
];

interface Step {
  /** The format that a folder has after it. */
  format: number;
  /** SQL, or what makes it. */
  statements: readonly (string | (() => string))[];
}

const steps: readonly Step[] = [
  {
    format: 2,
    statements: [
      ...firstTables,
      rawFilesColumns,
      jobsColumns,
      "ALTER TABLE log_offsets ADD COLUMN IF NOT EXISTS tail VARCHAR",
    ],
  },
  { format: 3, statements: erasureTables },
];

/** The format that this program writes. */
export const storeFormat = steps.at(-1)!.format;
/** The oldest one that it takes over. */
export const storeFormatMin = 1;

interface Format {
  /** 0: the folder is new. */
  format: number;
  /** The version of the program that brought it there; null: none said so. */
  writtenBy: string | null;
}

async function readFormat(connection: DuckDBConnection): Promise<Format> {
  const [table] = await rowsOf(
    connection,
    `SELECT count(*) AS n FROM duckdb_tables() WHERE table_name = 'meta' AND NOT temporary
     AND database_name = current_database()`,
  );
  if (Number(table!["n"]) === 0) return { format: 0, writtenBy: null };
  const rows = await rowsOf(
    connection,
    "SELECT key, value FROM meta WHERE key IN ('format', 'writtenBy')",
  );
  const meta = new Map(rows.map((row) => [String(row["key"]), String(row["value"])]));
  return { format: Number(meta.get("format") ?? 0), writtenBy: meta.get("writtenBy") ?? null };
}

/**
 * Returns the folder's format; 0 of a new one. Throws `data_folder_newer` where this program,
 * whose version is `program`, does not know it. Changes nothing.
 */
export async function checkFormat(connection: DuckDBConnection, program: string): Promise<number> {
  const { format, writtenBy } = await readFormat(connection);
  if (format <= storeFormat) return format;
  const writer = writtenBy === null ? "" : `, written by rankstream ${writtenBy}`;
  const detail =
    `this data folder has store format ${format}${writer}; ` +
    `this is rankstream ${program}, which reads formats ${storeFormatMin} to ${storeFormat}`;
  throw new RankstreamError("data_folder_newer", detail);
}

/**
 * Brings the store to this program's format, in the caller's transaction. Returns the format it
 * had; 0 of a new one. Throws `data_folder_newer`.
 */
export async function migrate(connection: DuckDBConnection, program: string): Promise<number> {
  const found = await checkFormat(connection, program);
  for (const { format, statements } of steps) {
    if (format <= found) continue;
    for (const statement of statements) {
      const sql = typeof statement === "string" ? statement : statement();
      const own = isLake(connection) ? lakeDdl(sql) : sql;
      if (own !== null) await connection.run(own);
    }
    failPoint("migrate.after_step");
  }
  if (found === storeFormat) return found;
  const entries = { format: String(storeFormat), writtenBy: program };
  for (const [key, value] of Object.entries(entries)) {
    await connection.run("DELETE FROM meta WHERE key = ?", [key]);
    await connection.run("INSERT INTO meta VALUES (?, ?)", [key, value]);
  }
  failPoint("migrate.before_commit");
  return found;
}
