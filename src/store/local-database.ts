/**
 * The one DuckDB instance of a data folder: one writing connection, a bounded number of reading
 * ones (read-lanes.ts), deadlines and cancellation by interrupt. DuckDB's own file lock keeps a
 * second process out.
 */
import { dirname, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { RankstreamError } from "../errors.ts";
import type { ErrorCode } from "../errors-table.ts";
import type { Database, ReadOptions } from "./database.ts";
import { markMirror } from "./dialect.ts";
import { FileCheckpoints, type FileHold } from "./file-checkpoints.ts";
import { namedLakeError } from "./lake-errors.ts";
import { confine, databaseDefaults, openInstance, type SessionSettings } from "./open-instance.ts";
import { makePatient } from "./patient-connection.ts";
import { namedS3Error } from "./raw-unreachable.ts";
import { ReadLanes } from "./read-lanes.ts";
import { ReadLoad, type ReadLoadName } from "./read-load.ts";
import { cancelled, ReadWatch } from "./read-watch.ts";

/** Where reads that ended so are counted. */
const loadNames: Partial<Record<ErrorCode, ReadLoadName>> = {
  query_timeout: "timedOut",
  query_cancelled: "cancelled",
  query_memory: "outOfMemory",
  too_many_queries: "refused",
};

/** DuckDB's refusal to take more memory, as an error of its own; other errors as they are. */
function named(error: unknown): unknown {
  if (!(error instanceof Error) || !/Out of Memory Error/.test(error.message)) {
    return namedS3Error(namedLakeError(error));
  }
  const detail = "the query needs more memory than the store has free";
  return new RankstreamError("query_memory", detail, { cause: error, retryAfterSeconds: 5 });
}

/** Lets `progress` be read while a statement runs. */
async function reportProgress(connection: DuckDBConnection): Promise<void> {
  await connection.run("SET enable_progress_bar = true");
  await connection.run("SET enable_progress_bar_print = false");
  await connection.run("SET progress_bar_time = 0");
}

/** An interrupted read ends within milliseconds, a statement that reads a file later. */
const closeReadsMsMax = 5000;
const closeLookMs = 5;
const interruptEveryMs = 20;

export class LocalDatabase implements Database {
  readonly #instance: DuckDBInstance;
  readonly #writer: DuckDBConnection;
  readonly #lanes: ReadLanes;
  readonly #copier: DuckDBConnection;
  readonly #maintainer: DuckDBConnection;
  readonly #load: ReadLoad;
  readonly #checkpoints: FileCheckpoints;
  #writing: Promise<unknown> = Promise.resolve();
  #deferrable: "idle" | "running" | "refused" = "idle";
  #maintaining = 0;
  /** The reads under way by number, in the order they began. */
  readonly #reads = new Map<number, ReadWatch>();
  #readsBegun = 0;
  #isClosing = false;
  #closed: Promise<void> | null = null;
  #isClosed = false;
  readonly #others: DuckDBConnection[] = [];
  readonly #session: SessionSettings | undefined;

  private constructor(
    instance: DuckDBInstance,
    connections: {
      writer: DuckDBConnection;
      copier: DuckDBConnection;
      maintainer: DuckDBConnection;
    },
    lanes: ReadLanes,
    load: ReadLoad,
    checkpoints: FileCheckpoints,
    session: SessionSettings | undefined,
  ) {
    this.#session = session;
    this.#instance = instance;
    this.#writer = connections.writer;
    this.#copier = connections.copier;
    this.#maintainer = connections.maintainer;
    this.#lanes = lanes;
    this.#load = load;
    this.#checkpoints = checkpoints;
  }

  /** Opens the file at `path`, creating it; tells `load`. Throws `data_folder_in_use`. */
  static async open(
    path: string,
    options = databaseDefaults,
    load = new ReadLoad(),
  ): Promise<LocalDatabase> {
    const instance = await openInstance(path, options);
    const writer = await instance.connect();
    // `close` makes one; a start that is refused must leave the files as they are.
    await writer.run("PRAGMA disable_checkpoint_on_shutdown");
    const readers: DuckDBConnection[] = [];
    for (let i = 0; i < options.readersMax; i++) readers.push(await instance.connect());
    const [apart, maintainer] = [await instance.connect(), await instance.connect()];
    for (const connection of [...readers, apart]) await reportProgress(connection);
    const copier = await instance.connect();
    for (const connection of [apart, maintainer, copier]) makePatient(connection);
    const wider = (await options.widen?.(writer)) ?? [];
    if (options.isMirror === true) {
      for (const own of [writer, ...readers, apart, maintainer, copier]) markMirror(own);
    }
    const { session } = options;
    const folders = [dirname(resolve(path)), ...wider];
    if (path !== ":memory:") await confine(writer, folders, session?.names);
    const lanes = new ReadLanes(readers, apart, { waitingMax: options.waitingReadsMax }, load);
    const checkpoints = new FileCheckpoints(path, options.checkpoints);
    const connections = { writer, copier, maintainer };
    return new LocalDatabase(instance, connections, lanes, load, checkpoints, session);
  }

  /** One more connection, which goes with the instance. */
  async connect(): Promise<DuckDBConnection> {
    const connection = await this.#instance.connect();
    this.#others.push(connection);
    return connection;
  }

  /** Writes the WAL back where it has grown: to be called between transactions of others. */
  tidy(): Promise<void> {
    return this.#enqueue(async () => undefined);
  }

  /** The writing connection, for registering functions. */
  get writer(): DuckDBConnection {
    return this.#writer;
  }

  /**
   * Runs `work` as one transaction, after those already asked for. Any failure rolls back:
   * DuckDB answers OK to COMMIT after a failed statement, so COMMIT alone proves nothing.
   * `before` runs just ahead of it, outside the transaction, on a patient connection: one thread
   * of DuckDB's does its work, where the writer's would be watched by another that does nothing.
   */
  write<T>(
    work: (connection: DuckDBConnection) => Promise<T>,
    before?: (connection: DuckDBConnection) => Promise<void>,
  ): Promise<T> {
    return this.#enqueue(async () => {
      await before?.(this.#copier);
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
    if (this.#maintaining > 0) this.#maintainer.interrupt();
    this.#deferrable = "refused";
  }

  #enqueue<T>(run: () => Promise<T>): Promise<T> {
    if (this.#isClosing) return Promise.reject(new Error("the store is closing"));
    const done = this.#writing.then(run, run);
    // Whoever waits for the commit needn't wait for what DuckDB does with it afterwards.
    const look = () => this.#checkpoints.look(() => this.#writer.run("CHECKPOINT"));
    this.#writing = done.then(look, look);
    return done;
  }

  /**
   * Writes what is in the WAL into the file; false where that can't be done now: a backup reads
   * the file, or reads began before tables were made or dropped.
   */
  checkpoint(): Promise<boolean> {
    return this.#enqueue(() => this.#checkpoints.force(() => this.#writer.run("CHECKPOINT")));
  }

  /**
   * Runs `work` between two transactions with a hold on the file: from what `work` sees on until
   * the hold is released, its blocks don't change, and its WAL only grows.
   */
  between<T>(work: (hold: FileHold, checkpoints: FileCheckpoints) => Promise<T>): Promise<T> {
    return this.#enqueue(async () => {
      const hold = this.#checkpoints.hold();
      try {
        return await work(hold, this.#checkpoints);
      } catch (error) {
        hold.release();
        throw error;
      }
    });
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
   * Runs `work` beside the writer, on a connection of its own outside any transaction: for slow
   * work that changes no table. `refuseDeferrable` ends it.
   */
  async maintain<T>(work: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
    if (this.#deferrable === "refused" || this.#isClosing) {
      throw new Error("the store is closing");
    }
    this.#maintaining++;
    try {
      await this.#session?.apply(this.#maintainer);
      return await work(this.#maintainer);
    } finally {
      this.#maintaining--;
    }
  }

  /** So many reads have begun: reads begun from now on see all that is committed now. */
  get readsBegun(): number {
    return this.#readsBegun;
  }

  /** Whether all reads that were among the first `count` to begin have ended. */
  haveEnded(count: number): boolean {
    for (const oldest of this.#reads.keys()) return oldest >= count;
    return true;
  }

  /**
   * Runs `work` in one read-only transaction: everything it reads is of one moment. After
   * `budgetMs`, the wait for a connection included, what runs is interrupted. Throws
   * `query_timeout`, `query_cancelled`, `query_memory`, `too_many_queries`.
   */
  async read<T>(
    budgetMs: number,
    work: (connection: DuckDBConnection) => Promise<T>,
    options: ReadOptions = {},
  ): Promise<T> {
    try {
      return await this.#read(budgetMs, work, options);
    } catch (error) {
      const name = error instanceof RankstreamError ? loadNames[error.code] : undefined;
      if (name !== undefined) this.#load.add(name, 1);
      throw error;
    }
  }

  async #read<T>(
    budgetMs: number,
    work: (connection: DuckDBConnection) => Promise<T>,
    { lane = "quick", signal, waitMsMax = budgetMs, onProgress }: ReadOptions,
  ): Promise<T> {
    const started = performance.now();
    const waitMs = Math.min(waitMsMax, budgetMs);
    const connection = await this.#lanes.take({ lane, waitMsMax: waitMs, signal });
    const leftMs = Math.max(0, budgetMs - (performance.now() - started));
    const watch = new ReadWatch(connection, { budgetMs, leftMs, signal, onProgress });
    const number = this.#readsBegun++;
    this.#reads.set(number, watch);
    if (this.#isClosing) watch.stop(cancelled());
    try {
      if (watch.why !== null) throw watch.why;
      await this.#session?.apply(connection);
      await connection.run("BEGIN TRANSACTION READ ONLY");
      return await work(connection);
    } catch (error) {
      throw watch.why ?? named(error);
    } finally {
      watch.end();
      await connection.run("ROLLBACK").catch(() => undefined);
      this.#reads.delete(number);
      this.#lanes.give(lane, connection);
    }
  }

  async bytesElsewhere(): Promise<null> {
    return null;
  }

  abandon(): Promise<void> {
    this.refuseDeferrable();
    return this.interrupting(() => this.close());
  }

  /** Interrupts whatever statements run, also those that begin later, until `work` has ended. */
  async interrupting<T>(work: () => Promise<T>): Promise<T> {
    const again = setInterval(() => {
      if (this.#isClosed) return;
      for (const watch of this.#reads.values()) watch.stop(cancelled());
      const own = [this.#writer, this.#copier, this.#maintainer, ...this.#others];
      for (const connection of own) connection.interrupt();
    }, interruptEveryMs);
    try {
      return await work();
    } finally {
      clearInterval(again);
    }
  }

  /**
   * Takes no more work, ends the reads under way, waits for all that is under way, then closes
   * the file. DuckDB ends the process when a connection is closed, or its thread goes, while a
   * statement runs.
   */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#isClosing = true;
    this.#lanes.close();
    for (const watch of this.#reads.values()) watch.stop(cancelled());
    await this.#writing;
    const endMs = performance.now() + closeReadsMsMax;
    const isBusy = () => this.#reads.size + this.#maintaining > 0;
    while (isBusy() && performance.now() < endMs) await sleep(closeLookMs);
    await this.#writer.run("CHECKPOINT").catch(() => undefined);
    const own = [this.#writer, this.#copier, this.#maintainer, ...this.#others];
    const connections = [...own, ...this.#lanes.idle];
    this.#isClosed = true;
    for (const connection of connections) connection.closeSync();
    this.#instance.closeSync();
  }
}
