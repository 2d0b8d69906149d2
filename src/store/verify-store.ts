/** Looks through a store that no service runs on: its files, and all it has counted. */
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { RankstreamError } from "../errors.ts";
import { nodeFiles } from "../files.ts";
import { offsetsOf } from "./changes.ts";
import { rowsOf } from "./database.ts";
import { FolderRawPlace } from "./folder-raw-place.ts";
import { checkFormat } from "./migrations.ts";
import { databaseDefaults, openInstance } from "./open-instance.ts";
import { RawChecks } from "./raw-checks.ts";
import type { RawPlace } from "./raw-place.ts";
import { type Recount, Recounter, recountDefaults } from "./recount.ts";
import { sqlText } from "./sql.ts";

export interface VerifyOptions {
  /** The data folder. */
  folder: string;
  /** This program's version. */
  program: string;
  memoryBytesMax: number;
  /** Told how far it is, 0..1, and with what. */
  onProgress(share: number, what: string): void;
  signal: AbortSignal;
}

/** What a store was found to be. */
export interface VerifiedStore {
  /** Of the log that its offsets belong to. */
  logId: string;
  /** Next offset to be counted, by partition. */
  offsets: number[];
  rawFiles: number;
  rawBytes: number;
  /** What is wrong with raw files. */
  damaged: string[];
  /** Null: it can't be recounted, since files are damaged or a delete is under way. */
  recount: Recount | null;
  isDeleting: boolean;
}

/** Files whose number of rows is asked for at once. */
const filesAtOnce = 200;

/** Each file by its checksums, then by its number of rows. */
async function checkRawFiles(
  connection: DuckDBConnection,
  checks: RawChecks,
  { onProgress, signal }: VerifyOptions,
): Promise<Pick<VerifiedStore, "rawFiles" | "rawBytes" | "damaged">> {
  const rows = await rowsOf(connection, "SELECT path, rows, bytes FROM raw_files ORDER BY path");
  const damaged: string[] = [];
  const sound: { path: string; rows: number }[] = [];
  for (const [i, row] of rows.entries()) {
    signal.throwIfAborted();
    const path = String(row["path"]);
    try {
      await checks.check(connection, [path]);
      sound.push({ path, rows: Number(row["rows"]) });
    } catch (error) {
      if (!(error instanceof RankstreamError)) throw error;
      damaged.push(error.message);
    }
    onProgress((i + 1) / rows.length, "raw files");
  }
  for (let at = 0; at < sound.length; at += filesAtOnce) {
    const part = sound.slice(at, at + filesAtOnce);
    damaged.push(...(await wrongRows(connection, checks.place, part)));
  }
  const rawBytes = rows.reduce((sum, { bytes }) => sum + Number(bytes), 0);
  return { rawFiles: rows.length, rawBytes, damaged };
}

async function wrongRows(
  connection: DuckDBConnection,
  place: RawPlace,
  files: readonly { path: string; rows: number }[],
): Promise<string[]> {
  const list = files.map(({ path }) => sqlText(place.locate(path))).join(", ");
  const found = await rowsOf(
    connection,
    `SELECT file_name, num_rows FROM parquet_file_metadata([${list}])`,
  );
  const rows = new Map(found.map((row) => [String(row["file_name"]), Number(row["num_rows"])]));
  return files.flatMap((file) => {
    const path = place.locate(file.path);
    const has = rows.get(path);
    return has === file.rows ? [] : [`${path}: ${has} events, ${file.rows} expected`];
  });
}

/**
 * Opens the store as a start does, and holds its files against their checksums and its counts
 * against its raw events. Throws `data_folder_in_use`, `data_folder_newer`, `store_failed` where
 * DuckDB can't open it, and what aborts the signal.
 */
export async function verifyStore(options: VerifyOptions): Promise<VerifiedStore> {
  const { folder, program, memoryBytesMax, onProgress, signal } = options;
  const path = join(folder, "store.duckdb");
  const settings = { ...databaseDefaults, memoryBytesMax };
  const instance = await openInstance(path, settings).catch((cause) => {
    if (cause instanceof RankstreamError) throw cause;
    throw new RankstreamError("store_failed", `${path}: ${(cause as Error).message}`, { cause });
  });
  try {
    const connection = await instance.connect();
    await checkFormat(connection, program);
    const [meta] = await rowsOf(connection, "SELECT value FROM meta WHERE key = 'logId'");
    const offsets = await offsetsOf(connection);
    const checks = new RawChecks(new FolderRawPlace(folder, nodeFiles));
    const files = await checkRawFiles(connection, checks, options);
    const [deletes] = await rowsOf(connection, "SELECT count(*) AS n FROM deletes_under_way");
    const isDeleting = Number(deletes!["n"]) > 0;
    const isCountable = files.damaged.length === 0 && !isDeleting;
    const told = (share: number) => onProgress(share, "counting anew");
    const counting = { ...recountDefaults, onProgress: told, signal };
    const recount = isCountable ? await new Recounter(connection, checks, counting).run() : null;
    connection.closeSync();
    return {
      logId: String(meta!["value"]),
      offsets,
      ...files,
      recount,
      isDeleting,
    };
  } finally {
    instance.closeSync();
  }
}
