/** The engine over a store that the test controls: which answer, how fresh, and what it says. */
import { describe, expect, it } from "vitest";
import { RankstreamError } from "../../src/errors.ts";
import type { RegionStanding, RegionView } from "../../src/model-regions.ts";
import type { BoardRequest } from "../../src/query/board.ts";
import { QueryEngine } from "../../src/query/engine.ts";
import { Pages } from "../../src/query/pages.ts";
import { Regions } from "../../src/query/regions.ts";
import type {
  ApproxAnswer,
  ApproxQuery,
  ExactAnswer,
  ExactQuery,
  ReadControl,
} from "../../src/store/store.ts";

const now = Date.UTC(2026, 10, 24, 12);
const span = { from: now - 3_600_000, to: now };

function request(more: Partial<BoardRequest> = {}): BoardRequest {
  const range = { ...span, effectiveFrom: span.from + 1, effectiveTo: span.to, label: "" };
  return {
    eventTypes: ["a", "b"],
    k: 2,
    offset: 0,
    mode: "auto",
    ties: "competition",
    range,
    ...more,
  };
}

const exactAnswer: ExactAnswer = {
  rows: [
    { eventId: "x", count: 7 },
    { eventId: "y", count: 7 },
  ],
  ahead: { items: 3, counts: 2 },
  skipped: 40,
  total: 60,
  distinct: 9,
  offsets: [5],
  rowsRead: { counts: 12, raw: 3 },
};

const approxAnswer: ApproxAnswer = {
  items: [],
  more: [],
  rows: [
    { eventId: "x", lower: 9, upper: 9, estimate: 9 },
    { eventId: "y", lower: 5, upper: 5, estimate: 5 },
  ],
  rest: null,
  unlistedUpper: 0,
  total: { lower: 14, upper: 14 },
  distinct: { lower: 2, upper: 2 },
  offsets: [5],
  windows: { minute: 3, hour: 1, day: 0, month: 0 },
  rowsRead: { lists: 8, counts: 0, raw: 0 },
  sketches: 0,
  exactRows: 100,
};
/** One more item may be as great as the second row. */
const unsure: ApproxAnswer = {
  ...approxAnswer,
  unlistedUpper: 5,
  distinct: { lower: 2, upper: 8 },
};

function setUp(
  approx: Partial<ApproxAnswer> = {},
  isFresh = true,
  regions: RegionView | null = null,
) {
  const asked: { exact: ExactQuery[]; approx: ApproxQuery[]; waits: [number[], number][] } = {
    exact: [],
    approx: [],
    waits: [],
  };
  const controls: (ReadControl | undefined)[] = [];
  const failure: { exact: Error | null } = { exact: null };
  let clock = now;
  const engine = new QueryEngine({
    store: {
      async exact(query, control) {
        asked.exact.push(query);
        controls.push(control);
        if (failure.exact !== null) throw failure.exact;
        return exactAnswer;
      },
      async approx(query, control) {
        asked.approx.push(query);
        controls.push(control);
        return { ...approxAnswer, ...approx };
      },
      item: () => Promise.reject(new Error("no board asks for this")),
      items: () => Promise.reject(new Error("no board asks for this")),
      series: () => Promise.reject(new Error("no board asks for this")),
      trending: () => Promise.reject(new Error("no board asks for this")),
      eventTypes: async () => [{ name: "a", total: 3, firstSeen: now - 1000, lastSeen: now }],
    },
    pages: new Pages(),
    regions: new Regions({ view: regions, now: () => now }),
    clip: (_names, range) => range,
    acknowledged: () => [5, 6],
    ends: async () => [5, 6],
    async committed(offsets, waitMsMax) {
      asked.waits.push([offsets, waitMsMax]);
      clock += 30;
      return isFresh;
    },
    committedThrough: () => now - 9000,
    exactTimeoutMs: 5000,
    freshnessWaitMsMax: 50,
    candidatesMax: 100,
    now: () => clock,
    elapsed: () => clock,
  });
  return { engine, asked, controls, failure };
}

describe("exact", () => {
  it("waits for all that was acknowledged, then asks with the time that is left", async () => {
    const { engine, asked } = setUp();
    const board = await engine.leaderboard(request({ mode: "exact", offset: 4 }));
    expect(asked).toEqual({
      waits: [[[5, 6], 5000]],
      exact: [
        {
          eventTypes: ["a", "b"],
          from: span.from + 1,
          to: span.to,
          // The rows of further pages, too.
          k: 1000,
          offset: 4,
          budgetMs: 4970,
        },
      ],
      approx: [],
    });
    expect(board).toMatchObject({
      eventType: "a,b",
      mode: "exact",
      certified: true,
      certifiedRanks: 2,
      stale: false,
      partial: false,
      asOf: "2026-11-24T12:00:00.000Z",
      total: 60,
      distinct: 9,
      others: 60 - 14 - 40,
      results: [
        { eventId: "x", count: 7, lower: 7, upper: 7, rank: 4, share: 0.116667 },
        { eventId: "y", count: 7, lower: 7, upper: 7, rank: 4, share: 0.116667 },
      ],
      plan: { rowsRead: { counts: 12, raw: 3 } },
    });
  });

  it("is a timeout when that does not come in time", async () => {
    const { engine, asked } = setUp({}, false);
    const answer = engine.leaderboard(request({ mode: "exact" }));
    await expect(answer).rejects.toMatchObject({ code: "query_timeout", retryAfterSeconds: 1 });
    expect(asked.exact).toEqual([]);
  });

  it.each(["approx", "auto"] as const)("answers %s for rows beyond the lists", async (mode) => {
    const { engine, asked } = setUp();
    expect((await engine.leaderboard(request({ mode, offset: 98 }))).mode).toBe("approx");
    expect((await engine.leaderboard(request({ mode, offset: 99 }))).mode).toBe("exact");
    expect(asked.exact).toHaveLength(1);
  });
});

describe("approx", () => {
  it("waits a little for what was acknowledged, and never goes on to exact", async () => {
    const { engine, asked } = setUp(unsure);
    const board = await engine.leaderboard(request({ mode: "approx" }));
    expect(asked.waits).toEqual([[[5, 6], 50]]);
    expect(asked.exact).toEqual([]);
    expect(board).toMatchObject({
      mode: "approx",
      certified: false,
      certifiedRanks: 1,
      stale: false,
      asOf: "2026-11-24T12:00:00.000Z",
      total: 14,
      distinct: null,
      distinctLower: 2,
      distinctUpper: 8,
      plan: { windows: { minute: 3, hour: 1, day: 0, month: 0 } },
    });
  });

  it("says that it is stale, and as of when, when that does not come", async () => {
    const { engine } = setUp({}, false);
    expect(await engine.leaderboard(request({ mode: "approx" }))).toMatchObject({
      stale: true,
      asOf: "2026-11-24T11:59:51.000Z",
    });
  });

  it("shows the rows after the offset with the ranks of the whole", async () => {
    const { engine, asked } = setUp();
    const board = await engine.leaderboard(request({ mode: "approx", k: 1, offset: 1 }));
    expect(asked.approx[0]!.rows).toBe(2);
    expect(board).toMatchObject({ certified: true, certifiedRanks: 1, others: 0 });
    expect(board.results).toMatchObject([{ eventId: "y", rank: 2, count: 5 }]);
  });

  it("certifies fewer rows than asked for only when nothing can be missing", async () => {
    const few = { rows: approxAnswer.rows.slice(0, 1) };
    const ask = async (unlistedUpper: number) => {
      const { engine } = setUp({ ...few, unlistedUpper });
      return engine.leaderboard(request({ mode: "approx" }));
    };
    expect(await ask(0)).toMatchObject({ certified: true, certifiedRanks: 1 });
    expect(await ask(1)).toMatchObject({ certified: false, certifiedRanks: 1 });
  });

  it("bounds the total only where it is not known", async () => {
    const known = await setUp().engine.leaderboard(request({ mode: "approx" }));
    expect(known).not.toHaveProperty("totalUpper");
    expect(known).toMatchObject({ distinct: 2 });
    expect(known).not.toHaveProperty("distinctLower");
    const { engine } = setUp({ total: { lower: 14, upper: 20 } });
    const board = await engine.leaderboard(request({ mode: "approx" }));
    expect(board).toMatchObject({ total: 14, totalUpper: 20 });
  });
});

describe("auto", () => {
  it("stays with an approximate answer that is certified", async () => {
    const { engine, asked } = setUp();
    expect((await engine.leaderboard(request())).mode).toBe("approx");
    expect(asked.exact).toEqual([]);
  });

  it("goes on to the exact answer where that is cheap", async () => {
    const cheap = await setUp(unsure).engine.leaderboard(request());
    expect(cheap).toMatchObject({ mode: "exact", certified: true });
    const dear = await setUp({ ...unsure, exactRows: 1e9 }).engine.leaderboard(request());
    expect(dear).toMatchObject({ mode: "approx", certified: false });
  });

  it("falls back on the approximate answer where the exact one is not to be had", async () => {
    const { engine, failure } = setUp(unsure);
    for (const code of ["query_timeout", "query_memory", "too_many_queries"] as const) {
      failure.exact = new RankstreamError(code, "not now");
      expect(await engine.leaderboard(request())).toMatchObject({
        mode: "approx",
        certified: false,
      });
    }
    failure.exact = new RankstreamError("query_cancelled", "gone");
    await expect(engine.leaderboard(request())).rejects.toThrow("gone");
    failure.exact = new RankstreamError("store_failed", "broken");
    await expect(engine.leaderboard(request())).rejects.toThrow("broken");
  });

  it("is stale where the exact answer would have to wait for too long", async () => {
    const { engine } = setUp(unsure, false);
    expect(await engine.leaderboard(request())).toMatchObject({ mode: "approx", stale: true });
  });
});

describe("what is said of how to answer", () => {
  it("reaches the store: signal, lane and time", async () => {
    const { engine, asked, controls } = setUp();
    const { signal } = new AbortController();
    const control = { signal, isApart: true, budgetMs: 90_000 };
    await engine.leaderboard(request({ mode: "exact" }), control);
    expect(controls).toEqual([control]);
    expect(asked.waits).toEqual([[[5, 6], 90_000]]);
    expect(asked.exact[0]!.budgetMs).toBe(89_970);
    await engine.leaderboard(request({ mode: "approx" }), control);
    expect(controls[1]).toEqual({ signal });
  });

  it("lets an automatic question wait only shortly for its turn", async () => {
    const { engine, controls } = setUp(unsure);
    await engine.leaderboard(request(), { waitMsMax: 9000 });
    expect(controls[1]).toEqual({ waitMsMax: 500 });
  });

  it("ends the wait for what was acknowledged", async () => {
    const { engine, asked } = setUp({}, false);
    const answer = engine.leaderboard(request({ mode: "exact" }), { signal: AbortSignal.abort() });
    await expect(answer).rejects.toMatchObject({ code: "query_cancelled" });
    expect(asked.exact).toEqual([]);
  });
});

describe("where there are other regions", () => {
  const fresh: RegionStanding = {
    region: "eu",
    completeThrough: now - 90_000,
    candidatesAsOf: now - 4000,
    heardAt: now - 1000,
    isLost: false,
    minutesAhead: 0,
  };
  const viewOf = (...standings: RegionStanding[]): RegionView => ({
    own: "us",
    standings: () => standings,
    lagMsMax: 120_000,
  });
  const shareOf = (completeThrough: string, asOf = completeThrough) => ({
    region: "eu",
    asOf,
    completeThrough,
  });

  it("a board is of all of them, or of those asked for", async () => {
    const { engine, asked } = setUp({}, true, viewOf(fresh));
    const board = await engine.leaderboard(request({ mode: "exact" }));
    expect(asked.exact[0]!.eventTypes).toEqual(["a", "b", "\u001feu\u001fa", "\u001feu\u001fb"]);
    expect(board).toMatchObject({ eventType: "a,b", partial: false, certified: true });
    expect(board.regions).toEqual([
      { region: "us", asOf: board.asOf, completeThrough: board.asOf },
      shareOf("2026-11-24T11:58:30.000Z", "2026-11-24T11:59:56.000Z"),
    ]);
    const own = await engine.leaderboard(request({ mode: "approx", regions: ["us"] }));
    expect(asked.approx[0]!.eventTypes).toEqual(["a", "b"]);
    expect(own.regions!.map(({ region }) => region)).toEqual(["us"]);
    await engine.leaderboard(request({ mode: "approx", regions: ["eu"] }));
    expect(asked.approx[1]!.eventTypes).toEqual(["\u001feu\u001fa", "\u001feu\u001fb"]);
  });

  it("is partial without a part of the range that is due", async () => {
    const behind = { ...fresh, completeThrough: now - 121_000 };
    const { engine } = setUp({}, true, viewOf(behind));
    const flags = { partial: true, certified: false, certifiedRanks: 0 };
    for (const mode of ["approx", "exact", "auto"] as const) {
      expect(await engine.leaderboard(request({ mode }))).toMatchObject(flags);
    }
    const whole = { partial: false, certified: true };
    const own = await engine.leaderboard(request({ regions: ["us"] }));
    expect(own).toMatchObject(whole);
    const to = now - 600_000;
    const range = { ...span, to, effectiveFrom: span.from, effectiveTo: to, label: "" };
    expect(await engine.leaderboard(request({ range }))).toMatchObject(whole);
    // However short, and late.
    const from = now - 60_000;
    const last = { ...span, from, effectiveFrom: from, to: now, effectiveTo: now, label: "" };
    expect(await engine.leaderboard(request({ range: last }))).toMatchObject(flags);
    const { engine: near } = setUp({}, true, viewOf(fresh));
    expect(await near.leaderboard(request({ range: last }))).toMatchObject(whole);
    const unheard = setUp({}, true, viewOf({ ...fresh, completeThrough: null })).engine;
    expect(await unheard.leaderboard(request({ range }))).toMatchObject(flags);
  });

  it("is whole without what a lost region never told", async () => {
    const lost = { ...fresh, completeThrough: now - 900_000, isLost: true };
    const board = await setUp({}, true, viewOf(lost)).engine.leaderboard(request());
    expect(board).toMatchObject({ partial: false, certified: true });
    expect(board.regions![1]).toMatchObject({ region: "eu", isLost: true });
  });

  it("is of this one alone, and says so, where only raw events can tell", async () => {
    const { engine } = setUp({}, true, viewOf(fresh));
    const selection = { by: "users" as const };
    const board = await engine.leaderboard(request({ selection }));
    expect(board).toMatchObject({ partial: true, certified: false });
    expect(board.regions!.map(({ region }) => region)).toEqual(["us"]);
    const own = await engine.leaderboard(request({ selection, regions: ["us"] }));
    expect(own).toMatchObject({ partial: false, certified: true });
  });

  it("refuses a region that there is not", async () => {
    const asked = request({ regions: ["asia"] });
    const several = setUp({}, true, viewOf(fresh)).engine;
    await expect(several.leaderboard(asked)).rejects.toThrow(
      'region: expected any of us, eu, got "asia"',
    );
    await expect(setUp().engine.leaderboard(asked)).rejects.toThrow("has no regions");
  });
});
