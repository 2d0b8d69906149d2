/**
 * Tables of the store, format version 1.
 *
 *   meta           what the folder was made with (format, log, partitions, seed)
 *   log_offsets    how far each partition is counted: with the data, in the same transaction
 *   event_types    type_id ↔ name, first and last event, total
 *   raw_recent     raw events not yet in a Parquet file
 *   raw_files      the manifest of Parquet files (raw-files.ts)
 *   raw_tombstones what of them is deleted (tombstones.ts)
 *   deletes_… type_graves   what is left to do of deletes (delete-tables.ts)
 *   jobs           questions that are answered later (jobs.ts)
 *   type_settings  what users say of event types (type-settings.ts)
 *   system_metrics  the service's own numbers (system-metrics.ts)
 *   item_labels    what users call items (labels.ts)
 *   kept_answers   answers about the past, until something in them changes (kept-answers.ts)
 *   mutations      how many deletes there were (changes.ts)
 *   window_* …     sealed windows (windows.ts)
 *   coarse_windows which of them went when larger ones were built (coarse-table.ts)
 *   sketch_*       their sealed sketches (sketches.ts)
 *   open_*         minutes that still stream (open-windows.ts)
 *   count_deltas   exact counts of (minute, type, id, partition) not yet folded into a window:
 *                  appended without a key (an upsert costs 1.9 µs a row), summed when read
 *   delta_spans    of which minutes, types and partitions there are any (delta-spans.ts)
 *   seen_*         which batches were counted (idempotency)
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { RankstreamError } from "../errors.ts";
import { addPartitions } from "./adopt.ts";
import { mutationsTable } from "./changes.ts";
import { coarseTable } from "./coarse-table.ts";
import { rowsOf } from "./database.ts";
import { deleteTables } from "./delete-tables.ts";
import { deltaSpansTable, resetDeltaSpans } from "./delta-spans.ts";
import { jobsColumns, jobsTable } from "./jobs.ts";
import { keptAnswersTable } from "./kept-answers.ts";
import { labelsTable } from "./labels.ts";
import { clearOpen, openTables } from "./open-windows.ts";
import { rawFilesColumns, rawFilesTable } from "./raw-files.ts";
import { sketchTables } from "./sketches.ts";
import { systemMetricsTable } from "./system-metrics.ts";
import { tombstonesTable } from "./tombstones.ts";
import { typeSettingsTables } from "./type-settings.ts";
import { createWindowTables } from "./windows.ts";

export const formatVersion = 1;

/** Columns of raw events, in tables and Parquet files alike. */
export const rawColumns = `event_time TIMESTAMP_MS NOT NULL, received_at TIMESTAMP_MS NOT NULL,
  weight INTEGER NOT NULL, event_type VARCHAR NOT NULL, event_id VARCHAR NOT NULL,
  user_id VARCHAR, session_id VARCHAR, metadata VARCHAR`;

const tables = [
  "CREATE TABLE IF NOT EXISTS meta (key VARCHAR PRIMARY KEY, value VARCHAR NOT NULL)",
  `CREATE TABLE IF NOT EXISTS log_offsets (
     partition INTEGER NOT NULL, next_offset BIGINT NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS event_types (
     type_id INTEGER NOT NULL, event_type VARCHAR NOT NULL, total BIGINT NOT NULL,
     first_seen TIMESTAMP_MS NOT NULL, last_seen TIMESTAMP_MS NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS raw_recent (${rawColumns})`,
  rawFilesTable,
  rawFilesColumns,
  tombstonesTable,
  ...deleteTables,
  jobsTable,
  jobsColumns,
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
  `CREATE TABLE IF NOT EXISTS seen_keys (
     partition INTEGER NOT NULL, ordinal BIGINT NOT NULL, key VARCHAR NOT NULL, producer VARCHAR,
     digest VARCHAR, received_at BIGINT NOT NULL, partition_count INTEGER NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS seen_runs (
     partition INTEGER NOT NULL, producer VARCHAR NOT NULL,
     first_sequence BIGINT NOT NULL, last_sequence BIGINT NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS seen_times (
     partition INTEGER NOT NULL, newest_received_at BIGINT NOT NULL)`,
];

/** What a data folder is made with, once. */
export interface FolderIdentity {
  logId: string;
  partitionCount: number;
  /** Seed of the kernel's hashes: 16 hexadecimal digits. */
  seed: string;
  /**
   * Of a log that may grow: where its partitions began when it was opened, by partition. A new
   * folder counts from there; absent: the log is of this folder alone and never grows.
   */
  beginOffsets?: number[];
}

async function readMeta(connection: DuckDBConnection): Promise<Map<string, string>> {
  const rows = await rowsOf(connection, "SELECT key, value FROM meta");
  return new Map(rows.map((row) => [String(row["key"]), String(row["value"])]));
}

async function writeIdentity(connection: DuckDBConnection, wanted: FolderIdentity) {
  const { beginOffsets = [], ...identity } = wanted;
  const entries = { format: String(formatVersion), ...identity };
  for (const [key, value] of Object.entries(entries)) {
    await connection.run("INSERT INTO meta VALUES (?, ?)", [key, String(value)]);
  }
  await addPartitions(connection, 0, wanted.partitionCount, beginOffsets);
}

function mismatch(what: string, found: unknown, wanted: unknown): RankstreamError {
  const detail = `this data folder was made with ${what} ${found}; this start has ${wanted}`;
  return new RankstreamError("data_folder_mismatch", detail);
}

/**
 * Creates what is missing and holds the rest against `wanted`. Returns the identity kept in the
 * folder. Throws `data_folder_mismatch` for another log, another number of partitions, or a
 * format this version doesn't know.
 */
export async function prepareSchema(
  connection: DuckDBConnection,
  wanted: FolderIdentity,
): Promise<FolderIdentity> {
  for (const table of tables) await connection.run(table);
  for (const table of [...openTables, ...sketchTables]) await connection.run(table);
  await createWindowTables(connection);
  await clearOpen(connection);
  await resetDeltaSpans(connection);
  let meta = await readMeta(connection);
  if (meta.size === 0) {
    await writeIdentity(connection, wanted);
    meta = await readMeta(connection);
  }
  const format = meta.get("format");
  if (format !== String(formatVersion)) throw mismatch("store format", format, formatVersion);
  await connection.run("ALTER TABLE log_offsets ADD COLUMN IF NOT EXISTS tail VARCHAR");
  if (meta.get("logId") !== wanted.logId) throw mismatch("log", meta.get("logId"), wanted.logId);
  const partitionCount = Number(meta.get("partitionCount"));
  const hasGrown = wanted.beginOffsets !== undefined && wanted.partitionCount > partitionCount;
  if (partitionCount !== wanted.partitionCount && !hasGrown) {
    throw mismatch("a number of partitions of", partitionCount, wanted.partitionCount);
  }
  const seed = meta.get("seed") ?? wanted.seed;
  return { logId: wanted.logId, partitionCount: wanted.partitionCount, seed };
}
