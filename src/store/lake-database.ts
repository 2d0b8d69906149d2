/**
 * The store's database where several processes share it: writes are transactions of a DuckLake
 * (PostgreSQL has its catalog, its files are in a folder or a bucket), reads see this process's
 * mirror of it (lake-mirror.ts). Of two transactions that change the same rows one commits; the
 * other is rolled back and tried again. What maintenance does has a connection of its own, so
 * that commits never wait for it.
 */
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { RankstreamError } from "../errors.ts";
import type { LakePlace } from "../model-lake.ts";
import { keptTables } from "./changes.ts";
import type { Database, ReadOptions } from "./database.ts";
import { markLake } from "./dialect.ts";
import { attachLake } from "./lake-attach.ts";
import { LakeCatalog } from "./lake-catalog.ts";
import { LakeCompaction, type LeaderFence, passCompaction } from "./lake-compaction.ts";
import { namingLakeErrors } from "./lake-errors.ts";
import { LakeKeys } from "./lake-keys.ts";
import { LakeMirror, lakeName, type MirrorStep } from "./lake-mirror.ts";
import { readReached } from "./lake-partitions.ts";
import { createS3Secret } from "./lake-s3.ts";
import { LakeSession } from "./lake-session.ts";
import { LakeTurns } from "./lake-turns.ts";
import { LakeWriter } from "./lake-writer.ts";
import { LocalDatabase } from "./local-database.ts";
import type { DatabaseOptions } from "./open-instance.ts";
import { makePatient } from "./patient-connection.ts";
import { inTime } from "./read-in-time.ts";
import { ReadLoad } from "./read-load.ts";

export interface LakeDatabaseOptions extends DatabaseOptions {
  /** Told what reads see from now on. */
  onStep: (step: MirrorStep) => void;
}

export class LakeDatabase implements Database {
  readonly catalog: LakeCatalog;
  readonly #local: LocalDatabase;
  readonly #writer: LakeWriter;
  /** Deferrable transactions, and upkeep. */
  readonly maintenance: LakeWriter;
  /** Writes files of what checkpoints hold. Patient: no statement of it may be of the lake too. */
  readonly #copier: DuckDBConnection;
  /** One of its own: a statement would end another one under way on the same connection. */
  readonly #looker: DuckDBConnection;
  readonly #mirror: LakeMirror;
  readonly #mirroring: DuckDBConnection;
  readonly #session: LakeSession;
  readonly #turns: LakeTurns;
  /** Calls of `alone` under way. */
  #alone = 0;
  /** Commits of this process, counted from 1, and how many of them the mirror shows. */
  #wanted = 1;
  #shown = 0;
  #following: Promise<void> | null = null;
  #next: Promise<void> | null = null;
  #isRefused = false;
  /** The snapshot up to which `followKept` has looked. */
  #keptAt: number | null = null;
  #fence: LeaderFence | null = null;
  /** Merges files, while nobody deletes. */
  readonly compaction: LakeCompaction;
  #isClosing = false;
  readonly #keys: LakeKeys;

  private constructor(
    local: LocalDatabase,
    catalog: LakeCatalog,
    connections: {
      writer: DuckDBConnection;
      maintenance: DuckDBConnection;
      copier: DuckDBConnection;
      looker: DuckDBConnection;
      mirroring: DuckDBConnection;
    },
    mirror: LakeMirror,
    session: LakeSession,
    place: LakePlace,
  ) {
    this.#session = session;
    this.#turns = new LakeTurns(place);
    this.#keys = new LakeKeys(() => local.write((c) => createS3Secret(c, place, session)));
    this.#local = local;
    this.catalog = catalog;
    const deps = { session, turns: this.#turns, files: catalog.files };
    this.#writer = new LakeWriter(connections.writer, { ...deps, yields: true });
    this.maintenance = new LakeWriter(connections.maintenance, { ...deps, yields: false });
    this.compaction = new LakeCompaction({
      maintenance: this.maintenance,
      turns: this.#turns,
      fence: () => this.#fence,
      check: () => this.#check(),
    });
    this.#copier = connections.copier;
    this.#looker = connections.looker;
    this.#mirroring = connections.mirroring;
    this.#mirror = mirror;
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
    const session = new LakeSession();
    const widen = async (connection: DuckDBConnection) => {
      const { directories, keysEndAt: endAt } = await attachLake(connection, place, session);
      keysEndAt = endAt;
      return directories;
    };
    const own = { ...options, widen, session, isMirror: true };
    // The first to attach a lake makes its tables: PostgreSQL has no say in who of several does.
    const local = await catalog.alone(async () => {
      await catalog.prepare();
      return LocalDatabase.open(join(folder, "mirror.duckdb"), own, load);
    });
    try {
      const connect = async () => {
        const connection = await local.connect();
        await session.apply(connection);
        return connection;
      };
      const lakeConnection = async () => {
        const connection = await connect();
        await connection.run(`USE ${lakeName}`);
        markLake(connection);
        return connection;
      };
      const connections = {
        writer: await lakeConnection(),
        maintenance: await lakeConnection(),
        copier: await connect(),
        looker: await lakeConnection(),
        mirroring: await local.connect(),
      };
      makePatient(connections.copier);
      const mirror = new LakeMirror(connections.mirroring, catalog, options.onStep);
      const database = new LakeDatabase(local, catalog, connections, mirror, session, place);
      database.#keys.endAt(keysEndAt);
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

  /** While some process is at `alone`, or compacts, it waits, unless this one is. */
  write<T>(
    work: (connection: DuckDBConnection) => Promise<T>,
    before?: (connection: DuckDBConnection) => Promise<void>,
    conflictsMax?: number,
  ): Promise<T> {
    if (this.#isClosing) return Promise.reject(new Error("the store is closing"));
    const transaction = async () => {
      await this.#session.apply(this.#copier);
      await before?.(this.#copier);
      const turn = this.#alone > 0 ? "alone" : "shared";
      return this.#writer.transaction(work, { conflictsMax, turn });
    };
    return this.#writer.enqueue(() => this.#noted(transaction));
  }

  /** Has transactions that `work` asks for run while no other process commits. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    this.#alone++;
    try {
      return await work();
    } finally {
      this.#alone--;
    }
  }

  writeDeferrable<T>(work: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
    return this.maintenance.enqueue(() => {
      this.#check();
      const transaction = async (connection: DuckDBConnection) => {
        const result = await work(connection);
        // Only where there is something to commit: each commit is one more state of the lake.
        if (this.maintenance.hasChanged) await this.#serialize(connection);
        return result;
      };
      const turn = this.#alone > 0 ? "alone" : undefined;
      return this.#noted(() => this.maintenance.transaction(transaction, { turn }));
    });
  }

  /** Throws where no more maintenance is to be begun. */
  #check(): void {
    if (this.#isRefused || this.#isClosing) throw new Error("the store is closing");
  }

  async #noted<T>(run: () => Promise<T>): Promise<T> {
    const result = await run();
    this.#wanted++;
    return result;
  }

  /**
   * Of all deferrable transactions of all processes that overlap and change anything one commits:
   * what one of them hides or takes, another may just be moving elsewhere.
   */
  async #serialize(connection: DuckDBConnection): Promise<void> {
    if (this.#fence !== null) return this.#fence(connection);
    await passCompaction(connection);
  }

  /**
   * Has `fence`, which changes the row of `leadership`, run last in each deferrable transaction
   * that changes anything: what it throws rolls that back. Null: the row is changed by any.
   */
  fenceDeferrable(fence: LeaderFence | null): void {
    this.#fence = fence;
  }

  refuseDeferrable(): void {
    this.maintenance.interrupt();
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
    const started = performance.now();
    const seen = options.isNewest === true ? this.follow() : this.#current();
    await inTime(seen, budgetMs, options.signal);
    const leftMs = Math.max(1, budgetMs - (performance.now() - started));
    return this.#local.read(leftMs, work, options);
  }

  /** Runs a statement that makes its own transactions, after the deferrable ones asked for. */
  upkeep(sql: string): Promise<unknown> {
    return this.maintenance.enqueue(async () => {
      this.#check();
      return namingLakeErrors(() => this.maintenance.connection.run(sql));
    });
  }

  /** As LakeCatalog's; then all is read that whoever had it before has committed. */
  async claim(name: string): Promise<boolean> {
    if (!(await this.catalog.claim(name))) return false;
    await this.follow();
    return true;
  }

  /** A column of text, in turn with the deferrable transactions. */
  async column(sql: string): Promise<string[]> {
    const { connection } = this.maintenance;
    const rows = await this.maintenance.enqueue(() => connection.runAndReadAll(sql));
    return rows.getRows().map(([value]) => String(value));
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

  get #under(): Promise<void> | null {
    return this.#following ?? this.#next;
  }

  /**
   * Follows where rows changed that a process keeps in memory, also where it answers nothing. One
   * call at a time.
   */
  async followKept(): Promise<void> {
    const { snapshot } = await this.catalog.latest();
    const before = this.#keptAt;
    const changes = before === null ? null : await this.catalog.changes(before, snapshot);
    if (changes !== null) {
      const ids = new Set([...changes.inserted, ...changes.deleted]);
      const tables = ids.size === 0 ? new Map() : await this.catalog.tables(snapshot);
      const isKept = (id: number) => keptTables.some((name) => name === tables.get(id));
      if (![...ids].some(isKept)) {
        this.#keptAt = snapshot;
        return;
      }
    }
    await this.follow();
    this.#keptAt = snapshot;
  }

  /** How far each partition is counted, by the lake itself. One call at a time. */
  async reached(): Promise<number[]> {
    return namingLakeErrors(async () => {
      await this.#session.apply(this.#looker);
      return (await readReached(this.#looker)).map(({ next }) => next);
    });
  }

  /** Until the mirror shows every commit of this process so far. */
  async #current(): Promise<void> {
    for (const wanted = this.#wanted; this.#shown < wanted; ) {
      await (this.#following ?? this.#look());
    }
  }

  #look(): Promise<void> {
    if (this.#isClosing) return Promise.reject(new Error("the store is closing"));
    this.#following ??= this.#followOnce().finally(() => {
      this.#following = null;
    });
    return this.#following;
  }

  async #followOnce(): Promise<void> {
    const wanted = this.#wanted;
    await namingLakeErrors(async () => {
      await this.#session.apply(this.#mirroring);
      await this.#mirror.follow();
    });
    this.#shown = wanted;
    await this.#local.tidy();
  }

  bytesElsewhere(): Promise<number> {
    return this.catalog.files.bytes();
  }

  abandon(): Promise<void> {
    this.refuseDeferrable();
    this.#isClosing = true;
    // Whoever waits for an answer of PostgreSQL waits no longer.
    void Promise.all([this.catalog.close(), this.#turns.close()]);
    return this.#local.interrupting(() => this.close());
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    this.#keys.close();
    await Promise.all([this.#writer.settled(), this.maintenance.settled()]);
    for (let under = this.#under; under !== null; under = this.#under) {
      await under.catch(() => undefined);
    }
    await this.#local.close();
    await Promise.all([this.catalog.close(), this.#turns.close()]);
  }
}
