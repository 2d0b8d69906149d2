/** The sketches by themselves: updates from ids, merges, and the bytes of each structure. */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { deflateRawSync } from "node:zlib";
import { Aggregator } from "../src/kernel/aggregator.ts";
import { ChunkScanner } from "../src/kernel/chunk-scanner.ts";
import { ItemCounter, itemCounterDefaults } from "../src/kernel/item-counter.ts";
import { type ItemBlock, type ItemIds, ItemRegion, itemIds } from "../src/kernel/item-region.ts";
import { layout } from "../src/kernel/layout.ts";
import { OpenWindows } from "../src/kernel/open-windows.ts";
import { SealedSketchBuilder } from "../src/kernel/sealed-sketch.ts";
import { Sketch, sketchBytes } from "../src/kernel/sketch.ts";
import { type Random, ZipfSampler } from "../test/support/random.ts";
import { idText } from "./event-stream.ts";
import {
  aggregatorOptions,
  loadKernel,
  seed,
  sketchShape,
  windowOptions,
  workerBounds,
} from "./kernel-data.ts";
import { type Timing, type TimingBounds, timeAll, type Work } from "./timing.ts";

type Weighted = ItemIds & { counts: Uint32Array };

const shape = { depth: sketchShape.depth, widthLog2Max: sketchShape.widthLog2, seed };
const blockItems = 16_384;
const eventType = "song_play";
export const minutesMerged = 60;
/** As the store has them (src/store/sketches.ts). */
const sealSample = 65_536;
const sealBytesPerEvent = 1.5;

/** Ids of `n` events of a Zipf 1.0 stream, in blocks. */
function idBlocks(random: Random, n: number, zipf: ZipfSampler) {
  return Array.from({ length: Math.ceil(n / blockItems) }, () => {
    const texts = Array.from({ length: blockItems }, () => idText(zipf.draw(random)));
    const block: Weighted = {
      ...itemIds(texts),
      counts: new Uint32Array(blockItems).fill(1),
    };
    return { texts, block };
  });
}

async function sketches(n: number): Promise<Sketch[]> {
  const bytes = ItemRegion.memoryBytes() + n * Sketch.memoryBytes(shape) + 65_536;
  const kernel = await loadKernel(bytes);
  const items = new ItemRegion(kernel);
  return Array.from({ length: n }, () => new Sketch(kernel, items, shape));
}

/** Updates at the default size: from ids as bytes, with a heap too, and as JavaScript strings. */
export async function timeUpdates(
  random: Random,
  { events, ids }: { events: number; ids: number },
  bounds: TimingBounds,
): Promise<Timing[]> {
  const blocks = idBlocks(random, events, new ZipfSampler(ids, 1));
  const items = blocks.length * blockItems;
  const [sketch] = await sketches(1);
  const truth = new Map<string, number>();
  for (const { texts, block } of blocks) {
    sketch!.add(eventType, block);
    for (const text of texts) truth.set(text, (truth.get(text) ?? 0) + 1);
  }
  const counter = new ItemCounter(
    await loadKernel(ItemCounter.memoryBytes()),
    itemCounterDefaults,
  );
  for (const { block } of blocks) counter.addBlock(block);
  const all = itemIds([...truth.keys()]);
  for (const estimates of [sketch!.estimates(eventType, all), counter.estimates(all)]) {
    [...truth.values()].forEach((count, i) => {
      if (!(estimates[i]! >= count)) throw new Error(`estimate ${estimates[i]} of ${count}`);
    });
  }
  const fromBytes = () => {
    sketch!.reset();
    for (const { block } of blocks) sketch!.add(eventType, block);
  };
  const fromStrings = () => {
    sketch!.reset();
    for (const { texts, block } of blocks) {
      sketch!.add(eventType, { ...itemIds(texts), counts: block.counts });
    }
  };
  const withHeap = () => {
    counter.reset();
    for (const { block } of blocks) counter.addBlock(block);
  };
  return timeAll(
    [
      { name: "ids as bytes: copied, hashed, counted", items, run: fromBytes },
      { name: "ids as bytes, with a heap of 1,000 candidates", items, run: withHeap },
      { name: "ids as JavaScript strings", items, run: fromStrings },
    ],
    bounds,
  );
}

const cellsOf = (sketch: Sketch) =>
  new Uint32Array(sketch.save().buffer, layout.SKETCH_HEADER_SIZE);

/** Merging the sketches of an hour's minutes, 1 MiB each, a minute. */
export async function timeMerges(random: Random, bounds: TimingBounds): Promise<Timing[]> {
  const [target, ...minutes] = await sketches(minutesMerged + 1);
  const zipf = new ZipfSampler(1_000_000, 1);
  for (const minute of minutes) {
    const [first] = idBlocks(random, blockItems, zipf);
    minute.add(eventType, first!.block);
  }
  const merges = { maximum: "mergeMax", sum: "mergeSum" } as const;
  const works = Object.entries(merges).map(([name, merge]): Work => {
    const run = () => {
      target!.reset();
      for (const minute of minutes) target![merge](minute);
    };
    run();
    const plain = new Uint32Array(cellsOf(target!).length);
    for (const minute of minutes) {
      cellsOf(minute).forEach((cell, i) => {
        plain[i] = merge === "mergeMax" ? Math.max(plain[i]!, cell) : plain[i]! + cell;
      });
    }
    const merged = cellsOf(target!);
    if (plain.some((cell, i) => cell !== merged[i])) throw new Error(`${name}: wrong cells`);
    return { name: `by ${name}`, items: minutesMerged, run };
  });
  return timeAll(works, bounds);
}

export interface Footprint {
  items: number;
  events: number;
  /** Sealed sketch of all items but the listed ones, in memory and as stored; null: none kept. */
  sealedBytes: number | null;
  storedBytes: number | null;
  /** A Map from text to number with the same items; null: not measured. */
  mapBytes: number | null;
}

/** Count of the item with this rank, of `items`: Zipf 1.0, the last has one. */
function countOf(rank: number, items: number): number {
  return Math.floor(items / (rank + 1));
}

function* sealedBlocks(items: number): Generator<ItemBlock> {
  for (let from = workerBounds.candidatesMax; from < items; from += blockItems) {
    const n = Math.min(blockItems, items - from);
    const texts = Array.from({ length: n }, (_, i) => idText(from + i));
    const counts = Uint32Array.from({ length: n }, (_, i) => countOf(from + i, items));
    yield { ...itemIds(texts), counts };
  }
}

function heapUsed(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  return process.memoryUsage().heapUsed;
}

function mapBytes(items: number): number {
  const before = heapUsed();
  const map = new Map<string, number>();
  for (let i = 0; i < items; i++) map.set(idText(i), countOf(i, items));
  const bytes = heapUsed() - before;
  // Used afterwards, or it might be gone by then.
  return map.size === items ? bytes : Number.NaN;
}

/** Bytes of a sealed window's sketch, and of a Map, by number of items. */
export async function footprints(sizes: readonly number[], mapMax: number): Promise<Footprint[]> {
  const options = { ...shape, sampleItemsMax: sealSample };
  const bytes = ItemRegion.memoryBytes() + SealedSketchBuilder.memoryBytes(options) + 65_536;
  const kernel = await loadKernel(bytes);
  const builder = new SealedSketchBuilder(kernel, new ItemRegion(kernel), options);
  return sizes.map((items) => {
    let events = 0;
    for (let rank = 0; rank < items; rank++) events += countOf(rank, items);
    builder.begin(items - workerBounds.candidatesMax);
    for (const block of sealedBlocks(items)) builder.add(eventType, block);
    const sealed = builder.finish(events * sealBytesPerEvent);
    return {
      items,
      events,
      sealedBytes: sealed?.length ?? null,
      storedBytes: sealed === null ? null : deflateRawSync(sealed, { level: 1 }).length,
      mapBytes: items <= mapMax ? mapBytes(items) : null,
    };
  });
}

/** Bytes of what an ingest worker has, however many items there are. */
export function fixedBytes(): [name: string, bytes: number][] {
  const { openMinutes, poolBytes } = workerBounds;
  return [
    ["scanner: list of 16,384 located events, unescaped text", ChunkScanner.memoryBytes()],
    ["exact counts: 2^20 slots, long ids, raw columns", Aggregator.memoryBytes(aggregatorOptions)],
    ["sketch of one open minute", sketchBytes(sketchShape.depth, sketchShape.widthLog2)],
    ["candidates of one open minute, at most", poolBytes],
    [`${openMinutes} open minutes with their indexes`, OpenWindows.memoryBytes(windowOptions)],
  ];
}
