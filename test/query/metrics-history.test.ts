import { describe, expect, it } from "vitest";
import { type HistoryRequest, metricsHistory } from "../../src/query/metrics-history.ts";
import { rangeOf } from "../../src/query/time-range.ts";
import type { MetricsQuery } from "../../src/store/metrics-history.ts";

const hourMs = 3_600_000;
const now = Date.UTC(2026, 10, 24, 12, 0, 30);

/** A store that answers one series, and what it was asked. */
function scripted(name = "a_total") {
  const asked: MetricsQuery[] = [];
  const store = {
    metricsHistory: async (query: MetricsQuery) => {
      asked.push(query);
      const series = { name, labels: '{"x":"y"}', values: [1, null], rates: [7, null] };
      return { series: [series], isCut: true };
    },
  };
  const metrics = "on" as const;
  const deps = {
    store,
    metrics,
    metricsIntervalMs: 60_000,
    metricsRetentionDays: 7,
    now: () => now,
  };
  return { deps, asked };
}

function request(from: number, to: number, more: Partial<HistoryRequest> = {}): HistoryRequest {
  const range = rangeOf({ from, to });
  return { names: ["a"], labels: {}, range, stepSeconds: undefined, as: "auto", ...more };
}

describe("a history of metrics", () => {
  it("is of this process where several keep theirs, or of the one asked for", async () => {
    const { deps, asked } = scripted();
    const labels = { route: "/events" };
    await metricsHistory(
      deps,
      request(now - hourMs, now, { labels: { ...labels, process: "x" } }),
    );
    const own = { ...deps, ofProcess: "own" };
    await metricsHistory(own, request(now - hourMs, now, { labels }));
    await metricsHistory(own, request(now - hourMs, now, { labels: { ...labels, process: "x" } }));
    expect(asked.map((query) => [query.labels, query.ofProcess])).toEqual([
      [{ ...labels, process: "x" }, undefined],
      [labels, "own"],
      [labels, "x"],
    ]);
  });

  it("is in round steps, which begin at round times", async () => {
    const { deps, asked } = scripted();
    const reply = await metricsHistory(deps, request(now - hourMs, now));
    expect(reply).toEqual({
      from: "2026-11-24T11:00:00.000Z",
      to: "2026-11-24T12:01:00.000Z",
      stepSeconds: 60,
      intervalSeconds: 60,
      series: [{ name: "a_total", labels: { x: "y" }, as: "rate", values: [7, null] }],
      isCut: true,
    });
    expect(asked[0]).toMatchObject({ stepMs: 60_000, seriesMax: 50, names: ["a"] });
    const day = await metricsHistory(deps, request(now - 24 * hourMs, now));
    expect(day.stepSeconds).toBe(600);
  });

  it("goes back as far as samples are kept, and not into the future", async () => {
    const { deps, asked } = scripted();
    const reply = await metricsHistory(deps, request(0, now + 100 * hourMs));
    expect(reply.stepSeconds).toBe(3600);
    expect(asked[0]!.from).toBeGreaterThan(now - 7 * 24 * hourMs - hourMs);
    expect(asked[0]!.to).toBeLessThanOrEqual(now + hourMs);
  });

  it("tells values or rates, as asked for", async () => {
    const { deps } = scripted();
    const asValue = await metricsHistory(deps, request(now - hourMs, now, { as: "value" }));
    expect(asValue.series[0]).toMatchObject({ as: "value", values: [1, null] });
    const gauge = await metricsHistory(scripted("a_bytes").deps, request(now - hourMs, now));
    expect(gauge.series[0]).toMatchObject({ as: "value" });
    const rate = { as: "rate", stepSeconds: 120 } as const;
    const asRate = await metricsHistory(
      scripted("a_bytes").deps,
      request(now - hourMs, now, rate),
    );
    expect(asRate.series[0]).toMatchObject({ as: "rate", values: [7, null] });
  });

  it("is refused in too many steps, and empty where none is kept", async () => {
    const { deps, asked } = scripted();
    const fine = request(now - 24 * hourMs, now, { stepSeconds: 60 });
    await expect(metricsHistory(deps, fine)).rejects.toThrow("at most 1000 steps, got 1441");
    const reply = await metricsHistory({ ...deps, metricsRetentionDays: 0 }, request(0, now));
    expect(reply).toMatchObject({ series: [], intervalSeconds: null });
    const off = await metricsHistory({ ...deps, metrics: "off" }, request(0, now));
    expect(off).toMatchObject({ series: [], intervalSeconds: null });
    const longOver = await metricsHistory(deps, request(0, hourMs));
    expect(longOver).toMatchObject({ series: [], intervalSeconds: 60 });
    expect(asked).toEqual([]);
  });
});
