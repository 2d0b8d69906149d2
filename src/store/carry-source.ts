/** A store that is to be carried into a lake: whether it can be, and how much it is. */
import { access } from "node:fs/promises";
import { join } from "node:path";
import type { DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { RankstreamError } from "../errors.ts";
import { storeName } from "./carry-tables.ts";
import { offsetsOf } from "./changes.ts";
import { rowsOf } from "./database.ts";
import { checkFormat, storeFormat } from "./migrations.ts";
import { databaseDefaults, openInstance } from "./open-instance.ts";

export interface SourceOptions {
  /** The data folder. */
  folder: string;
  /** This program's version. */
  program: string;
  memoryBytesMax: number;
}

/** What a store is and holds. */
export interface StoreFacts {
  /** The same for this store whenever it is asked, for no other but its copies. */
  id: string;
  logId: string;
  seed: string;
  /** Next offset to be counted, by partition. */
  offsets: number[];
  eventTypes: number;
  /** Sum of all events' weights. */
  total: number;
  rawFiles: number;
  rawBytes: number;
  /** Raw events in files, deleted ones among them, and in no file yet. */
  rawRows: number;
  recentRows: number;
  /** Rows of windows: lists, tails and what is not folded yet. */
  countRows: number;
  labels: number;
}

function refused(detail: string): RankstreamError {
  return new RankstreamError("migration_refused", detail);
}

/**
 * Opens the store's file, which holds the folder against services until it is closed. Its file
 * is left as it is. Throws `migration_refused` where there is none, `data_folder_in_use`,
 * `data_folder_newer`, `store_failed`.
 */
export async function openSource(options: SourceOptions): Promise<DuckDBInstance> {
  const { folder, memoryBytesMax } = options;
  const path = join(folder, `${storeName}.duckdb`);
  await access(path).catch(() => {
    throw refused(`${path}: expected the store of a data folder, there is none`);
  });
  try {
    const instance = await openInstance(path, { ...databaseDefaults, memoryBytesMax });
    const connection = await instance.connect();
    await connection.run("PRAGMA disable_checkpoint_on_shutdown");
    connection.closeSync();
    return instance;
  } catch (cause) {
    if (cause instanceof RankstreamError) throw cause;
    throw new RankstreamError("store_failed", `${path}: ${(cause as Error).message}`, { cause });
  }
}

async function oneRow(connection: DuckDBConnection, sql: string): Promise<number[]> {
  const [row] = await rowsOf(connection, sql);
  return Object.values(row!).map(Number);
}

/**
 * Throws `migration_refused` where something of the store is under way, or it is of an older
 * format; `data_folder_newer`.
 */
export async function checkSource(
  connection: DuckDBConnection,
  { folder, program }: SourceOptions,
): Promise<void> {
  const again = "start the service on it once, and stop it when that is done";
  const format = await checkFormat(connection, program);
  if (format !== storeFormat) {
    throw refused(`${folder} has store format ${format}, ${storeFormat} expected: ${again}`);
  }
  const [deletes, erasures] = await oneRow(
    connection,
    `SELECT (SELECT count(*) FROM deletes_under_way),
       (SELECT count(*) FROM erasures WHERE status <> 'done')`,
  );
  if (deletes! > 0) throw refused(`${folder}: events are still being deleted: ${again}`);
  if (erasures! > 0) throw refused(`${folder}: users are still being erased: ${again}`);
}

/** Reads what the store is and holds. */
export async function factsOf(connection: DuckDBConnection): Promise<StoreFacts> {
  const [own] = await rowsOf(
    connection,
    `SELECT sha256('carried ' || (SELECT key FROM erasure_key)) AS id,
       (SELECT value FROM meta WHERE key = 'logId') AS log_id,
       (SELECT value FROM meta WHERE key = 'seed') AS seed`,
  );
  const offsets = await offsetsOf(connection);
  const [eventTypes, total] = await oneRow(
    connection,
    "SELECT count(*), coalesce(sum(total), 0)::BIGINT FROM event_types",
  );
  const [rawFiles, rawBytes, rawRows] = await oneRow(
    connection,
    `SELECT count(*), coalesce(sum(bytes), 0)::BIGINT, coalesce(sum(rows), 0)::BIGINT
     FROM raw_files`,
  );
  const counts = ["minute", "hour", "day", "month"].flatMap((level) =>
    ["list", "tail"].map((kind) => `(SELECT count(*) FROM ${kind}_${level})`),
  );
  const [recentRows, labels, countRows] = await oneRow(
    connection,
    `SELECT (SELECT count(*) FROM raw_recent), (SELECT count(*) FROM item_labels),
       (SELECT count(*) FROM count_deltas) + ${counts.join(" + ")}`,
  );
  return {
    id: String(own!["id"]),
    logId: String(own!["log_id"]),
    seed: String(own!["seed"]),
    offsets,
    ...{ eventTypes: eventTypes!, total: total!, rawFiles: rawFiles!, rawBytes: rawBytes! },
    ...{ rawRows: rawRows!, recentRows: recentRows!, countRows: countRows!, labels: labels! },
  };
}
