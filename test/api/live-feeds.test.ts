// When boards are looked at, on a clock that the test moves.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { LeaderboardRequest } from "../../src/api/leaderboard.ts";
import { LiveFeeds } from "../../src/api/live-feeds.ts";
import { silentLogger } from "../../src/telemetry.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const watcher = () => ({ onVersion: vi.fn(), onProblem: vi.fn() });

function makeFeeds(lookMs: number) {
  const looks: { board: string; at: number }[] = [];
  const feeds = new LiveFeeds({
    read: () => ({}) as LeaderboardRequest,
    async leaderboard(_request, address) {
      looks.push({ board: address.at(-1) as string, at: performance.now() });
      if (lookMs > 0) await new Promise((resolve) => setTimeout(resolve, lookMs));
      return { total: looks.length, results: [] };
    },
    logger: silentLogger,
    bounds: { pollMs: 400 },
  });
  const watch = (eventType: string) => feeds.watch({ eventType }, watcher());
  /** When a board was looked at, in milliseconds. */
  const timesOf = (board: string) =>
    looks.filter((look) => look.board === board).map(({ at }) => at);
  return { feeds, watch, timesOf };
}

describe("looks", () => {
  it("begin at moments that boards share, once in each period", async () => {
    const { feeds, watch, timesOf } = makeFeeds(30);
    watch("a");
    await vi.advanceTimersByTimeAsync(37);
    watch("b");
    await vi.advanceTimersByTimeAsync(2400);
    feeds.close();
    for (const board of ["a", "b"]) {
      const [, second = 0, ...further] = timesOf(board);
      expect(second % 100).toBeCloseTo(0, 5);
      expect(further.length).toBeGreaterThan(3);
      for (const [i, at] of further.entries()) expect(at).toBeCloseTo(second + 400 * (i + 1), 5);
    }
  });

  it("that take long come less often", async () => {
    const { feeds, watch, timesOf } = makeFeeds(1000);
    watch("a");
    await vi.advanceTimersByTimeAsync(8000);
    feeds.close();
    const [, second = 0, third = 0] = timesOf("a");
    // A second, and twice what it took beyond half a period.
    expect(third - second).toBeCloseTo(1000 + 2 * 800, 5);
  });

  it("are never longer apart than their time and three seconds", async () => {
    const { feeds, watch, timesOf } = makeFeeds(10_000);
    watch("a");
    await vi.advanceTimersByTimeAsync(40_000);
    feeds.close();
    const [, second = 0, third = 0] = timesOf("a");
    expect(third - second).toBeCloseTo(10_000 + 3000, 5);
  });
});
