/** Opening the store's file with DuckDB: its settings, its lock, and what its SQL may reach. */
import { setTimeout as sleep } from "node:timers/promises";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { RankstreamError } from "../errors.ts";
import { type FileCheckpointOptions, fileCheckpointDefaults } from "./file-checkpoints.ts";
import type { ReadLane } from "./read-lanes.ts";
import { sqlText } from "./sql.ts";

/** What each connection is told for itself, also anew while it is open. */
export interface SessionSettings {
  readonly names: readonly string[];
  /** To be called before a connection's statements. */
  apply(connection: DuckDBConnection): Promise<void>;
}

export interface DatabaseOptions {
  memoryBytesMax: number;
  threads: number;
  /**
   * Reading connections; further readers wait. Each running query holds one of libuv's threads
   * (4 unless UV_THREADPOOL_SIZE says otherwise before the start), and so does the writer: two
   * readers leave one thread to the log's writes and syncs.
   */
  readersMax: number;
  /** Reads waiting for a connection, by lane; further ones are refused. */
  waitingReadsMax: Record<ReadLane, number>;
  /** How long to wait for another process to let go of the file. */
  lockWaitMsMax: number;
  checkpoints: FileCheckpointOptions;
  /**
   * Called before SQL is confined to the data folder: loads what reaches further. Resolves to the
   * places, each ending in a slash, that SQL may reach too.
   */
  widen?: (connection: DuckDBConnection) => Promise<readonly string[]>;
  session?: SessionSettings;
  /** Whether its tables are a mirror's of a lake (lake-mirror.ts). */
  isMirror?: boolean;
}

export const databaseDefaults: DatabaseOptions = Object.freeze({
  memoryBytesMax: 768 * 1024 * 1024,
  threads: 2,
  readersMax: 2,
  waitingReadsMax: Object.freeze({ quick: 1000, slow: 64, apart: 16 }),
  lockWaitMsMax: 5000,
  checkpoints: fileCheckpointDefaults,
});

function isLockError(error: unknown): boolean {
  return error instanceof Error && /Could not set lock on file/.test(error.message);
}

/** What DuckDB says of a file that a later DuckDB wrote; null of any other error. */
function newerFile(error: unknown, path: string): RankstreamError | null {
  const message = error instanceof Error ? error.message : "";
  const found = /with version number (\d+), but we can only read ([^.]+)\./.exec(message);
  if (found === null) return null;
  const detail = `${path}: DuckDB storage version ${found[1]}; this version reads ${found[2]}`;
  return new RankstreamError("data_folder_newer", detail, { cause: error });
}

/** Opens the file at `path`, creating it. Throws `data_folder_in_use`, `data_folder_newer`. */
export async function openInstance(
  path: string,
  options: DatabaseOptions,
): Promise<DuckDBInstance> {
  const settings = {
    threads: String(options.threads),
    memory_limit: `${Math.floor(options.memoryBytesMax / 1e6)}MB`,
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
    // Rows leave in whatever order is fastest; every query that cares says ORDER BY.
    preserve_insertion_order: "false",
    // Its own thread divides its time among statements instead of running one to its end; that
    // costs nothing measurable, and long work apart (jobs, merges) would hold it for minutes.
    scheduler_process_partial: "true",
    // Never by itself: file-checkpoints.ts says when.
    wal_autocheckpoint: "1024TB",
    // Of a lake it would be given up where PostgreSQL is gone (lake-errors.ts).
    ...(options.isMirror === true && { disable_database_invalidation: "true" }),
  };
  const deadline = performance.now() + options.lockWaitMsMax;
  for (;;) {
    try {
      return await DuckDBInstance.create(path, settings);
    } catch (error) {
      if (!isLockError(error)) throw newerFile(error, path) ?? error;
      if (performance.now() >= deadline) {
        const holder = /PID (\d+)/.exec((error as Error).message)?.[1];
        const who = holder === undefined ? "another process" : `process ${holder}`;
        throw new RankstreamError(
          "data_folder_in_use",
          `the data folder is held by ${who} (${path}); stop it or choose another --data-dir`,
          { cause: error },
        );
      }
      await sleep(100);
    }
  }
}

/**
 * SQL reaches these folders and nothing else, loads no extension, and can't change that, nor any
 * setting but `settings`.
 */
export async function confine(
  connection: DuckDBConnection,
  folders: readonly string[],
  settings: readonly string[] = [],
): Promise<void> {
  await connection.run(`SET allowed_directories = [${folders.map(sqlText).join(", ")}]`);
  await connection.run(`SET allowed_configs = [${settings.map(sqlText).join(", ")}]`);
  await connection.run("SET enable_external_access = false");
  await connection.run("SET lock_configuration = true");
}
