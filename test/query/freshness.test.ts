import { describe, expect, it } from "vitest";
import { RankstreamError } from "../../src/errors.ts";
import { awaitFresh, passBarrier } from "../../src/query/freshness.ts";

const start = Date.UTC(2026, 10, 24, 12);
const waitTakesMs = 40;
const hourMs = 3_600_000;

function setUp(isCommitted: boolean, exactTimeoutMs = 5000) {
  const waits: [number[], number][] = [];
  let clock = start;
  let elapsed = 0;
  const deps = {
    acknowledged: () => [3, 6],
    ends: async () => [3, 7],
    async committed(offsets: number[], waitMsMax: number) {
      waits.push([offsets, waitMsMax]);
      elapsed += waitTakesMs;
      // Set while the question waits.
      clock += hourMs;
      return isCommitted;
    },
    committedThrough: () => start - 9000,
    exactTimeoutMs,
    freshnessWaitMsMax: 50,
    now: () => clock,
    elapsed: () => elapsed,
  };
  return { deps, waits };
}

describe("the barrier of exact answers", () => {
  it("waits as long as an answer may take, and leaves the rest of that time", async () => {
    const { deps, waits } = setUp(true);
    expect(await passBarrier(deps)).toEqual({ asOf: start, budgetMs: 4960 });
    expect(waits).toEqual([[[3, 7], 5000]]);
  });

  it("always leaves some time, and throws only when it wasn't passed", async () => {
    expect(await passBarrier(setUp(true, 10).deps)).toEqual({ asOf: start, budgetMs: 1 });
    const refused = passBarrier(setUp(false).deps);
    await expect(refused).rejects.toMatchObject({ code: "query_timeout", retryAfterSeconds: 1 });
  });
});

describe("an exact answer", () => {
  it("is refused while nobody says how far the log goes", async () => {
    const ends = () => Promise.reject(new RankstreamError("log_unavailable", "no broker"));
    const refused = passBarrier({ ...setUp(true).deps, ends });
    await expect(refused).rejects.toMatchObject({ code: "log_unavailable" });
  });
});

describe("the freshness of approximate answers", () => {
  it("is that of the question when what was acknowledged comes in time", async () => {
    const { deps, waits } = setUp(true);
    expect(await awaitFresh(deps)).toEqual({ stale: false, asOf: start });
    expect(waits).toEqual([[[3, 7], 50]]);
  });

  it("is that of the oldest partition when it does not", async () => {
    expect(await awaitFresh(setUp(false).deps)).toEqual({ stale: true, asOf: start - 9000 });
  });

  it("is not known while nobody says how far the log goes", async () => {
    const { deps, waits } = setUp(true);
    const away = () => Promise.reject(new Error("no broker answers"));
    expect(await awaitFresh({ ...deps, ends: away })).toMatchObject({ stale: true });
    const silent = () => new Promise<number[]>(() => undefined);
    expect(await awaitFresh({ ...deps, ends: silent })).toMatchObject({ stale: true });
    expect(waits).toEqual([]);
  });
});
