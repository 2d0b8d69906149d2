// Courses of rows: what is drawn of histories, and what is asked for when.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  busySpan,
  type Course,
  courseOf,
  type Histories,
  together,
} from "../../../src/web/panels/courses.ts";
import { HistoryFeed } from "../../../src/web/panels/history-feed.ts";

const at = (hour: number) => new Date(Date.UTC(2026, 10, 24, hour)).toISOString();

function histories(hours: number, counts: Record<string, number[]>): Histories {
  const bounds = Array.from({ length: hours + 1 }, (_, i) => at(i));
  const items = Object.entries(counts).map(([eventId, history]) => {
    return { eventId, count: history.reduce((sum, n) => sum + n, 0), history };
  });
  return { bounds, items };
}

describe("a course", () => {
  it("leaves out ends that the range has cut", () => {
    expect(courseOf([1, 9, 9, 1], [70, 100, 200, 300, 310])).toEqual([9, 9]);
    expect(courseOf([8, 9, 9, 8], [10, 100, 200, 300, 390])).toEqual([8, 9, 9, 8]);
    expect(courseOf([], [])).toEqual([]);
  });

  it("of several types is their sum, from the ends where one begins later", () => {
    const both = together([histories(2, { a: [5, 6] }), histories(3, { a: [1, 2, 3] })]);
    expect(both.bounds).toEqual([at(0), at(1), at(2), at(3)]);
    expect(both.items.map(({ history }) => history)).toEqual([[1, 7, 9]]);
  });

  it("lies where any item has events", () => {
    const span = busySpan(histories(5, { a: [0, 0, 3, 0, 0], b: [0, 1, 0, 0, 0] }));
    expect(span).toEqual({ from: Date.parse(at(1)), to: Date.parse(at(3)) });
    expect(busySpan(histories(2, { a: [0, 0] }))).toBeNull();
  });
});

describe("the feed", () => {
  const page = Object.assign(new EventTarget(), { hidden: false });
  beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal("document", page);
    page.hidden = false;
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  function makeFeed(answer: (ids: string[]) => Promise<Histories>) {
    const asked: string[][] = [];
    let kept: ReadonlyMap<string, Course> = new Map();
    const ask = async (ids: string[]) => {
      asked.push(ids);
      return await answer(ids);
    };
    const feed = new HistoryFeed(ask, (now) => (kept = now), 10_000);
    return { feed, asked, kept: () => kept };
  }
  const ones = async (ids: string[]) =>
    histories(3, Object.fromEntries(ids.map((id) => [id, [1, 2, 3]])));

  it("asks for at most a hundred at once, for each only once until it is old", async () => {
    const { feed, asked, kept } = makeFeed(ones);
    const ids = Array.from({ length: 250 }, (_, i) => `i${i}`);
    feed.want(ids);
    await vi.advanceTimersByTimeAsync(1000);
    expect(asked.map((some) => some.length)).toEqual([100, 100, 50]);
    expect(new Set(asked.flat()).size).toBe(250);
    expect(kept().get("i249")).toEqual([1, 2, 3]);
    feed.want(["i7", "new"]);
    await vi.advanceTimersByTimeAsync(1000);
    expect(asked.slice(3)).toEqual([["new"]]);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(asked.slice(4).flat().sort()).toEqual(["i7", "new"]);
    feed.close();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked.slice(4).flat()).toHaveLength(2);
  });

  it("rests after a failure, and while the page is hidden", async () => {
    let isDown = true;
    const { feed, asked, kept } = makeFeed(async (ids) => {
      if (isDown) throw new Error("down");
      return ones(ids);
    });
    feed.want(["a"]);
    await vi.advanceTimersByTimeAsync(4000);
    expect(asked).toHaveLength(1);
    isDown = false;
    await vi.advanceTimersByTimeAsync(2000);
    expect([asked.length, kept().size]).toEqual([2, 1]);
    page.hidden = true;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked).toHaveLength(2);
    page.hidden = false;
    page.dispatchEvent(new Event("visibilitychange"));
    await vi.advanceTimersByTimeAsync(100);
    expect(asked).toHaveLength(3);
    feed.close();
  });

  it("does not ask at once again for what has no history", async () => {
    const { feed, asked, kept } = makeFeed(async () => ({ bounds: [], items: [] }));
    feed.want(["a"]);
    await vi.advanceTimersByTimeAsync(5000);
    expect(asked).toHaveLength(1);
    expect(kept().get("a")).toEqual([]);
    feed.close();
  });
});
