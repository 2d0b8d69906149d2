/**
 * A sketch in kernel memory: host side of assembly/count-min.ts and sealed-sketch.ts. Its saved
 * form (`save`, `load`) is versioned and the same in memory, between threads and on disk.
 */
import {
  type ItemBlock,
  type ItemIds,
  type ItemRegion,
  itemBlock,
  itemIds,
} from "./item-region.ts";
import type { Kernel } from "./kernel.ts";
import { layout } from "./layout.ts";

/** Of the row hash; secret per deployment, the same for every sketch of it. */
export interface KernelSeed {
  low: number;
  high: number;
}

export interface SketchOptions {
  /** Rows: 1 to 8. */
  depth: number;
  /** Cells of a row, as a power of two: 4 to 20. */
  widthLog2Max: number;
  seed: KernelSeed;
}

const problems: Readonly<Record<number, string>> = {
  [layout.SKETCH_BAD_FORMAT]: "not a sketch of this version",
  [layout.SKETCH_BAD_SHAPE]: "a depth, width or length that no sketch has",
  [layout.SKETCH_OTHER_SEED]: "a sketch of another seed",
  [layout.SKETCH_OTHER_DEPTH]: "a sketch of another depth",
  [layout.SKETCH_OTHER_WIDTH]: "a sketch of another width",
};

/** Throws RangeError unless the kernel's status is that all is well. */
export function assertSketchStatus(status: number): void {
  if (status === layout.SKETCH_OK) return;
  throw new RangeError(`sketch refused: ${problems[status] ?? `status ${status}`}`);
}

/** Bytes of a sketch with this depth and width. */
export function sketchBytes(depth: number, widthLog2: number): number {
  return layout.SKETCH_HEADER_SIZE + depth * 4 * 2 ** widthLog2;
}

/** An estimate as the kernel has it, as a number: Infinity where it is no bound. */
export function boundOf(estimate: number): number {
  const value = estimate >>> 0;
  return value === layout.SKETCH_NO_BOUND ? Number.POSITIVE_INFINITY : value;
}

/** Whether it was saved by this version; what an older one saved has its items elsewhere. */
export function isCurrentSketch(saved: Uint8Array): boolean {
  const view = new DataView(saved.buffer, saved.byteOffset, saved.byteLength);
  return saved.length >= 4 && view.getUint32(0, true) === layout.SKETCH_FORMAT;
}

export class Sketch {
  readonly options: Readonly<SketchOptions>;
  /** Where it lies in kernel memory. */
  readonly ptr: number;
  readonly #kernel: Kernel;
  readonly #items: ItemRegion;

  /** Bytes of kernel memory that a sketch up to this size takes. */
  static memoryBytes(options: SketchOptions): number {
    return sketchBytes(options.depth, options.widthLog2Max) + 16;
  }

  /** Empty, at its greatest width. Throws RangeError for a depth or width out of bounds. */
  constructor(kernel: Kernel, items: ItemRegion, options: SketchOptions) {
    this.#kernel = kernel;
    this.#items = items;
    this.options = Object.freeze({ ...options, seed: { ...options.seed } });
    this.ptr = kernel.allocate(sketchBytes(options.depth, options.widthLog2Max));
    this.reset();
  }

  get widthLog2(): number {
    return this.#kernel.view.getUint32(this.ptr + 8, true);
  }

  /** Bytes of its saved form. */
  get bytes(): number {
    return this.#kernel.exports["sketchBytes"]!(this.ptr) >>> 0;
  }

  /** Whether some cell may have saturated: some estimates may then be Infinity. */
  get saturated(): boolean {
    const flags = this.#kernel.view.getUint32(this.ptr + 12, true);
    return (flags & layout.SKETCH_FLAG_SATURATED) !== 0;
  }

  /** Its cells, row by row: a view, so what is added later shows in it. */
  get cells(): Uint32Array {
    const { depth } = this.options;
    const from = (this.ptr + layout.SKETCH_HEADER_SIZE) >>> 2;
    return this.#kernel.u32.subarray(from, from + depth * 2 ** this.widthLog2);
  }

  /** Empties it, at this width. */
  reset(widthLog2: number = this.options.widthLog2Max): void {
    const { depth, widthLog2Max, seed } = this.options;
    if (widthLog2 > widthLog2Max) throw new RangeError(`width 2^${widthLog2} has no room`);
    const init = this.#kernel.exports["initSketch"]!;
    assertSketchStatus(init(this.ptr, depth, widthLog2, seed.low, seed.high));
  }

  /** Own copy of header and cells. */
  save(): Uint8Array {
    return this.#kernel.bytes.slice(this.ptr, this.ptr + this.bytes);
  }

  /**
   * Takes over a saved sketch. Throws RangeError, and is empty then, when that is none of this
   * version, seed and depth, or is wider than there is room for.
   */
  load(saved: Uint8Array): void {
    const { depth, widthLog2Max, seed } = this.options;
    this.reset(layout.SKETCH_WIDTH_LOG2_MIN);
    if (saved.length > sketchBytes(depth, widthLog2Max)) {
      throw new RangeError(`sketch refused: ${saved.length} bytes have no room`);
    }
    this.#kernel.bytes.set(saved, this.ptr);
    const check = this.#kernel.exports["checkSketch"]!;
    let status = check(this.ptr, saved.length, seed.low, seed.high);
    if (status === layout.SKETCH_OK && this.#kernel.view.getUint32(this.ptr + 4, true) !== depth) {
      status = layout.SKETCH_OTHER_DEPTH;
    }
    if (status !== layout.SKETCH_OK) this.reset(layout.SKETCH_WIDTH_LOG2_MIN);
    assertSketchStatus(status);
  }

  /** Adds `n` located events (rows hashed), each by its weight. */
  update(events: number, n: number): void {
    this.#kernel.exports["updateSketch"]!(this.ptr, events, n);
  }

  /** Adds items of one event type, an item as often as it likes, each time by its count. */
  add(type: string, block: ItemIds & { counts: Uint32Array }): void {
    const addItems = this.#kernel.exports["addItems"]!;
    this.#items.forEachPart(type, block, (part) => {
      const { typePtr, typeBytes, idsPtr, offsetsPtr, countsPtr, n } = part;
      addItems(this.ptr, typePtr, typeBytes, idsPtr, offsetsPtr, countsPtr, n);
    });
  }

  /** As `add`, by plain Count-Min: every cell of an item grows, whether it must or not. */
  addPlain(type: string, block: ItemIds & { counts: Uint32Array }): void {
    const addItems = this.#kernel.exports["addItemsPlain"]!;
    this.#items.forEachPart(type, block, (part) => {
      const { typePtr, typeBytes, idsPtr, offsetsPtr, countsPtr, n } = part;
      addItems(this.ptr, typePtr, typeBytes, idsPtr, offsetsPtr, countsPtr, n);
    });
  }

  /** Folds exact counts in by maximum. */
  fold(type: string, block: ItemBlock): void {
    const foldItems = this.#kernel.exports["foldItems"]!;
    this.#items.forEachPart(type, block, (part) => {
      const { typePtr, typeBytes, idsPtr, offsetsPtr, countsPtr, countBytes, n } = part;
      foldItems(this.ptr, typePtr, typeBytes, idsPtr, offsetsPtr, countsPtr, countBytes, n);
    });
  }

  /** Makes it a bound for an item whose total has grown to `total`. */
  raise(type: string, id: string, total: number): void {
    this.fold(type, itemBlock([id], [total]));
  }

  /** Upper bounds of these items, in order; Infinity where it has none. */
  estimates(type: string, items: ItemIds): Float64Array {
    const bounds = new Float64Array(items.ends.length);
    const estimateItems = this.#kernel.exports["estimateItems"]!;
    this.#items.forEachPart(type, { ids: items.ids, ends: items.ends }, (part) => {
      const { typePtr, typeBytes, idsPtr, offsetsPtr, countsPtr, from, n } = part;
      // The counts' place is free here, and holds twice as much.
      estimateItems(this.ptr, typePtr, typeBytes, idsPtr, offsetsPtr, n, countsPtr);
      const found = this.#kernel.u32.subarray(countsPtr >>> 2, (countsPtr >>> 2) + n);
      for (let i = 0; i < n; i++) bounds[from + i] = boundOf(found[i]!);
    });
    return bounds;
  }

  /** Upper bound of one item; Infinity when it has none. */
  estimate(type: string, id: string): number {
    return this.estimates(type, itemIds([id]))[0]!;
  }

  /** Folds it to half its width; nothing at the least. */
  halve(): void {
    this.#kernel.exports["halveSketch"]!(this.ptr);
  }

  /**
   * Takes in another sketch of items that are not in this one, at the smaller of their widths.
   * Throws RangeError for another seed or depth.
   */
  mergeMax(other: Sketch): void {
    assertSketchStatus(this.#kernel.exports["mergeMax"]!(this.ptr, other.ptr));
  }

  /**
   * Takes in another sketch that may hold further events of the same items. Throws RangeError
   * for another seed, depth or width.
   */
  mergeSum(other: Sketch): void {
    assertSketchStatus(this.#kernel.exports["mergeSum"]!(this.ptr, other.ptr));
  }
}
