/**
 * Feeds records' values to the kernel: copies them side by side into one input region, locates
 * their events, and hands these to the aggregator when the region or the list of events is full.
 * Single-event records thus cost one copy and one scan each, everything else is shared.
 */
import type { Aggregator } from "../kernel/aggregator.ts";
import { type ChunkScanner, inputPaddingBytes } from "../kernel/chunk-scanner.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { layout } from "../kernel/layout.ts";
import type { LineError, LogRecord } from "../model.ts";
import type { OpenMinutes } from "./open-minutes.ts";
import type { Admission, CountedClasses } from "./seen-batches.ts";

export interface RecordCounts {
  events: number;
  /** Lines that are not valid events, though they are in the log. */
  refused: number;
  slow: number;
  /** Of a foreign record: what is wrong with its first refused lines. */
  errors: LineError[];
}

/** Where in the log a line is. */
export interface RecordPlace {
  offset: number;
  /** The line in its record, from 1. */
  line: number;
}

/** What of a record lies in the input region from `ptr` on. */
interface Piece {
  ptr: number;
  offset: number;
  /** Lines of the record before it. */
  linesBefore: number;
}

const lineFeed = 10;
const noMarks = new Uint8Array(0);

export class BlockScanner {
  readonly #kernel: Kernel;
  readonly #scanner: ChunkScanner;
  readonly #aggregator: Aggregator;
  readonly #openMinutes: OpenMinutes | undefined;
  readonly #input: number;
  readonly #inputBytesMax: number;
  #inputUsed = 0;
  /** Events listed that already have their partition and time of receipt. */
  #stamped = 0;
  #counted: Admission["counted"] = null;
  /** By address; what lies in the region now, of a log that others may write to. */
  #pieces: Piece[] = [];

  constructor(
    kernel: Kernel,
    scanner: ChunkScanner,
    aggregator: Aggregator,
    inputBytesMax: number,
    openMinutes?: OpenMinutes,
  ) {
    this.#kernel = kernel;
    this.#scanner = scanner;
    this.#aggregator = aggregator;
    this.#openMinutes = openMinutes;
    this.#inputBytesMax = inputBytesMax;
    this.#input = kernel.allocate(inputBytesMax + inputPaddingBytes);
  }

  /**
   * Locates the record's events, but for those `counted` before; they are counted by now or at
   * the next call.
   */
  take(record: LogRecord, counted: Admission["counted"] = null): RecordCounts {
    const counts: RecordCounts = { events: 0, refused: 0, slow: 0, errors: [] };
    this.#counted = counted;
    // A foreign clock opens no minutes: once opened too far ahead they would not come again.
    if (record.isForeign !== true) this.#openMinutes?.advance(record.receivedAt);
    const { value, marks = noMarks } = record;
    const needed = value.length + inputPaddingBytes + marks.length;
    if (marks.length > 0 && needed <= this.#inputBytesMax) {
      this.#takePiece(record, value, counts, marks);
      return counts;
    }
    for (let from = 0, lines = 0; from < value.length; ) {
      const end = this.#pieceEnd(value, from);
      const piece = value.subarray(from, end);
      this.#takePiece(record, piece, counts, noMarks, lines);
      if (end < value.length) lines += lineFeedsIn(piece);
      from = end;
    }
    if (record.isForeign === true && counts.events + counts.refused === 0) {
      counts.refused = 1;
      const message = "expected at least one event, got none";
      counts.errors.push({ line: 0, code: "empty_body", message });
    }
    return counts;
  }

  /** Of the text at this address, which is of an event that is listed now: where it came from. */
  placeOf(ptr: number): RecordPlace {
    let piece = this.#pieces[0]!;
    for (const next of this.#pieces) {
      if (next.ptr > ptr) break;
      piece = next;
    }
    const before = this.#kernel.bytes.subarray(piece.ptr, ptr);
    return { offset: piece.offset, line: piece.linesBefore + lineFeedsIn(before) + 1 };
  }

  /** Counts what is still only located. */
  finish(): void {
    this.#count();
    this.#inputUsed = 0;
    this.#pieces = [];
  }

  /** Counts the events listed and empties the list. */
  #count(): void {
    const { eventsPtr, events } = this.#scanner;
    if (events > 0) this.#aggregator.add(eventsPtr, events);
    this.#scanner.clear();
    this.#stamped = 0;
  }

  /** Where to cut so that the piece fits the region and ends at a line's end. */
  #pieceEnd(value: Uint8Array, from: number): number {
    if (value.length - from <= this.#inputBytesMax) return value.length;
    const end = value.lastIndexOf(lineFeed, from + this.#inputBytesMax - 1) + 1;
    // A line longer than the region is longer than any event: the scanner refuses its pieces.
    return end > from ? end : from + this.#inputBytesMax;
  }

  #takePiece(
    record: LogRecord,
    piece: Uint8Array,
    counts: RecordCounts,
    marks: Uint8Array,
    linesBefore = 0,
  ): void {
    // The scanner writes into the padding after its input: keep that clear of what follows.
    const marksAt = piece.length + inputPaddingBytes;
    const needed = marks.length === 0 ? piece.length : marksAt + marks.length;
    if (this.#inputUsed + needed > this.#inputBytesMax) this.finish();
    const ptr = this.#input + this.#inputUsed;
    if (record.appendedAt !== undefined) {
      this.#pieces.push({ ptr, offset: record.offset, linesBefore });
    }
    this.#kernel.bytes.set(piece, ptr);
    this.#kernel.bytes.set(marks, ptr + marksAt);
    const given = { ptr: ptr + marksAt, bytes: marks.length };
    let status = this.#scanner.scanChunk(ptr, piece.length, record.receivedAt, "ndjson", given);
    while (status === "more") {
      this.#stamp(record);
      this.#count();
      status = this.#scanner.resume();
    }
    this.#stamp(record);
    this.#inputUsed += marksAt + marks.length;
    if (record.isForeign === true && this.#scanner.rejected > 0) {
      for (const error of this.#scanner.readErrors()) {
        counts.errors.push({ ...error, line: linesBefore + error.line });
      }
    }
    counts.events += this.#scanner.accepted;
    counts.refused += this.#scanner.rejected;
    counts.slow += this.#scanner.slowLines;
  }

  /** Takes the events that were counted under another number of partitions off the list. */
  #dropCounted({ partitionCount, partitions }: CountedClasses): void {
    const { bytes, view, exports } = this.#kernel;
    const start = this.#scanner.eventsPtr + this.#stamped * layout.EVENT_SIZE;
    const end = this.#scanner.eventsPtr + this.#scanner.events * layout.EVENT_SIZE;
    exports["partitionEvents"]!(start, this.#scanner.events - this.#stamped, partitionCount);
    let kept = start;
    for (let at = start; at < end; at += layout.EVENT_SIZE) {
      if (partitions.has(view.getUint32(at + layout.EVENT_PARTITION, true))) continue;
      bytes.copyWithin(kept, at, at + layout.EVENT_SIZE);
      kept += layout.EVENT_SIZE;
    }
    this.#scanner.keep((kept - this.#scanner.eventsPtr) / layout.EVENT_SIZE);
  }

  #stamp(record: LogRecord): void {
    for (const classes of this.#counted ?? []) this.#dropCounted(classes);
    const fresh = this.#scanner.events - this.#stamped;
    if (fresh === 0) return;
    const start = this.#scanner.eventsPtr + this.#stamped * layout.EVENT_SIZE;
    const high = Math.floor(record.receivedAt / 2 ** 32);
    const low = record.receivedAt >>> 0;
    this.#kernel.exports["stampEvents"]!(start, fresh, record.partition, low, high);
    this.#stamped = this.#scanner.events;
  }
}

function lineFeedsIn(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(lineFeed); at >= 0; at = bytes.indexOf(lineFeed, at + 1)) count++;
  return count;
}
