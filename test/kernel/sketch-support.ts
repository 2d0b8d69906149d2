// Located events made without the scanner, and streams of them, for the sketches' tests.
import { ItemRegion } from "../../src/kernel/item-region.ts";
import { Kernel } from "../../src/kernel/kernel.ts";
import { layout } from "../../src/kernel/layout.ts";
import { type KernelBuild, loadKernelModule } from "../../src/kernel/module.ts";
import { type Random, ZipfSampler } from "../support/random.ts";

export const seed = { low: 0x9abc_def1, high: 0x1234_5678 };
export const builds: readonly KernelBuild[] = ["simd", "scalar"];

export interface SketchEvent {
  minute: number;
  /** "t<index>" is its name. */
  typeIndex: number;
  id: string;
  weight: number;
}

export const typeName = (index: number): string => `t${index}`;

const eventsMax = 4096;
const textBytesMax = 4 * 1024 * 1024;
const encoder = new TextEncoder();

/** A kernel with room for `bytes`, a region of items and one of events. */
export class SketchBench {
  readonly kernel: Kernel;
  readonly items: ItemRegion;
  readonly #events: number;
  readonly #text: number;

  static async make(build: KernelBuild, bytes: number): Promise<SketchBench> {
    const own = eventsMax * layout.EVENT_SIZE + textBytesMax + ItemRegion.memoryBytes() + 65_536;
    return new SketchBench(await Kernel.load(await loadKernelModule(build), bytes + own));
  }

  private constructor(kernel: Kernel) {
    this.kernel = kernel;
    this.items = new ItemRegion(kernel);
    this.#events = kernel.allocate(eventsMax * layout.EVENT_SIZE);
    this.#text = kernel.allocate(textBytesMax);
  }

  /** Locates and hashes the events, at most `eventsMax` at a time, and gives them to `use`. */
  feed(events: readonly SketchEvent[], use: (events: number, n: number) => void): void {
    for (let from = 0; from < events.length; from += eventsMax) {
      const part = events.slice(from, from + eventsMax);
      let text = this.#text;
      const write = (value: string): [number, number] => {
        const bytes = encoder.encode(value);
        this.kernel.bytes.set(bytes, text);
        const at = text;
        text += bytes.length;
        return [at, bytes.length];
      };
      const { view } = this.kernel;
      part.forEach((event, i) => {
        const at = this.#events + i * layout.EVENT_SIZE;
        const [idPtr, idLen] = write(event.id);
        const [typePtr, typeLen] = write(typeName(event.typeIndex));
        view.setUint32(at + layout.EVENT_ID_PTR, idPtr, true);
        view.setUint32(at + layout.EVENT_ID_LEN, idLen, true);
        view.setUint32(at + layout.EVENT_TYPE_PTR, typePtr, true);
        view.setUint32(at + layout.EVENT_TYPE_LEN, typeLen, true);
        view.setUint32(at + layout.EVENT_TYPE_INDEX, event.typeIndex, true);
        view.setUint32(at + layout.EVENT_WEIGHT, event.weight, true);
        const time = BigInt(event.minute) * 60_000n + BigInt(i % 60_000);
        view.setBigInt64(at + layout.EVENT_TIMESTAMP, time, true);
      });
      this.kernel.exports["hashRows"]!(this.#events, part.length, seed.low, seed.high);
      use(this.#events, part.length);
    }
  }
}

const countSlots = 8192;
const countHeapBytes = 1 << 20;

/** An exact aggregate of the kernel's, small: what the same keys have is added up. */
export class CountTable {
  static readonly memoryBytes = countSlots * (32 + 4 + 8) + countHeapBytes + 4096;
  readonly #kernel: Kernel;
  readonly #table: number;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#table = kernel.allocate(64);
    const parts = [32, 4, 8].map((size) => kernel.allocate(size * countSlots));
    const heap = kernel.allocate(countHeapBytes + layout.STRING_PADDING);
    const initCounts = kernel.exports["initCounts"]!;
    initCounts(this.#table, countSlots, ...parts, heap, countHeapBytes);
  }

  /** Counts located events; gives the table to `use` whenever it is full, and at the end. */
  count(events: number, n: number, use: (table: number) => void): void {
    const { countEvents, clearCounts } = this.#kernel.exports;
    for (let from = 0; from < n; ) {
      from = countEvents!(this.#table, events, from, n);
      use(this.#table);
      clearCounts!(this.#table);
    }
  }
}

/** True counts by minute, type and id: what every bound is held against. */
export class Truth {
  readonly #windows = new Map<string, Map<string, number>>();

  add(events: readonly SketchEvent[]): void {
    for (const { minute, typeIndex, id, weight } of events) {
      const counts = this.of(minute, typeIndex);
      counts.set(id, (counts.get(id) ?? 0) + weight);
    }
  }

  of(minute: number, typeIndex: number): Map<string, number> {
    const key = `${minute}/${typeIndex}`;
    const found = this.#windows.get(key) ?? new Map<string, number>();
    this.#windows.set(key, found);
    return found;
  }
}

/** Ids of many lengths: empty never, up to 512 bytes, with text beyond ASCII. */
export function idOf(number: number): string {
  const text = number.toString(36);
  const kind = number % 7;
  if (kind === 0) return `${text}${"-long".repeat(number % 100)}`;
  if (kind === 1) return `ü${text}`;
  return kind < 4 ? text : `some-item-${text}`;
}

export type StreamShape = "zipf 0.5" | "zipf 1.0" | "zipf 1.5" | "drift" | "bursts" | "rising";
export const streamShapes: readonly StreamShape[] = [
  "zipf 0.5",
  "zipf 1.0",
  "zipf 1.5",
  "drift",
  "bursts",
  "rising",
];

/** Item numbers of a stream of `n` events over about `items` items. */
export function itemNumbers(random: Random, shape: StreamShape, n: number, items: number) {
  const exponent = shape.startsWith("zipf") ? Number(shape.slice(5)) : 1;
  const sampler = new ZipfSampler(items, exponent);
  let burst = 0;
  return Array.from({ length: n }, (_, i) => {
    switch (shape) {
      case "drift":
        // What is popular moves on through the ids.
        return sampler.draw(random) + Math.floor((i / n) * items);
      case "bursts":
        if (i % 200 === 0) burst = items + random.int(0, items);
        return random.chance(0.4) ? burst : sampler.draw(random);
      case "rising":
        // Every item comes back once more than the one before it: worst for evictions.
        return Math.floor(Math.sqrt(2 * i)) % items;
      default:
        return sampler.draw(random);
    }
  });
}

export function weightOf(random: Random, weighted: boolean): number {
  return weighted ? random.pick([1, 1, 2, 7, 1000, 1_000_000]) : 1;
}
