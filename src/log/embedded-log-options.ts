/** What the embedded log is opened with, and what it tells of itself. */
import { RankstreamError } from "../errors.ts";
import type { Histogram } from "../telemetry-histogram.ts";
import { partitionCountMax } from "./segment.ts";

export interface EmbeddedLogOptions {
  partitionCount: number;
  /** A segment is closed before it grows past this (one larger batch has one to itself). */
  segmentBytesMax?: number;
  /** Of batches waiting or being written, in memory. */
  queueBytesMax?: number;
  /** Of all segments together, on disk. */
  logBytesMax?: number;
  /** Written under one sync. */
  groupBytesMax?: number;
}

export interface EmbeddedLogStats {
  bytes: number;
  bytesMax: number;
  segments: number;
  queueBytes: number;
  queueBatches: number;
  appendedBatches: number;
  appendedBytes: number;
  /** What writing and syncing a group took, each by itself; seconds. */
  writes: Histogram;
  syncs: Histogram;
}

const mebibyte = 1024 * 1024;
const defaults = {
  segmentBytesMax: 256 * mebibyte,
  queueBytesMax: 64 * mebibyte,
  logBytesMax: 8192 * mebibyte,
  groupBytesMax: 16 * mebibyte,
};
/** Positions in a segment are u32. */
const segmentBytesLimit = 2048 * mebibyte;
/** The queue empties within a sync or two, the disk when a checkpoint lets segments go. */
const queueRetrySeconds = 1;
export const diskRetrySeconds = 5;

/** All options, checked. Throws RangeError. */
export function fullOptions(options: EmbeddedLogOptions): Required<EmbeddedLogOptions> {
  const full = { ...defaults, ...options };
  // Only whole segments can be freed: a log of one would fill up for good.
  full.segmentBytesMax = Math.min(full.segmentBytesMax, Math.floor(full.logBytesMax / 4));
  const { partitionCount, segmentBytesMax } = full;
  const isWhole = Number.isInteger(partitionCount) && partitionCount > 0;
  if (!isWhole || partitionCount > partitionCountMax) {
    throw new RangeError(`partitionCount ${partitionCount}, 1 to ${partitionCountMax} expected`);
  }
  if (segmentBytesMax > segmentBytesLimit) {
    throw new RangeError(`segmentBytesMax ${segmentBytesMax}, at most ${segmentBytesLimit}`);
  }
  return full;
}

/** Throws `log_full` where `bytes` more are too many to wait, or to be held. */
export function assertRoom(
  { queueBytesMax, logBytesMax }: Required<EmbeddedLogOptions>,
  { queueBytes, segmentsBytes, bytes }: Record<"queueBytes" | "segmentsBytes" | "bytes", number>,
): void {
  if (queueBytes > 0 && queueBytes + bytes > queueBytesMax) {
    const detail = `${queueBytes} bytes wait to be written, ${queueBytesMax} may`;
    throw new RankstreamError("log_full", detail, { retryAfterSeconds: queueRetrySeconds });
  }
  const total = segmentsBytes + queueBytes;
  if (total + bytes <= logBytesMax) return;
  const detail = `the log holds ${total} bytes not yet stored elsewhere, ${logBytesMax} may`;
  throw new RankstreamError("log_full", detail, { retryAfterSeconds: diskRetrySeconds });
}
