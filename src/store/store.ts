/** What the store offers, and what ingest workers hand to it. */
import type { MessagePort } from "node:worker_threads";
import type { LabelChange, LabelledItem } from "../model-labels.ts";
import type { SeenRow, SeenRun } from "../model-seen.ts";
import type { Selection } from "../model-selection.ts";
import type { CheckpointTrace } from "../model-trace.ts";
import type { TraceSpan } from "../telemetry-tracing.ts";
import type { Shares, Touched } from "./changes.ts";
import type { DeleteAnswer, DeleteQuery } from "./delete-questions.ts";
import type { ErasureStore } from "./erase-questions.ts";
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
import type { JobRow } from "./jobs.ts";
import type { KeptMatch, KeptRow } from "./kept-answers.ts";
import type { LabelQuery } from "./labels.ts";
import type { MetricsHistory, MetricsQuery } from "./metrics-history.ts";
import type { Contender, TieRule } from "./order.ts";
import type { RegionStore } from "./region-questions.ts";
import type { SnapshotAnswer, SnapshotInfo } from "./snapshot.ts";
import type { MetricsPart } from "./system-metrics.ts";
import type { TypeSettings, TypeSettingsChange } from "./type-settings.ts";

/** One partition's progress in a checkpoint: it counted the records from `from` to `next` − 1. */
export interface OffsetRange {
  partition: number;
  from: number;
  next: number;
  /** Tells the last record counted from another that might take its place; null: nothing does. */
  tail?: string | null;
}

/** A worker takes over partitions of a log that several read. */
export interface Adoption {
  worker: number;
  partitions: number[];
  /** How many the log has now. */
  partitionCount: number;
}

export interface Adopted {
  /** Of all partitions. */
  offsets: number[];
  starts: { partition: number; offset: number; tail: string | null }[];
  seen: (SeenState & { partition: number })[];
  /** The newest minute that has events; −1 for none. */
  newestMinute: number;
  /** All numbers of partitions the log is known to have had, rising. */
  counts: number[];
  /** Names of the event types that were counted. */
  types: string[];
}

/** Which batches of one partition were counted. */
export interface SeenState {
  newestReceivedAt: number;
  rows: SeenRow[];
  runs: SeenRun[];
}

/**
 * What brings the stored state of one partition up to date, in this order: forget the rows
 * named by `drops`, `ordinalBelow` and `expireBefore`, insert `rows`, forget all runs of
 * `producers`, insert `runs`.
 */
export interface SeenChanges extends SeenState {
  partition: number;
  producers: string[];
  drops: { producer: string; ordinalBelow: number }[];
  ordinalBelow: number;
  expireBefore: number;
}

/** What a checkpoint adds to one event type. */
export interface TypePart {
  /** The worker's index, as used in the chunks of counts. */
  index: number;
  name: string;
  total: number;
  /** Epoch ms. */
  firstSeen: number;
  lastSeen: number;
}

/** A worker's open minutes that its candidates answer for, as of a checkpoint. */
export interface OpenPart {
  /** `candidates` is the kernel's own form (kernel/candidates.ts). */
  minutes: { minute: number; candidates: ArrayBuffer }[];
  /** Names by the worker's type index, of the types in them. */
  typeNames: Map<number, string>;
  /** The worker's own. */
  partitions: number[];
}

/** Everything one worker counted since its last checkpoint; committed whole or not at all. */
export interface CheckpointPart {
  sequence: number;
  offsets: OffsetRange[];
  raw: ArrayBuffer[];
  rawRows: number;
  counts: ArrayBuffer[];
  countRows: number;
  /** The event types that `raw` and `counts` hold. */
  types: TypePart[];
  seen: SeenChanges[];
  worker: number;
  open: OpenPart;
  /** Absent where nothing in it is traced. */
  trace?: CheckpointTrace | undefined;
}

export type WorkerToStore = { kind: "checkpoint"; part: CheckpointPart };
export type StoreToWorker =
  | { kind: "committed"; sequence: number }
  /** `isStale`: someone else has counted from these offsets. */
  | { kind: "failed"; sequence: number; message: string; isStale: boolean };

export interface EventTypeInfo {
  name: string;
  total: number;
  /** Epoch ms. */
  firstSeen: number;
  lastSeen: number;
}

/** How a read is run beside others. */
export interface ReadControl {
  /** Ends the read: what runs is interrupted in DuckDB, what waits is dropped. */
  signal?: AbortSignal | undefined;
  /** Nobody waits for it at once: it runs apart, slower, in no other read's way. */
  isApart?: boolean | undefined;
  /** How long it may wait for its turn; default and at most its budget. */
  waitMsMax?: number | undefined;
  /** Told now and then how far the statement that runs is, 0..1. */
  onProgress?: ((share: number) => void) | undefined;
  /** What it is a step of, where that is traced. */
  span?: TraceSpan | null | undefined;
}

/** Where an item stands in a ranking: count 0 and rank null where it has no event. */
export interface Standing {
  count: number;
  rank: number | null;
}

export interface ExactQuery {
  eventTypes: string[];
  /** Epoch ms; `to` is exclusive. */
  from: number;
  to: number;
  k: number;
  offset: number;
  /** Absent: every event of the types, every item. */
  selection?: Selection;
  /** The period to compare with (store/compare.ts): epoch ms, `to` exclusive. */
  previous?: { from: number; to: number; ties: TieRule };
  budgetMs: number;
}

export interface ExactRow {
  eventId: string;
  count: number;
  /** What it was in the period compared with; only where one is. */
  previous?: Standing;
}

/** What the period compared with adds up to, and its first `k` rows. */
export interface PreviousAnswer {
  total: number;
  /** `now`: what the item is in the range asked for. */
  rows: { eventId: string; count: number; now: Standing }[];
}

export interface ExactAnswer {
  rows: ExactRow[];
  /** Only where a period is compared with. */
  previous?: PreviousAnswer;
  /** Items with a greater count than the first row, and how many different counts those have. */
  ahead: { items: number; counts: number };
  /** Sum of the counts of the rows before the first one. */
  skipped: number;
  /** Sum of all counts; of users, how many distinct ones there are. */
  total: number;
  distinct: number;
  /** Offsets the answer includes, by partition. */
  offsets: number[];
  rowsRead: { counts: number; raw: number };
}

/** What grew beyond what chance explains (store/trending.ts); `previous` is the baseline. */
export interface TrendingQuery extends ExactQuery {
  previous: NonNullable<ExactQuery["previous"]>;
  /** Items below are left out. */
  minScore: number;
  minCount: number;
}

export interface TrendingRow {
  eventId: string;
  count: number;
  previousCount: number;
  /** The count it would have, had nothing but the totals changed. */
  expected: number;
  score: number;
}

export interface TrendingAnswer {
  /** By score, then id; `k` at most. */
  rows: TrendingRow[];
  /** Items that reach both minima. */
  found: number;
  /** Sums of the items' counts. */
  total: number;
  previousTotal: number;
  /** Items there are now. */
  distinct: number;
  offsets: number[];
  rowsRead: { counts: number; raw: number };
}

export interface ApproxQuery {
  eventTypes: string[];
  /** Epoch ms; `to` is exclusive. */
  from: number;
  to: number;
  /** Rows of the ranking from the first on. */
  rows: number;
  /** Rows after these whose bounds the lists alone give: for the pages after. */
  moreRows?: number;
  /** Raw events read for the ragged edges at most; beyond, edges are only bounded. */
  edgeRowsMax: number;
  /** Distinct ids, at most 1000, whose bounds and places are wanted wherever they stand. */
  items?: string[];
  budgetMs: number;
}

/** An item with the bounds of its count. */
export interface BoundedItem {
  eventId: string;
  lower: number;
  upper: number;
  /** Best guess within the bounds. */
  estimate: number;
}

/**
 * An item that was asked for. Its place is what it has in the whole ranking of the range (count
 * falling, then id bytes; ties share no place): the first is 1, and that of an item without any
 * event comes after all that have some.
 */
export interface PlacedItem extends BoundedItem {
  /** 1 + the items that are surely before it. */
  rankLower: number;
  /** 1 + the items that may be before it; of those on no list only their number is bounded. */
  rankUpper: number;
  /** How many items surely have a greater count, and how many may: for ranks that ties share. */
  aheadLower: number;
  aheadUpper: number;
  /** Best guess within these. */
  ahead: number;
}

/** What lists, deltas and edges prove of a range, without the exact counts off the lists. */
export interface ApproxAnswer {
  /** By estimate, then id. */
  rows: BoundedItem[];
  /** The `moreRows` after them, by lower bound, then id; not looked at any closer. */
  more: BoundedItem[];
  /**
   * The items asked for, in that order; an item on no list has lower 0 and at most
   * `unlistedUpper` as upper bound. Count and place are exact where both bounds are equal.
   */
  items: PlacedItem[];
  /** Of the items known but not in `rows`: the greatest upper bound, the least id that has it. */
  rest: Contender | null;
  /** Upper bound of any item not known at all. */
  unlistedUpper: number;
  total: { lower: number; upper: number };
  distinct: { lower: number; upper: number };
  offsets: number[];
  windows: Record<"minute" | "hour" | "day" | "month", number>;
  /** Sealed sketches that were asked. */
  sketches: number;
  rowsRead: { lists: number; counts: number; raw: number };
  /** Rows that the exact answer of the same question would read, about. */
  exactRows: number;
}

export interface Store {
  readonly seed: { low: number; high: number };
  /** The newest minute (since 1970) that had events when the store was opened; −1 for none. */
  readonly newestMinute: number;
  /** Next offset to count, by partition, as last committed. */
  committedOffsets(): readonly number[];
  /**
   * A number that only grows, also over restarts: everything committed up to it is in what is
   * read from now on.
   */
  readonly version: number;
  /** Called after each commit and delete, before those who wait for it, with what it touched. */
  onChange(listener: (version: number, touched: readonly Touched[]) => void): void;
  readonly erasures: ErasureStore;
  readonly regions: RegionStore;
  /** Called after each commit; returns a function that stops it. */
  onCommit(listener: (offsets: readonly number[]) => void): () => void;
  /** Resolves with why, should the store end by itself: nothing is committed from then on. */
  readonly ended: Promise<string>;
  /** A port for one ingest worker: it sends WorkerToStore and gets StoreToWorker. */
  connectWorker(): MessagePort;
  /** Gives partitions to a worker; whoever had them commits nothing more of them. */
  adopt(adoption: Adoption): Promise<Adopted>;
  /** By partition. */
  loadSeen(): Promise<SeenState[]>;
  eventTypes(): Promise<EventTypeInfo[]>;
  /** Throws `query_timeout`, `query_cancelled`, `query_memory`, `too_many_queries`. */
  exact(query: ExactQuery, control?: ReadControl): Promise<ExactAnswer>;
  /** Throws as `exact`. */
  trending(query: TrendingQuery, control?: ReadControl): Promise<TrendingAnswer>;
  approx(query: ApproxQuery, control?: ReadControl): Promise<ApproxAnswer>;
  item(query: ItemQuery, control?: ReadControl): Promise<ItemAnswer>;
  items(query: ItemsQuery, control?: ReadControl): Promise<ItemsAnswer>;
  series(query: SeriesQuery, control?: ReadControl): Promise<SeriesAnswer>;
  /**
   * Deletes events of everything committed before, or says what would go. Resolves once that is
   * committed. Throws `query_timeout`, `query_cancelled` (nothing is deleted then),
   * `too_many_deletes`.
   */
  deleteEvents(query: DeleteQuery, control?: ReadControl): Promise<DeleteAnswer>;
  readonly shares: Shares;
  /** By name. */
  loadTypeSettings(): Promise<TypeSettings[]>;
  /** Keeps what is changed; resolves to all that is set of the type, once that is committed. */
  putTypeSettings(change: TypeSettingsChange): Promise<TypeSettings>;
  dropTypeSettings(name: string): Promise<null>;
  /** The labels there are of these items; of several types each its own. */
  labels(query: LabelQuery, control?: ReadControl): Promise<LabelledItem[]>;
  /** The event types of which some item has a label. */
  labelledTypes(): Promise<string[]>;
  /**
   * Changes what items are called; resolves to what they are then, once that is committed.
   * Throws `too_many_labels`: then none of these changes is kept.
   */
  putLabels(changes: LabelChange[]): Promise<LabelledItem[]>;
  /** Forgets the labels of a type's items. */
  dropLabels(eventType: string): Promise<null>;
  /** The kept answer of this key, right as of now; null where there is none. */
  keptAnswer(key: string): Promise<KeptRow | null>;
  /** Keeps an answer made from data of `version` at least; false where it is not kept. */
  keepAnswer(answer: { row: KeptRow; version: number }): Promise<boolean>;
  /** Drops kept answers; resolves to how many. */
  dropKeptAnswers(which: KeptMatch): Promise<number>;
  /** Throws as Snapshots.take (snapshot.ts). */
  takeSnapshot(name: string, control?: ReadControl): Promise<SnapshotAnswer>;
  snapshots(): Promise<SnapshotInfo[]>;
  /** Throws `snapshot_not_found`. */
  dropSnapshot(name: string): Promise<null>;
  /** Throws as Exports.open (exports.ts). */
  openExport(query: ExportQuery, control?: ReadControl): Promise<OpenedExport>;
  exportSlice(slice: { id: string; index: number }, control?: ReadControl): Promise<string>;
  closeExport(id: string): Promise<null>;
  /** Keeps a sample of the service's own numbers. */
  putMetrics(part: MetricsPart): Promise<null>;
  metricsHistory(query: MetricsQuery): Promise<MetricsHistory>;
  loadJobs(): Promise<JobRow[]>;
  /** Keeps a job as it is now; resolves once that is committed. */
  putJob(job: JobRow & { result: string | null }): Promise<null>;
  dropJob(id: string): Promise<null>;
  /**
   * Takes a job for this process alone; whether it did, or had before. From then on all is read
   * that a process which had it before said of it.
   */
  claimJob(id: string): Promise<boolean>;
  /** Gives it back, where it was claimed: it has ended, or is no more. */
  releaseJob(id: string): Promise<null>;
  /** JSON; null where there is no such job, or no result. */
  jobResult(id: string): Promise<string | null>;
  /**
   * Lets the store seal windows and tidy: every record appended before `appliedThrough` (epoch
   * ms) is committed.
   */
  tick(appliedThrough: number): void;
  /** Has whoever counts these offsets, in any process, know that somebody waits for them. */
  want(offsets: readonly number[]): void;
  /** From now on a commit that fails is tried only once more, at once; then its worker is told. */
  lastTry(): void;
  close(): Promise<void>;
}
