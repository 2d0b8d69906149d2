/** Times the kernel's own batch calls; the answers are checked before any figure is told. */
import {
  compileKernel,
  ItemCounter,
  ItemRegion,
  itemCounterDefaults,
  itemIds,
  itemType,
  Kernel,
  Sketch,
  type WeightedIds,
} from "../../kernel/item-counter.ts";
import { randomFrom, ranksFrom } from "./streams.ts";

export interface SpeedRequest {
  /** Addresses of both builds. */
  simd: string;
  scalar: string;
  /** Of each measurement. */
  runMs: number;
}

export interface SpeedFigure {
  build: "simd" | "scalar";
  what: "sketch" | "sketch and heap";
  /** Median of the rounds. */
  updatesPerSecond: number;
  rounds: number;
}

export type SpeedReply =
  | { done: true; figures: SpeedFigure[]; items: number; distinct: number; checked: string }
  | { done: false; problem: string };

const items = 2 ** 18;
const distinct = 100_000;
const blockItems = 16_384;
const roundsMin = 3;
const roundsWarm = 2;

interface Workload {
  blocks: WeightedIds[];
  /** True count of each item of `names`. */
  counts: Uint32Array;
  names: string[];
}

/** Zipf 1.0 with ids of 7 to 11 bytes, encoded once: no string is touched while time is taken. */
function makeWorkload(): Workload {
  const rank = ranksFrom(randomFrom(1), distinct, 1);
  const names = Array.from({ length: distinct }, (_, i) => `song_${i + 1}`);
  const counts = new Uint32Array(distinct);
  const blocks = Array.from({ length: items / blockItems }, (): WeightedIds => {
    const ids = Array.from({ length: blockItems }, () => {
      const item = rank();
      counts[item]! += 1;
      return names[item]!;
    });
    return { ...itemIds(ids), counts: new Uint32Array(blockItems).fill(1) };
  });
  return { blocks, counts, names };
}

function medianOf(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1]!;
}

/** Rounds over the whole workload until `runMs` are over; updates a second, the median. */
function timeRounds(reset: () => void, round: () => void, runMs: number) {
  // Engines compile anew what turns out to be hot.
  for (let i = 0; i < roundsWarm; i++) round();
  const rates: number[] = [];
  const started = performance.now();
  while (rates.length < roundsMin || performance.now() - started < runMs) {
    reset();
    const from = performance.now();
    round();
    rates.push(items / ((performance.now() - from) / 1000));
  }
  return { updatesPerSecond: medianOf(rates), rounds: rates.length };
}

/** Throws unless every estimate is at least its item's true count, and the total is right. */
function check(work: Workload, estimates: Float64Array, name: string): void {
  const low = work.counts.findIndex((count, i) => !(estimates[i]! >= count));
  if (low < 0) return;
  throw new Error(`${name}: ${work.names[low]} has ${work.counts[low]}, got ${estimates[low]}`);
}

async function timeBuild(
  build: SpeedFigure["build"],
  source: string,
  work: Workload,
  runMs: number,
) {
  const { depth, widthLog2: widthLog2Max, seed } = itemCounterDefaults;
  const options = { depth, widthLog2Max, seed };
  const bytes = ItemCounter.memoryBytes() + ItemRegion.memoryBytes() + Sketch.memoryBytes(options);
  const kernel = await Kernel.load(await compileKernel(source), bytes);
  const sketch = new Sketch(kernel, new ItemRegion(kernel), options);
  const counter = new ItemCounter(kernel, itemCounterDefaults);
  const addAll = {
    sketch: () => {
      for (const block of work.blocks) sketch.add(itemType, block);
    },
    counter: () => {
      for (const block of work.blocks) counter.addBlock(block);
    },
  };
  const bare = timeRounds(() => sketch.reset(), addAll.sketch, runMs);
  const full = timeRounds(() => counter.reset(), addAll.counter, runMs);
  const all = itemIds(work.names);
  check(work, sketch.estimates(itemType, all), `${build} sketch`);
  check(work, counter.estimates(all), `${build} counter`);
  const figures: SpeedFigure[] = [
    { build, what: "sketch", ...bare },
    { build, what: "sketch and heap", ...full },
  ];
  return { figures, cells: [sketch.cells, counter.cells] };
}

/** Both builds in turn. Throws when an answer is wrong, or the builds differ in a cell. */
export async function runSpeed({ simd, scalar, runMs }: SpeedRequest): Promise<SpeedReply> {
  const work = makeWorkload();
  const fast = await timeBuild("simd", simd, work, runMs);
  const slow = await timeBuild("scalar", scalar, work, runMs);
  const [first, ...others] = [...fast.cells, ...slow.cells];
  for (const cells of others) {
    if (first!.some((cell, i) => cell !== cells[i])) throw new Error("the builds' cells differ");
  }
  const checked =
    `${distinct.toLocaleString("en")} estimates, none below the true count; ` +
    "all cells the same in both builds";
  return { done: true, figures: [...fast.figures, ...slow.figures], items, distinct, checked };
}
