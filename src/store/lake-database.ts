/**
 * The store's database where several processes share it: writes are transactions of a DuckLake
 * (PostgreSQL has its catalog, its files are in a folder or a bucket), reads see this process's
 * mirror of it (lake-mirror.ts). Of two transactions that change the same rows one commits; the
 * other is rolled back and tried again. What maintenance does has a connection of its own, so
 * that commits never wait for it.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { DuckDBConnection } from "@duckdb/node-api";
import { RankstreamError } from "../errors.ts";
import { catalogParts, type LakePlace } from "../model-lake.ts";
import type { Database, ReadOptions } from "./database.ts";
import { markLake } from "./dialect.ts";
import { LakeCatalog } from "./lake-catalog.ts";
import { checkExtensions, duckdbBuild, extensionsOf } from "./lake-extensions.ts";
import { LakeMirror, lakeName, type MirrorStep } from "./lake-mirror.ts";
import { createS3Secret } from "./lake-s3.ts";
import { LocalDatabase } from "./local-database.ts";
import type { DatabaseOptions } from "./open-instance.ts";
import { reachRawPlace } from "./open-raw-place.ts";
import { makePatient } from "./patient-connection.ts";
import { ReadLoad } from "./read-load.ts";
import { sqlText } from "./sql.ts";

/**
 * An insert of so many rows makes no file: they lie in PostgreSQL until they are moved. So many
 * cost the same there and as a file on local disk; an object costs more.
 */
const inlinedRowsMax = 300;
/** The longest that a timer waits at once. */
const keysWaitMsMax = 24 * 3_600_000;
const keysAgainMs = 30_000;

/** A transaction that lost against another is tried again so often. */
const conflictsMax = 20;
const conflictWaitMsMax = 200;

function isConflict(error: unknown): boolean {
  return error instanceof Error && /conflict/i.test(error.message);
}

/** Calls `onChange` at each statement by `run` of the connection that changes the lake. */
function noteChanges(connection: DuckDBConnection, onChange: () => void): void {
  const run = connection.run.bind(connection);
  connection.run = async (sql, values, types) => {
    const result = await run(sql, values, types);
    const isDdl = /^\s*(?:DROP|ALTER|CREATE(?! (?:OR REPLACE )?TEMP))/i.test(sql);
    const isChange = /^\s*(?:INSERT|DELETE|UPDATE)/i.test(sql) && result.rowsChanged > 0;
    if (isDdl || isChange) onChange();
    return result;
  };
}

/** One transaction after another, on a connection of their own. */
class Writer {
  readonly connection: DuckDBConnection;
  #last: Promise<unknown> = Promise.resolve();
  #isRunning = false;

  constructor(connection: DuckDBConnection) {
    this.connection = connection;
  }

  enqueue<T>(run: () => Promise<T>): Promise<T> {
    const tracked = async () => {
      this.#isRunning = true;
      try {
        return await run();
      } finally {
        this.#isRunning = false;
      }
    };
    const done = this.#last.then(tracked, tracked);
    this.#last = done.catch(() => undefined);
    return done;
  }

  interrupt(): void {
    if (this.#isRunning) this.connection.interrupt();
  }

  settled(): Promise<unknown> {
    return this.#last;
  }

  async transaction<T>(work: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
    for (let conflicts = 0; ; conflicts++) {
      try {
        await this.connection.run("BEGIN TRANSACTION");
        const result = await work(this.connection);
        await this.connection.run("COMMIT");
        return result;
      } catch (error) {
        await this.connection.run("ROLLBACK").catch(() => undefined);
        if (!isConflict(error) || conflicts >= conflictsMax) throw error;
      }
      await sleep(Math.random() * conflictWaitMsMax);
    }
  }
}

export interface LakeDatabaseOptions extends DatabaseOptions {
  /** Told what reads see from now on. */
  onStep: (step: MirrorStep) => void;
}

export class LakeDatabase implements Database {
  readonly catalog: LakeCatalog;
  readonly #local: LocalDatabase;
  readonly #writer: Writer;
  readonly #maintenance: Writer;
  /** Writes files of what checkpoints hold; it may ask the lake who is erased. */
  readonly #copier: DuckDBConnection;
  readonly #mirror: LakeMirror;
  /** Commits of this process, counted from 1, and how many of them the mirror shows. */
  #wanted = 1;
  #shown = 0;
  #following: Promise<void> | null = null;
  #next: Promise<void> | null = null;
  /** Whether the deferrable transaction under way has changed anything. */
  #hasChanged = false;
  #isRefused = false;
  #fence: ((connection: DuckDBConnection) => Promise<void>) | null = null;
  #isClosing = false;
  #renewing: NodeJS.Timeout | null = null;

  private constructor(
    local: LocalDatabase,
    catalog: LakeCatalog,
    connections: {
      writer: DuckDBConnection;
      maintenance: DuckDBConnection;
      copier: DuckDBConnection;
    },
    mirror: LakeMirror,
  ) {
    this.#local = local;
    this.catalog = catalog;
    this.#writer = new Writer(connections.writer);
    this.#maintenance = new Writer(connections.maintenance);
    this.#copier = connections.copier;
    this.#mirror = mirror;
    noteChanges(connections.maintenance, () => {
      this.#hasChanged = true;
    });
  }

  /**
   * Attaches the lake, and opens the mirror in `folder`, which this process holds from then on.
   * Throws `data_folder_in_use`, `store_failed`.
   */
  static async open(
    folder: string,
    place: LakePlace,
    options: LakeDatabaseOptions,
    load = new ReadLoad(),
  ): Promise<LakeDatabase> {
    const catalog = new LakeCatalog(place);
    let keysEndAt: number | null = null;
    const widen = async (connection: DuckDBConnection) => {
      const { directory, keysEndAt: endAt } = await attach(connection, place);
      keysEndAt = endAt;
      return [directory];
    };
    const own = { ...options, widen, isMirror: true };
    // The first to attach a lake makes its tables: PostgreSQL has no say in who of several does.
    const local = await catalog.alone(async () => {
      await catalog.prepare();
      return LocalDatabase.open(join(folder, "mirror.duckdb"), own, load);
    });
    try {
      const lakeConnection = async () => {
        const connection = await local.connect();
        await connection.run(`USE ${lakeName}`);
        markLake(connection);
        return connection;
      };
      const connections = {
        writer: await lakeConnection(),
        maintenance: await lakeConnection(),
        copier: await lakeConnection(),
      };
      makePatient(connections.copier);
      const mirror = new LakeMirror(await local.connect(), catalog, options.onStep);
      const database = new LakeDatabase(local, catalog, connections, mirror);
      database.#renewKeys(place, keysEndAt);
      return database;
    } catch (error) {
      await local.close();
      await catalog.close();
      throw error;
    }
  }

  get writer(): DuckDBConnection {
    return this.#writer.connection;
  }

  write<T>(
    work: (connection: DuckDBConnection) => Promise<T>,
    before?: (connection: DuckDBConnection) => Promise<void>,
  ): Promise<T> {
    if (this.#isClosing) return Promise.reject(new Error("the store is closing"));
    return this.#writer.enqueue(async () => {
      await before?.(this.#copier);
      return this.#noted(() => this.#writer.transaction(work));
    });
  }

  writeDeferrable<T>(work: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
    return this.#maintenance.enqueue(() => {
      if (this.#isRefused || this.#isClosing) throw new Error("the store is closing");
      return this.#noted(() =>
        this.#maintenance.transaction(async (connection) => {
          this.#hasChanged = false;
          const result = await work(connection);
          // Only where there is something to commit: each commit is one more state of the lake.
          if (this.#hasChanged) await this.#fence?.(connection);
          return result;
        }),
      );
    });
  }

  async #noted<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } finally {
      this.#wanted++;
    }
  }

  /** Has `fence` run last in each deferrable transaction: what it throws rolls that back. */
  fenceDeferrable(fence: ((connection: DuckDBConnection) => Promise<void>) | null): void {
    this.#fence = fence;
  }

  refuseDeferrable(): void {
    this.#maintenance.interrupt();
    this.#local.refuseDeferrable();
    this.#isRefused = true;
  }

  /** Nothing is in a WAL: the lake has it. */
  async checkpoint(): Promise<boolean> {
    return true;
  }

  async between(): Promise<never> {
    const detail = "a store in a lake is backed up with its PostgreSQL and its bucket";
    throw new RankstreamError("store_failed", detail);
  }

  async maintain<T>(work: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
    await this.#current();
    return this.#local.maintain(work);
  }

  get readsBegun(): number {
    return this.#local.readsBegun;
  }

  haveEnded(count: number): boolean {
    return this.#local.haveEnded(count);
  }

  async read<T>(
    budgetMs: number,
    work: (connection: DuckDBConnection) => Promise<T>,
    options: ReadOptions = {},
  ): Promise<T> {
    await this.#current();
    return this.#local.read(budgetMs, work, options);
  }

  /** Runs a statement that makes its own transactions, after the deferrable ones asked for. */
  upkeep(sql: string): Promise<unknown> {
    return this.#maintenance.enqueue(async () => {
      if (this.#isRefused || this.#isClosing) throw new Error("the store is closing");
      return this.#maintenance.connection.run(sql);
    });
  }

  /** Resolves once reads see at least what was committed before the call, by anyone. */
  follow(): Promise<void> {
    if (this.#next === null) {
      // One that began before may have looked too early: then another follows it.
      const before = this.#following?.catch(() => undefined) ?? Promise.resolve();
      this.#next = before.then(() => {
        this.#next = null;
        return this.#look();
      });
    }
    return this.#next;
  }

  /** Until the mirror shows every commit of this process so far. */
  async #current(): Promise<void> {
    for (const wanted = this.#wanted; this.#shown < wanted; ) {
      await (this.#following ?? this.#look());
    }
  }

  #look(): Promise<void> {
    this.#following ??= this.#followOnce().finally(() => {
      this.#following = null;
    });
    return this.#following;
  }

  async #followOnce(): Promise<void> {
    const wanted = this.#wanted;
    await this.#mirror.follow();
    this.#shown = wanted;
  }

  /** Keys of a role end: DuckDB is given the next ones in time. */
  #renewKeys(place: LakePlace, endAt: number | null): void {
    if (endAt === null || this.#isClosing) return;
    const renew = async () => {
      const next = await createS3Secret(this.#local.writer, place).catch(() => null);
      this.#renewKeys(place, next ?? Date.now() + keysAgainMs);
    };
    const waitMs = Math.min(Math.max(endAt - Date.now(), keysAgainMs), keysWaitMsMax);
    this.#renewing = setTimeout(renew, waitMs);
    this.#renewing.unref();
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    clearTimeout(this.#renewing ?? undefined);
    await Promise.all([this.#writer.settled(), this.#maintenance.settled()]);
    await this.#following?.catch(() => undefined);
    await this.#local.close();
    await this.catalog.close();
  }
}

/** Before its SQL is confined; as `reachRawPlace`. */
async function attach(connection: DuckDBConnection, place: LakePlace) {
  const { extensionDirectory } = place;
  const extensions = extensionsOf(place);
  await checkExtensions(extensionDirectory, await duckdbBuild(connection), extensions);
  await connection.run(`SET extension_directory = ${sqlText(extensionDirectory)}`);
  for (const extension of extensions) await connection.run(`LOAD ${extension}`);
  const reached = await reachRawPlace(connection, place);
  const quoted = (value: string) => `'${value.replaceAll(/['\\]/g, "\\$&")}'`;
  const parts = Object.entries(catalogParts(place.catalog));
  const text = parts.map(([key, value]) => `${key}=${quoted(value)}`).join(" ");
  const address = sqlText(`ducklake:postgres:${text}`);
  const options = [
    `DATA_PATH ${sqlText(`${reached.directory}lake/`)}`,
    `METADATA_SCHEMA ${sqlText(place.schema)}`,
    `DATA_INLINING_ROW_LIMIT ${inlinedRowsMax}`,
  ];
  await connection.run(`ATTACH ${address} AS ${lakeName} (${options.join(", ")})`);
  return reached;
}
