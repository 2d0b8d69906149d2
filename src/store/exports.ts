/**
 * Exports: raw events of one moment, slice by slice as files to be sent on. A short transaction
 * links the store's files (raw-links.ts); each slice is read from the links when it is asked
 * for, so that neither commits nor merges wait for a slow client, and only one slice at a time
 * is sorted and lies on the disk. Parquet is one slice, since it is one file.
 *
 *   exports/<id>/   links, and the slice that was made last
 */
import { randomUUID } from "node:crypto";
import { rm, statfs } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { RankstreamError } from "../errors.ts";
import type { Files } from "../files.ts";
import { countSteps } from "../model-export.ts";
import { type Database, rowsOf } from "./database.ts";
import { copySql, type ExportQuery, eventsFrom } from "./export-sql.ts";
import type { RawFiles } from "./raw-files.ts";
import { type LinkedFile, linkRaw } from "./raw-links.ts";
import { readApart } from "./read-apart.ts";
import { changedFiles } from "./tombstones.ts";

export interface ExportsOptions {
  /** The data folder. */
  folder: string;
  files: Files;
  /** How long opening one, or one slice, may take. */
  stepMsMax: number;
  /** Slices hold about so many events at most. */
  sliceRowsMax: number;
}

export const exportsDefaults = Object.freeze({ stepMsMax: 3_600_000, sliceRowsMax: 500_000 });

/** An export that was opened; it must be closed. */
export interface OpenedExport {
  id: string;
  /** Events, or null where they are summed up. */
  rows: number | null;
  slices: number;
}

interface Open {
  query: ExportQuery;
  folder: string;
  files: LinkedFile[];
  slices: { from: number; to: number }[];
}

const exportsFolder = "exports";
/** A slice is no shorter, however many events it has. */
const sliceMsMin = 1000;
/** Left free on the disk. */
const freeBytesMin = 64 * 1024 * 1024;

/** About how many of the files' rows lie in `[from, to)`: taken as spread evenly over a file. */
function rowsWithin(files: readonly LinkedFile[], from: number, to: number): number {
  let sum = 0;
  for (const { firstTime, lastTime, rows } of files) {
    const common = Math.min(to, lastTime + 1) - Math.max(from, firstTime);
    if (common > 0) sum += (rows * common) / (lastTime + 1 - firstTime);
  }
  return sum;
}

/**
 * Cuts `[from, to)` into slices of about `rowsMax` events, at multiples of `stepMs`; stretches
 * without any are left out.
 */
export function slicesOf(
  files: readonly LinkedFile[],
  [from, to]: readonly [number, number],
  { rowsMax, stepMs }: { rowsMax: number; stepMs: number },
): { from: number; to: number }[] {
  const rows = rowsWithin(files, from, to);
  if (rows === 0) return [];
  const middle = Math.floor((from + to) / 2 / stepMs) * stepMs;
  if (rows <= rowsMax || middle <= from) return [{ from, to }];
  const options = { rowsMax, stepMs };
  return [...slicesOf(files, [from, middle], options), ...slicesOf(files, [middle, to], options)];
}

export class Exports {
  readonly #database: Database;
  readonly #rawFiles: RawFiles;
  readonly #options: ExportsOptions;
  readonly #stop = new AbortController();
  readonly #open = new Map<string, Open>();
  readonly #opening = new Set<string>();

  private constructor(database: Database, rawFiles: RawFiles, options: ExportsOptions) {
    this.#database = database;
    this.#rawFiles = rawFiles;
    this.#options = options;
  }

  /** Removes what a crash has left. Only the holder of the data folder may. */
  static async start(database: Database, rawFiles: RawFiles, options: ExportsOptions) {
    const exports = new Exports(database, rawFiles, options);
    await rm(exports.#folder, { recursive: true, force: true });
    return exports;
  }

  /** Of those that are open, or being opened. */
  get ids(): string[] {
    return [...this.#opening, ...this.#open.keys()];
  }

  get #folder(): string {
    return resolve(this.#options.folder, exportsFolder);
  }

  /**
   * Holds the events of everything committed before. Throws `disk_nearly_full`, `raw_corrupt`,
   * `query_cancelled`, `query_timeout`, `query_memory`: then nothing is held.
   */
  async open(query: ExportQuery, signal?: AbortSignal): Promise<OpenedExport> {
    const id = randomUUID();
    const folder = join(this.#folder, id);
    this.#opening.add(id);
    try {
      await this.#options.files.makeFolder(folder);
      const { files } = await this.#read(signal, async (connection) => {
        await this.#checkRoom(connection, query);
        return linkRaw(connection, this.#rawFiles, folder, [query.from, query.to]);
      });
      const slices = this.#slice(query, files);
      this.#open.set(id, { query, folder, files, slices });
      const rows = query.counts === undefined ? await this.#count(id, signal) : null;
      return { id, rows, slices: slices.length };
    } catch (error) {
      await this.close(id);
      throw error;
    } finally {
      this.#opening.delete(id);
    }
  }

  /** Makes a slice and resolves to its path; the caller removes the file. Throws as `open`. */
  async slice(id: string, index: number, signal?: AbortSignal): Promise<string> {
    const open = this.#open.get(id);
    const slice = open?.slices[index];
    if (open === undefined || slice === undefined) {
      throw new RankstreamError("query_cancelled", "the export was closed");
    }
    const target = join(open.folder, `slice-${index}.${open.query.format}`);
    const sql = copySql(open.query, this.#from(open, slice), target, index === 0);
    await this.#read(signal, (connection) => connection.run(sql));
    return target;
  }

  /** Lets go of what is held; of one not known it does nothing. */
  async close(id: string): Promise<null> {
    this.#open.delete(id);
    await rm(join(this.#folder, id), { recursive: true, force: true });
    return null;
  }

  /** Ends what is under way. */
  async stop(): Promise<void> {
    this.#stop.abort();
    for (const id of [...this.#open.keys()]) await this.close(id);
  }

  #read<T>(
    signal: AbortSignal | undefined,
    work: (connection: DuckDBConnection) => Promise<T>,
  ): Promise<T> {
    return readApart(this.#database, this.#options.stepMsMax, [this.#stop.signal, signal], work);
  }

  #from({ query, files }: Open, { from, to }: { from: number; to: number }): string {
    const within = files.filter(({ firstTime, lastTime }) => firstTime < to && lastTime >= from);
    return eventsFrom(
      query,
      within.map(({ path }) => path),
      from,
      to,
    );
  }

  #slice({ format, counts, from, to }: ExportQuery, files: readonly LinkedFile[]) {
    const isWhole = format === "parquet";
    const rowsMax = isWhole ? Number.POSITIVE_INFINITY : this.#options.sliceRowsMax;
    const stepMs = counts === undefined ? sliceMsMin : countSteps[counts];
    const slices = slicesOf(files, [from, to], { rowsMax, stepMs });
    // Of nothing there is still a file, with a header where the format has one.
    return slices.length > 0 ? slices : [{ from, to }];
  }

  async #count(id: string, signal: AbortSignal | undefined): Promise<number> {
    const open = this.#open.get(id)!;
    const sql = `SELECT count(*) AS rows ${this.#from(open, open.query)}`;
    const [row] = await this.#read(signal, (connection) => rowsOf(connection, sql));
    return Number(row!["rows"]);
  }

  /** What is written anew: files with deleted or erased events; all where it is one file. */
  async #checkRoom(
    connection: DuckDBConnection,
    { format, from, to }: ExportQuery,
  ): Promise<void> {
    const changed = await changedFiles(connection);
    const files = await this.#rawFiles.list(connection, from, to);
    const written = files.filter(({ path }) => format === "parquet" || changed.has(path));
    const copied = this.#rawFiles.place.keepsCopies ? files : [];
    const needed = [...written, ...copied].reduce((sum, { bytes }) => sum + bytes, freeBytesMin);
    const { bavail, bsize } = await statfs(this.#options.folder);
    if (bavail * bsize >= needed) return;
    const detail = `the export may take ${needed} bytes, ${bavail * bsize} are free`;
    throw new RankstreamError("disk_nearly_full", detail);
  }
}
