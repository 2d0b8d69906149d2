/**
 * Both sketches, the heap and the truth, fed with one stream. The stream is kept, within bounds,
 * so that another depth or width is shown on the very same items.
 */
import {
  compileKernel,
  ItemCounter,
  type ItemCounterOptions,
  type ItemIds,
  ItemRegion,
  itemCounterDefaults,
  itemType,
  Kernel,
  type KernelSource,
  Sketch,
} from "../../kernel/item-counter.ts";

export interface LabShape {
  depth: number;
  widthLog2: number;
  candidatesMax: number;
}

export const labBounds = Object.freeze({
  depthMax: 8,
  widthLog2Min: 4,
  widthLog2Max: 14,
  candidatesMax: 255,
  /** Of the stream that is kept. */
  updatesMax: 4_000_000,
  /** Of the exact counts that the sketches are held against. */
  distinctMax: 200_000,
  /** Longer items are cut: at most 512 bytes. */
  itemCharsMax: 128,
});

/** Where one update went, in both sketches: a cell of each row, before and after. */
export interface Trace {
  item: number;
  places: number[];
  conservative: { before: number[]; after: number[] };
  plain: { before: number[]; after: number[] };
}

const blockItems = 16_384;
const encoder = new TextEncoder();

function counterOptions(shape: LabShape): ItemCounterOptions {
  return { ...itemCounterDefaults, ...shape };
}

function sketchOptions({ depth, widthLog2 }: LabShape) {
  return { depth, widthLog2Max: widthLog2, seed: itemCounterDefaults.seed };
}

export class Lab {
  readonly #kernel: Kernel;
  #counter!: ItemCounter;
  #plain!: Sketch;
  #shape!: LabShape;
  readonly #numbers = new Map<string, number>();
  /** By item: its name, UTF-8 and true count. */
  readonly names: string[] = [];
  readonly counts: number[] = [];
  #encoded: Uint8Array[] = [];
  /** The stream so far, as items' numbers. */
  readonly #stream = new Uint32Array(labBounds.updatesMax);
  #updates = 0;
  #idBytes = 0;
  trace: Trace | undefined;

  /** With the `.wasm` at hand, empty. Throws as `compileKernel`. */
  static async load(source: KernelSource, shape: LabShape): Promise<Lab> {
    const { depthMax: depth, widthLog2Max: widthLog2, candidatesMax } = labBounds;
    const most = { depth, widthLog2, candidatesMax };
    const bytes =
      ItemCounter.memoryBytes(counterOptions(most)) +
      ItemRegion.memoryBytes() +
      Sketch.memoryBytes(sketchOptions(most));
    return new Lab(await Kernel.load(await compileKernel(source), bytes), shape);
  }

  private constructor(kernel: Kernel, shape: LabShape) {
    this.#kernel = kernel;
    this.#build(shape);
  }

  get shape(): Readonly<LabShape> {
    return this.#shape;
  }

  get updates(): number {
    return this.#updates;
  }

  /** Bytes of all distinct items' text. */
  get idBytes(): number {
    return this.#idBytes;
  }

  /** Cells of the sketch with conservative update, and of the plain one: row by row. */
  get cells(): { conservative: Uint32Array; plain: Uint32Array } {
    return { conservative: this.#counter.cells, plain: this.#plain.cells };
  }

  /** Number of an item that was counted; undefined for any other. */
  numberOf(name: string): number | undefined {
    return this.#numbers.get(name);
  }

  /** An item's column in each row. */
  placesOf(item: number): number[] {
    return this.#counter.places(this.names[item]!);
  }

  /** The heap as it lies, and what the rest is bounded by. */
  heap() {
    return this.#counter.candidates();
  }

  top(k: number) {
    return this.#counter.top(k);
  }

  /** Both sketches' estimates of items, in their order. */
  estimates(items: ArrayLike<number>) {
    const block = this.#idsOf(items, 0, items.length);
    return {
      conservative: this.#counter.estimates(block),
      plain: this.#plain.estimates(itemType, block),
    };
  }

  /**
   * Counts items, up to the bounds; returns how many it took. The last one's way is in `trace`.
   */
  feed(items: readonly string[]): number {
    const from = this.#updates;
    for (const item of items) {
      const number = this.#intern(item.slice(0, labBounds.itemCharsMax));
      if (number === undefined || this.#updates === labBounds.updatesMax) break;
      this.counts[number]! += 1;
      this.#stream[this.#updates] = number;
      this.#updates += 1;
    }
    this.#count(from);
    return this.#updates - from;
  }

  /** Shows the same stream to sketches of another shape. */
  reshape(shape: LabShape): void {
    this.#build(shape);
    this.#count(0);
  }

  /** Forgets the stream. */
  reset(): void {
    this.#numbers.clear();
    this.names.length = 0;
    this.counts.length = 0;
    this.#encoded = [];
    this.#updates = 0;
    this.#idBytes = 0;
    this.trace = undefined;
    this.#build(this.#shape);
  }

  #build(shape: LabShape): void {
    this.#kernel.clear();
    this.#shape = Object.freeze({ ...shape });
    this.#counter = new ItemCounter(this.#kernel, counterOptions(shape));
    this.#plain = new Sketch(this.#kernel, new ItemRegion(this.#kernel), sketchOptions(shape));
  }

  #intern(name: string): number | undefined {
    const found = this.#numbers.get(name);
    if (found !== undefined) return found;
    if (this.names.length === labBounds.distinctMax) return undefined;
    const encoded = encoder.encode(name);
    this.#numbers.set(name, this.names.length);
    this.#encoded.push(encoded);
    this.#idBytes += encoded.length;
    this.counts.push(0);
    return this.names.push(name) - 1;
  }

  /** Items' ids end to end, as the kernel takes them. */
  #idsOf(items: ArrayLike<number>, from: number, to: number): ItemIds {
    const ends = new Uint32Array(to - from);
    let bytes = 0;
    for (let i = from; i < to; i++) {
      bytes += this.#encoded[items[i]!]!.length;
      ends[i - from] = bytes;
    }
    const ids = new Uint8Array(bytes);
    for (let i = from; i < to; i++) {
      ids.set(this.#encoded[items[i]!]!, i === from ? 0 : ends[i - from - 1]);
    }
    return { ids, ends };
  }

  /** Brings the stream from `from` on to both sketches, the last update by itself. */
  #count(from: number): void {
    const last = this.#updates - 1;
    if (last < from) return;
    for (let at = from; at < last; at += blockItems) {
      this.#add(at, Math.min(at + blockItems, last));
    }
    const item = this.#stream[last]!;
    const places = this.placesOf(item);
    const before = this.#at(places);
    this.#add(last, last + 1);
    const after = this.#at(places);
    this.trace = {
      item,
      places,
      conservative: { before: before.conservative, after: after.conservative },
      plain: { before: before.plain, after: after.plain },
    };
  }

  #add(from: number, to: number): void {
    const ids = this.#idsOf(this.#stream, from, to);
    const block = { ...ids, counts: new Uint32Array(to - from).fill(1) };
    this.#counter.addBlock(block);
    this.#plain.addPlain(itemType, block);
  }

  #at(places: readonly number[]): { conservative: number[]; plain: number[] } {
    const { conservative, plain } = this.cells;
    const index = places.map((place, row) => row * 2 ** this.#shape.widthLog2 + place);
    return {
      conservative: index.map((i) => conservative[i]!),
      plain: index.map((i) => plain[i]!),
    };
  }
}
