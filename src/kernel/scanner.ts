/** Validates a batch as it was received and splits it into the partitions' blocks. */
import type { LineError, PartitionBlock } from "../model.ts";
import {
  ChunkScanner,
  chunkScannerBounds,
  inputPaddingBytes,
  type ScanFormat,
} from "./chunk-scanner.ts";
import type { Kernel } from "./kernel.ts";
import { layout } from "./layout.ts";
import { expiredError, forbiddenError, typeBoundError } from "./scan-messages.ts";
import type { TypeDictionary } from "./type-dictionary.ts";
import { type MayUseType, TypeFilter } from "./type-filter.ts";

export interface ScannerBounds {
  /** Of one unpacked body: so much kernel memory is set aside for it (touched only as used). */
  bodyBytesMax: number;
  /** Line errors listed per batch. */
  errorsMax: number;
  /** How far after its receipt an event's timestamp may be. */
  futureMsMax: number;
}

/** What was found in one batch. */
export interface BatchScan {
  accepted: number;
  rejected: number;
  /** The first `errorsMax` refused lines, in order. */
  errors: LineError[];
  /**
   * By ascending partition; only partitions with events. Their bytes may lie in kernel memory:
   * they are good until the next batch is scanned.
   */
  blocks: PartitionBlock[];
  /** Lines (or array elements) with something in them: accepted + rejected. */
  lines: number;
  /** Of these, how many took the scanner's slow path. */
  slowLines: number;
  /** Of those rejected, how many only for a type that their sender may not send. */
  forbidden: number;
  /** Epoch ms of the first and the last event accepted; null where none was. */
  span: { first: number; last: number } | null;
  /** Set when the body is refused as a whole: nothing of it counts, all else is zero or empty. */
  malformed?: { code: "invalid_json" | "invalid_utf8" | "empty_body"; message: string };
}

/** Bound on `partitionCount`. */
export const partitionsMax = 1024;

/** Copies run on by up to so many bytes after a block. */
const blockGapBytes = 16;
/** First and last, i64 each. */
const spanBytes = 16;
/** A LEB128 difference of two u32. */
const lineBytesMax = 5;

const emptyBody = Object.freeze({
  code: "empty_body",
  message: "expected at least one event, got an empty body",
} as const);

function refused(malformed: NonNullable<BatchScan["malformed"]>): BatchScan {
  const counts = { accepted: 0, rejected: 0, lines: 0, slowLines: 0, forbidden: 0 };
  return { ...counts, errors: [], blocks: [], span: null, malformed };
}

const { textBytesMax, eventsMax } = chunkScannerBounds;
const outBytesMax =
  textBytesMax + layout.EVENT_TEXT_BYTES_MAX + 1 + (partitionsMax + 1) * blockGapBytes;

/** One partition's pieces, one from each chunk of the batch. */
interface Pieces {
  values: Uint8Array[];
  lines: Uint8Array[];
  marks: Uint8Array[];
  events: number;
}

function join(pieces: Uint8Array[]): Uint8Array {
  if (pieces.length === 1) return pieces[0]!;
  const joined = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
  }
  return joined;
}

/** End of the last whole line within `bytesMax` of `from`, or of so many bytes without one. */
function lineEnd(value: Uint8Array, from: number, bytesMax: number): number {
  if (value.length - from <= bytesMax) return value.length;
  const end = value.lastIndexOf(10, from + bytesMax - 1) + 1;
  return end > from ? end : from + bytesMax;
}

export class EventScanner {
  readonly #kernel: Kernel;
  readonly #chunks: ChunkScanner;
  readonly #bodyBytesMax: number;
  readonly #input: number;
  /** Times of the first and last event of the batch at hand (assembly/partition.ts). */
  readonly #span: number;
  readonly #parts: number;
  readonly #out: number;
  readonly #lines: number;
  readonly #marks: number;
  readonly #errorsMax: number;
  readonly #types: TypeDictionary | null;
  /** Events refused for their type or their age, of the chunk at hand: those that are listed. */
  readonly #untyped: number;

  /**
   * Takes `EventScanner.memoryBytes(bounds)` of the kernel's memory for good. With `types`,
   * events of a type that finds no room there are refused; without, any type is taken.
   */
  constructor(kernel: Kernel, bounds: ScannerBounds, types: TypeDictionary | null = null) {
    const { bodyBytesMax, errorsMax, futureMsMax } = bounds;
    this.#kernel = kernel;
    this.#chunks = new ChunkScanner(kernel, { errorsMax, futureMsMax });
    this.#bodyBytesMax = bodyBytesMax;
    this.#errorsMax = errorsMax;
    this.#types = types;
    this.#untyped = kernel.allocate(errorsMax * layout.EVENT_SIZE);
    this.#span = kernel.allocate(spanBytes);
    this.#parts = kernel.allocate(partitionsMax * layout.PART_SIZE);
    this.#lines = kernel.allocate(eventsMax * lineBytesMax);
    this.#marks = kernel.allocate(eventsMax * layout.MARK_SIZE);
    this.#out = kernel.allocate(outBytesMax);
    this.#input = kernel.allocate(bodyBytesMax + inputPaddingBytes);
  }

  /** Bytes of kernel memory that a scanner with these bounds takes. */
  static memoryBytes(bounds: ScannerBounds): number {
    const regions =
      spanBytes +
      partitionsMax * layout.PART_SIZE +
      eventsMax * (lineBytesMax + layout.MARK_SIZE) +
      outBytesMax +
      bounds.errorsMax * layout.EVENT_SIZE +
      bounds.bodyBytesMax +
      inputPaddingBytes;
    return ChunkScanner.memoryBytes({ errorsMax: bounds.errorsMax }) + regions + 7 * 16;
  }

  /**
   * Validates the body (unpacked; one scan at a time) and splits what is accepted into
   * `partitionCount` partitions. `receivedAt` is in epoch ms. With `isReplay` the event types
   * taken before are all there are: what was refused the first time is refused again. Events of
   * types that `mayUse` says no to are refused.
   * Throws RangeError for a body over `bodyBytesMax`: the edge refuses it before.
   */
  scanBatch(
    body: Uint8Array,
    format: ScanFormat,
    receivedAt: number,
    partitionCount: number,
    isReplay = false,
    mayUse: MayUseType | null = null,
  ): BatchScan {
    if (body.length > this.#bodyBytesMax) {
      throw new RangeError(`body of ${body.length} bytes, at most ${this.#bodyBytesMax}`);
    }
    if (!(partitionCount >= 1 && partitionCount <= partitionsMax)) {
      throw new RangeError(`${partitionCount} partitions, expected 1 to ${partitionsMax}`);
    }
    this.#types?.freeze(isReplay);
    const typesBefore = this.#types?.size ?? 0;
    let scan: BatchScan;
    try {
      scan = this.#scan(body, format, receivedAt, partitionCount, mayUse);
    } finally {
      // Others take types between batches.
      if (isReplay) this.#types?.freeze(false);
    }
    // Nothing of a malformed body counts, its types neither.
    if (scan.malformed !== undefined) this.#types?.forgetFrom(typesBefore);
    return scan;
  }

  /**
   * Takes the event types of NDJSON that is in the log already. Throws RangeError when one
   * finds no room in `types`.
   */
  learnTypes(value: Uint8Array, receivedAt: number): void {
    const chunks = this.#chunks;
    const take = () => {
      const refused = this.#types?.resolve(chunks.eventsPtr, chunks.events) ?? 0;
      if (refused > 0) throw new RangeError(`more than ${this.#types?.bound} event types`);
      chunks.clear();
    };
    for (let from = 0; from < value.length; ) {
      const end = lineEnd(value, from, this.#bodyBytesMax);
      this.#kernel.bytes.set(value.subarray(from, end), this.#input);
      chunks.clear();
      let status = chunks.scanChunk(this.#input, end - from, receivedAt);
      for (; status === "more"; status = chunks.resume()) take();
      take();
      from = end;
    }
  }

  #scan(
    body: Uint8Array,
    format: ScanFormat,
    receivedAt: number,
    partitionCount: number,
    mayUse: MayUseType | null,
  ): BatchScan {
    const chunks = this.#chunks;
    const filter = mayUse === null ? null : new TypeFilter(this.#kernel, mayUse);
    const pieces = new Map<number, Pieces>();
    const errors: LineError[] = [];
    let errorsRead = 0;
    let [untyped, forbidden] = [0, 0];
    const partsEnd = this.#parts + partitionCount * layout.PART_SIZE;
    this.#kernel.bytes.fill(0, this.#parts, partsEnd);
    this.#kernel.exports["resetSpan"]!(this.#span);
    this.#kernel.bytes.set(body, this.#input);
    chunks.clear();
    let status = chunks.scanChunk(this.#input, body.length, receivedAt, format);
    for (;;) {
      if (status === "malformed") return refused(chunks.readFault());
      if (status === "empty") return refused(emptyBody);
      const foreign = this.#dropForbidden(filter);
      forbidden += foreign;
      const foreignErrors = this.#readDropped(foreign, forbiddenError);
      const dropped = this.#dropUntyped(chunks.events - foreign, receivedAt);
      untyped += foreign + dropped;
      const untypedErrors = this.#readDropped(dropped, (_, event) => this.#untypedError(event));
      const fresh = [...chunks.readErrors(errorsRead), ...foreignErrors, ...untypedErrors];
      errorsRead = chunks.errors;
      fresh.sort((a, b) => a.line - b.line);
      errors.push(...fresh.slice(0, this.#errorsMax - errors.length));
      const isLast = status === "done";
      this.#takeBlocks(chunks.events - foreign - dropped, partitionCount, pieces, isLast);
      if (status === "done") break;
      chunks.clear();
      status = chunks.resume();
    }
    const { slowLines } = chunks;
    const accepted = chunks.accepted - untyped;
    const rejected = chunks.rejected + untyped;
    const lines = accepted + rejected;
    if (lines === 0) return refused(emptyBody);
    const span = accepted === 0 ? null : this.#readSpan();
    const counts = { accepted, rejected, lines, slowLines, forbidden };
    return { ...counts, errors, blocks: joinBlocks(pieces), span };
  }

  /** Drops events that their sender may not send; how many. */
  #dropForbidden(filter: TypeFilter | null): number {
    const { eventsPtr, events } = this.#chunks;
    if (filter === null || filter.mark(eventsPtr, events) === 0) return 0;
    return this.#drop(events);
  }

  /** Drops, of the first `events`, those whose type finds no room or is kept less long. */
  #dropUntyped(events: number, receivedAt: number): number {
    if (this.#types === null) return 0;
    const { eventsPtr } = this.#chunks;
    const untyped = this.#types.resolve(eventsPtr, events);
    if (untyped + this.#types.markExpired(eventsPtr, events, receivedAt) === 0) return 0;
    return this.#drop(events);
  }

  /** Drops what has no type of the first `events`; how many. */
  #drop(events: number): number {
    const { exports } = this.#kernel;
    const { eventsPtr } = this.#chunks;
    return events - exports["dropUntyped"]!(eventsPtr, events, this.#untyped, this.#errorsMax);
  }

  /** The errors of what was dropped last. */
  #readDropped(dropped: number, read: (kernel: Kernel, event: number) => LineError): LineError[] {
    return Array.from({ length: Math.min(dropped, this.#errorsMax) }, (_, index) =>
      read(this.#kernel, this.#untyped + index * layout.EVENT_SIZE),
    );
  }

  #untypedError(event: number): LineError {
    const typeIndex = this.#kernel.u32[(event + layout.EVENT_TYPE_INDEX) >>> 2];
    return typeIndex === layout.TYPE_EXPIRED
      ? expiredError(this.#kernel, event)
      : typeBoundError(this.#kernel, event, this.#types?.bound ?? 0);
  }

  #readSpan(): { first: number; last: number } {
    const { view } = this.#kernel;
    const first = Number(view.getBigInt64(this.#span, true));
    return { first, last: Number(view.getBigInt64(this.#span + 8, true)) };
  }

  /**
   * Takes the first `events` listed as pieces of their partitions' blocks: where they lie, of
   * the last ones, else as copies, since the next ones will lie there.
   */
  #takeBlocks(
    events: number,
    partitionCount: number,
    pieces: Map<number, Pieces>,
    isLast: boolean,
  ): void {
    const { exports, bytes, u32 } = this.#kernel;
    const { eventsPtr } = this.#chunks;
    if (events === 0) return;
    exports["extendSpan"]!(this.#span, eventsPtr, events);
    exports["partitionEvents"]!(eventsPtr, events, partitionCount);
    exports["sizeBlocks"]!(eventsPtr, events, this.#parts);
    let out = this.#out;
    let lines = this.#lines;
    let marks = this.#marks;
    for (let partition = 0; partition < partitionCount; partition++) {
      const part = (this.#parts + partition * layout.PART_SIZE) >>> 2;
      u32[part + (layout.PART_OUT_PTR >> 2)] = out;
      u32[part + (layout.PART_LINES_PTR >> 2)] = lines;
      u32[part + (layout.PART_MARKS_PTR >> 2)] = marks;
      out += u32[part + (layout.PART_BYTES >> 2)]! + blockGapBytes;
      lines += u32[part + (layout.PART_EVENTS >> 2)]! * lineBytesMax;
      marks += u32[part + (layout.PART_EVENTS >> 2)]! * layout.MARK_SIZE;
    }
    exports["writeBlocks"]!(eventsPtr, events, this.#parts);
    const take = (from: number, end: number) =>
      isLast ? bytes.subarray(from, end) : bytes.slice(from, end);
    lines = this.#lines;
    for (let partition = 0; partition < partitionCount; partition++) {
      const part = (this.#parts + partition * layout.PART_SIZE) >>> 2;
      const count = u32[part + (layout.PART_EVENTS >> 2)]!;
      if (count === 0) continue;
      const end = u32[part + (layout.PART_OUT_PTR >> 2)]!;
      const linesEnd = u32[part + (layout.PART_LINES_PTR >> 2)]!;
      const own = pieces.get(partition) ?? { values: [], lines: [], marks: [], events: 0 };
      own.values.push(take(end - u32[part + (layout.PART_BYTES >> 2)]!, end));
      own.lines.push(take(lines, linesEnd));
      const marksEnd = u32[part + (layout.PART_MARKS_PTR >> 2)]!;
      own.marks.push(take(marksEnd - count * layout.MARK_SIZE, marksEnd));
      own.events += count;
      pieces.set(partition, own);
      lines += count * lineBytesMax;
      u32[part + (layout.PART_BYTES >> 2)] = 0;
      u32[part + (layout.PART_EVENTS >> 2)] = 0;
    }
  }
}

function joinBlocks(pieces: Map<number, Pieces>): PartitionBlock[] {
  return [...pieces]
    .sort(([a], [b]) => a - b)
    .map(([partition, own]) => ({
      partition,
      value: join(own.values),
      events: own.events,
      lines: join(own.lines),
      marks: join(own.marks),
    }));
}
