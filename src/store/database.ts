/** What the store's parts need of the database below them, and how they speak to DuckDB. */
import type { DuckDBConnection, DuckDBValue } from "@duckdb/node-api";
import { RankstreamError } from "../errors.ts";
import { isLake } from "./dialect.ts";
import type { FileCheckpoints, FileHold } from "./file-checkpoints.ts";
import type { ReadLane } from "./read-lanes.ts";

/** Budget of reads that no request waits for. */
export const ownReadBudgetMs = 60_000;

/** How a read is run beside the others. */
export interface ReadOptions {
  /** Default quick. */
  lane?: ReadLane;
  /** Where other processes write, too: sees all that they committed before. Default false. */
  isNewest?: boolean;
  /** Ends the read: what runs is interrupted, what waits is dropped. */
  signal?: AbortSignal | undefined;
  /** How long to wait for a connection; default and at most the budget. */
  waitMsMax?: number | undefined;
  /** Told now and then how far the statement that runs is, 0..1. */
  onProgress?: ((share: number) => void) | undefined;
}

/**
 * How long maintenance waits for the lane of slow work, which a job or a snapshot may hold for
 * minutes: sealing must not wait for that.
 */
export const briefWaitMs = 100;

/** What is read; null where there was no connection in time. */
export async function unlessBusy<T>(reading: Promise<T>): Promise<T | null> {
  try {
    return await reading;
  } catch (error) {
    const code = error instanceof RankstreamError ? error.code : null;
    if (code === "query_timeout" || code === "too_many_queries") return null;
    throw error;
  }
}

/** A database of the store: transactions that write one after another, beside many that read. */
export interface Database {
  /** The writing connection, for registering functions and what a start reads. */
  readonly writer: DuckDBConnection;
  /**
   * Runs `work` as one transaction, after those already asked for; any failure rolls back.
   * `before` runs just ahead of it, outside the transaction, on a connection of its own.
   */
  write<T>(
    work: (connection: DuckDBConnection) => Promise<T>,
    before?: (connection: DuckDBConnection) => Promise<void>,
  ): Promise<T>;
  /** As `write`, for work that can be done later as well: `refuseDeferrable` ends it. */
  writeDeferrable<T>(work: (connection: DuckDBConnection) => Promise<T>): Promise<T>;
  /** Ends deferrable work and what `maintain` is at, and refuses further ones. */
  refuseDeferrable(): void;
  /** Writes what is in a WAL back; false where that can't be done now. */
  checkpoint(): Promise<boolean>;
  /** Runs `work` between two transactions with a hold on the file (file-checkpoints.ts). */
  between<T>(work: (hold: FileHold, checkpoints: FileCheckpoints) => Promise<T>): Promise<T>;
  /** Runs `work` beside the writer, outside any transaction: slow work that changes no table. */
  maintain<T>(work: (connection: DuckDBConnection) => Promise<T>): Promise<T>;
  /** So many reads have begun: reads begun from now on see all that is committed now. */
  readonly readsBegun: number;
  /** Whether all reads that were among the first `count` to begin have ended. */
  haveEnded(count: number): boolean;
  /**
   * Runs `work` in one read-only transaction: everything it reads is of one moment. Throws
   * `query_timeout`, `query_cancelled`, `query_memory`, `too_many_queries`.
   */
  read<T>(
    budgetMs: number,
    work: (connection: DuckDBConnection) => Promise<T>,
    options?: ReadOptions,
  ): Promise<T>;
  /** Bytes that it takes elsewhere; null: the data folder has all its files. */
  bytesElsewhere(): Promise<number | null>;
  /** Ends what is under way, then closes. */
  close(): Promise<void>;
  /** As `close`, without waiting for what is under way: it is interrupted. */
  abandon(): Promise<void>;
}

export type Row = Record<string, DuckDBValue>;

/** Rows of a query as objects, BIGINT as bigint. For small results only. */
export async function rowsOf(
  connection: DuckDBConnection,
  sql: string,
  values: DuckDBValue[] = [],
): Promise<Row[]> {
  const reader = await connection.runAndReadAll(sql, values);
  return reader.getRowObjects();
}

/** Rows of one VALUES list; longer ones are split. */
const valuesRowsMax = 500;

/** Runs `before (?, …), (?, …) after` for all rows, so many at a time. */
export async function runValues(
  connection: DuckDBConnection,
  before: string,
  rows: DuckDBValue[][],
  after = "",
): Promise<void> {
  for (let from = 0; from < rows.length; from += valuesRowsMax) {
    const part = rows.slice(from, from + valuesRowsMax);
    // A bigint is bound as HUGEINT, which few functions take.
    const mark = (value: DuckDBValue) => (typeof value === "bigint" ? "?::BIGINT" : "?");
    const marks = part.map((row) => `(${row.map(mark).join(", ")})`).join(", ");
    await connection.run(`${before} ${marks} ${after}`, part.flat());
  }
}

/**
 * Inserts the rows of `select`, however many. DuckDB 1.5.5 and 1.5.6 merge what a plain parallel
 * INSERT made of 122,880 rows (a row group) or more into the table as if committed long ago:
 * while COMMIT runs, every reader sees these rows beside those they replace, whatever its
 * snapshot. With RETURNING rows are appended under the transaction's own number and seen from its
 * commit on, for the same work in all: a slower COMMIT, a quicker INSERT. A test holds it.
 */
export async function insertRows(
  connection: DuckDBConnection,
  table: string,
  select: string,
): Promise<void> {
  // DuckLake has no RETURNING; rows of its own transactions are seen from their commit on.
  const returning = isLake(connection) ? "" : "RETURNING true";
  await connection.run(`INSERT INTO ${table} ${select} ${returning}`);
}
