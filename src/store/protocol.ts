/** Messages between the main thread and the store's thread. */
import { RankstreamError } from "../errors.ts";
import { type ErrorCode, errorKinds } from "../errors-table.ts";
import type { LabelChange, LabelledItem } from "../model-labels.ts";
import type { LakePlace } from "../model-lake.ts";
import type { SpanNote } from "../model-trace.ts";
import type { ThreadLine } from "../telemetry-thread.ts";
import type { BaseCut } from "./base-cuts.ts";
import type { KeptTable, Touched } from "./changes.ts";
import type { DeleteAnswer, DeleteQuery } from "./delete-questions.ts";
import type {
  ErasedEvents,
  ErasedPlace,
  ErasedUsersPage,
  EraseQuery,
  ErasureInfo,
} from "./erase-questions.ts";
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
import type { KeptAnswersOptions, KeptMatch, KeptRow } from "./kept-answers.ts";
import type { LabelQuery } from "./labels.ts";
import type { MetricsHistory, MetricsQuery } from "./metrics-history.ts";
import type {
  KeptRegion,
  RegionCountsAnswer,
  RegionCountsQuery,
  RegionReset,
  RegionTotalsAnswer,
  RegionTotalsQuery,
} from "./region-questions.ts";
import type { FolderIdentity } from "./schema.ts";
import type { SnapshotAnswer, SnapshotInfo } from "./snapshot.ts";
import type {
  Adopted,
  Adoption,
  ApproxAnswer,
  ApproxQuery,
  EventTypeInfo,
  ExactAnswer,
  ExactQuery,
  ReadControl,
  SeenState,
  TrendingAnswer,
  TrendingQuery,
} from "./store.ts";
import type { MetricsPart } from "./system-metrics.ts";
import type { TypeFigure } from "./type-figures.ts";
import type { TypeSettings, TypeSettingsChange } from "./type-settings.ts";

/** Bytes of a store that is not in the data folder. */
export interface BytesElsewhere {
  /** Of its tables. */
  database: number;
  /** Of its files of raw events. */
  raw: number;
}

export interface StoreThreadData {
  folder: string;
  /** Where the store is, if not in `folder` alone. */
  lake: LakePlace | null;
  /** Of a lake: whether this process answers questions. */
  answers: boolean;
  /** Of a lake: whether this process does maintenance when it is its turn. */
  maintains: boolean;
  /** Memory DuckDB may take. */
  memoryBytesMax: number;
  /** Items listed a window and event type. */
  candidatesMax: number;
  exactTimeoutMs: number;
  /** Exact questions that wait for their turn; further ones are refused. */
  exactQueueMax: number;
  /** A larger window is built once nothing came to it for so long. */
  sealQuietMs: number;
  coarsenAfterMs: number;
  /** Whether windows keep sealed sketches, for closer bounds. */
  sealedSketches: boolean;
  keptAnswers: KeptAnswersOptions;
  /** The program's version. */
  program: string;
  /** Memory of a ReadLoad, which the thread tells. */
  readLoad: SharedArrayBuffer;
}

/** Calls the main thread makes, by name: argument and result. */
export interface StoreCalls {
  /** The first call: the seed is used when the folder is new. */
  prepare: [
    FolderIdentity,
    {
      seed: string;
      offsets: number[];
      newestMinute: number;
      mutations: number;
      /** The format that the folder had (migrations.ts); 0: it is new. */
      formatBefore: number;
      /** What it is now. */
      format: number;
    },
  ];
  adopt: [Adoption, Adopted];
  loadSeen: [null, SeenState[]];
  eventTypes: [null, EventTypeInfo[]];
  exact: [ExactQuery, ExactAnswer];
  trending: [TrendingQuery, TrendingAnswer];
  approx: [ApproxQuery, ApproxAnswer];
  item: [ItemQuery, ItemAnswer];
  items: [ItemsQuery, ItemsAnswer];
  series: [SeriesQuery, SeriesAnswer];
  loadTypeSettings: [null, TypeSettings[]];
  putTypeSettings: [TypeSettingsChange, TypeSettings];
  dropTypeSettings: [string, null];
  loadJobs: [null, JobRow[]];
  putJob: [JobRow & { result: string | null }, null];
  dropJob: [string, null];
  claimJob: [string, boolean];
  releaseJob: [string, null];
  jobResult: [string, string | null];
  labels: [LabelQuery, LabelledItem[]];
  labelledTypes: [null, string[]];
  putLabels: [LabelChange[], LabelledItem[]];
  dropLabels: [string, null];
  takeSnapshot: [string, SnapshotAnswer];
  snapshots: [null, SnapshotInfo[]];
  dropSnapshot: [string, null];
  openExport: [ExportQuery, OpenedExport];
  exportSlice: [{ id: string; index: number }, string];
  closeExport: [string, null];
  openCut: [null, BaseCut];
  releaseCut: [number, boolean];
  closeCut: [number, null];
  putMetrics: [MetricsPart, null];
  metricsHistory: [MetricsQuery, MetricsHistory];
  typeFigures: [null, TypeFigure[]];
  bytesElsewhere: [null, BytesElsewhere | null];
  deleteEvents: [DeleteQuery, DeleteAnswer];
  measureErasure: [string, ErasedEvents];
  beginErasure: [EraseQuery, ErasureInfo];
  erasure: [{ jobId: string; waitMs: number }, ErasureInfo | null];
  erasures: [null, ErasureInfo[]];
  dropErasure: [string, null];
  erasedUsers: [ErasedPlace, ErasedUsersPage];
  keptAnswer: [string, KeptRow | null];
  keepAnswer: [{ row: KeptRow; version: number }, boolean];
  dropKeptAnswers: [KeptMatch, number];
  regionTotals: [RegionTotalsQuery, RegionTotalsAnswer];
  regionCounts: [RegionCountsQuery, RegionCountsAnswer];
  regionStates: [null, KeptRegion[]];
  putRegionState: [{ region: string; state: string }, null];
  beginRegionGeneration: [{ region: string; from: number }, RegionReset];
  close: [null, null];
  /** As `close`, without waiting for what is under way: it is interrupted. */
  abandon: [null, null];
}
export type StoreCallName = keyof StoreCalls;

/** Has the thread answer one of its calls. */
export type AskStore = <Name extends StoreCallName>(
  name: Name,
  argument: StoreCalls[Name][0],
  control?: ReadControl,
) => Promise<StoreCalls[Name][1]>;

/** Answers the calls, in the store's thread. */
export type StoreCallHandlers = {
  [Name in StoreCallName]: (
    argument: StoreCalls[Name][0],
    control: ReadControl,
  ) => Promise<StoreCalls[Name][1]>;
};

export interface CallMessage {
  kind: "call";
  id: number;
  name: StoreCallName;
  argument: unknown;
  control: CallControl;
}
/** ReadControl as it travels: a signal is a message of its own. */
export interface CallControl {
  isApart?: boolean | undefined;
  waitMsMax?: number | undefined;
  /** Asks for `progress` messages. */
  reportsProgress?: boolean;
}
/** Sent now and then: what is committed, so that windows may seal. */
export interface TickMessage {
  kind: "tick";
  /** Every record appended before this (epoch ms) is committed. */
  appliedThrough: number;
}
export type ToStoreThread =
  | TickMessage
  | CallMessage
  /** Ends the call of this id, should it still be under way; it is answered all the same. */
  | { kind: "cancel"; id: number }
  /** From now on a commit that fails is tried only once more. */
  | { kind: "last_try" }
  /** Somebody waits until these offsets are committed, by this process or another. */
  | { kind: "want"; offsets: readonly number[] }
  | { kind: "connect"; port: import("node:worker_threads").MessagePort };

export interface ThrownError {
  /** A RankstreamError's code, else null. */
  code: string | null;
  message: string;
  retryAfterSeconds?: number | undefined;
}
/** What a checkpoint held of a type: the sum of its events' weights. */
export interface TypeCount {
  name: string;
  total: number;
}

/**
 * Steps of maintenance: minutes folded and larger windows built as they seal; raw events moved to
 * files and small files merged; rows with gaps moved together, deleted ones cleared away, windows
 * finer than their type's taken away.
 */
export type StoreTask = "fold" | "build" | "flush" | "merge" | "compact" | "clear" | "coarsen";

export type FromStoreThread =
  /** The file is open, and with it the data folder held. */
  | { kind: "open" }
  | { kind: "refused"; error: ThrownError }
  | {
      kind: "committed";
      /** Null: `followed` will say so. */
      offsets: number[] | null;
      touched: Touched[];
      seconds: number;
      counts: TypeCount[];
      /** Of traced batches. */
      steps?: SpanNote[] | undefined;
    }
  | { kind: "mutated"; touched: Touched[]; mutations: number }
  /** Of a lake: some process waits for these offsets. */
  | { kind: "wanted"; offsets: number[] }
  /** Of a lake: some process may have changed rows of these, which can be read now. */
  | { kind: "rows_changed"; tables: KeptTable[] }
  /** Of a lake: whether what only one process does is this one's. */
  | { kind: "turned"; isMine: boolean }
  /** Of a lake: what is read from now on. */
  | { kind: "followed"; offsets: number[]; touched: Touched[]; mutations: number }
  /** Users of events of these types are erased. */
  | { kind: "erased"; eventTypes: string[] }
  | { kind: "failing"; message: string | null }
  /** Nothing can be committed or read until the next start. */
  | { kind: "gave_up"; message: string }
  | { kind: "log"; line: ThreadLine }
  | { kind: "task_failed" }
  /** A step of maintenance that had something to do is done. */
  | { kind: "task_done"; task: StoreTask; seconds: number }
  | { kind: "progress"; id: number; share: number }
  | { kind: "result"; id: number; value: unknown }
  | { kind: "error"; id: number; error: ThrownError };

/** An error as it travels. */
export function thrown(error: unknown): ThrownError {
  if (error instanceof RankstreamError) {
    const { code, message, retryAfterSeconds } = error;
    return { code, message, retryAfterSeconds };
  }
  return { code: null, message: error instanceof Error ? error.message : String(error) };
}

/** The error that was thrown; `fallback` for what is none of ours. */
export function revive(error: ThrownError, fallback: ErrorCode = "store_failed"): RankstreamError {
  const code = error.code !== null && error.code in errorKinds ? error.code : fallback;
  const { retryAfterSeconds } = error;
  const options = retryAfterSeconds === undefined ? {} : { retryAfterSeconds };
  return new RankstreamError(code as ErrorCode, error.message, options);
}

/** The seed as the kernel takes it. */
export function parseSeed(seed: string): { low: number; high: number } {
  return { high: Number.parseInt(seed.slice(0, 8), 16), low: Number.parseInt(seed.slice(8), 16) };
}
