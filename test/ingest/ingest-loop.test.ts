/** When checkpoints are handed over, and that the loop sleeps through nothing. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { BlockScanner } from "../../src/ingest/block-scanner.ts";
import { IngestLoop } from "../../src/ingest/ingest-loop.ts";
import type { SeenBatches } from "../../src/ingest/seen-batches.ts";
import type { Aggregator } from "../../src/kernel/aggregator.ts";
import type { LogRecord } from "../../src/model.ts";
import type { CheckpointPart } from "../../src/store/store.ts";
import { randomFromEnvironment } from "../support/random.ts";

const checkpointMs = 1000;
/** Times of `checkpointMs` between checkpoints while nobody asks. */
const unaskedFactor = 5;
const checkpointBytesMax = 1000;
const flushGapMs = 50;

beforeEach(() => vi.useFakeTimers({ now: 1_000_000 }));
afterEach(() => vi.useRealTimers());

interface SetUpOptions {
  starts?: { partition: number; offset: number }[];
  /** Commits by itself after so long; undefined: only when told. */
  commitMs?: number;
}

/** A loop over a reader, a kernel and a store that the test controls. */
function setUp({ starts = [{ partition: 0, offset: 0 }], commitMs }: SetUpOptions = {}) {
  const next = new Map(starts.map(({ partition, offset }) => [partition, offset]));
  const readable: LogRecord[] = [];
  const parts: (CheckpointPart & { at: number; values: string[] })[] = [];
  let taken: string[] = [];
  let finished: string[] = [];
  let isDuplicate = (_: LogRecord) => false;
  const reader = { next: async () => readable.splice(0) };
  const scanner = {
    take(record: LogRecord) {
      taken.push(Buffer.from(record.value).toString());
      return { events: 2, refused: 1, slow: 0, errors: [] };
    },
    finish() {
      finished.push(...taken);
      taken = [];
    },
  };
  const aggregator = {
    take: () => ({ raw: [], counts: [], rawRows: 0, countRows: 0, notes: [] }),
  };
  const seen = {
    admit: (record: LogRecord) => (isDuplicate(record) ? null : { counted: null }),
    takeChanges: () => [],
  };
  const loop = new IngestLoop({
    reader: { next: () => reader.next() },
    scanner: scanner as unknown as BlockScanner,
    aggregator: aggregator as unknown as Aggregator,
    seen: seen as unknown as SeenBatches,
    worker: 0,
    open: () => ({ minutes: [], partitions: [], typeNames: new Map() }),
    starts,
    checkpointMs,
    checkpointBytesMax,
    commit(part) {
      parts.push({ ...part, at: Date.now(), values: finished });
      finished = [];
      if (commitMs !== undefined) setTimeout(() => loop.committed(), commitMs);
    },
    now: Date.now,
  });
  const append = (value: string, partition = 0) => {
    const offset = next.get(partition)!;
    next.set(partition, offset + 1);
    const header = { key: null, digest: null, receivedAt: 0, partitionCount: 2 };
    const bytes = Buffer.from(value);
    readable.push({ ...header, partition, offset, value: bytes, lines: new Uint8Array() });
    loop.nudge();
  };
  const refuse = (test: (record: LogRecord) => boolean) => {
    isDuplicate = test;
  };
  return { loop, reader, append, parts, next, refuse };
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe("a checkpoint", () => {
  it("comes so long after the first record it covers, and not without any", async () => {
    const { loop, append, parts } = setUp({ commitMs: 5 });
    void loop.run();
    await pass(5000);
    append("a");
    await pass(600);
    append("b");
    await pass(399);
    expect(parts).toHaveLength(0);
    await pass(1);
    expect(parts).toMatchObject([
      { sequence: 0, offsets: [{ partition: 0, from: 0, next: 2 }], values: ["a", "b"] },
    ]);
    await pass(10_000);
    expect(parts).toHaveLength(1);
    append("c");
    await pass(checkpointMs);
    expect(parts[1]).toMatchObject({
      sequence: 1,
      offsets: [{ partition: 0, from: 2, next: 3 }],
      values: ["c"],
    });
  });

  it("is due at a record's end once there are bytes enough", async () => {
    const { loop, append, parts } = setUp({ commitMs: 5 });
    for (const size of [400, 400, 400, 400, 1100, 10]) append("x".repeat(size));
    void loop.run();
    await pass(20);
    const sizes = parts.map(({ values }) => values.map((value) => value.length));
    expect(sizes).toEqual([
      [400, 400, 400],
      [400, 1100],
    ]);
  });

  it("comes less often in a steady stream that nobody asks about", async () => {
    const { loop, append, parts } = setUp({ commitMs: 5 });
    void loop.run();
    const stream = setInterval(() => append("a"), 100);
    const gaps = () => parts.slice(1).map(({ at }, i) => at - parts[i]!.at);
    await pass(100 + checkpointMs);
    expect(parts).toHaveLength(1);
    await pass(3 * unaskedFactor * checkpointMs);
    expect(gaps()).toEqual([5000, 5000, 5000]);
    loop.want([]);
    parts.splice(0, 3);
    await pass(29_000);
    // Each record is waited for no longer than it would be alone.
    expect(
      gaps()
        .slice(1)
        .every((gap) => gap <= 1100),
    ).toBe(true);
    expect(gaps().length).toBeGreaterThan(20);
    clearInterval(stream);
  });

  it("names the partitions that moved, and no other", async () => {
    const starts = [4, 5, 6].map((partition) => ({ partition, offset: partition * 10 }));
    const { loop, append, parts } = setUp({ starts, commitMs: 5 });
    void loop.run();
    append("a", 6);
    append("b", 4);
    append("c", 6);
    await pass(checkpointMs);
    expect(parts[0]!.offsets).toEqual([
      { partition: 4, from: 40, next: 41, tail: null },
      { partition: 6, from: 60, next: 62, tail: null },
    ]);
  });

  it("covers batches that are not counted again", async () => {
    const { loop, append, parts, refuse } = setUp({ commitMs: 5 });
    refuse(({ offset }) => offset < 2);
    void loop.run();
    append("again");
    append("again");
    await pass(checkpointMs);
    expect(parts[0]).toMatchObject({ offsets: [{ from: 0, next: 2 }], values: [] });
    append("new");
    await pass(unaskedFactor * checkpointMs);
    expect(loop.totals).toMatchObject({
      duplicates: 2,
      batches: 1,
      events: 2,
      refusedLines: 1,
      bytes: 3,
      checkpoints: 2,
    });
  });

  it("waits while two are not committed yet, reading nothing more", async () => {
    const { loop, append, parts } = setUp();
    void loop.run();
    for (let i = 0; i < 5; i++) append("x".repeat(1000));
    await pass(5000);
    expect(parts).toHaveLength(2);
    loop.committed();
    await pass(0);
    expect(parts).toHaveLength(3);
    await pass(5000);
    expect(parts).toHaveLength(3);
    for (let i = 0; i < 4; i++) {
      loop.committed();
      await pass(0);
    }
    expect(parts.map(({ offsets }) => offsets[0]!.next)).toEqual([1, 2, 3, 4, 5]);
  });
});

describe("one who waits", () => {
  it("gets a checkpoint at once, the next only after a gap, shared by all", async () => {
    const { loop, append, parts } = setUp({ commitMs: 1 });
    void loop.run();
    append("a");
    await pass(10);
    loop.want([1]);
    await pass(0);
    expect(parts).toHaveLength(1);
    append("b");
    loop.want([2]);
    append("c");
    loop.want([3]);
    await pass(flushGapMs - 1);
    expect(parts).toHaveLength(1);
    await pass(1);
    expect(parts.map(({ values }) => values)).toEqual([["a"], ["b", "c"]]);
  });

  it("gets it when what it waits for has been read in each partition, not sooner", async () => {
    const starts = [0, 1].map((partition) => ({ partition, offset: 0 }));
    const { loop, append, parts } = setUp({ starts, commitMs: 1 });
    void loop.run();
    append("a", 0);
    loop.want([1, 1, 99]);
    await pass(500);
    expect(parts).toHaveLength(0);
    append("b", 1);
    await pass(0);
    expect(parts).toMatchObject([{ values: ["a", "b"] }]);
  });

  it("brings none when all it waits for was handed over", async () => {
    const { loop, append, parts } = setUp({ commitMs: 1 });
    void loop.run();
    append("a");
    await pass(checkpointMs);
    append("b");
    await pass(100);
    loop.want([1]);
    loop.want([]);
    await pass(100);
    expect(parts).toHaveLength(1);
  });
});

describe("the loop", () => {
  it("looks again when something came while it was reading", async () => {
    const { loop, reader, append, parts } = setUp({ commitMs: 1 });
    const read = reader.next;
    let finish: (records: LogRecord[]) => void = () => undefined;
    reader.next = () =>
      new Promise((resolve) => {
        finish = resolve;
      });
    void loop.run();
    await pass(0);
    reader.next = read;
    append("a");
    finish([]);
    await pass(checkpointMs);
    expect(parts).toHaveLength(1);
  });

  it("sees a wish that came while it was reading", async () => {
    const { loop, reader, append, parts } = setUp({ commitMs: 1 });
    void loop.run();
    append("a");
    await pass(0);
    const read = reader.next;
    let finish: (records: LogRecord[]) => void = () => undefined;
    reader.next = () =>
      new Promise((resolve) => {
        finish = resolve;
      });
    loop.nudge();
    await pass(0);
    loop.want([1]);
    reader.next = read;
    finish([]);
    await pass(0);
    expect(parts).toHaveLength(1);
  });

  it("hands over what was read when stopped, and ends once it is committed", async () => {
    const { loop, append, parts } = setUp();
    let hasEnded = false;
    void loop.run().then(() => {
      hasEnded = true;
    });
    append("a");
    await pass(0);
    append("b");
    loop.stop();
    await pass(0);
    expect(parts).toMatchObject([{ values: ["a"] }]);
    await pass(60_000);
    expect(hasEnded).toBe(false);
    loop.committed();
    await pass(0);
    expect(hasEnded).toBe(true);
  });

  it("ends at once when stopped with nothing to do", async () => {
    const { loop, parts } = setUp();
    const ended = loop.run();
    await pass(10);
    loop.stop();
    await ended;
    expect(parts).toEqual([]);
  });

  it("throws what reading throws", async () => {
    const { loop, reader } = setUp();
    reader.next = () => Promise.reject(new Error("damaged"));
    await expect(loop.run()).rejects.toThrow("damaged");
  });

  it("hands over every record once, in order, whatever happens when", async () => {
    const random = randomFromEnvironment("ingest loop");
    for (let round = 0; round < 30; round++) {
      const starts = [0, 1].map((partition) => ({ partition, offset: 7 * partition }));
      const { loop, append, parts, next } = setUp({ starts, commitMs: random.pick([0, 1, 30]) });
      const ended = loop.run();
      const sent: string[] = [];
      for (let step = 0; step < 60; step++) {
        const action = random.int(0, 5);
        if (action < 3) {
          sent.push(`${step}${"x".repeat(random.pick([0, 10, 600]))}`);
          append(sent.at(-1)!, random.int(0, 1));
        } else if (action === 3) loop.want([next.get(0)!, next.get(1)!]);
        else if (action === 4) loop.nudge();
        else await pass(random.pick([0, 1, 20, 60, 1000]));
      }
      loop.want([next.get(0)!, next.get(1)!]);
      await pass(200);
      const handed = () => parts.flatMap(({ values }) => values);
      expect(handed(), "all who wait are served").toEqual(sent);
      const stopping = Date.now();
      loop.stop();
      await pass(0);
      await ended;
      expect(Date.now()).toBe(stopping);
      for (const { partition, offset } of starts) {
        let at = offset;
        for (const range of parts.flatMap(({ offsets }) => offsets)) {
          if (range.partition !== partition) continue;
          expect(range.from).toBe(at);
          at = range.next;
        }
        expect(at).toBe(next.get(partition));
      }
    }
  });
});
