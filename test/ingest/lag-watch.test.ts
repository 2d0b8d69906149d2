import { describe, expect, it } from "vitest";
import { LagWatch, mustRejoin } from "../../src/ingest/lag-watch.ts";

describe("the lag watch", () => {
  it("sums up what waits; a store that is ahead owes nothing back", () => {
    const watch = new LagWatch(1000);
    watch.note(0, [10, 5, 7], [4, 5, 9]);
    expect(watch.lag).toBe(6);
    watch.note(1, [10, 5], [10, 5]);
    expect(watch.lag).toBe(0);
    watch.note(2, [3, 4], []);
    expect(watch.lag).toBe(7);
  });

  it("tells of a partition that stands still, once a time", () => {
    const watch = new LagWatch(1000);
    const note = (now: number, committed: number[]) => watch.note(now, [10, 10], committed);
    expect(note(0, [1, 10])).toEqual([]);
    expect(note(999, [1, 10])).toEqual([]);
    expect(note(1000, [1, 10])).toEqual([0]);
    expect(note(1999, [1, 10])).toEqual([]);
    expect(note(2000, [1, 10])).toEqual([0]);
    expect(note(2900, [2, 10])).toEqual([]);
    expect(note(3000, [2, 10])).toEqual([]);
    expect(note(3900, [2, 10])).toEqual([0]);
  });

  it("counts from when records came, not from when the last was counted", () => {
    const watch = new LagWatch(1000);
    expect(watch.note(0, [5], [5])).toEqual([]);
    expect(watch.note(10_000, [6], [5])).toEqual([]);
    expect(watch.note(10_999, [7], [5])).toEqual([]);
    expect(watch.note(11_000, [8], [5])).toEqual([0]);
  });

  it("knows partitions that were added from their first sight on", () => {
    const watch = new LagWatch(1000);
    expect(watch.note(0, [5], [5])).toEqual([]);
    expect(watch.note(5000, [5, 3], [5])).toEqual([]);
    expect(watch.note(6000, [5, 3], [5])).toEqual([1]);
  });
});

it("has clients join anew for partitions of their own, or where they heard of none", () => {
  expect(mustRejoin([1, 3], [3])).toBe(true);
  expect(mustRejoin([1, 2], [3, 0])).toBe(false);
  expect(mustRejoin([], [3])).toBe(false);
  expect(mustRejoin(undefined, [3])).toBe(true);
});
