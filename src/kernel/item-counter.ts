/**
 * The package's entry `rankstream/kernel`: counts items of a stream in a fixed amount of memory
 * and keeps the most frequent ones, with a lower and an upper bound for each. A Count-Min sketch
 * with conservative update and a heap of candidates, as an open minute of the service has them.
 * No I/O and nothing of Node's: it runs wherever WebAssembly does.
 */
import { candidateId, readCandidates } from "./candidates.ts";
import { type ItemIds, ItemRegion, itemIds } from "./item-region.ts";
import { Kernel } from "./kernel.ts";
import { OpenWindows, type OpenWindowsOptions } from "./open-windows.ts";
import type { KernelSeed } from "./sketch.ts";
import { compileKernel, type KernelSource } from "./source.ts";

// For those who build something of their own on the same parts.
export { itemBlock } from "./item-region.ts";
export { Sketch, type SketchOptions } from "./sketch.ts";
export type { KernelSeed, KernelSource };
export { compileKernel, type ItemIds, ItemRegion, itemIds, Kernel };

export interface ItemCounterOptions {
  /** Rows of the sketch: 1 to 8. */
  depth: number;
  /** Cells of a row, as a power of two: 4 to 20. */
  widthLog2: number;
  /** Items kept as candidates for the top: 1 to 4096. */
  candidatesMax: number;
  /** Of the hash. Where others choose the ids, let it be random and nobody's business. */
  seed: KernelSeed;
}

/** 1 MiB of cells, candidates for a top 250. */
export const itemCounterDefaults: Readonly<ItemCounterOptions> = Object.freeze({
  depth: 4,
  widthLog2: 16,
  candidatesMax: 1000,
  seed: Object.freeze({ low: 0x9e3779b9, high: 0x85ebca6b }),
});

/** Ids as columns, with how often each comes: what `itemIds` makes, and one count an id. */
export type WeightedIds = ItemIds & { counts: Uint32Array };

export interface CountedItem {
  id: string;
  /** Its true count is neither less … */
  lower: number;
  /** … nor more; Infinity when the sketch has overflowed. */
  upper: number;
}

export interface TopItems {
  /** By upper bound, the greatest first. */
  items: CountedItem[];
  /** So many of them, from the first, are the true top in the true order. */
  certain: number;
  /** No item that isn't a candidate has more than this. */
  outside: number;
}

/** One window, one event type: all that this needs of what the kernel can do. */
const minute = 0;
const typeIndex = 0;
/** The event type its items are hashed under: a `Sketch` fed with it has them at `places` too. */
export const itemType = "item";
/** A candidate with the longest id: 64 bytes, and 512 in a block of their own. */
const candidateBytesMax = 64 + 512 + 16;
const poolBytesMin = 4096;

function windowOptions(options: ItemCounterOptions): OpenWindowsOptions {
  const poolBytes = poolBytesMin + options.candidatesMax * candidateBytesMax;
  return { ...options, windowsMax: 1, typesMax: 1, poolBytes };
}

function onesFor(n: number): Uint32Array {
  return new Uint32Array(n).fill(1);
}

function byUpper(a: CountedItem, b: CountedItem): number {
  return b.upper - a.upper || b.lower - a.lower || (a.id < b.id ? -1 : 1);
}

/** How many rows, sorted by `byUpper`, are each surely greater than all that follows. */
function certainRows(items: readonly CountedItem[], outside: number): number {
  const open = items.findIndex(({ lower }, i) => {
    return !(lower > outside && lower > (items[i + 1]?.upper ?? 0));
  });
  return open < 0 ? items.length : open;
}

export class ItemCounter {
  readonly options: Readonly<ItemCounterOptions>;
  readonly #kernel: Kernel;
  readonly #items: ItemRegion;
  readonly #windows: OpenWindows;
  readonly #hash: number;

  /** Bytes of kernel memory that one takes. */
  static memoryBytes(options: ItemCounterOptions = itemCounterDefaults): number {
    return ItemRegion.memoryBytes() + OpenWindows.memoryBytes(windowOptions(options)) + 32;
  }

  /**
   * One with a kernel of its own. `source` is the `.wasm`; what `options` leaves out is as in
   * `itemCounterDefaults`. Throws RangeError for options out of bounds, and as `compileKernel`.
   */
  static async open(
    source: KernelSource | Promise<KernelSource>,
    options: Partial<ItemCounterOptions> = {},
  ): Promise<ItemCounter> {
    const all = { ...itemCounterDefaults, ...options };
    const module = await compileKernel(source);
    return new ItemCounter(await Kernel.load(module, ItemCounter.memoryBytes(all)), all);
  }

  /** One in a kernel that has `memoryBytes` left, for good. Throws as `open` does. */
  constructor(kernel: Kernel, options: ItemCounterOptions) {
    this.options = Object.freeze({ ...options, seed: { ...options.seed } });
    this.#kernel = kernel;
    this.#items = new ItemRegion(kernel);
    this.#windows = new OpenWindows(kernel, this.#items, windowOptions(options));
    this.#hash = kernel.allocate(8);
    this.#windows.open(minute);
  }

  /** Counts each id once, or as often as `counts` (integers from 1 to 2^32 − 2) says. */
  add(ids: readonly string[], counts?: readonly number[]): void {
    const weights = counts === undefined ? onesFor(ids.length) : Uint32Array.from(counts);
    this.addBlock({ ...itemIds(ids), counts: weights });
  }

  /**
   * As `add`, without a string: the fast way, in blocks of some thousand ids. Throws RangeError
   * for an id over 512 bytes; the block's parts before it have been counted.
   */
  addBlock(block: WeightedIds): void {
    this.#windows.add(minute, typeIndex, itemType, block);
  }

  /** No less than the item's true count; by the sketch alone, so for any item. */
  estimate(id: string): number {
    return this.#windows.estimate(minute, itemType, id);
  }

  /** As `estimate`, of many ids at once, in their order. */
  estimates(items: ItemIds): Float64Array {
    return this.#windows.estimates(minute, itemType, items);
  }

  /** The most frequent items, `k` at most. */
  top(k: number): TopItems {
    const { items, outside } = this.candidates();
    items.sort(byUpper);
    const certain = certainRows(items, outside);
    const rows = items.slice(0, k);
    return { items: rows, certain: Math.min(certain, rows.length), outside };
  }

  /** All candidates as the heap has them: node i's children are 2i + 1 and 2i + 2. */
  candidates(): { items: CountedItem[]; outside: number; total: number } {
    const [list] = readCandidates(this.#windows.candidates(minute)).lists;
    if (list === undefined) return { items: [], outside: 0, total: 0 };
    const items = Array.from({ length: list.rows }, (_, row) => {
      return { id: candidateId(list, row), lower: list.lower[row]!, upper: list.upper[row]! };
    });
    return { items, outside: list.outside, total: list.total };
  }

  /** The sketch's cells, row by row: a view, so what is added later shows in it. */
  get cells(): Uint32Array {
    return this.#windows.cells(minute);
  }

  /** For each row, which of its cells is the item's, from 0. */
  places(id: string): number[] {
    const { depth, widthLog2, seed } = this.options;
    this.#items.forEachPart(
      itemType,
      itemIds([id]),
      ({ typePtr, typeBytes, idsPtr, offsetsPtr }) => {
        const idBytes = this.#kernel.view.getUint32(offsetsPtr + 4, true);
        const hashRow = this.#kernel.exports["hashRow"]!;
        hashRow(typePtr, typeBytes, idsPtr, idBytes, seed.low, seed.high, this.#hash);
      },
    );
    const first = this.#kernel.view.getUint32(this.#hash, true);
    const step = (this.#kernel.view.getUint32(this.#hash + 4, true) | 1) >>> 0;
    const mask = 2 ** widthLog2 - 1;
    return Array.from(
      { length: depth },
      (_, row) => ((first + Math.imul(row, step)) & mask) >>> 0,
    );
  }

  /** Forgets everything. */
  reset(): void {
    this.#windows.close(minute);
    this.#windows.open(minute);
  }
}
