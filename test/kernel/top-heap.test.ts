import { describe, expect, test } from "vitest";
import { candidateId, readCandidates } from "../../src/kernel/candidates.ts";
import { itemBlock } from "../../src/kernel/item-region.ts";
import { layout } from "../../src/kernel/layout.ts";
import type { KernelBuild } from "../../src/kernel/module.ts";
import { OpenWindows, type OpenWindowsOptions } from "../../src/kernel/open-windows.ts";
import { Sketch } from "../../src/kernel/sketch.ts";
import { OracleSketch, oracleRowHash } from "../oracles/sketch-cells.ts";
import { type Random, randomFromEnvironment } from "../support/random.ts";
import { hold, holdsFor } from "./candidate-checks.ts";
import {
  builds,
  CountTable,
  idOf,
  itemNumbers,
  SketchBench,
  type SketchEvent,
  type StreamShape,
  seed,
  streamShapes,
  Truth,
  weightOf,
} from "./sketch-support.ts";

const plain: OpenWindowsOptions = {
  windowsMax: 3,
  depth: 4,
  widthLog2: 10,
  candidatesMax: 100,
  typesMax: 50,
  poolBytes: 1 << 20,
  seed,
};
const none = Number.POSITIVE_INFINITY;

async function setUp(build: KernelBuild, change: Partial<OpenWindowsOptions> = {}) {
  const options = { ...plain, ...change };
  const bytes = OpenWindows.memoryBytes(options) + CountTable.memoryBytes;
  const bench = await SketchBench.make(build, bytes);
  const windows = new OpenWindows(bench.kernel, bench.items, options);
  const feed = (events: readonly SketchEvent[]): number => {
    let added = 0;
    bench.feed(events, (ptr, n) => {
      added += windows.update(ptr, n);
    });
    return added;
  };
  const counts = new CountTable(bench.kernel);
  /** As `feed`, with what each item has in these events added up first; the weight added. */
  const feedCounts = (events: readonly SketchEvent[]): number => {
    let added = 0;
    bench.feed(events, (ptr, n) => {
      counts.count(ptr, n, (table) => {
        added += windows.addCounts(table);
      });
    });
    return added;
  };
  return { windows, feed, feedCounts, options, bench };
}

interface Case {
  shape: StreamShape;
  weighted: boolean;
  candidatesMax: number;
  widthLog2: number;
  how: "by event" | "by item";
}

const cases = streamShapes.flatMap((shape) =>
  [
    { candidatesMax: 1, widthLog2: 4, weighted: false },
    { candidatesMax: 2, widthLog2: 6, weighted: true },
    { candidatesMax: 33, widthLog2: 8, weighted: false },
    { candidatesMax: 100, widthLog2: 10, weighted: true },
  ].flatMap((more): Case[] => [
    { shape, ...more, how: "by event" },
    { shape, ...more, how: "by item" },
  ]),
);

function stream(random: Random, shape: StreamShape, weighted: boolean, n: number): SketchEvent[] {
  return itemNumbers(random, shape, n, 3000).map((number) => ({
    minute: random.chance(0.9) ? 100 : 101,
    typeIndex: random.pick([0, 0, 0, 7, 49]),
    id: idOf(number),
    weight: weightOf(random, weighted),
  }));
}

describe.each(builds)("candidates (%s)", (build) => {
  test.each(cases)(
    "bounds hold: $shape, $candidatesMax of width 2^$widthLog2, weighted $weighted, $how",
    async ({ shape, weighted, candidatesMax, widthLog2, how }) => {
      const random = randomFromEnvironment(`candidates ${shape} ${candidatesMax}`);
      const { windows, feed, feedCounts } = await setUp(build, { candidatesMax, widthLog2 });
      windows.open(100);
      windows.open(101);
      const truth = new Truth();
      for (let round = 0; round < 4; round++) {
        const events = stream(random, shape, weighted, random.int(1, 4000));
        truth.add(events);
        const weight = events.reduce((sum, event) => sum + event.weight, 0);
        if (how === "by event") expect(feed(events)).toBe(events.length);
        else expect(feedCounts(events)).toBe(weight);
        for (const minute of [100, 101]) {
          const open = readCandidates(windows.candidates(minute));
          expect(open.minute).toBe(minute);
          expect(open.untracked).toBe(false);
          expect(open.total).toBe(open.lists.reduce((sum, list) => sum + list.total, 0));
          for (const list of open.lists) {
            const counts = truth.of(minute, list.typeIndex);
            holdsFor(list, counts);
            expect(list.rows).toBe(Math.min(candidatesMax, counts.size));
            if (counts.size <= candidatesMax) expect(list.outside).toBe(0);
            else expect(list.outside).toBeLessThanOrEqual(Math.min(...list.upper));
          }
        }
      }
    },
  );

  test("a roomy window is exact", async () => {
    const random = randomFromEnvironment("roomy window");
    const { windows, feed } = await setUp(build, { candidatesMax: 4000, widthLog2: 16 });
    windows.open(100);
    const truth = new Truth();
    const events = stream(random, "zipf 1.0", true, 20_000).map((event) => {
      return { ...event, minute: 100 };
    });
    truth.add(events);
    feed(events);
    const { lists } = readCandidates(windows.candidates(100));
    expect(lists.map(({ typeIndex }) => typeIndex).sort((a, b) => a - b)).toEqual([0, 7, 49]);
    for (const list of lists) {
      const counts = truth.of(100, list.typeIndex);
      const found = holdsFor(list, counts);
      expect(list.outside).toBe(0);
      for (const [id, count] of counts) hold(found.get(id)?.[0] === count, `count of ${id}`);
    }
  });

  test("with one place, what collides with its holder can't hide the holder's count", async () => {
    const { windows, feed } = await setUp(build, { candidatesMax: 1, widthLog2: 4 });
    windows.open(100);
    const places = (id: string) => {
      const sketch = new OracleSketch(4, 16);
      sketch.fold(oracleRowHash("t0", id, seed.low, seed.high), 1);
      return sketch.cells.join("");
    };
    let number = 0;
    while (places(`z${number}`) !== places("a")) number++;
    const event = (id: string): SketchEvent => ({ minute: 100, typeIndex: 0, id, weight: 1 });
    const truth = new Truth();
    for (const id of ["a", "a", "a", "a", "a", `z${number}`]) {
      truth.add([event(id)]);
      feed([event(id)]);
      const [list] = readCandidates(windows.candidates(100)).lists;
      holdsFor(list!, truth.of(100, 0));
    }
    const [list] = readCandidates(windows.candidates(100)).lists;
    expect(candidateId(list!, 0)).toBe(`z${number}`);
    expect([list!.lower[0], list!.upper[0], list!.outside]).toEqual([1, 6, 5]);
  });

  test("items and types whose whole hash is the same stay apart", async () => {
    const { windows, bench } = await setUp(build, { candidatesMax: 5 });
    windows.open(100);
    const ids = ["a", "b", "ab", "x".repeat(13), `${"x".repeat(12)}y`, "x".repeat(300), "z"];
    const events = ids.flatMap((id, i) =>
      [0, 7].map((typeIndex) => ({ minute: 100, typeIndex, id, weight: i + 1 + typeIndex })),
    );
    const truth = new Truth();
    for (let round = 0; round < 3; round++) {
      truth.add(events);
      bench.feed(events, (ptr, n) => {
        for (let i = 0; i < n; i++) {
          const at = ptr + i * layout.EVENT_SIZE + layout.EVENT_ROW_HASH;
          bench.kernel.view.setBigUint64(at, 0x1234_5678_9abc_def0n, true);
        }
        windows.update(ptr, n);
      });
      const { lists } = readCandidates(windows.candidates(100));
      expect(lists.map((list) => list.rows)).toEqual([5, 5]);
      for (const list of lists) {
        holdsFor(list, truth.of(100, list.typeIndex));
        // All of them share their cells, so each turns another out: only the last ones are left.
        expect(list.outside).toBeGreaterThan(0);
      }
    }
  });

  test.each([
    { poolBytes: 64, name: "no room for a single list" },
    { poolBytes: layout.LIST_BYTES_MIN, name: "room for a list without a candidate" },
    { poolBytes: 2048, name: "some candidates" },
    { poolBytes: 20_000, name: "short lists" },
  ])("a pool that runs out widens bounds and breaks none: $name", async ({ poolBytes }) => {
    const random = randomFromEnvironment("small pool");
    const { windows, feed } = await setUp(build, { poolBytes, windowsMax: 2, typesMax: 20 });
    windows.open(100);
    windows.open(101);
    const truth = new Truth();
    for (let round = 0; round < 3; round++) {
      const events = itemNumbers(random, "drift", 5000, 2000).map((number) => ({
        minute: 100,
        // One type more than there is room for.
        typeIndex: random.int(0, 20),
        // Ids of all lengths come and go, so that blocks of all classes do.
        id: `${number}${"x".repeat((number * 37) % 500)}`,
        weight: weightOf(random, true),
      }));
      truth.add(events);
      expect(feed(events)).toBe(events.length);
      const open = readCandidates(windows.candidates(100));
      expect(open.untracked).toBe(true);
      expect(open.lists.length).toBeLessThanOrEqual(20);
      for (const list of open.lists) holdsFor(list, truth.of(100, list.typeIndex));
      for (const [id, count] of truth.of(100, 20)) {
        hold(windows.estimate(100, "t20", id) >= count, `estimate of ${id}`);
      }
    }
    // The other window's pool is its own.
    const event = { minute: 101, typeIndex: 0, id: "a", weight: 3 };
    feed([event]);
    const other = readCandidates(windows.candidates(101));
    if (poolBytes >= 2048) expect(other.lists[0]!.lower[0]).toBe(3);
  });

  test("many types with an item each take little", async () => {
    const typesMax = 10_000;
    const poolBytes = typesMax * (layout.LIST_BYTES_MIN + 48);
    const { windows, feed } = await setUp(build, { typesMax, poolBytes, candidatesMax: 4096 });
    windows.open(100);
    feed(
      Array.from({ length: typesMax }, (_, typeIndex) => {
        return { minute: 100, typeIndex, id: `${typeIndex}`, weight: typeIndex + 1 };
      }),
    );
    const { lists, untracked } = readCandidates(windows.candidates(100));
    expect(untracked).toBe(false);
    expect(lists.length).toBe(typesMax);
    for (const list of lists) {
      const weight = list.typeIndex + 1;
      hold(list.rows === 1 && candidateId(list, 0) === `${list.typeIndex}`, "its one item");
      hold(list.lower[0] === weight && list.upper[0]! >= weight, `bounds of ${weight}`);
    }
  });

  test("the greatest list holds CANDIDATES_MAX, ordered from its least", async () => {
    const random = randomFromEnvironment("greatest list");
    const candidatesMax = layout.CANDIDATES_MAX;
    const { windows, feed } = await setUp(build, { candidatesMax, widthLog2: 16 });
    windows.open(100);
    const truth = new Truth();
    const events = itemNumbers(random, "zipf 0.5", 60_000, 30_000).map((number) => {
      return { minute: 100, typeIndex: 0, id: number.toString(36), weight: 1 };
    });
    truth.add(events);
    feed(events);
    const [list] = readCandidates(windows.candidates(100)).lists;
    expect(list!.rows).toBe(candidatesMax);
    holdsFor(list!, truth.of(100, 0));
    for (let row = 1; row < list!.rows; row++) {
      hold(list!.upper[row]! >= list!.upper[(row - 1) >> 1]!, `the heap's order at ${row}`);
    }
  });

  test("most of the true top is found, with nearly exact counts", async () => {
    const random = randomFromEnvironment("candidates recall");
    const { windows, feed } = await setUp(build, { candidatesMax: 400, widthLog2: 14 });
    windows.open(100);
    const truth = new Truth();
    const events = itemNumbers(random, "zipf 1.0", 100_000, 50_000).map((number) => {
      return { minute: 100, typeIndex: 0, id: number.toString(36), weight: 1 };
    });
    truth.add(events);
    feed(events);
    const [list] = readCandidates(windows.candidates(100)).lists;
    const found = holdsFor(list!, truth.of(100, 0));
    const best = [...truth.of(100, 0)].sort((a, b) => b[1] - a[1]).slice(0, 100);
    const hits = best.filter(([id]) => found.has(id));
    expect(hits.length).toBeGreaterThanOrEqual(98);
    const gap = hits.reduce((sum, [id]) => sum + found.get(id)![1] - found.get(id)![0], 0);
    expect(gap / hits.length).toBeLessThan(5);
  });

  test("saturated cells leave counts since admission, and no bound for the rest", async () => {
    const { windows, feed } = await setUp(build, { candidatesMax: 1, widthLog2: 4 });
    windows.open(100);
    const event = { minute: 100, typeIndex: 0, id: "a", weight: 1_000_000 };
    feed(new Array<SketchEvent>(5000).fill(event));
    let [list] = readCandidates(windows.candidates(100)).lists;
    // Admitted when the sketch was empty: its own count goes on beyond the cells.
    expect([list!.lower[0], list!.upper[0], list!.outside]).toEqual([5e9, 5e9, 0]);
    expect(windows.estimate(100, "t0", "a")).toBe(none);
    feed(Array.from({ length: 10_000 }, (_, i) => ({ ...event, id: i % 2 ? "b" : "c" })));
    [list] = readCandidates(windows.candidates(100)).lists;
    expect([list!.upper[0], list!.outside]).toEqual([none, none]);
    expect(list!.lower[0]).toBeGreaterThan(0);
    expect(list!.lower[0]).toBeLessThanOrEqual(5e9);
    expect(list!.total).toBe(15e9);
  });
});

describe.each(builds)("open windows (%s)", (build) => {
  const event: SketchEvent = { minute: 100, typeIndex: 0, id: "a", weight: 2 };

  test("only events of open minutes are added; a closed one is forgotten", async () => {
    const { windows, feed } = await setUp(build);
    expect(feed([event])).toBe(0);
    expect([100, 101, 102, 103].map((minute) => windows.open(minute))).toEqual([
      true,
      true,
      true,
      false,
    ]);
    expect(windows.open(100)).toBe(false);
    const others = [99, 100, 101, 100, 103].map((minute) => ({ ...event, minute }));
    expect(feed(others)).toBe(3);
    expect(windows.estimate(100, "t0", "a")).toBe(4);
    expect(windows.estimate(101, "t0", "a")).toBe(2);
    expect(windows.estimate(102, "t0", "a")).toBe(0);
    windows.close(100);
    windows.close(99);
    expect(windows.minutes.sort((a, b) => a - b)).toEqual([101, 102]);
    expect(() => windows.candidates(100)).toThrow(RangeError);
    expect(feed(others)).toBe(1);
    expect(windows.open(100)).toBe(true);
    expect(windows.estimate(100, "t0", "a")).toBe(0);
    expect(readCandidates(windows.candidates(100))).toEqual({
      minute: 100,
      total: 0,
      untracked: false,
      lists: [],
    });
  });

  test.each(["zipf 0.5", "zipf 1.0", "bursts"] as const)(
    "restored from exact counts it streams on, bounds kept: %s",
    async (shape) => {
      const random = randomFromEnvironment(`restore ${shape}`);
      const { windows, feed } = await setUp(build, { candidatesMax: 50, widthLog2: 7 });
      windows.open(100);
      const truth = new Truth();
      const make = (n: number) => {
        return stream(random, shape, true, n).map((made) => ({ ...made, minute: 100 }));
      };
      truth.add(make(5000));
      for (const typeIndex of [0, 7, 49]) {
        const counts = truth.of(100, typeIndex);
        const block = itemBlock([...counts.keys()], [...counts.values()]);
        windows.restore(100, typeIndex, `t${typeIndex}`, block);
      }
      for (const list of readCandidates(windows.candidates(100)).lists) {
        const counts = truth.of(100, list.typeIndex);
        const found = holdsFor(list, counts);
        for (const [id, [lower, upper]] of found) {
          hold(lower === upper && lower === counts.get(id), `count of ${id}`);
        }
        const kept = [...counts.values()].sort((a, b) => b - a).slice(0, 50);
        expect([...list.lower].sort((a, b) => b - a)).toEqual(kept);
      }
      for (let round = 0; round < 3; round++) {
        const events = make(3000);
        truth.add(events);
        feed(events);
        for (const list of readCandidates(windows.candidates(100)).lists) {
          holdsFor(list, truth.of(100, list.typeIndex));
        }
      }
      expect(() => windows.restore(100, 0, "t0", itemBlock(["x"], [1]))).toThrow(RangeError);
    },
  );

  test("its sketch can be taken to another thread", async () => {
    const { windows, feed, options } = await setUp(build);
    windows.open(100);
    feed([event, { ...event, id: "b" }]);
    const own = { depth: options.depth, widthLog2Max: options.widthLog2, seed };
    const bench = await SketchBench.make("scalar", Sketch.memoryBytes(own));
    const sketch = new Sketch(bench.kernel, bench.items, own);
    sketch.load(windows.sketch(100));
    expect([sketch.estimate("t0", "a"), sketch.estimate("t0", "c")]).toEqual([2, 0]);
  });
});
