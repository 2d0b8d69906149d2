import { describe, expect, test } from "vitest";
import { itemBlock, itemIds } from "../../src/kernel/item-region.ts";
import { Kernel } from "../../src/kernel/kernel.ts";
import { layout } from "../../src/kernel/layout.ts";
import { loadKernelModule } from "../../src/kernel/module.ts";
import { Sketch, sketchBytes } from "../../src/kernel/sketch.ts";
import { OracleSketch, oracleRowHash } from "../oracles/sketch-cells.ts";
import { randomFromEnvironment } from "../support/random.ts";
import {
  builds,
  idOf,
  itemNumbers,
  SketchBench,
  type SketchEvent,
  seed,
  streamShapes,
  Truth,
  typeName,
  weightOf,
} from "./sketch-support.ts";

const cellsOf = (sketch: Sketch): number[] => {
  const saved = sketch.save();
  return [...new Uint32Array(saved.buffer, layout.SKETCH_HEADER_SIZE)];
};

const noBound = Number.POSITIVE_INFINITY;

describe.each(builds)("count-min (%s)", (build) => {
  test("the row hash is the described one, for every length, from both its callers", async () => {
    const random = randomFromEnvironment("row hash");
    const bench = await SketchBench.make(build, 4096);
    const { kernel, items } = bench;
    const out = kernel.allocate(8);
    for (let length = 1; length <= 130; length++) {
      const id = Array.from({ length }, () => String.fromCharCode(random.int(32, 126))).join("");
      const type = "x".repeat(random.int(1, 40));
      const expected = oracleRowHash(type, id, seed.low, seed.high);
      items.forEachPart(type, itemIds([id]), ({ typePtr, typeBytes, idsPtr }) => {
        const hash = kernel.exports["hashRow"]!;
        hash(typePtr, typeBytes, idsPtr, length, seed.low, seed.high, out);
      });
      expect(kernel.view.getBigUint64(out, true)).toBe(expected);
      const event = { minute: 1, typeIndex: 3, id, weight: 1 };
      bench.feed([event], (events) => {
        const found = kernel.view.getBigUint64(events + layout.EVENT_ROW_HASH, true);
        expect(found).toBe(oracleRowHash("t3", id, seed.low, seed.high));
      });
    }
  });

  test.each([
    { depth: 4, widthLog2: 4 },
    { depth: 4, widthLog2: 9 },
    { depth: 1, widthLog2: 5 },
    { depth: 3, widthLog2: 7 },
    { depth: 8, widthLog2: 6 },
  ])("every cell is the oracle's: depth $depth, width 2^$widthLog2", async (shape) => {
    const random = randomFromEnvironment("count-min cells");
    const options = { depth: shape.depth, widthLog2Max: shape.widthLog2, seed };
    const bench = await SketchBench.make(build, 2 * Sketch.memoryBytes(options));
    const sketch = new Sketch(bench.kernel, bench.items, options);
    const oracle = new OracleSketch(shape.depth, 2 ** shape.widthLog2);
    const numbers = itemNumbers(random, "zipf 1.0", 5000, 1000);
    const events = numbers.map((number): SketchEvent => {
      const typeIndex = random.int(0, 2);
      return { minute: 1, typeIndex, id: idOf(number), weight: weightOf(random, true) };
    });
    bench.feed(events, (ptr, n) => sketch.update(ptr, n));
    for (const { typeIndex, id, weight } of events) {
      oracle.add(oracleRowHash(typeName(typeIndex), id, seed.low, seed.high), weight);
    }
    expect(cellsOf(sketch)).toEqual(oracle.cells);
    const fed = new Sketch(bench.kernel, bench.items, options);
    for (let at = 0; at < events.length; ) {
      const { typeIndex } = events[at]!;
      const run = events.slice(at, at + 9).filter((event) => event.typeIndex === typeIndex);
      const alike = run.findIndex((event, i) => event !== events[at + i]);
      const part = alike < 0 ? run : run.slice(0, alike);
      const counts = Uint32Array.from(part, ({ weight }) => weight);
      fed.add(typeName(typeIndex), { ...itemIds(part.map(({ id }) => id)), counts });
      at += part.length;
    }
    expect(fed.save()).toEqual(sketch.save());
    for (const { typeIndex, id } of events.slice(0, 200)) {
      const hash = oracleRowHash(typeName(typeIndex), id, seed.low, seed.high);
      expect(sketch.estimate(typeName(typeIndex), id)).toBe(oracle.estimate(hash));
    }
  });

  test.each([
    { depth: 1, widthLog2: 4 },
    { depth: 4, widthLog2: 7 },
    { depth: 8, widthLog2: 6 },
  ])("by plain update too: depth $depth, width 2^$widthLog2", async (shape) => {
    const random = randomFromEnvironment("plain count-min");
    const options = { depth: shape.depth, widthLog2Max: shape.widthLog2, seed };
    const bench = await SketchBench.make(build, 2 * Sketch.memoryBytes(options));
    const [plain, conservative] = [0, 1].map(() => new Sketch(bench.kernel, bench.items, options));
    const oracle = new OracleSketch(shape.depth, 2 ** shape.widthLog2);
    const ids = itemNumbers(random, "zipf 1.0", 3000, 500).map(idOf);
    const counts = Uint32Array.from(ids, () => weightOf(random, true));
    plain!.addPlain("t0", { ...itemIds(ids), counts });
    conservative!.add("t0", { ...itemIds(ids), counts });
    const hashOf = (id: string) => oracleRowHash("t0", id, seed.low, seed.high);
    ids.forEach((id, i) => {
      oracle.addPlain(hashOf(id), counts[i]!);
    });
    expect(cellsOf(plain!)).toEqual(oracle.cells);
    expect([...plain!.cells]).toEqual(oracle.cells);
    expect(plain!.cells.every((cell, i) => conservative!.cells[i]! <= cell)).toBe(true);
    expect(plain!.saturated).toBe(false);
    const most = { ...itemIds(["a", "a"]), counts: Uint32Array.of(2 ** 31, 2 ** 31) };
    plain!.addPlain("t0", most);
    oracle.addPlain(hashOf("a"), 2 ** 32);
    expect([...plain!.cells]).toEqual(oracle.cells);
    expect([plain!.saturated, plain!.estimate("t0", "a")]).toEqual([true, noBound]);
  });

  test.each(streamShapes)("estimates are upper bounds: %s", async (shape) => {
    const random = randomFromEnvironment(`count-min bounds ${shape}`);
    const options = { depth: 4, widthLog2Max: 10, seed };
    const bench = await SketchBench.make(build, Sketch.memoryBytes(options));
    const sketch = new Sketch(bench.kernel, bench.items, options);
    const truth = new Truth();
    const events = itemNumbers(random, shape, 30_000, 10_000).map((number) => {
      return { minute: 1, typeIndex: 0, id: idOf(number), weight: weightOf(random, true) };
    });
    truth.add(events);
    bench.feed(events, (ptr, n) => sketch.update(ptr, n));
    const counts = [...truth.of(1, 0)];
    const bounds = sketch.estimates("t0", itemIds(counts.map(([id]) => id)));
    const broken = counts.filter(([, count], i) => bounds[i]! < count);
    expect(broken).toEqual([]);
    // A sketch that answered "no bound" to everything would pass the above.
    const total = counts.reduce((sum, [, count]) => sum + count, 0);
    expect(bounds.reduce((sum, bound) => sum + bound, 0)).toBeLessThan(total * 100);
  });

  test("cells saturate, and then are no bound", async () => {
    const options = { depth: 4, widthLog2Max: 4, seed };
    const bench = await SketchBench.make(build, 2 * Sketch.memoryBytes(options));
    const sketch = new Sketch(bench.kernel, bench.items, options);
    const event = { minute: 1, typeIndex: 0, id: "a", weight: 1_000_000 };
    const feed = (n: number) => {
      bench.feed(new Array<SketchEvent>(n).fill(event), (ptr, k) => sketch.update(ptr, k));
    };
    feed(4294);
    expect(sketch.estimate("t0", "a")).toBe(4_294_000_000);
    expect(sketch.saturated).toBe(false);
    feed(1);
    expect(sketch.estimate("t0", "a")).toBe(noBound);
    expect(sketch.saturated).toBe(true);
    feed(5000);
    expect(sketch.estimate("t0", "a")).toBe(noBound);
    const other = new Sketch(bench.kernel, bench.items, options);
    other.load(sketch.save());
    expect(other.saturated).toBe(true);
    expect(other.estimate("t0", "a")).toBe(noBound);
  });

  test("sums of sketches saturate too", async () => {
    const options = { depth: 4, widthLog2Max: 4, seed };
    const bench = await SketchBench.make(build, 2 * Sketch.memoryBytes(options));
    const a = new Sketch(bench.kernel, bench.items, options);
    const b = new Sketch(bench.kernel, bench.items, options);
    a.fold("t0", itemBlock(["x"], [2 ** 31]));
    b.fold("t0", itemBlock(["x"], [2 ** 31 - 2]));
    a.mergeSum(b);
    expect(a.estimate("t0", "x")).toBe(2 ** 32 - 2);
    expect(a.saturated).toBe(false);
    b.reset();
    b.fold("t0", itemBlock(["x"], [1]));
    a.mergeSum(b);
    expect(a.estimate("t0", "x")).toBe(noBound);
    expect(a.saturated).toBe(true);
    a.mergeSum(b);
    expect(a.estimate("t0", "x")).toBe(noBound);
  });

  test("split streams merge by sum, disjoint ones by maximum", async () => {
    const random = randomFromEnvironment("count-min merges");
    const options = { depth: 4, widthLog2Max: 9, seed };
    const bench = await SketchBench.make(build, 4 * Sketch.memoryBytes(options));
    const make = () => new Sketch(bench.kernel, bench.items, options);
    const split = [make(), make()];
    const apart = [make(), make()];
    const truth = new Truth();
    const events = itemNumbers(random, "zipf 1.0", 20_000, 5000).map((number) => {
      return { minute: 1, typeIndex: 0, id: idOf(number), weight: weightOf(random, true), number };
    });
    truth.add(events);
    for (const half of [0, 1]) {
      const mine = events.filter((_, i) => i % 2 === half);
      bench.feed(mine, (ptr, n) => split[half]!.update(ptr, n));
      const own = events.filter(({ number }) => number % 2 === half);
      bench.feed(own, (ptr, n) => apart[half]!.update(ptr, n));
    }
    const cells = [split, apart].map((pair) => pair.map(cellsOf));
    split[0]!.mergeSum(split[1]!);
    apart[0]!.mergeMax(apart[1]!);
    expect(cellsOf(split[0]!)).toEqual(cells[0]![0]!.map((cell, i) => cell + cells[0]![1]![i]!));
    const most = cells[1]![0]!.map((cell, i) => Math.max(cell, cells[1]![1]![i]!));
    expect(cellsOf(apart[0]!)).toEqual(most);
    const counts = [...truth.of(1, 0)];
    const ids = itemIds(counts.map(([id]) => id));
    for (const merged of [split[0]!, apart[0]!]) {
      const bounds = merged.estimates("t0", ids);
      expect(counts.filter(([, count], i) => bounds[i]! < count)).toEqual([]);
    }
  });
});

test("the two builds leave the same bytes", async () => {
  const random = randomFromEnvironment("count-min builds");
  const options = { depth: 4, widthLog2Max: 8, seed };
  const events = itemNumbers(random, "zipf 1.0", 4000, 900).map((number) => {
    return { minute: 1, typeIndex: 0, id: idOf(number), weight: weightOf(random, true) };
  });
  const saved = builds.map(async (build) => {
    const bench = await SketchBench.make(build, Sketch.memoryBytes(options));
    const sketch = new Sketch(bench.kernel, bench.items, options);
    bench.feed(events, (ptr, n) => sketch.update(ptr, n));
    return sketch.save();
  });
  const [simd, scalar] = await Promise.all(saved);
  expect(simd).toEqual(scalar);
});

describe("what is refused", () => {
  const options = { depth: 4, widthLog2Max: 6, seed };
  const refusal = (work: () => void) => expect(work).toThrow(RangeError);

  test("merges of another seed, depth or width, and nothing changes", async () => {
    const bench = await SketchBench.make("simd", 1 << 20);
    const make = (change: object) => {
      return new Sketch(bench.kernel, bench.items, { ...options, ...change });
    };
    const sketch = make({});
    sketch.fold("t0", itemBlock(["x"], [5]));
    const before = sketch.save();
    for (const change of [{ seed: { low: 1, high: seed.high } }, { depth: 3 }]) {
      const other = make(change);
      refusal(() => sketch.mergeMax(other));
      refusal(() => sketch.mergeSum(other));
      refusal(() => sketch.load(other.save()));
      expect(sketch.widthLog2).toBe(layout.SKETCH_WIDTH_LOG2_MIN);
      sketch.load(before);
    }
    refusal(() => sketch.mergeSum(make({ widthLog2Max: 5 })));
    expect(sketch.save()).toEqual(before);
  });

  test("saved forms that are damaged, cut, of another version or too wide", async () => {
    const bench = await SketchBench.make("simd", 1 << 20);
    const sketch = new Sketch(bench.kernel, bench.items, options);
    const saved = sketch.save();
    expect(saved.length).toBe(sketchBytes(4, 6));
    const changed = (at: number, to: number) => {
      const copy = saved.slice();
      copy[at] = to;
      return copy;
    };
    for (const at of [0, 3, 8, 16, 23]) refusal(() => sketch.load(changed(at, 99)));
    refusal(() => sketch.load(saved.subarray(0, saved.length - 1)));
    refusal(() => sketch.load(saved.subarray(0, 10)));
    refusal(() => sketch.load(new Uint8Array(0)));
    refusal(() => sketch.load(changed(8, 31)));
    const wide = new Sketch(bench.kernel, bench.items, { ...options, widthLog2Max: 7 });
    refusal(() => sketch.load(wide.save()));
    sketch.load(saved);
  });

  test("depths and widths out of bounds, before anything is written", async () => {
    const kernel = await Kernel.load(await loadKernelModule(), 1 << 20);
    const init = kernel.exports["initSketch"]!;
    const at = kernel.allocate(sketchBytes(8, 10));
    for (const [depth, width] of [
      [0, 4],
      [9, 4],
      [4, 3],
      [4, 21],
    ]) {
      expect(init(at, depth!, width!, 1, 2)).toBe(layout.SKETCH_BAD_SHAPE);
      expect(kernel.view.getUint32(at, true)).toBe(0);
    }
    expect(init(at, 8, 10, 1, 2)).toBe(layout.SKETCH_OK);
  });
});
