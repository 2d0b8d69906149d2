// What judges the summaries of heavy items, and the plain ones among them, against plain counting.
import { describe, expect, it } from "vitest";
import { filteredSpaceSaving, plainCountMin } from "../../bench/accuracy-plain.ts";
import { makeStream, streamNames } from "../../bench/accuracy-streams.ts";
import { judgeSummary, type Summary, trueCounts } from "../../bench/accuracy-verdict.ts";
import { ItemHeap } from "../../bench/item-heap.ts";
import { randomFromEnvironment } from "../support/random.ts";

/** Item i has 100 − i events. */
const truth = new Map(Array.from({ length: 50 }, (_, id) => [id, 100 - id]));

function summary(rows: Summary["rows"], outside?: number): Summary {
  const about = { name: "x", note: "", usPerUpdate: 1, memoryBytes: 1, rows };
  return outside === undefined ? about : { ...about, outside };
}

const perfect = [...truth].map(([id, count]) => {
  return { id, estimate: count, lower: count, upper: count };
});

describe("the verdict", () => {
  it("is perfect on what is", () => {
    expect(judgeSummary(summary(perfect, 0), truth)).toMatchObject({
      ...{ recall100: 1, recall1000: 1, errorMean: 0, errorMax: 0, violations: 0 },
      provenRanks: 50,
    });
  });

  it("sees what is missing, wrong, out of bounds or unproven", () => {
    const half = perfect.filter(({ id }) => id % 2 === 0);
    expect(judgeSummary(summary(half), truth)).toMatchObject({ recall100: 0.5, violations: 0 });
    // Ten of the items left out have more than 80.
    expect(judgeSummary(summary(half, 80), truth).violations).toBe(10);
    expect(judgeSummary(summary(half, 99), truth)).toMatchObject({ provenRanks: 1 });
    const off = perfect.map((row) => ({
      ...row,
      estimate: row.estimate * 2,
      lower: row.upper + 1,
    }));
    const verdict = judgeSummary(summary(off), truth);
    expect(verdict).toMatchObject({
      errorMean: 1,
      errorMax: 1,
      violations: 50,
      provenRanks: null,
    });
    const loose = perfect.map((row) => ({ ...row, lower: row.id === 3 ? 95 : row.lower }));
    expect(judgeSummary(summary(loose, 0), truth).provenRanks).toBe(3);
    const plain = perfect.map(({ id, estimate }) => ({ id, estimate }));
    expect(judgeSummary(summary(plain), truth)).toMatchObject({ violations: null });
    expect(() => judgeSummary(summary([...perfect, perfect[0]!]), truth)).toThrow(/twice/);
  });
});

it("the heap is a sorted list", () => {
  const random = randomFromEnvironment("item heap");
  for (let round = 0; round < 200; round++) {
    const heap = new ItemHeap(random.int(1, 20));
    const plain = new Map<number, number>();
    for (let step = 0; step < 200; step++) {
      const item = random.int(0, 40);
      const count = (plain.get(item) ?? 0) + random.int(0, 5);
      if (heap.has(item)) heap.set(item, count);
      else if (!heap.isFull) heap.add(item, count);
      else plain.delete(heap.replaceLeast(item, count));
      plain.set(item, count);
      expect(heap.least).toBe(Math.min(...plain.values()));
    }
    const sorted = [...plain].sort(([a, x], [b, y]) => y - x || a - b);
    expect(heap.ranked()).toEqual(sorted.map(([item, count]) => ({ item, count })));
  }
});

describe.each(streamNames)("%s", (name) => {
  const { items } = makeStream(name, 5, 20_000, 8000);

  it("is the same from the same seed, has its size and many items", () => {
    expect(makeStream(name, 5, 20_000, 8000).items).toEqual(items);
    expect(items).toHaveLength(20_000);
    expect(Math.max(...items)).toBeLessThan(8000);
    expect(trueCounts(items).size).toBeGreaterThan(500);
  });

  it("is summed up with bounds that hold, in little memory", () => {
    for (const make of [plainCountMin, filteredSpaceSaving]) {
      const verdict = judgeSummary(make(items, 100_000), trueCounts(items));
      expect(verdict.violations).toBe(0);
      expect(verdict.recall100).toBeGreaterThan(0.3);
    }
  });
});
