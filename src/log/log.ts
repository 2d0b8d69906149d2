import type { BatchHeader, LogRecord, PartitionBlock } from "../model.ts";

/** Who reads what has changed: what was counted and not committed must be counted anew. */
export class AssignmentChanged extends Error {
  constructor() {
    super("the partitions are assigned anew");
  }
}

/** Tells one record from another at the same offset, should a topic be made anew. */
export function tailOf(record: Pick<LogRecord, "appendedAt" | "value">): string {
  return `${record.appendedAt ?? 0}:${record.value.length}`;
}

/** A place in the embedded log: segment and byte in its file. Survives structured cloning. */
export interface LogPosition {
  segment: number;
  position: number;
}

/** What the writing side of a log offers: the edge appends, the service trims. */
export interface Log {
  /** Names this log for good: a store refuses to go on with the offsets of another one. */
  readonly id: string;
  readonly partitionCount: number;

  /**
   * Appends one batch: a record for each block. Resolves when all of them are durable.
   * Throws RankstreamError `log_full` (with `retryAfterSeconds`) while there is no room,
   * `partial_append` when some blocks are durable and others not (never the embedded log:
   * there a batch is one frame), `log_failed` when the disk refused a write: then whether the
   * batch is stored shows at the next start. The buffers may be reused once this has returned.
   */
  append(header: BatchHeader, blocks: PartitionBlock[]): Promise<void>;

  /** Offset after the last durable record that this process appended, by partition. */
  endOffsets(): number[];

  /**
   * Offset after the last durable record, by partition, whoever appended it before this call.
   * Throws `log_unavailable` where that has to be asked for and nobody answers.
   */
  ends(): Promise<number[]>;

  /** Why nothing can be appended now, in words; null while all is well. */
  readonly failure: string | null;

  /** Frees what lies before these offsets (by partition): they are committed in the store. */
  trim(committed: readonly number[]): Promise<void>;

  /** Waits for what is under way, then closes. */
  close(): Promise<void>;
}

/** What the reading side offers: a worker reads the partitions it owns, in order. */
export interface LogReader {
  /**
   * The next records of the owned partitions, in log order, at most about `readBytesMax` bytes
   * and at least one record where there is one; empty when the durable end is reached.
   * Buffers are valid until the next call. Throws RankstreamError `log_corrupt` or
   * `offset_out_of_range`, each naming partition, offset and file.
   */
  next(): Promise<LogRecord[]>;
  close(): Promise<void>;
}
