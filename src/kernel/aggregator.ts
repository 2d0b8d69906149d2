/**
 * What an ingest worker does with located events, in the kernel's memory: resolve their types,
 * count them exactly, build raw columns. Host side of assembly/exact-counts.ts and columns.ts.
 */
import { chunkScannerBounds } from "./chunk-scanner.ts";
import type { Kernel } from "./kernel.ts";
import { layout } from "./layout.ts";
import { TypeDictionary, type TypeNote } from "./type-dictionary.ts";

export interface AggregatorOptions {
  /** Power of two; the table is handed over when 60% of it is used. */
  countSlots: number;
  /** Room for ids longer than 12 bytes. */
  countHeapBytes: number;
  typesMax: number;
  /** Greatest sum of string bytes of the events given to one `add`. */
  stringBytesMax: number;
  /** Seed of the row hash; secret per deployment. */
  seed: { low: number; high: number };
  /** Told of the table (assembly/exact-counts.ts) whenever it is about to be handed over. */
  onCounts?: (table: number) => void;
  /**
   * Told of each event whose type finds no room: the view of its text holds for the call only.
   * Absent: such an event is a fault of whoever let it into the log.
   */
  onUntyped?: (partition: number, text: Uint8Array) => void;
}

/** Chunks in the shapes drawn in assembly/columns.ts and assembly/exact-counts.ts. */
export interface Aggregated {
  raw: ArrayBuffer[];
  counts: ArrayBuffer[];
  rawRows: number;
  countRows: number;
  notes: TypeNote[];
}

const headerBytes = 40;
/** Events given to one `add` at most: as many as a scanner lists. */
const untypedMax = chunkScannerBounds.eventsMax;
const slotBytes = 32;
const orderBytes = 4;
/** Of the table's slots, so many may be used; each then has its row's hash beside it. */
const hashBytes = 8;
const idBytesMax = 512;
/** What a slot's key holds. */
const typesLimit = 2 ** 20;
const fixedRawRowBytes = 8 + 8 + 4 + 5 * 16;

export class Aggregator {
  readonly types: TypeDictionary;
  readonly #kernel: Kernel;
  readonly #options: AggregatorOptions;
  readonly #table: number;
  readonly #out: number;
  readonly #untyped: number;
  #raw: ArrayBuffer[] = [];
  #counts: ArrayBuffer[] = [];
  #rawRows = 0;
  #countRows = 0;

  /** Bytes of kernel memory it takes, for sizing the memory. */
  static memoryBytes(options: AggregatorOptions): number {
    const types =
      options.typesMax * (layout.TYPE_ENTRY_SIZE + layout.EVENT_REGION_TYPE_BYTES_MAX + 16);
    const counts =
      options.countSlots * (slotBytes + orderBytes + hashBytes) + options.countHeapBytes;
    const untyped = options.onUntyped === undefined ? 0 : untypedMax * layout.EVENT_SIZE;
    return types + counts + untyped + Aggregator.#outBytes(options) + 65_536;
  }

  static #outBytes(options: AggregatorOptions): number {
    const raw = layout.ROWS_MAX * fixedRawRowBytes + options.stringBytesMax;
    const counts = layout.ROWS_MAX * (4 + 4 + 4 + 8 + 16 + idBytesMax);
    return Math.max(raw, counts) + 4096;
  }

  /** Throws RangeError for more types than the table can tell apart. */
  constructor(kernel: Kernel, options: AggregatorOptions) {
    if (options.typesMax > typesLimit) {
      throw new RangeError(`${options.typesMax} event types, expected at most ${typesLimit}`);
    }
    this.#kernel = kernel;
    this.#options = options;
    this.types = new TypeDictionary(kernel, options.typesMax);
    this.#table = kernel.allocate(headerBytes);
    const slots = kernel.allocate(options.countSlots * slotBytes);
    const order = kernel.allocate(options.countSlots * orderBytes);
    const hashes = kernel.allocate(options.countSlots * hashBytes);
    const heap = kernel.allocate(options.countHeapBytes + layout.STRING_PADDING);
    this.#out = kernel.allocate(Aggregator.#outBytes(options));
    const hasUntyped = options.onUntyped !== undefined;
    this.#untyped = hasUntyped ? kernel.allocate(untypedMax * layout.EVENT_SIZE) : 0;
    kernel.exports["initCounts"]!(
      this.#table,
      options.countSlots,
      slots,
      order,
      hashes,
      heap,
      options.countHeapBytes,
    );
  }

  /** Rows waiting to be taken, raw and counted. */
  get pendingRows(): number {
    return this.#rawRows + this.#countRows + this.#kernel.exports["countsUsed"]!(this.#table);
  }

  /** Adds `n` located, stamped events at `events`. Throws when an event type finds no room. */
  add(events: number, n: number): void {
    const refused = this.types.resolve(events, n);
    this.#addTyped(events, refused === 0 ? n : this.#dropUntyped(events, n, refused));
  }

  /** Takes events whose type finds no room off the list; how many are left. */
  #dropUntyped(events: number, n: number, refused: number): number {
    const { onUntyped, typesMax } = this.#options;
    if (onUntyped === undefined) {
      throw new RangeError(`${refused} events of types beyond ${typesMax}`);
    }
    const { exports, view, bytes } = this.#kernel;
    const left = exports["dropUntyped"]!(events, n, this.#untyped, untypedMax);
    for (let index = 0; index < n - left; index++) {
      const at = this.#untyped + index * layout.EVENT_SIZE;
      const text = view.getUint32(at + layout.EVENT_TEXT_PTR, true);
      const length = view.getUint32(at + layout.EVENT_TEXT_LEN, true);
      const partition = view.getUint32(at + layout.EVENT_PARTITION, true);
      onUntyped(partition, bytes.subarray(text, text + length));
    }
    return left;
  }

  #addTyped(events: number, n: number): void {
    const { exports } = this.#kernel;
    exports["hashRows"]!(events, n, this.#options.seed.low, this.#options.seed.high);
    this.types.note(events, n);
    for (let from = 0; ; ) {
      from = exports["countEvents"]!(this.#table, events, from, n);
      if (from === n) break;
      this.#spillCounts();
    }
    for (let from = 0; from < n; from += layout.ROWS_MAX) {
      const rows = Math.min(layout.ROWS_MAX, n - from);
      const start = events + from * layout.EVENT_SIZE;
      this.#raw.push(this.#copyOut(exports["buildRaw"]!(start, rows, this.#out)));
    }
    this.#rawRows += n;
  }

  /** Hands over everything added since the last call; the buffers may be transferred. */
  take(): Aggregated {
    this.#spillCounts();
    const taken = {
      raw: this.#raw,
      counts: this.#counts,
      rawRows: this.#rawRows,
      countRows: this.#countRows,
      notes: this.types.takeNotes(),
    };
    this.#raw = [];
    this.#counts = [];
    this.#rawRows = 0;
    this.#countRows = 0;
    return taken;
  }

  #spillCounts(): void {
    const { exports, view } = this.#kernel;
    this.#options.onCounts?.(this.#table);
    for (let cursor = 0; ; ) {
      const rows = exports["emitCounts"]!(this.#table, cursor, this.#out);
      if (rows === 0) break;
      this.#counts.push(this.#copyOut(view.getUint32(this.#out + 4, true)));
      cursor += rows;
    }
    this.#countRows += exports["countsUsed"]!(this.#table);
    exports["clearCounts"]!(this.#table);
  }

  #copyOut(bytes: number): ArrayBuffer {
    return this.#kernel.memory.buffer.slice(this.#out, this.#out + bytes) as ArrayBuffer;
  }
}
