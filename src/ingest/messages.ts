/** Messages between the main thread and an ingest worker. */
import type { MessagePort } from "node:worker_threads";
import type { KafkaSettings } from "../log/kafka-settings.ts";
import type { LogPosition } from "../log/log.ts";
import type { SpanNote } from "../model-trace.ts";
import type { Adopted, SeenState } from "../store/store.ts";
import type { ThreadLine } from "../telemetry-thread.ts";

/** What a worker counts of: fixed partitions of the embedded log, or what its group gives it. */
export type IngestSource =
  | { kind: "embedded"; folder: string }
  | { kind: "kafka"; settings: KafkaSettings; groupId: string; node: string };

/** Where a worker begins, and what is known from before. */
export interface IngestBegin {
  /** Owned partitions and the next offset to count of each. */
  starts: { partition: number; offset: number; tail: string | null }[];
  /** Which batches were counted before; the index is the partition where they name none. */
  seen: (SeenState & { partition?: number })[];
  /** All numbers of partitions the log is known to have had. */
  counts: number[];
  /** The store knows events of minutes up to this one from before. */
  floorMinute: number;
}

export interface IngestThreadData {
  worker: number;
  source: IngestSource;
  /** Of the embedded log's; a member of a group asks for it (`adopt`). */
  begin: IngestBegin | null;
  seed: { low: number; high: number };
  storePort: MessagePort;
  typesMax: number;
  checkpointMs: number;
  checkpointBytesMax: number;
  candidatesMax: number;
  openMinuteEventsMin: number;
}

export type ToIngestThread =
  /** The log is durable up to here. */
  | { kind: "advance"; end: LogPosition }
  /** Commit soon, once these offsets (by partition) are passed. */
  | { kind: "flush"; offsets: number[] }
  /** The answer to `adopt`; null: not now, ask again. */
  | { kind: "adopted"; adopted: Adopted | null }
  /** The client stands still: leave the group and join it anew. */
  | { kind: "restart_reader" }
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
  /** Records, or lines of them, put into the dead-letter topic. */
  deadLetters: number;
  /** Times that partitions were taken over. */
  adoptions: number;
  /** Traced records of which nothing, or not their checkpoint, was noted. */
  tracesLeftOut: number;
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
    deadLetters: 0,
    adoptions: 0,
    tracesLeftOut: 0,
  };
}

export type FromIngestThread =
  /**
   * `sketchFill`: the greatest share of cells in use, of all minutes that are open. `steps`: of
   * traced batches, since the last time.
   */
  | { kind: "progress"; totals: IngestTotals; sketchFill: number; steps?: SpanNote[] }
  /** The group gave these partitions to this worker. */
  | { kind: "adopt"; partitions: number[] }
  /** Everything is handed over: the thread may be ended, whatever its clients still do. */
  | { kind: "done" }
  /** A partition can't be counted any further; the others go on. */
  | { kind: "stopped"; partition: number; code: string; message: string }
  | { kind: "log"; line: ThreadLine }
  | { kind: "failed"; code: string | null; message: string };
