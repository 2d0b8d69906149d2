/**
 * The words every part shares: events' fields and bounds, partitions' blocks and records.
 * Imports nothing.
 */

/** Bounds on one event, in UTF-8 bytes after unescaping unless said otherwise. */
export const eventBounds = Object.freeze({
  eventIdBytesMax: 512,
  eventTypeBytesMax: 128,
  userIdBytesMax: 512,
  sessionIdBytesMax: 512,
  /** Of the metadata object's JSON text as sent. */
  metadataBytesMax: 16 * 1024,
  metadataKeysMax: 64,
  weightMax: 1_000_000,
  /** How far ahead of its receipt an event may be. */
  futureMsMax: 5 * 60_000,
});

export const minuteMs = 60_000;
/** No event has a time from here on, epoch ms: the year 10000. */
export const foreverMs = Date.UTC(10_000, 0, 1);

/** Why one line of a batch was refused. */
export interface LineError {
  /** From 1: the line in NDJSON, the position in a JSON array. */
  line: number;
  field?: string;
  code: string;
  message: string;
}

/** The accepted lines of one batch that belong to one partition. */
export interface PartitionBlock {
  partition: number;
  /** NDJSON: one event a line, each line ended by a line feed. */
  value: Uint8Array;
  /** How many events `value` holds. */
  events: number;
  /**
   * The events' line numbers in the batch as sent, ascending, as LEB128 differences
   * (the first from 0). With the batch's key they say which (key, line) each event is.
   */
  lines: Uint8Array;
  /**
   * Where the events' fields lie in their lines, 32 bytes an event (assembly/marks.ts): whoever
   * counts them need not scan again what the edge has judged. Absent or empty: not known.
   */
  marks?: Uint8Array;
}

/** Consecutive sequence numbers of one producer, both ends included. */
export interface SequenceRun {
  from: number;
  to: number;
}

/** What is recorded of a batch beside its events. */
export interface BatchHeader {
  /** `Idempotency-Key`, or null. */
  key: string | null;
  /** First 16 bytes of SHA-256 over the unpacked body; null without a key. */
  digest: Uint8Array | null;
  /** Epoch ms, by the edge's clock. */
  receivedAt: number;
  /** How many partitions the edge split the batch into. */
  partitionCount: number;
  /**
   * With a `producer/sequence` key: a run of sequences, around this one or before it, whose
   * batches are all in the log already. A partition sees only the batches that have events for
   * it, so without this its ledger would be nothing but gaps.
   */
  seen?: SequenceRun | null;
  /** Of a batch that is traced: the `traceparent` of what appended it (model-trace.ts). */
  trace?: string | null;
}

/** One record of the log: a block with its batch's header and its place. */
export interface LogRecord extends BatchHeader {
  partition: number;
  /** Place in its partition, from 0, without gaps. */
  offset: number;
  value: Uint8Array;
  lines: Uint8Array;
  /** As the block's; empty where it has none. */
  marks?: Uint8Array;
  /** A batch larger than a record has several in one partition: 0, 1, … */
  piece?: number;
  /** Epoch ms by the log's own clock, where it has one. */
  appendedAt?: number;
  /** Written by a producer that isn't ours: nobody has judged its lines yet. */
  isForeign?: boolean;
}
