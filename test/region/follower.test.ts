/** What a round asks the other region for. */
import { describe, expect, it } from "vitest";
import type { RegionCell, RegionCount, RegionSpan } from "../../src/model-region-wire.ts";
import { RegionFollower } from "../../src/region/follower.ts";
import { newState } from "../../src/region/state.ts";

const minuteMs = 60_000;
const dayMinutes = 1440;
/** Noon. */
const minute = dayMinutes * 20_000 + 720;
const { signal } = new AbortController();

async function* nothing(): AsyncGenerator<RegionCount> {}

interface Sides {
  /** By minute, there and here. */
  theirs?: Record<number, number>;
  ours?: Record<number, number>;
  /** Minutes by which the other's clock is behind. */
  isBehindBy?: number;
}

function cellsOf(counts: Record<number, number>, spans: readonly RegionSpan[]): RegionCell[][] {
  const sizes = { minute: 1, hour: 60, day: dayMinutes };
  return spans.map(({ level, from, to }) => {
    const sums = new Map<number, number>();
    for (const [at, count] of Object.entries(counts)) {
      const start = Number(at) - (Number(at) % sizes[level]);
      if (start >= from && start < to) sums.set(start, (sums.get(start) ?? 0) + count);
    }
    return [...sums].sort((a, b) => a[0] - b[0]).map(([start, sum]) => [start, sum, 0]);
  });
}

/** A round between regions that have counted this; what it asked to be counted by item. */
async function askedIn({ theirs = {}, ours = {}, isBehindBy = 0 }: Sides) {
  const asked: { from: number; to: number; itemsMax: number | null }[] = [];
  const now = minute * minuteMs + 30_000;
  const asOf = now - isBehindBy * minuteMs;
  const state = newState("us", false);
  const follower = new RegionFollower(
    {
      region: "us",
      peer: {
        totals: async ({ spans, horizons }) => ({
          format: 1,
          region: "us",
          asOf,
          completeThrough: Math.floor((asOf - 10_000) / minuteMs),
          coarsestSeconds: 60,
          horizons,
          cells: cellsOf(theirs, spans),
        }),
        counts: async ({ from, to, itemsMax }) => {
          asked.push({ from, to, itemsMax });
          return nothing();
        },
      },
      regions: { totals: async ({ spans }) => ({ resets: [], cells: cellsOf(ours, spans) }) },
      writer: { write: async () => ({ added: 0, isMore: false, refusal: null }) },
      settle: async () => undefined,
      horizons: async () => [],
      itemsMax: 1000,
      now: () => now,
    },
    state,
  );
  await follower.round(signal);
  // Of what this region's clock has not come to nothing is in yet.
  expect(state.candidatesAsOf).toBe(Math.min(asOf, now));
  const over = Math.min(Math.floor((asOf - 10_000) / minuteMs), minute);
  expect(state.completeThrough).toBe(over * minuteMs);
  return asked;
}

describe("a round", () => {
  const same = { [minute]: 5, [minute - 3]: 7, [minute - 3 * dayMinutes]: 9 };

  it("asks for sums alone where they are the same", async () => {
    expect(await askedIn({})).toEqual([]);
    expect(await askedIn({ theirs: same, ours: same })).toEqual([]);
  });

  it("asks for the greatest items of a minute that is not over and differs", async () => {
    const asked = await askedIn({ theirs: { ...same, [minute]: 6 }, ours: same });
    expect(asked).toEqual([{ from: minute, to: expect.any(Number), itemsMax: 1000 }]);
    expect(asked[0]!.to).toBeGreaterThan(minute);
    // One ahead of its clock, too.
    const ahead = await askedIn({ theirs: { ...same, [minute + 4]: 1 }, ours: same });
    expect(ahead).toEqual(asked);
  });

  it("asks for all of a minute that is over and differs, and of none besides", async () => {
    const asked = await askedIn({ theirs: same, ours: { ...same, [minute - 3]: 6 } });
    expect(asked).toEqual([{ from: minute - 3, to: minute - 2, itemsMax: null }]);
  });

  it("believes nothing of a clock that is ahead", async () => {
    expect(await askedIn({ theirs: same, ours: same, isBehindBy: -60 })).toEqual([]);
  });

  it("asks a region whose clock is behind for minutes that weren't compared", async () => {
    const asked = await askedIn({ theirs: same, ours: same, isBehindBy: 300 });
    expect(asked).toEqual([{ from: minute - 300, to: expect.any(Number), itemsMax: 1000 }]);
  });
});
