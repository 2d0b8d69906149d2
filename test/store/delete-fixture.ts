// A store's parts around deletes over a real folder, fed with events directly, and the truth about
// them: a plain list of the events that are left.
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { Checkpointer, TypeIds } from "../../src/store/checkpoint.ts";
import { CoarseWindows } from "../../src/store/coarse.ts";
import { Compactor } from "../../src/store/compact.ts";
import { rowsOf, runValues } from "../../src/store/database.ts";
import { type DeleteOptions, Deleter, deleteDefaults } from "../../src/store/delete.ts";
import type { EventScope } from "../../src/store/delete-questions.ts";
import { resetDeltaSpans } from "../../src/store/delta-spans.ts";
import { Graves } from "../../src/store/graves.ts";
import { LocalDatabase } from "../../src/store/local-database.ts";
import { RawFiles } from "../../src/store/raw-files.ts";
import type { RawPlace } from "../../src/store/raw-place.ts";
import { prepareSchema } from "../../src/store/schema.ts";
import { Sealer } from "../../src/store/seal.ts";
import { Sketches } from "../../src/store/sketches.ts";
import { StagedTables } from "../../src/store/staged.ts";
import type { Level } from "../../src/store/windows.ts";
import type { CountedEvent } from "../oracles/board-oracle.ts";
import { rawPlaces, type TestPlace } from "../support/raw-places.ts";

export interface FixtureOptions {
  candidatesMax: number;
  vectorsMax: number;
  hasSketches: boolean;
  partialVectorsMax?: number;
  /** Seconds, by event type: the finest windows kept. */
  aggregationWindows?: Record<string, number>;
  /** Where files of raw events lie; default: in the folder. */
  kind?: (typeof rawPlaces)[number];
}

/** What is kept of an event beside its count. */
export interface StoredEvent extends CountedEvent {
  /** Epoch ms; default: the event's own time. */
  receivedMs?: number;
  userId?: string | null;
  sessionId?: string | null;
  /** JSON. */
  metadata?: string | null;
}

const seed = { low: 1, high: 2 };

export class DeleteFixture {
  readonly folder: string;
  readonly options: FixtureOptions;
  /** All events that are left. */
  events: CountedEvent[] = [];
  database!: LocalDatabase;
  rawFiles!: RawFiles;
  sealer!: Sealer;
  sketches!: Sketches | null;
  deleter!: Deleter;
  compactor!: Compactor;
  graves!: Graves;
  coarse!: CoarseWindows;
  /** Steps that took windows away, and the most stretches without them. */
  coarsened = { steps: 0, most: 0 };
  checkpointer!: Checkpointer;
  /** Runs whenever a Parquet file has been written and is not in the manifest yet. */
  whileWriting: () => Promise<unknown> = async () => undefined;
  #types!: TypeIds;
  #made: TestPlace | null = null;

  constructor(folder: string, options: FixtureOptions) {
    this.folder = folder;
    this.options = options;
  }

  async open(): Promise<this> {
    const { candidatesMax, vectorsMax, hasSketches, partialVectorsMax = 4 } = this.options;
    this.#made ??= await (this.options.kind ?? rawPlaces[0]!).make(this.folder);
    const path = join(this.folder, "store.duckdb");
    this.database = await LocalDatabase.open(path, this.#made.options);
    const identity = { logId: "log", partitionCount: 2, seed: "0".repeat(16) };
    await this.database.write((connection) => prepareSchema(connection, identity));
    this.rawFiles = new RawFiles(this.database, {
      place: this.#hooked(this.#made.place),
      recentRowsMax: 200,
      smallBytesMax: 1 << 20,
      mergeFilesMin: 3,
      mergeFilesBusyMin: 3,
      mergeFilesMax: 4,
      removeAfterMs: 0,
    });
    await this.rawFiles.sweep();
    const bounds = { bytesPerEventMax: 1000, tailItemsMin: 1, batchItemsMax: 20 };
    this.sketches = hasSketches ? await Sketches.create(seed, bounds) : null;
    const sealing = { candidatesMax, sliceRowsMax: 300, buildRowsMax: 60, quietMs: 0 };
    this.sealer = new Sealer(this.database, sealing, this.sketches);
    this.#types = await TypeIds.load(this.database.writer);
    const { database, rawFiles } = this;
    const staged = new StagedTables();
    staged.register(database.writer);
    const checkpointer = new Checkpointer(database, staged, this.#types, rawFiles, () => 0);
    this.checkpointer = checkpointer;
    this.compactor = new Compactor(database, { partialVectorsMax });
    this.graves = new Graves(database, this.compactor, vectorsMax);
    await this.#openCoarse();
    this.deleter = this.deleterWith({});
    return this;
  }

  #hooked(place: RawPlace): RawPlace {
    const write = Object.getPrototypeOf(place).write as RawPlace["write"];
    place.write = (path, copy) =>
      write.call(place, path, async (target) => {
        const copied = await copy(target);
        await this.whileWriting();
        return copied;
      }) as ReturnType<typeof copy>;
    return place;
  }

  /** Another deleter of the same store. */
  deleterWith(more: Partial<DeleteOptions>): Deleter {
    const { database, rawFiles, sealer, checkpointer, compactor, coarse } = this;
    const { candidatesMax, vectorsMax } = this.options;
    const fold = (connection: DuckDBConnection, level: Level) => sealer.fold(connection, level);
    return new Deleter(
      { database, rawFiles, checkpointer, compactor, fold, coarse },
      { ...deleteDefaults, candidatesMax, vectorsMax, ...more },
    );
  }

  async #openCoarse(): Promise<void> {
    const { database, rawFiles, compactor, sealer } = this;
    for (const [name, seconds] of Object.entries(this.options.aggregationWindows ?? {})) {
      await database.writer.run("DELETE FROM type_settings WHERE event_type = $1", [name]);
      await database.writer.run(
        `INSERT INTO type_settings (event_type, aggregation_window) VALUES ($1, ${seconds})`,
        [name],
      );
    }
    const fold = (connection: DuckDBConnection, level: Level) => sealer.fold(connection, level);
    const options = { coarsenAfterMs: 0, unitsMax: 5, rowsMax: 100, eventsMax: 40 };
    this.coarse = await CoarseWindows.open({ database, rawFiles, compactor, fold }, options);
  }

  /** Takes some windows away, as maintenance does. */
  async coarsen(): Promise<void> {
    if (!(await this.coarse.step(9e12))) return;
    this.coarsened.steps++;
    this.coarsened.most = Math.max(this.coarsened.most, await this.countOf("coarse_windows"));
  }

  /** To be called before a question or a delete, as the store does. */
  ready(eventTypes: string[], { from, to }: { from: number; to: number }): Promise<void> {
    const needs = { eventTypes, times: [from, to], budgetMs: 60_000 };
    return this.coarse.during(needs, async () => undefined);
  }

  async close(): Promise<void> {
    await this.deleter.stop();
    await this.database.close();
  }

  async restart(): Promise<void> {
    await this.close();
    await this.open();
    await this.deleter.resume();
  }

  /** Counts events as a checkpoint does: raw events, count deltas, types. */
  async add(events: StoredEvent[]): Promise<void> {
    const names = [...new Set(events.map(({ eventType }) => eventType))];
    await this.database.write(async (connection) => {
      for (const name of names) {
        const own = events.filter(({ eventType }) => eventType === name);
        const times = own.map(({ timeMs }) => timeMs);
        const total = own.reduce((sum, { weight }) => sum + weight, 0);
        const known = this.#types.get(name);
        const span = [BigInt(Math.min(...times)), BigInt(Math.max(...times))];
        if (known === undefined) {
          const id = this.#types.nextId;
          this.#types.add(name, id);
          await connection.run(
            `INSERT INTO event_types VALUES (${id}, ?, ${total}, make_timestamp_ms(?::BIGINT),
             make_timestamp_ms(?::BIGINT))`,
            [name, ...span],
          );
          continue;
        }
        await connection.run(
          `UPDATE event_types SET total = total + ${total},
             first_seen = least(first_seen, make_timestamp_ms(?::BIGINT)),
             last_seen = greatest(last_seen, make_timestamp_ms(?::BIGINT))
           WHERE type_id = ${known}`,
          span,
        );
      }
      await runValues(
        connection,
        `INSERT INTO raw_recent SELECT make_timestamp_ms(ms), make_timestamp_ms(received), weight,
           event_type, event_id, user_id, session_id, metadata FROM (VALUES`,
        events.map((e) => [
          BigInt(e.timeMs),
          BigInt(e.receivedMs ?? e.timeMs),
          e.weight,
          e.eventType,
          e.eventId,
          e.userId ?? null,
          e.sessionId ?? null,
          e.metadata ?? null,
        ]),
        `) AS event (ms, received, weight, event_type, event_id, user_id, session_id, metadata)`,
      );
      await runValues(
        connection,
        "INSERT INTO count_deltas VALUES",
        events.map((e) => [
          Math.floor(e.timeMs / 60_000),
          this.#types.get(e.eventType)!,
          e.eventId,
          e.eventId.length % 2,
          BigInt(e.weight),
        ]),
      );
      await resetDeltaSpans(connection);
    });
    this.events.push(...events);
  }

  /** Takes the scope's events out of the truth; returns them. */
  forget(scope: EventScope): CountedEvent[] {
    const isGone = ({ eventType, eventId, timeMs }: CountedEvent) =>
      eventType === scope.eventType &&
      (scope.eventId === null || eventId === scope.eventId) &&
      timeMs >= scope.from &&
      timeMs < scope.to;
    const gone = this.events.filter(isGone);
    this.events = this.events.filter((event) => !isGone(event));
    return gone;
  }

  async countOf(table: string): Promise<number> {
    const [row] = await rowsOf(this.database.writer, `SELECT count(*) AS n FROM ${table}`);
    return Number(row!["n"]);
  }
}
