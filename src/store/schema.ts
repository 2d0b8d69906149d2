/**
 * Tables of the store; migrations.ts makes them.
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
import { rowsOf } from "./database.ts";
import { resetDeltaSpans } from "./delta-spans.ts";
import { isLake } from "./dialect.ts";
import { createLakeTables } from "./lake-schema.ts";
import { migrate } from "./migrations.ts";
import { clearOpen } from "./open-windows.ts";
import { createRecentView, createWindowView } from "./windows.ts";

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
  const { beginOffsets: _, ...identity } = wanted;
  for (const [key, value] of Object.entries(identity)) {
    await connection.run("INSERT INTO meta VALUES (?, ?)", [key, String(value)]);
  }
}

function mismatch(what: string, found: unknown, wanted: unknown): RankstreamError {
  const detail = `this data folder was made with ${what} ${found}; this start has ${wanted}`;
  return new RankstreamError("data_folder_mismatch", detail);
}

async function prepareFile(connection: DuckDBConnection, before: number, wanted: FolderIdentity) {
  await createWindowView(connection);
  await createRecentView(connection);
  await clearOpen(connection);
  await resetDeltaSpans(connection);
  if (before > 0) return;
  await writeIdentity(connection, wanted);
  await addPartitions(connection, 0, wanted.partitionCount, wanted.beginOffsets ?? []);
}

async function prepareLake(connection: DuckDBConnection, before: number, wanted: FolderIdentity) {
  if (before > 0) return;
  await createLakeTables(connection, wanted.partitionCount, wanted.beginOffsets ?? []);
  await createWindowView(connection);
  await writeIdentity(connection, wanted);
}

/** What a start found. */
export interface Prepared extends FolderIdentity {
  /** The format that the folder had; 0: it is new. */
  formatBefore: number;
}

/**
 * Brings the folder to this program's format and holds the rest against `wanted`. Returns the
 * identity kept in the folder. Throws `data_folder_newer` for a format of a later version,
 * `data_folder_mismatch` for another log or another number of partitions. `program` is this
 * program's version.
 */
export async function prepareSchema(
  connection: DuckDBConnection,
  wanted: FolderIdentity,
  program = "of no version",
): Promise<Prepared> {
  const formatBefore = await migrate(connection, program);
  if (isLake(connection)) await prepareLake(connection, formatBefore, wanted);
  else await prepareFile(connection, formatBefore, wanted);
  const meta = await readMeta(connection);
  if (meta.get("logId") !== wanted.logId) throw mismatch("log", meta.get("logId"), wanted.logId);
  const partitionCount = Number(meta.get("partitionCount"));
  const hasGrown = wanted.beginOffsets !== undefined && wanted.partitionCount > partitionCount;
  if (partitionCount !== wanted.partitionCount && !hasGrown) {
    throw mismatch("a number of partitions of", partitionCount, wanted.partitionCount);
  }
  const seed = meta.get("seed") ?? wanted.seed;
  const { logId, partitionCount: count } = wanted;
  return { logId, partitionCount: count, seed, formatBefore };
}
