/** The local store as the main thread sees it: a proxy of the thread that owns DuckDB. */
import { randomBytes } from "node:crypto";
import { MessageChannel, type MessagePort, type Worker } from "node:worker_threads";
import { RankstreamError } from "../errors.ts";
import type { LabelChange, LabelledItem } from "../model-labels.ts";
import type { Logger } from "../telemetry.ts";
import { writeThreadLine } from "../telemetry-thread.ts";
import { noTracing, type Tracing } from "../telemetry-tracing.ts";
import type { Touched } from "./changes.ts";
import type { DeleteAnswer, DeleteQuery } from "./delete-questions.ts";
import { ErasureCalls } from "./erase-calls.ts";
import type { ExportQuery } from "./export-sql.ts";
import type { OpenedExport } from "./exports.ts";
import type {
  ItemAnswer,
  ItemQuery,
  ItemsAnswer,
  ItemsQuery,
  SeriesAnswer,
  SeriesQuery,
} from "./item-questions.ts";
import {
  type FromStoreThread,
  parseSeed,
  type StoreCallName,
  type StoreCalls,
  type StoreThreadData,
} from "./protocol.ts";
import { ReadLoad } from "./read-load.ts";
import { RegionCalls } from "./region-calls.ts";
import { startThread } from "./start-thread.ts";
import type {
  Adopted,
  Adoption,
  ApproxAnswer,
  ApproxQuery,
  EventTypeInfo,
  ExactAnswer,
  ExactQuery,
  ReadControl,
  Store,
  TrendingAnswer,
  TrendingQuery,
} from "./store.ts";
import { StoreProgress } from "./store-progress.ts";
import { StoreShares } from "./store-shares.ts";
import { StoreTimes } from "./store-times.ts";
import { ThreadCalls } from "./thread-calls.ts";

export interface LocalStoreOptions extends Omit<StoreThreadData, "readLoad"> {
  logger: Logger;
  /** Told of checkpoints of traced batches; default: nobody. */
  tracing?: Pick<Tracing, "record">;
}

/** The log that the store's offsets belong to. */
export interface LogIdentity {
  readonly id: string;
  readonly partitionCount: number;
  /** Of a log that may grow: where its partitions begin (FolderIdentity). */
  readonly mayGrow?: { beginOffsets: number[] };
}

export class LocalStore implements Store {
  readonly ended: Promise<string>;
  readonly readLoad: ReadLoad;
  readonly times = new StoreTimes();
  readonly shares: StoreShares;
  readonly #worker: Worker;
  readonly #isLake: boolean;
  readonly #logger: Logger;
  readonly #tracing: Pick<Tracing, "record">;
  readonly #calls: ThreadCalls;
  readonly #progress = new StoreProgress();
  #failure: string | null = null;
  #end: (reason: string) => void = () => undefined;
  #hasEnded = false;
  #isClosing = false;
  #seed = { low: 0, high: 0 };
  #newestMinute = -1;

  private constructor(
    worker: Worker,
    readLoad: ReadLoad,
    { logger, lake, tracing = noTracing }: LocalStoreOptions,
  ) {
    this.#worker = worker;
    this.#isLake = lake !== null;
    this.shares = new StoreShares(lake !== null);
    this.#tracing = tracing;
    this.#calls = new ThreadCalls(worker);
    this.readLoad = readLoad;
    this.#logger = logger;
    worker.on("message", (message: FromStoreThread) => this.#receive(message));
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    const fail = (reason: string) => {
      // The first to come says why.
      if (this.#hasEnded) return;
      this.#failure = reason;
      this.#hasEnded = true;
      this.#calls.fail(reason);
      if (!this.#isClosing) this.#end(reason);
    };
    worker.on("error", (error) => fail(`the store's thread failed: ${error.message}`));
    worker.on("exit", (code) => fail(`the store's thread ended (${code})`));
  }

  /**
   * Opens the store in `folder`, creating it; from then on the folder is held against other
   * processes, so `openLog` may mend and write the log beside it. Throws `data_folder_in_use`,
   * `data_folder_newer` (then nothing is changed),
   * `data_folder_mismatch` (the log is not the store's) or `store_failed`.
   */
  static async open<L extends LogIdentity>(
    options: LocalStoreOptions,
    openLog: () => Promise<L>,
  ): Promise<{ store: LocalStore; log: L }> {
    const { logger, tracing, ...data } = options;
    const readLoad = new ReadLoad();
    const workerData: StoreThreadData = { ...data, readLoad: readLoad.buffer };
    const worker = await startThread(workerData);
    try {
      const store = new LocalStore(worker, readLoad, options);
      const log = await openLog();
      await store.#prepare(log);
      return { store, log };
    } catch (error) {
      await worker.terminate();
      throw error;
    }
  }

  get newestMinute(): number {
    return this.#newestMinute;
  }

  get seed(): { low: number; high: number } {
    return this.#seed;
  }

  async #prepare({ id, partitionCount, mayGrow }: LogIdentity): Promise<void> {
    const freshSeed = randomBytes(8).toString("hex");
    const grown = mayGrow === undefined ? {} : { beginOffsets: mayGrow.beginOffsets };
    const wanted = { logId: id, partitionCount, seed: freshSeed, ...grown };
    const prepared = await this.#call("prepare", wanted);
    const { seed, offsets, newestMinute, mutations, format, formatBefore } = prepared;
    if (formatBefore > 0 && formatBefore < format) {
      const formats = { part: "store", from: formatBefore, to: format };
      this.#logger.info(formats, "the data folder was brought to a newer format");
    }
    this.#progress.begin(offsets, mutations);
    this.#newestMinute = newestMinute;
    this.#seed = parseSeed(seed);
  }

  committedOffsets(): readonly number[] {
    return this.#progress.offsets;
  }

  /** What keeps the store from committing. */
  get failure(): string | null {
    return this.#failure;
  }

  onCommit(listener: (offsets: readonly number[]) => void): () => void {
    return this.#progress.onCommit(listener);
  }

  get version(): number {
    return this.#progress.version;
  }

  onChange(listener: (version: number, touched: readonly Touched[]) => void): void {
    this.#progress.onChange(listener);
  }

  connectWorker(): MessagePort {
    const { port1, port2 } = new MessageChannel();
    this.#worker.postMessage({ kind: "connect", port: port1 }, [port1]);
    return port2;
  }

  async adopt(adoption: Adoption): Promise<Adopted> {
    const adopted = await this.#call("adopt", adoption);
    this.#progress.grow(adopted.offsets, this.#isLake);
    return adopted;
  }

  loadSeen(): Promise<StoreCalls["loadSeen"][1]> {
    return this.#call("loadSeen", null);
  }

  eventTypes(): Promise<EventTypeInfo[]> {
    return this.#call("eventTypes", null);
  }

  exact(query: ExactQuery, control?: ReadControl): Promise<ExactAnswer> {
    return this.#call("exact", query, control);
  }

  trending(query: TrendingQuery, control?: ReadControl): Promise<TrendingAnswer> {
    return this.#call("trending", query, control);
  }

  approx(query: ApproxQuery, control?: ReadControl): Promise<ApproxAnswer> {
    return this.#call("approx", query, control);
  }

  item(query: ItemQuery, control?: ReadControl): Promise<ItemAnswer> {
    return this.#call("item", query, control);
  }

  items(query: ItemsQuery, control?: ReadControl): Promise<ItemsAnswer> {
    return this.#call("items", query, control);
  }

  series(query: SeriesQuery, control?: ReadControl): Promise<SeriesAnswer> {
    return this.#call("series", query, control);
  }

  loadTypeSettings(): Promise<StoreCalls["loadTypeSettings"][1]> {
    return this.#call("loadTypeSettings", null);
  }

  putTypeSettings(
    change: StoreCalls["putTypeSettings"][0],
  ): Promise<StoreCalls["putTypeSettings"][1]> {
    return this.#call("putTypeSettings", change);
  }

  dropTypeSettings(name: string): Promise<null> {
    return this.#call("dropTypeSettings", name);
  }

  keptAnswer(key: string): Promise<StoreCalls["keptAnswer"][1]> {
    return this.#call("keptAnswer", key);
  }

  keepAnswer(answer: StoreCalls["keepAnswer"][0]): Promise<boolean> {
    return this.#call("keepAnswer", answer);
  }

  dropKeptAnswers(which: StoreCalls["dropKeptAnswers"][0]): Promise<number> {
    return this.#call("dropKeptAnswers", which);
  }

  loadJobs(): Promise<StoreCalls["loadJobs"][1]> {
    return this.#call("loadJobs", null);
  }

  putJob(job: StoreCalls["putJob"][0]): Promise<null> {
    return this.#call("putJob", job);
  }

  dropJob(id: string): Promise<null> {
    return this.#call("dropJob", id);
  }

  readonly claimJob = (id: string): Promise<boolean> => this.#call("claimJob", id);
  readonly releaseJob = (id: string): Promise<null> => this.#call("releaseJob", id);

  jobResult(id: string): Promise<string | null> {
    return this.#call("jobResult", id);
  }

  labels(query: StoreCalls["labels"][0], control?: ReadControl): Promise<LabelledItem[]> {
    return this.#call("labels", query, control);
  }

  labelledTypes(): Promise<string[]> {
    return this.#call("labelledTypes", null);
  }

  putLabels(changes: LabelChange[]): Promise<LabelledItem[]> {
    return this.#call("putLabels", changes);
  }

  dropLabels(eventType: string): Promise<null> {
    return this.#call("dropLabels", eventType);
  }

  takeSnapshot(name: string, control?: ReadControl): Promise<StoreCalls["takeSnapshot"][1]> {
    return this.#call("takeSnapshot", name, control);
  }

  snapshots(): Promise<StoreCalls["snapshots"][1]> {
    return this.#call("snapshots", null);
  }

  dropSnapshot(name: string): Promise<null> {
    return this.#call("dropSnapshot", name);
  }

  openExport(query: ExportQuery, control?: ReadControl): Promise<OpenedExport> {
    return this.#call("openExport", query, control);
  }

  exportSlice(slice: { id: string; index: number }, control?: ReadControl): Promise<string> {
    return this.#call("exportSlice", slice, control);
  }

  closeExport(id: string): Promise<null> {
    return this.#call("closeExport", id);
  }

  readonly erasures = new ErasureCalls((...call) => this.#call(...call));
  readonly regions = new RegionCalls((...call) => this.#call(...call));

  /** What a backup reads (BaseCuts). */
  readonly cuts = Object.freeze({
    open: () => this.#call("openCut", null),
    release: (id: number) => this.#call("releaseCut", id),
    close: (id: number) => this.#call("closeCut", id),
  });

  putMetrics(part: StoreCalls["putMetrics"][0]): Promise<null> {
    return this.#call("putMetrics", part);
  }

  metricsHistory(
    query: StoreCalls["metricsHistory"][0],
  ): Promise<StoreCalls["metricsHistory"][1]> {
    return this.#call("metricsHistory", query);
  }

  typeFigures(): Promise<StoreCalls["typeFigures"][1]> {
    return this.#call("typeFigures", null);
  }

  bytesElsewhere(): Promise<StoreCalls["bytesElsewhere"][1]> {
    return this.#call("bytesElsewhere", null);
  }

  deleteEvents(query: DeleteQuery, control?: ReadControl): Promise<DeleteAnswer> {
    return this.#call("deleteEvents", query, control);
  }

  tick(appliedThrough: number): void {
    this.#worker.postMessage({ kind: "tick", appliedThrough });
  }

  /** Has whoever counts these offsets know that somebody waits for them. */
  want(offsets: readonly number[]): void {
    this.#worker.postMessage({ kind: "want", offsets });
  }

  lastTry(): void {
    this.#worker.postMessage({ kind: "last_try" });
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    if (!this.#hasEnded) await this.#call("close", null);
    await this.#worker.terminate();
  }

  /** Ends all that runs and closes: from then on nothing holds the process. */
  async abandon(): Promise<void> {
    this.#isClosing = true;
    if (!this.#hasEnded) await this.#call("abandon", null);
  }

  /** Not answered yet. */
  get callsPending(): number {
    return this.#calls.size;
  }

  #call<Name extends StoreCallName>(
    name: Name,
    argument: StoreCalls[Name][0],
    control?: ReadControl,
  ): Promise<StoreCalls[Name][1]> {
    if (!this.#hasEnded) return this.#calls.ask(name, argument, control);
    const reason = this.#failure ?? "the store is closed";
    return Promise.reject(new RankstreamError("store_failed", reason));
  }

  #receive(message: FromStoreThread): void {
    this.times.note(message);
    this.shares.note(message);
    this.#calls.note(message);
    this.erasures.note(message);
    this.#progress.note(message);
    if (message.kind === "committed" && message.steps !== undefined) {
      this.#tracing.record(message.steps);
    } else if (message.kind === "failing") {
      this.#failure = message.message;
    } else if (message.kind === "log") {
      writeThreadLine(this.#logger, "store", message.line);
    } else if (message.kind === "gave_up") {
      this.#end(message.message);
    }
  }
}
