/**
 * Cuts: what the store is at one commit, as files that a backup reads while commits go on. It is
 * the store's file and its WAL up to that commit, which nothing is written back from meanwhile
 * (file-checkpoints.ts), and the files of raw events, which never change and are not removed.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { RankstreamError } from "../errors.ts";
import { offsetsOf, readMutations } from "./changes.ts";
import { type Database, ownReadBudgetMs, rowsOf } from "./database.ts";
import type { FileHold } from "./file-checkpoints.ts";
import type { RawFiles } from "./raw-files.ts";

/** A file of raw events, with what it was when it was written. */
export interface CutRawFile {
  /** Below the data folder. */
  path: string;
  bytes: number;
  /** CRC-32 of each MiB; null: written by an older version. */
  checksums: number[] | null;
}

export interface BaseCut {
  id: number;
  /** How much of store.duckdb and store.duckdb.wal belongs to the cut. */
  storeBytes: number;
  walBytes: number;
  rawFiles: CutRawFile[];
  /** Next offset to be counted, by partition. */
  offsets: number[];
  /** Epoch ms of the newest receipt of a batch with a key that is counted; 0 before the first. */
  keysReceivedThrough: number;
  /** What the folder was made with: format, logId, partitionCount, seed, … */
  meta: Record<string, string>;
  /** Event types, and the sum of their totals. */
  eventTypes: number;
  total: number;
  /** How many deletes and changes of labels there were. */
  mutations: number;
}

interface OpenCut {
  hold: FileHold;
  unpin: () => void;
}

async function numberOf(connection: DuckDBConnection, sql: string): Promise<number> {
  const [row] = await rowsOf(connection, sql);
  return Number(Object.values(row!)[0] ?? 0);
}

async function readRawFiles(connection: DuckDBConnection): Promise<CutRawFile[]> {
  const rows = await rowsOf(
    connection,
    `SELECT path, bytes, array_to_string(checksums, ' ') AS checksums FROM raw_files
     ORDER BY path`,
  );
  return rows.map(({ path, bytes, checksums }) => ({
    path: String(path),
    bytes: Number(bytes),
    checksums: checksums === null ? null : String(checksums).split(" ").map(Number),
  }));
}

async function readRest(connection: DuckDBConnection) {
  const meta = await rowsOf(connection, "SELECT key, value FROM meta ORDER BY key");
  const entries = meta.map(({ key, value }) => [String(key), String(value)]);
  return {
    rawFiles: await readRawFiles(connection),
    keysReceivedThrough: await numberOf(
      connection,
      "SELECT max(newest_received_at) FROM seen_times",
    ),
    meta: Object.fromEntries(entries) as Record<string, string>,
    eventTypes: await numberOf(connection, "SELECT count(*) FROM event_types"),
    total: await numberOf(connection, "SELECT sum(total)::BIGINT FROM event_types"),
    mutations: await readMutations(connection),
  };
}

/** Cuts that may be open at once. */
const cutsMax = 2;

export class BaseCuts {
  readonly #database: Database;
  readonly #rawFiles: RawFiles;
  readonly #open = new Map<number, OpenCut>();
  #nextId = 1;

  constructor(database: Database, rawFiles: RawFiles) {
    this.#database = database;
    this.#rawFiles = rawFiles;
  }

  /**
   * A cut as of all commits so far. `release` is to be called as soon as the store's file was
   * read, `close` once the raw files were. Throws `too_many_backups`.
   */
  async open(): Promise<BaseCut> {
    if (this.#open.size >= cutsMax) {
      const detail = `${cutsMax} backups are being taken of this store`;
      throw new RankstreamError("too_many_backups", detail, { retryAfterSeconds: 10 });
    }
    const id = this.#nextId++;
    // Before anything is read: what is replaced meanwhile must stay.
    const unpin = this.#rawFiles.replaced.pin();
    try {
      const { cut, hold } = await this.#read(id);
      this.#open.set(id, { hold, unpin });
      return cut;
    } catch (error) {
      unpin();
      throw error;
    }
  }

  async #read(id: number): Promise<{ cut: BaseCut; hold: FileHold }> {
    let hold: FileHold | null = null;
    try {
      const cut = await this.#database.read(ownReadBudgetMs, async (connection) => {
        // DuckDB begins a transaction with its first statement that reads: between two commits.
        const held = await this.#database.between(async (own, checkpoints) => {
          hold = own;
          const { fileBytes: storeBytes, walBytes } = checkpoints.sizes();
          return { storeBytes, walBytes, offsets: await offsetsOf(connection) };
        });
        return { id, ...held, ...(await readRest(connection)) };
      });
      return { cut, hold: hold! };
    } catch (error) {
      (hold as FileHold | null)?.release();
      throw error;
    }
  }

  /**
   * The store's file was read. Returns whether it stayed as it was: else what was read is of no
   * use, and another cut has to be opened.
   */
  release(id: number): boolean {
    return this.#open.get(id)?.hold.release() ?? false;
  }

  /** Nothing of the cut is needed any more. */
  close(id: number): void {
    const cut = this.#open.get(id);
    this.#open.delete(id);
    cut?.hold.release();
    cut?.unpin();
  }
}

/** The calls of a backup, over what `sources` gives once the store is open. */
export function cutHandlers(sources: () => { database: Database; rawFiles: RawFiles }) {
  let made: BaseCuts | null = null;
  const cuts = () => {
    const { database, rawFiles } = sources();
    made ??= new BaseCuts(database, rawFiles);
    return made;
  };
  return {
    openCut: () => cuts().open(),
    releaseCut: async (id: number) => cuts().release(id),
    closeCut: async (id: number) => {
      cuts().close(id);
      return null;
    },
  };
}
