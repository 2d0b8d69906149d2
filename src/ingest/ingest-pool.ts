/** The ingest workers as the main thread sees them: threads that own partitions. */
import { Worker } from "node:worker_threads";
import { RankstreamError } from "../errors.ts";
import type { ErrorCode } from "../errors-table.ts";
import type { LogPosition } from "../log/log.ts";
import type { Adopted, Store } from "../store/store.ts";
import type { Logger } from "../telemetry.ts";
import { writeThreadLine } from "../telemetry-thread.ts";
import type { Tracing } from "../telemetry-tracing.ts";
import { mustRejoin } from "./lag-watch.ts";
import {
  type FromIngestThread,
  type IngestSource,
  type IngestThreadData,
  type IngestTotals,
  noTotals,
  type ToIngestThread,
} from "./messages.ts";

/** What the workers of a log in Kafka need to know of it. */
export interface GroupLog {
  readonly partitionCount: number;
  /** Where each partition begins and ends now; throws `log_unavailable`. */
  bounds(): Promise<{ begin: number[]; end: number[] }>;
}

export interface IngestPoolOptions {
  workers: number;
  source: IngestSource;
  /** Of a log in Kafka. */
  groupLog?: GroupLog;
  typesMax: number;
  checkpointMs: number;
  checkpointBytesMax: number;
  candidatesMax: number;
  openMinuteEventsMin: number;
  logger: Logger;
  tracing: Pick<Tracing, "record">;
  /** A worker can't go on: the service must stop. */
  onFailure: (message: string) => void;
}

interface Barrier {
  offsets: number[];
  resolve: (reached: boolean) => void;
}

/**
 * From one word of the log's new end to the next: where events come one by one, each group of the
 * log would wake every worker to read a few lines. Whoever waits for a commit doesn't wait for it.
 */
const advanceMs = 5;
/** Callers waiting at once for a commit. */
const barriersMax = 10_000;

function threadUrl(): URL {
  const built = import.meta.url.endsWith(".ts") ? "../../build/ingest/" : "./";
  return new URL(`${built}ingest-thread.js`, import.meta.url);
}

/** `offset_out_of_range` where what should be counted next is gone, or never was. */
function outside(
  { partition, offset }: { partition: number; offset: number },
  { begin, end }: { begin: number[]; end: number[] },
): RankstreamError | null {
  const [first = 0, last = 0] = [begin[partition], end[partition]];
  if (offset >= first && offset <= last) return null;
  const wanted = `partition ${partition}: offset ${offset} wanted`;
  return new RankstreamError("offset_out_of_range", `${wanted}, the log has ${first} to ${last}`);
}

function isReached(committed: readonly number[], wanted: readonly number[]): boolean {
  return wanted.every((offset, partition) => (committed[partition] ?? 0) >= offset);
}

export class IngestPool {
  readonly #store: Store;
  readonly #options: IngestPoolOptions;
  readonly #workers: Worker[] = [];
  readonly #totals: (IngestTotals | null)[] = [];
  readonly #fills: number[] = [];
  readonly #barriers = new Set<Barrier>();
  readonly #unsubscribe: () => void;
  readonly #ended: Promise<void>[] = [];
  /** The log's end that the workers were not told yet. */
  #untold: LogPosition | null = null;
  #telling: NodeJS.Timeout | null = null;
  #stopping = false;
  #failure: string | null = null;
  /** What each worker's group assigned to it last. */
  readonly #assigned: number[][] = [];
  readonly #stopped = new Map<number, RankstreamError>();

  private constructor(store: Store, options: IngestPoolOptions) {
    this.#store = store;
    this.#options = options;
    store.shares.onWanted((offsets) => {
      this.#tell();
      this.#sendAll({ kind: "flush", offsets: [...offsets] });
    });
    this.#unsubscribe = store.onCommit((offsets) => this.#release(offsets));
    void store.ended.then((why) => {
      this.#fail(why);
      // They wait for commits that never come: their ports do not always tell.
      for (const worker of this.#workers) void worker.terminate();
    });
  }

  /** Starts the workers where the store's offsets say. */
  static async start(store: Store, options: IngestPoolOptions): Promise<IngestPool> {
    const pool = new IngestPool(store, options);
    const isGroup = options.source.kind === "kafka";
    const seen = isGroup ? [] : await store.loadSeen();
    for (let worker = 0; worker < options.workers; worker++) {
      const starts = store
        .committedOffsets()
        .map((offset, partition) => ({ partition, offset, tail: null }))
        .filter(({ partition }) => partition % options.workers === worker);
      const begin = { starts, seen, counts: [], floorMinute: store.newestMinute };
      pool.#startWorker(worker, isGroup ? null : begin);
    }
    return pool;
  }

  /** Tells the workers how far the log is durable: now, or with what follows within 5 ms. */
  advance(end: LogPosition): void {
    this.#untold = end;
    if (this.#telling !== null) return;
    this.#tell();
    this.#telling = setTimeout(() => {
      this.#telling = null;
      if (this.#untold !== null) this.advance(this.#untold);
    }, advanceMs);
  }

  #tell(): void {
    if (this.#untold !== null) this.#sendAll({ kind: "advance", end: this.#untold });
    this.#untold = null;
  }

  /**
   * Resolves to true once everything before `offsets` (by partition) is committed in the store,
   * to false after `waitMsMax` or when `signal` says so.
   */
  committed(offsets: number[], waitMsMax: number, signal?: AbortSignal): Promise<boolean> {
    if (this.blocked(offsets) !== null) return Promise.resolve(false);
    if (isReached(this.#store.committedOffsets(), offsets)) return Promise.resolve(true);
    if (waitMsMax <= 0 || signal?.aborted === true) return Promise.resolve(false);
    if (this.#barriers.size >= barriersMax) return Promise.resolve(false);
    return new Promise((resolve) => {
      const barrier: Barrier = {
        offsets,
        resolve: (reached) => {
          clearTimeout(timer);
          signal?.removeEventListener("abort", leave);
          this.#barriers.delete(barrier);
          resolve(reached);
        },
      };
      const leave = () => barrier.resolve(false);
      signal?.addEventListener("abort", leave, { once: true });
      const timer = setTimeout(leave, waitMsMax);
      this.#barriers.add(barrier);
      this.#tell();
      this.#sendAll({ kind: "flush", offsets });
      this.#store.want(offsets);
    });
  }

  /** Somebody follows what is committed: checkpoints come as while questions are asked. */
  asked(): void {
    this.#sendAll({ kind: "flush", offsets: [] });
  }

  /** Sums over the workers since the start. */
  totals(): IngestTotals {
    const sum = noTotals();
    for (const totals of this.#totals) {
      if (totals === null) continue;
      for (const name of Object.keys(sum) as (keyof IngestTotals)[]) sum[name] += totals[name];
    }
    return sum;
  }

  /** The greatest share, 0 to 1, of cells in use in the sketch of an open minute. */
  get sketchFill(): number {
    return Math.max(0, ...this.#fills);
  }

  /** Callers that wait for a commit. */
  get waiting(): number {
    return this.#barriers.size;
  }

  /**
   * Commits what was read, then ends the threads; the rest waits in the log. Throws
   * `store_failed` when
   * something could not be committed: it is in the log still.
   */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#telling ?? undefined);
    this.#store.lastTry();
    this.#sendAll({ kind: "stop" });
    await Promise.all(this.#ended);
    this.#unsubscribe();
    for (const barrier of this.#barriers) barrier.resolve(false);
    if (this.#failure === null) return;
    const [reason] = this.#failure.split("\n", 1);
    throw new RankstreamError(
      "store_failed",
      `not everything was counted before the end (${reason}); all acknowledged events are safe ` +
        "in the log, the next start counts them",
    );
  }

  /** Why nothing is counted any more, or of some partitions; null while all is well. */
  get failure(): string | null {
    const [stopped] = this.#stopped.values();
    return this.#failure ?? stopped?.message ?? null;
  }

  /** Partitions that are not counted any further. */
  get stoppedPartitions(): number {
    return this.#stopped.size;
  }

  isStopped(partition: number): boolean {
    return this.#stopped.has(partition);
  }

  /**
   * Why it is no use to wait for these offsets; null where it may be. Of a partition that was
   * stopped no offset says that all is counted: a topic made anew may end before the store's.
   */
  blocked(offsets: readonly number[]): RankstreamError | null {
    for (const [partition, error] of this.#stopped) if (partition in offsets) return error;
    return null;
  }

  /** These partitions stand still: of a log in Kafka their clients join their group anew. */
  restartReaders(stalled: readonly number[]): void {
    for (const [index, worker] of this.#workers.entries()) {
      if (!mustRejoin(this.#assigned[index], stalled)) continue;
      worker.postMessage({ kind: "restart_reader" } satisfies ToIngestThread);
    }
  }

  #startWorker(index: number, begin: IngestThreadData["begin"]): void {
    const { source, typesMax, checkpointMs, checkpointBytesMax } = this.#options;
    const { candidatesMax, openMinuteEventsMin } = this.#options;
    const storePort = this.#store.connectWorker();
    const data: IngestThreadData = {
      worker: index,
      source,
      begin,
      typesMax,
      checkpointMs,
      checkpointBytesMax,
      candidatesMax,
      openMinuteEventsMin,
      seed: this.#store.seed,
      storePort,
    };
    const worker = new Worker(threadUrl(), { workerData: data, transferList: [storePort] });
    this.#workers.push(worker);
    this.#totals.push(null);
    this.#ended.push(new Promise((resolve) => worker.once("exit", () => resolve())));
    worker.on("message", (message: FromIngestThread) => {
      if (message.kind === "progress") {
        this.#totals[index] = message.totals;
        this.#fills[index] = message.sketchFill;
        if (message.steps !== undefined) this.#options.tracing.record(message.steps);
      }
      if (message.kind === "log")
        writeThreadLine(this.#options.logger, `ingest-${index}`, message.line);
      if (message.kind === "stopped") {
        const error = new RankstreamError(message.code as ErrorCode, message.message);
        this.#stopPartition(message.partition, error);
      }
      if (message.kind === "adopt") void this.#adopt(index, message.partitions);
      if (message.kind === "done") void worker.terminate();
      if (message.kind === "failed") this.#fail(`ingest worker ${index}: ${message.message}`);
    });
    worker.on("error", (error) => this.#fail(`ingest worker ${index}: ${error.message}`));
    worker.on("exit", (code) => {
      if (!this.#stopping) this.#fail(`ingest worker ${index} ended (${code})`);
    });
  }

  /** Gives a worker what its group assigned to it, but for what lies outside the log. */
  async #adopt(worker: number, partitions: number[]): Promise<void> {
    let adopted: Adopted | null = null;
    this.#assigned[worker] = partitions;
    try {
      const log = this.#options.groupLog!;
      const bounds = await log.bounds();
      const partitionCount = Math.max(log.partitionCount, bounds.end.length);
      const given = await this.#store.adopt({ worker, partitions, partitionCount });
      for (const partition of partitions) this.#stopped.delete(partition);
      const starts = given.starts.filter((start) => {
        const fault = outside(start, bounds);
        if (fault !== null) this.#stopPartition(start.partition, fault);
        return fault === null;
      });
      adopted = { ...given, starts };
    } catch (error) {
      const { message } = error as Error;
      this.#options.logger.warn({ part: "ingest", reason: message }, "partitions have to wait");
    }
    this.#workers[worker]!.postMessage({ kind: "adopted", adopted } satisfies ToIngestThread);
  }

  #stopPartition(partition: number, error: RankstreamError): void {
    this.#stopped.set(partition, error);
    this.#options.logger.error(
      { part: "ingest", partition, code: error.code, reason: error.message },
      "a partition is not counted any further",
    );
    for (const barrier of this.#barriers) {
      if (this.blocked(barrier.offsets) !== null) barrier.resolve(false);
    }
  }

  #fail(message: string): void {
    this.#failure ??= message;
    this.#options.logger.error({ part: "ingest" }, message);
    if (!this.#stopping) this.#options.onFailure(message);
  }

  #release(committed: readonly number[]): void {
    for (const barrier of this.#barriers) {
      if (isReached(committed, barrier.offsets)) barrier.resolve(true);
    }
  }

  #sendAll(message: ToIngestThread): void {
    for (const worker of this.#workers) worker.postMessage(message);
  }
}
