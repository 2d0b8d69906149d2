/** Everything that answers questions and changes what they are about, put together. */
import type { RegionView } from "../model-regions.ts";
import type { Store } from "../store/store.ts";
import type { Logger } from "../telemetry.ts";
import type { Metrics } from "../telemetry-metrics.ts";
import { AnswerCache } from "./answer-cache.ts";
import type { AnswerLevel } from "./answer-level.ts";
import type { AskControl } from "./ask.ts";
import { ChangeFeed } from "./change-feed.ts";
import { ChangeMap } from "./change-map.ts";
import { type DeleteRequest, deleteEvents } from "./deletes.ts";
import { QueryEngine } from "./engine.ts";
import { ErasureDesk, type LogTrace } from "./erasures.ts";
import { Expiry } from "./expiry.ts";
import { ExportDesk } from "./exports.ts";
import { type FreshnessDeps, isSettled } from "./freshness.ts";
import { JobBoard } from "./job-board.ts";
import { Jobs, type JobsOptions } from "./jobs.ts";
import { Labels } from "./labels.ts";
import { measured } from "./measured.ts";
import { MemoryLevel } from "./memory-level.ts";
import { type PageRequest, Pages } from "./pages.ts";
import { PendingTouches } from "./pending-touches.ts";
import type { Asker } from "./questions.ts";
import type { RedisLevel } from "./redis-level.ts";
import { Regions } from "./regions.ts";
import { Registry, type RegistryDeps, type TypeChange } from "./registry.ts";
import { SnapshotDesk } from "./snapshots.ts";
import { StoredLevel } from "./stored-level.ts";

export interface AnswersDeps extends JobsOptions {
  store: Store;
  freshness: FreshnessDeps;
  /** Somebody follows what changes, without waiting for anything now. */
  asked: () => void;
  /** Told how long events of a type are kept, whenever that changes. */
  onRetention: RegistryDeps["onChange"];
  /** What the log holds of users who are erased. */
  log: LogTrace;
  /** Keys of metadata that go with every user who is erased. */
  personalMetadataKeys: readonly string[];
  /** Where there are other regions; null: there are none. */
  regions: RegionView | null;
  exactTimeoutMs: number;
  /** Items listed a window. */
  candidatesMax: number;
  eventTypesMax: number;
  /** Names the data that answers are of, among those that share a Redis. */
  dataId: string;
  /** Other processes append to the log, too. */
  isShared: boolean;
  /** L2; null: there is none. */
  redis: RedisLevel | null;
  /** Memory for kept answers. */
  cacheBytesMax: number;
  /** Room in the store for answers about the past; 0 keeps none there. */
  cacheStoreBytesMax: number;
  cacheFarMsMin: number;
  metrics: Metrics;
  logger: Logger;
}

/** How often it is looked for events that have expired. */
const expiryIntervalMs = 60_000;

/** The levels beyond memory, the nearer first. */
function levelsOf(deps: AnswersDeps, changes: ChangeMap): AnswerLevel[] {
  const { store, logger, cacheStoreBytesMax, redis } = deps;
  const stored = cacheStoreBytesMax === 0 ? [] : [new StoredLevel({ store, changes, logger })];
  return redis === null ? stored : [redis, ...stored];
}

/** What the registry needs of a store; types of which other regions have events are one each. */
function mergedTypes(store: Store, regions: Regions): RegistryDeps["store"] {
  return {
    shares: store.shares,
    loadTypeSettings: () => store.loadTypeSettings(),
    putTypeSettings: (settings) => store.putTypeSettings(settings),
    dropTypeSettings: (name) => store.dropTypeSettings(name),
    eventTypes: async () => regions.merge(await store.eventTypes()),
  };
}

export class Answers {
  readonly query: Asker;
  readonly cache: AnswerCache;
  readonly memory: MemoryLevel;
  readonly changes: ChangeMap;
  readonly feed: ChangeFeed;
  readonly jobs: Jobs;
  readonly erasures: ErasureDesk;
  /** All jobs, of questions and of erasures. */
  readonly jobBoard: JobBoard;
  /** What items are called. */
  readonly labels: Labels;
  readonly snapshots: SnapshotDesk;
  readonly exports: ExportDesk;
  readonly #deps: AnswersDeps;
  readonly #registry: Registry;
  readonly #regions: Regions;
  readonly #pages: Pages;
  readonly #expiry: Expiry;
  readonly #pending: PendingTouches;

  private constructor(
    deps: AnswersDeps,
    registry: Registry,
    regions: Regions,
    labels: Labels,
    query: Asker,
    jobs: Jobs,
    pages: Pages,
    erasures: ErasureDesk,
  ) {
    this.#pages = pages;
    const { store, logger, freshness } = deps;
    this.#deps = deps;
    this.#registry = registry;
    this.#regions = regions;
    this.labels = labels;
    this.snapshots = new SnapshotDesk({ store, freshness });
    this.exports = new ExportDesk({ store, freshness, registry, regions });
    this.query = query;
    this.jobs = jobs;
    this.erasures = erasures;
    this.jobBoard = new JobBoard(jobs, erasures);
    store.erasures.onErase((eventTypes) => {
      for (const eventType of eventTypes) pages.drop(eventType, null);
      jobs
        .forgetNarrowed(eventTypes)
        .catch((err) => logger.warn({ err }, "answers of before an erasure were not forgotten"));
    });
    this.changes = new ChangeMap(store.version);
    const settled = (signal?: AbortSignal) => isSettled(freshness, signal);
    this.#pending = new PendingTouches(store.committedOffsets());
    // What the log holds beyond the store may be of any time.
    this.noteAppend(0, Number.MAX_SAFE_INTEGER);
    const { changes } = this;
    const { asked, dataId } = deps;
    this.feed = new ChangeFeed({ changes, settled, asked, dataId });
    store.onChange((version, touched) => {
      this.changes.note(version, regions.mergeTouched(touched));
      this.feed.wake();
    });
    store.onCommit((offsets) => this.#pending.release(offsets));
    this.memory = new MemoryLevel(deps.cacheBytesMax);
    this.cache = new AnswerCache(
      {
        asker: query,
        changes: this.changes,
        pending: this.#pending,
        settled,
        isShared: deps.isShared,
        pages,
        clip: (eventTypes, range) => registry.clip(eventTypes, range),
        levels: levelsOf(deps, this.changes),
        cacheFarMsMin: deps.cacheFarMsMin,
      },
      this.memory,
    );
    const deleteBefore = (eventType: string, to: number, signal: AbortSignal) =>
      this.#delete(
        { eventType, eventId: null, range: { from: 0, to }, isDryRun: false },
        { signal },
      );
    const { eventTypes } = mergedTypes(store, regions);
    const isMine = () => store.shares.maintains;
    const expiring = { registry, eventTypes, deleteBefore, isMine, logger };
    this.#expiry = new Expiry(expiring, expiryIntervalMs);
  }

  static async open(deps: AnswersDeps): Promise<Answers> {
    const { store, freshness, candidatesMax, eventTypesMax: typesMax, logger } = deps;
    const regions = new Regions({ view: deps.regions });
    const registry = await Registry.open({
      store: mergedTypes(store, regions),
      onChange: deps.onRetention,
      onFailure: (err) => logger.warn({ part: "types", err }, "settings of others are not known"),
      typesMax,
    });
    const clip: Registry["clip"] = (eventTypes, range) => registry.clip(eventTypes, range);
    const labels = await Labels.open({ store });
    const pages = new Pages();
    const engine = new QueryEngine({ ...freshness, store, clip, pages, regions, candidatesMax });
    const query = measured(labels.attach(engine), deps.metrics);
    const jobs = await Jobs.open({ asker: query, store, logger }, deps);
    const erasures = await ErasureDesk.open({ ...deps, jobs });
    return new Answers(deps, registry, regions, labels, query, jobs, pages, erasures);
  }

  /** The page of a board at a cursor. Throws `invalid_cursor`, `cursor_expired`. */
  async page(request: PageRequest): Promise<object> {
    await this.#pages.prepare(request.cursor);
    const board = this.#pages.page(request);
    return this.labels.show(board, board.eventType.split(","));
  }

  /** Notes a batch that is durable: the times of its first and last event, epoch ms. */
  noteAppend(first: number, last: number): void {
    this.#pending.add(this.#deps.freshness.acknowledged(), first, last);
  }

  /** What is known of event types, and set. */
  readonly eventTypes = {
    list: () => this.#registry.list(),
    get: (name: string) => this.#registry.get(name),
    put: async (name: string, change: TypeChange) => {
      const view = await this.#registry.put(name, change);
      void this.#expiry.run();
      return view;
    },
  };

  /** Deletes events (deletes.ts); of a whole type also what was set of it. */
  async deleteEvents(request: DeleteRequest, control?: AskControl): Promise<object> {
    const reply = await this.#delete(request, control);
    const { eventType, eventId, range, isDryRun } = request;
    if (isDryRun || eventId !== null || range !== null) return reply;
    await this.#registry.remove(eventType);
    await this.labels.remove(eventType);
    return reply;
  }

  async close(): Promise<void> {
    await Promise.all([this.#expiry.stop(), this.jobs.stop()]);
  }

  async #delete(request: DeleteRequest, control?: AskControl): Promise<object> {
    const { store, freshness } = this.#deps;
    const replicas = this.#regions.replicasOf(request.eventType);
    const reply = await deleteEvents({ store, freshness, replicas }, request, control);
    if (request.isDryRun) return reply;
    this.#pages.drop(request.eventType, request.range);
    await this.jobs.dropResults(request.eventType);
    return reply;
  }
}
