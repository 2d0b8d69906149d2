/**
 * The one DuckDB instance of a data folder: one writing connection, a bounded number of reading
 * ones, deadlines by interrupt. DuckDB's own file lock keeps a second process out.
 */
import { dirname, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type DuckDBConnection, DuckDBInstance, type DuckDBValue } from "@duckdb/node-api";
import { RankstreamError } from "../errors.ts";
import { sqlText } from "./sql.ts";

export interface DatabaseOptions {
  memoryBytesMax: number;
  threads: number;
  /**
   * Reading connections; further readers wait. Each running query holds one of libuv's threads
   * (4 unless UV_THREADPOOL_SIZE says otherwise before the start), and so does the writer: two
   * readers leave one thread to the log's writes and syncs.
   */
  readersMax: number;
  /** Readers waiting for a connection; further ones are refused. */
  waitingReadersMax: number;
  /** How long to wait for another process to let go of the file. */
  lockWaitMsMax: number;
}

export const databaseDefaults: DatabaseOptions = Object.freeze({
  memoryBytesMax: 768 * 1024 * 1024,
  threads: 2,
  readersMax: 2,
  waitingReadersMax: 1000,
  lockWaitMsMax: 5000,
});

/** Budget of reads that no request waits for. */
export const ownReadBudgetMs = 60_000;

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
  await connection.run(`INSERT INTO ${table} ${select} RETURNING true`);
}

function isLockError(error: unknown): boolean {
  return error instanceof Error && /Could not set lock on file/.test(error.message);
}

async function openInstance(path: string, options: DatabaseOptions): Promise<DuckDBInstance> {
  const settings = {
    threads: String(options.threads),
    memory_limit: `${Math.floor(options.memoryBytesMax / 1e6)}MB`,
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
    // Rows leave in whatever order is fastest; every query that cares says ORDER BY.
    preserve_insertion_order: "false",
  };
  const deadline = Date.now() + options.lockWaitMsMax;
  for (;;) {
    try {
      return await DuckDBInstance.create(path, settings);
    } catch (error) {
      if (!isLockError(error)) throw error;
      if (Date.now() >= deadline) {
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

/** SQL reaches the data folder and nothing else, loads no extension, and can't change that. */
async function confine(connection: DuckDBConnection, folder: string): Promise<void> {
  await connection.run(`SET allowed_directories = [${sqlText(folder)}]`);
  await connection.run("SET enable_external_access = false");
  await connection.run("SET lock_configuration = true");
}

export class Database {
  readonly #instance: DuckDBInstance;
  readonly #writer: DuckDBConnection;
  readonly #idle: DuckDBConnection[];
  readonly #waiting: ((connection: DuckDBConnection) => void)[] = [];
  readonly #options: DatabaseOptions;
  #writing: Promise<unknown> = Promise.resolve();
  #deferrable: "idle" | "running" | "refused" = "idle";
  readonly #maintaining = new Set<DuckDBConnection>();

  private constructor(
    instance: DuckDBInstance,
    writer: DuckDBConnection,
    readers: DuckDBConnection[],
    options: DatabaseOptions,
  ) {
    this.#instance = instance;
    this.#writer = writer;
    this.#idle = readers;
    this.#options = options;
  }

  /** Opens the file at `path`, creating it. Throws `data_folder_in_use`. */
  static async open(path: string, options = databaseDefaults): Promise<Database> {
    const instance = await openInstance(path, options);
    const writer = await instance.connect();
    if (path !== ":memory:") await confine(writer, dirname(resolve(path)));
    const readers: DuckDBConnection[] = [];
    for (let i = 0; i < options.readersMax; i++) readers.push(await instance.connect());
    return new Database(instance, writer, readers, options);
  }

  /** The writing connection, for registering functions. */
  get writer(): DuckDBConnection {
    return this.#writer;
  }

  /**
   * Runs `work` as one transaction, after those already asked for. Any failure rolls back:
   * DuckDB answers OK to COMMIT after a failed statement, so COMMIT alone proves nothing.
   * `before` runs just ahead of it on the same connection, outside the transaction.
   */
  write<T>(
    work: (connection: DuckDBConnection) => Promise<T>,
    before?: (connection: DuckDBConnection) => Promise<void>,
  ): Promise<T> {
    return this.#enqueue(async () => {
      await before?.(this.#writer);
      return this.#transaction(work);
    });
  }

  /** As `write`, for work that can be done later as well: `refuseDeferrable` ends it. */
  writeDeferrable<T>(work: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
    return this.#enqueue(async () => {
      if (this.#deferrable === "refused") throw new Error("the store is closing");
      this.#deferrable = "running";
      try {
        return await this.#transaction(work);
      } finally {
        if (this.#deferrable === "running") this.#deferrable = "idle";
      }
    });
  }

  /**
   * Interrupts a deferrable transaction under way (so rolls it back) and what `maintain` is at,
   * and refuses further ones.
   */
  refuseDeferrable(): void {
    if (this.#deferrable === "running") this.#writer.interrupt();
    for (const connection of this.#maintaining) connection.interrupt();
    this.#deferrable = "refused";
  }

  #enqueue<T>(run: () => Promise<T>): Promise<T> {
    const done = this.#writing.then(run, run);
    this.#writing = done.catch(() => undefined);
    return done;
  }

  async #transaction<T>(work: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
    try {
      // Inside: should one ever be left open, this fails, and the rollback ends it.
      await this.#writer.run("BEGIN TRANSACTION");
      const result = await work(this.#writer);
      await this.#writer.run("COMMIT");
      return result;
    } catch (error) {
      await this.#writer.run("ROLLBACK").catch(() => undefined);
      throw error;
    }
  }

  /**
   * Runs `work` beside the writer, on a connection of the readers' (so that it counts among
   * them), outside any transaction: for slow work that changes no table. `refuseDeferrable` ends
   * it.
   */
  async maintain<T>(work: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
    const connection = await this.#checkOut();
    this.#maintaining.add(connection);
    try {
      if (this.#deferrable === "refused") throw new Error("the store is closing");
      return await work(connection);
    } finally {
      this.#maintaining.delete(connection);
      this.#checkIn(connection);
    }
  }

  /**
   * Runs `work` in one read-only transaction: everything it reads is of one moment. After
   * `budgetMs` the running statement is interrupted and `query_timeout` thrown.
   */
  async read<T>(budgetMs: number, work: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
    const started = Date.now();
    const connection = await this.#checkOut();
    let expired = Date.now() - started >= budgetMs;
    const left = Math.max(1, budgetMs - (Date.now() - started));
    const timer = setInterval(() => {
      expired = true;
      connection.interrupt();
    }, left);
    try {
      if (expired) throw new Error("no connection in time");
      await connection.run("BEGIN TRANSACTION READ ONLY");
      return await work(connection);
    } catch (error) {
      if (!expired) throw error;
      throw new RankstreamError("query_timeout", `the query took over ${budgetMs} ms`, {
        cause: error,
      });
    } finally {
      clearInterval(timer);
      await connection.run("ROLLBACK").catch(() => undefined);
      this.#checkIn(connection);
    }
  }

  /** Waits for the transaction under way, then closes the file. */
  async close(): Promise<void> {
    await this.#writing;
    await this.#writer.run("CHECKPOINT").catch(() => undefined);
    for (const connection of [this.#writer, ...this.#idle]) connection.closeSync();
    this.#instance.closeSync();
  }

  #checkOut(): Promise<DuckDBConnection> {
    const connection = this.#idle.pop();
    if (connection !== undefined) return Promise.resolve(connection);
    if (this.#waiting.length >= this.#options.waitingReadersMax) {
      throw new RankstreamError("too_many_queries", "too many queries are waiting", {
        retryAfterSeconds: 1,
      });
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #checkIn(connection: DuckDBConnection): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#idle.push(connection);
    else next(connection);
  }
}
