/**
 * Snapshots: what the store holds at one moment, as files that any DuckDB reads without the
 * service (its own file is locked by its process).
 *
 *   snapshots/<name>/rankstream.duckdb   views (snapshot-tables.ts)
 *                    event_counts/       Parquet (snapshot-counts.ts)
 *                    raw_events/         the store's own files, linked; what is not in one, or in
 *                                        one of which something is deleted, in new ones
 *                    event_types.parquet, item_labels.parquet, system_metrics.parquet
 *
 * One is written below a temporary name, synced and renamed: there is all of it or nothing.
 */

import { randomUUID } from "node:crypto";
import { rm, statfs } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { RankstreamError } from "../errors.ts";
import { failPoint } from "../fail-point.ts";
import type { Files } from "../files.ts";
import { foreverMs } from "../model.ts";
import { offsetsOf } from "./changes.ts";
import { type Database, ownReadBudgetMs, rowsOf } from "./database.ts";
import type { RawFiles } from "./raw-files.ts";
import { linkRaw } from "./raw-links.ts";
import { readApart } from "./read-apart.ts";
import { writeCounts } from "./snapshot-counts.ts";
import { smallTables, writeViews } from "./snapshot-tables.ts";
import { sqlText } from "./sql.ts";

export interface SnapshotOptions {
  /** The data folder. */
  folder: string;
  files: Files;
  /** Kept at once; further ones are refused. */
  snapshotsMax: number;
  /** How long one may take. */
  timeMsMax: number;
  /** Rows of counts summed up at once. */
  sliceRowsMax: number;
}

export const snapshotDefaults = Object.freeze({
  snapshotsMax: 10,
  timeMsMax: 3_600_000,
  sliceRowsMax: 500_000,
});

export interface SnapshotInfo {
  name: string;
  /** Absolute. */
  path: string;
}

/** A snapshot that was taken. */
export interface SnapshotAnswer extends SnapshotInfo {
  /** Rows of raw_events and of event_counts. */
  events: number;
  counts: number;
  /** Files of raw events that are the store's own. */
  linkedFiles: number;
  /** Offsets it includes, by partition. */
  offsets: number[];
}

const snapshotsFolder = "snapshots";
const temporaryMark = ".tmp";
const storeFile = "store.duckdb";

function notFound(name: string): RankstreamError {
  return new RankstreamError("snapshot_not_found", `there is no snapshot ${JSON.stringify(name)}`);
}

export class Snapshots {
  readonly #database: Database;
  readonly #rawFiles: RawFiles;
  readonly #options: SnapshotOptions;
  readonly #stop = new AbortController();
  #running: Promise<unknown> | null = null;

  private constructor(database: Database, rawFiles: RawFiles, options: SnapshotOptions) {
    this.#database = database;
    this.#rawFiles = rawFiles;
    this.#options = options;
  }

  /** Removes what a crash has left half done. Only the holder of the data folder may. */
  static async open(
    database: Database,
    rawFiles: RawFiles,
    options: SnapshotOptions,
  ): Promise<Snapshots> {
    const snapshots = new Snapshots(database, rawFiles, options);
    await snapshots.#sweep();
    return snapshots;
  }

  get #folder(): string {
    return resolve(this.#options.folder, snapshotsFolder);
  }

  async #sweep(): Promise<void> {
    for (const name of await this.#options.files.list(this.#folder)) {
      if (name.endsWith(temporaryMark)) await rm(join(this.#folder, name), { recursive: true });
    }
  }

  /** Those there are, by name. */
  async list(): Promise<SnapshotInfo[]> {
    const names = await this.#options.files.list(this.#folder);
    return names
      .filter((name) => !name.endsWith(temporaryMark))
      .map((name) => ({ name, path: join(this.#folder, name) }));
  }

  /** Removes one. Throws `snapshot_not_found`. */
  async drop(name: string): Promise<null> {
    if (!(await this.list()).some((known) => known.name === name)) throw notFound(name);
    const { files } = this.#options;
    // Out of sight at once, so that a crash leaves nothing half there.
    const temporary = join(this.#folder, `${name}.dropped${temporaryMark}`);
    await files.rename(join(this.#folder, name), temporary);
    await rm(temporary, { recursive: true });
    await files.syncFolder(this.#folder);
    return null;
  }

  /**
   * Takes one of everything committed before. Throws `snapshot_exists`, `too_many_snapshots`, and
   * `query_cancelled`, `query_timeout`, `query_memory`: then there is nothing of it.
   */
  async take(name: string, signal?: AbortSignal): Promise<SnapshotAnswer> {
    if (this.#running !== null) {
      const detail = "another snapshot is being taken";
      throw new RankstreamError("too_many_snapshots", detail, { retryAfterSeconds: 10 });
    }
    const running = this.#take(name, signal);
    this.#running = running.catch(() => undefined);
    try {
      return await running;
    } finally {
      this.#running = null;
    }
  }

  /** Resolves once none is being taken that is now. */
  async settled(): Promise<void> {
    await this.#running;
  }

  /** Ends one under way, which leaves nothing. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #take(name: string, signal?: AbortSignal): Promise<SnapshotAnswer> {
    const known = await this.list();
    if (known.some((one) => one.name === name)) {
      throw new RankstreamError("snapshot_exists", `there is a snapshot ${JSON.stringify(name)}`);
    }
    if (known.length >= this.#options.snapshotsMax) {
      const detail = `expected fewer than ${this.#options.snapshotsMax} snapshots to be kept`;
      throw new RankstreamError("too_many_snapshots", detail);
    }
    await this.#checkRoom();
    const { files, timeMsMax } = this.#options;
    const path = join(this.#folder, name);
    // Never the same path twice: DuckDB keeps what it has read of a file by the file's path.
    const temporary = `${path}.${randomUUID()}${temporaryMark}`;
    try {
      for (const sub of ["event_counts", "raw_events"]) {
        await files.makeFolder(join(temporary, sub));
      }
      const taken = await readApart(
        this.#database,
        timeMsMax,
        [this.#stop.signal, signal],
        (connection) => this.#write(connection, temporary),
      );
      await writeViews(temporary);
      await this.#sync(temporary);
      failPoint("snapshot.before_rename");
      await files.rename(temporary, path);
      await files.syncFolder(this.#folder);
      return { name, path, ...taken };
    } catch (error) {
      await rm(temporary, { recursive: true, force: true });
      throw error;
    }
  }

  /** What is written anew is no more than the store's own file and the files to be rewritten. */
  async #checkRoom(): Promise<void> {
    const { folder, files } = this.#options;
    const changed = `SEMI JOIN (SELECT path FROM raw_tombstones
      UNION ALL SELECT path FROM raw_erasures) AS changed USING (path)`;
    const written = `raw_files ${this.#rawFiles.place.keepsCopies ? "" : changed}`;
    const [row] = await this.#database.read(ownReadBudgetMs, (connection) =>
      rowsOf(connection, `SELECT coalesce(sum(bytes), 0)::BIGINT AS bytes FROM ${written}`),
    );
    const own = (await files.size(join(folder, storeFile))) ?? 0;
    const needed = own + Number(row!["bytes"]);
    const { bavail, bsize } = await statfs(folder);
    if (bavail * bsize >= needed) return;
    const detail = `a snapshot may take ${needed} bytes, ${bavail * bsize} are free`;
    throw new RankstreamError("disk_nearly_full", detail);
  }

  async #write(connection: DuckDBConnection, folder: string) {
    const raw = await this.#writeRaw(connection, join(folder, "raw_events"));
    const target = { folder: join(folder, "event_counts"), rowsMax: this.#options.sliceRowsMax };
    const counts = await writeCounts(connection, target);
    for (const [file, sql] of Object.entries(smallTables)) {
      await connection.run(`COPY (${sql}) TO ${sqlText(join(folder, file))} (FORMAT parquet)`);
    }
    return { ...raw, counts, offsets: await offsetsOf(connection) };
  }

  async #writeRaw(connection: DuckDBConnection, folder: string) {
    const { files, linked } = await linkRaw(connection, this.#rawFiles, folder, [0, foreverMs]);
    return { events: files.reduce((sum, { rows }) => sum + rows, 0), linkedFiles: linked };
  }

  async #sync(folder: string): Promise<void> {
    const { files } = this.#options;
    for (const sub of ["event_counts", "raw_events", ""]) {
      const own = join(folder, sub);
      for (const name of await files.list(own)) {
        if (/\.(?:parquet|duckdb)$/.test(name)) await files.syncFile(join(own, name));
      }
      await files.syncFolder(own);
    }
  }
}
