import { describe, expect, test } from "vitest";
import { type ItemBlock, ItemRegion, itemBlock, itemIds } from "../../src/kernel/item-region.ts";
import { layout } from "../../src/kernel/layout.ts";
import type { KernelBuild } from "../../src/kernel/module.ts";
import { SealedSketchBuilder } from "../../src/kernel/sealed-sketch.ts";
import { Sketch, sketchBytes } from "../../src/kernel/sketch.ts";
import { OracleSketch, oracleRowHash } from "../oracles/sketch-cells.ts";
import { type Random, randomFromEnvironment } from "../support/random.ts";
import { builds, idOf, SketchBench, seed, typeName } from "./sketch-support.ts";

const none = Number.POSITIVE_INFINITY;
const depth = 4;

interface Items {
  ids: string[];
  counts: number[];
}

/** Counts that fall as 1/rank^exponent; ids of all lengths. */
function zipfItems(random: Random, n: number, exponent: number, first = 0): Items {
  const ids = Array.from({ length: n }, (_, i) => `${idOf(first + i)}#${first + i}`);
  const counts = ids.map((_, i) => Math.ceil((n * 5) / (i + 1) ** exponent) + random.int(0, 3));
  return { ids, counts: random.shuffle(counts) };
}

const blockOf = ({ ids, counts }: Items): ItemBlock => itemBlock(ids, counts);

function broken(sketch: Sketch, type: string, { ids, counts }: Items): string[] {
  const bounds = sketch.estimates(type, itemIds(ids));
  return ids.filter((_, i) => bounds[i]! < counts[i]!);
}

function meanError(sketch: Sketch, type: string, { ids, counts }: Items): number {
  const bounds = sketch.estimates(type, itemIds(ids));
  return counts.reduce((sum, count, i) => sum + bounds[i]! - count, 0) / counts.length;
}

async function makeSketches(build: KernelBuild, n: number, widthLog2Max: number) {
  const options = { depth, widthLog2Max, seed };
  const bench = await SketchBench.make(build, n * Sketch.memoryBytes(options));
  return Array.from({ length: n }, () => new Sketch(bench.kernel, bench.items, options));
}

const cellsOf = (sketch: Sketch): number[] => {
  return [...new Uint32Array(sketch.save().buffer, layout.SKETCH_HEADER_SIZE)];
};

describe.each(builds)("sealed sketch (%s)", (build) => {
  test.each([
    { rows: 4, widthLog2: 6 },
    { rows: 1, widthLog2: 4 },
    { rows: 7, widthLog2: 8 },
  ])("cells are the oracle's, and halves fold: depth $rows, 2^$widthLog2", async (shape) => {
    const random = randomFromEnvironment("sealed cells");
    const options = { depth: shape.rows, widthLog2Max: shape.widthLog2, seed };
    const bench = await SketchBench.make(build, Sketch.memoryBytes(options));
    const sketch = new Sketch(bench.kernel, bench.items, options);
    const items = [0, 1].map((type) => zipfItems(random, 400, 1, type * 100));
    items.forEach((some, type) => {
      sketch.fold(typeName(type), blockOf(some));
    });
    for (let widthLog2 = shape.widthLog2; widthLog2 >= 4; widthLog2--) {
      const oracle = new OracleSketch(shape.rows, 2 ** widthLog2);
      items.forEach(({ ids, counts }, type) => {
        ids.forEach((id, i) => {
          oracle.fold(oracleRowHash(typeName(type), id, seed.low, seed.high), counts[i]!);
        });
      });
      expect(sketch.widthLog2).toBe(widthLog2);
      expect(cellsOf(sketch)).toEqual(oracle.cells);
      sketch.halve();
    }
    expect(sketch.widthLog2).toBe(4);
  });

  test("counts of 4 and of 8 bytes fold alike, in parts of a region too", async () => {
    const random = randomFromEnvironment("sealed parts");
    const options = { depth, widthLog2Max: 8, seed };
    const bounds = { itemsMax: 7, idBytesMax: 600 };
    const bytes = 2 * Sketch.memoryBytes(options) + ItemRegion.memoryBytes(bounds);
    const { kernel, items } = await SketchBench.make(build, bytes);
    const small = new Sketch(kernel, new ItemRegion(kernel, bounds), options);
    const large = new Sketch(kernel, items, options);
    const some = zipfItems(random, 500, 1);
    const block = blockOf(some);
    large.fold("t0", block);
    small.fold("t0", { ...block, counts: Uint32Array.from(some.counts) });
    expect(small.save()).toEqual(large.save());
    expect(small.estimates("t0", block)).toEqual(large.estimates("t0", block));
  });

  test("widths merge at the smaller, whichever way; bounds hold", async () => {
    const random = randomFromEnvironment("sealed merge");
    for (const [aLog2, bLog2] of [
      [9, 9],
      [9, 5],
      [5, 9],
      [4, 10],
    ]) {
      const [a, b, all] = await makeSketches(build, 3, 10);
      a!.reset(aLog2);
      b!.reset(bLog2);
      all!.reset(Math.min(aLog2!, bLog2!));
      const [mine, other] = [zipfItems(random, 300, 1), zipfItems(random, 300, 0.5, 1000)];
      for (const [sketch, items] of [
        [a, mine],
        [b, other],
        [all, mine],
        [all, other],
      ] as const) {
        sketch!.fold("t0", blockOf(items));
      }
      a!.mergeMax(b!);
      expect(a!.save()).toEqual(all!.save());
      expect(broken(a!, "t0", mine)).toEqual([]);
      expect(broken(a!, "t0", other)).toEqual([]);
    }
  });

  test("a late event raises its item; nobody's bound falls", async () => {
    const random = randomFromEnvironment("sealed raise");
    const [sketch] = await makeSketches(build, 1, 5);
    const items = zipfItems(random, 200, 1);
    sketch!.fold("t0", blockOf(items));
    for (let i = 0; i < 300; i++) {
      const at = random.int(0, items.ids.length);
      if (at === items.ids.length) items.ids.push(`new ${i}`);
      items.counts[at] = (items.counts[at] ?? 0) + random.int(1, 500);
      sketch!.raise("t0", items.ids[at]!, items.counts[at]!);
      expect(broken(sketch!, "t0", items)).toEqual([]);
    }
  });

  test("events stream on over folded counts", async () => {
    const random = randomFromEnvironment("stream over folded");
    const options = { depth, widthLog2Max: 6, seed };
    const bench = await SketchBench.make(build, Sketch.memoryBytes(options));
    const sketch = new Sketch(bench.kernel, bench.items, options);
    const items = zipfItems(random, 300, 1);
    sketch.fold("t0", blockOf(items));
    const events = Array.from({ length: 3000 }, () => {
      const at = random.int(0, 299);
      const weight = random.int(1, 9);
      items.counts[at] = items.counts[at]! + weight;
      return { minute: 1, typeIndex: 0, id: items.ids[at]!, weight };
    });
    bench.feed(events, (ptr, n) => sketch.update(ptr, n));
    expect(broken(sketch, "t0", items)).toEqual([]);
  });

  test("a count beyond a cell is no bound, and stays so", async () => {
    const [a, b] = await makeSketches(build, 2, 6);
    a!.fold("t0", itemBlock(["x", "y"], [2 ** 32 - 2, 7]));
    expect([a!.estimate("t0", "x"), a!.saturated]).toEqual([2 ** 32 - 2, false]);
    a!.raise("t0", "x", 2 ** 40 + 1);
    expect([a!.estimate("t0", "x"), a!.estimate("t0", "y")]).toEqual([none, 7]);
    b!.mergeMax(a!);
    b!.halve();
    expect([b!.estimate("t0", "x"), b!.saturated]).toEqual([none, true]);
  });
});

describe.each(builds)("sealed sketch builder (%s)", (build) => {
  async function setUp(sampleItemsMax: number, widthLog2Max = 12) {
    const options = { depth, widthLog2Max, seed, sampleItemsMax };
    const bytes = SealedSketchBuilder.memoryBytes(options) + 2 * Sketch.memoryBytes(options);
    const { kernel, items } = await SketchBench.make(build, bytes);
    return {
      builder: new SealedSketchBuilder(kernel, items, options),
      sketch: new Sketch(kernel, items, options),
    };
  }

  test.each([0, 1, 2, 30, 1000, 5000])(
    "%d items: the smallest width that is precise",
    async (n) => {
      const random = randomFromEnvironment(`seal ${n}`);
      const { builder, sketch } = await setUp(10_000, 14);
      for (const exponent of [0.5, 1, 1.5]) {
        const items = zipfItems(random, n, exponent);
        // The number expected only says where to begin.
        builder.begin(random.pick([n, 0, 3 * n, 2 ** 40]));
        builder.add("t0", blockOf(items));
        sketch.load(builder.finish(2 ** 30)!);
        expect(broken(sketch, "t0", items)).toEqual([]);
        if (n > 0) expect(meanError(sketch, "t0", items)).toBeLessThan(1);
        if (sketch.widthLog2 === 4) continue;
        sketch.halve();
        expect(meanError(sketch, "t0", items)).toBeGreaterThanOrEqual(1);
      }
    },
  );

  test("types share a sketch, given in pieces", async () => {
    const random = randomFromEnvironment("seal types");
    const items = [0, 1, 2].map((type) => zipfItems(random, 3000, 1, type * 100));
    const { builder, sketch } = await setUp(10_000, 14);
    builder.begin(9000);
    items.forEach((some, type) => {
      for (let from = 0; from < some.ids.length; from += 999) {
        const ids = some.ids.slice(from, from + 999);
        builder.add(typeName(type), itemBlock(ids, some.counts.slice(from, from + 999)));
      }
    });
    sketch.load(builder.finish(2 ** 30)!);
    items.forEach((some, type) => {
      expect(broken(sketch, typeName(type), some)).toEqual([]);
    });
  });

  test("a sample is even over the items, so it chooses about the same width", async () => {
    const random = randomFromEnvironment("seal sample");
    // All error is in the light ones, which come first: heavy ones share cells without harm.
    const items = zipfItems(random, 20_000, 1);
    items.counts = items.counts.map((_, i) => (i < 14_000 ? 1 : 20));
    const widths: number[] = [];
    for (const sampleItemsMax of [20_000, 2000]) {
      const { builder, sketch } = await setUp(sampleItemsMax, 16);
      builder.begin(20_000);
      builder.add("t0", blockOf(items));
      sketch.load(builder.finish(2 ** 30)!);
      expect(broken(sketch, "t0", items)).toEqual([]);
      widths.push(sketch.widthLog2);
    }
    expect(Math.abs(widths[0]! - widths[1]!), `widths ${widths}`).toBeLessThanOrEqual(1);
  });

  test("never wider than may be, and none when it is too many bytes", async () => {
    const random = randomFromEnvironment("seal limits");
    const { builder, sketch } = await setUp(100, 6);
    const items = zipfItems(random, 5000, 1);
    const seal = (bytesMax: number) => {
      builder.begin(5000);
      builder.add("t0", blockOf(items));
      return builder.finish(bytesMax);
    };
    expect(seal(sketchBytes(depth, 6) - 1)).toBe(null);
    sketch.load(seal(sketchBytes(depth, 6))!);
    expect(sketch.widthLog2).toBe(6);
    expect(broken(sketch, "t0", items)).toEqual([]);
  });
});

test("the two builds make the same bytes", async () => {
  const random = randomFromEnvironment("sealed builds");
  const items = zipfItems(random, 3000, 1);
  const made = builds.map(async (build) => {
    const options = { depth, widthLog2Max: 12, seed, sampleItemsMax: 1000 };
    const bytes = SealedSketchBuilder.memoryBytes(options);
    const bench = await SketchBench.make(build, bytes);
    const builder = new SealedSketchBuilder(bench.kernel, bench.items, options);
    builder.begin(3000);
    builder.add("t0", blockOf(items));
    return builder.finish(2 ** 30);
  });
  const [simd, scalar] = await Promise.all(made);
  expect(simd).toEqual(scalar);
});

test("blocks that don't fit together are refused", async () => {
  const { kernel, items } = await SketchBench.make("simd", 1 << 20);
  const sketch = new Sketch(kernel, items, { depth, widthLog2Max: 6, seed });
  const ids = new Uint8Array(1000);
  const counts = new Uint32Array(2);
  const refused = [
    { ids, ends: Uint32Array.of(5, 4), counts },
    { ids, ends: Uint32Array.of(5, 1001), counts },
    { ids, ends: Uint32Array.of(5, 600), counts },
    { ids, ends: Uint32Array.of(1, 2, 3), counts },
  ];
  for (const block of refused) expect(() => sketch.fold("t0", block)).toThrow(RangeError);
  const fine = { ids, ends: Uint32Array.of(1, 2), counts };
  expect(() => sketch.fold("t".repeat(147), fine)).toThrow(RangeError);
  expect(() => new ItemRegion(kernel, { itemsMax: 5, idBytesMax: 511 })).toThrow(RangeError);
  sketch.fold("t0", fine);
});
