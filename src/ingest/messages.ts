/** Messages between the main thread and an ingest worker. */
import type { MessagePort } from "node:worker_threads";
import type { LogPosition } from "../log/log.ts";
import type { SeenState } from "../store/store.ts";

export interface IngestThreadData {
  worker: number;
  logFolder: string;
  /** Owned partitions and the next offset to count of each. */
  starts: { partition: number; offset: number }[];
  /** Which batches were counted before, by partition (all of them). */
  seen: SeenState[];
  seed: { low: number; high: number };
  storePort: MessagePort;
  typesMax: number;
  checkpointMs: number;
  checkpointBytesMax: number;
  candidatesMax: number;
  /** The store knows events of minutes up to this one from before. */
  floorMinute: number;
  openMinuteEventsMin: number;
}

export type ToIngestThread =
  /** The log is durable up to here. */
  | { kind: "advance"; end: LogPosition }
  /** Commit soon, once these offsets (by partition) are passed. */
  | { kind: "flush"; offsets: number[] }
  /** Commit what was read, then end: the rest waits in the log. */
  | { kind: "stop" };

/** Sums since the thread began. */
export interface IngestTotals {
  events: number;
  bytes: number;
  batches: number;
  /** Batches counted before, under the same key. */
  duplicates: number;
  /** Lines the kernel refused though they were in the log. */
  refusedLines: number;
  slowLines: number;
  checkpoints: number;
}

/** All sums at zero. */
export function noTotals(): IngestTotals {
  return {
    events: 0,
    bytes: 0,
    batches: 0,
    duplicates: 0,
    refusedLines: 0,
    slowLines: 0,
    checkpoints: 0,
  };
}

export type FromIngestThread =
  | { kind: "progress"; totals: IngestTotals }
  | { kind: "failed"; code: string | null; message: string };
