import { describe, expect, it } from "vitest";
import type { MetricsHistory } from "../../../src/client/metrics-history.ts";
import {
  chartQueries,
  chartsOf,
  chartWords,
  lastOf,
  secondsText,
} from "../../../src/web/panels/chart-data.ts";
import { readPage } from "../../support/markdown.ts";

type Values = (number | null)[];

function reply(series: Record<string, Values>): MetricsHistory {
  return {
    from: "2026-11-24T12:00:00.000Z",
    to: "2026-11-24T12:03:00.000Z",
    stepSeconds: 60,
    intervalSeconds: 60,
    series: Object.entries(series).map(([key, values]) => {
      const [name, ...pairs] = key.split(",");
      const labels = Object.fromEntries(pairs.map((pair) => pair.split("=")));
      return { name: name!, labels, as: "value" as const, values };
    }),
    isCut: false,
  };
}

function linesOf(series: Record<string, Values>, id: string): Record<string, Values> {
  const chart = chartsOf([reply(series)]).find((one) => one.id === id)!;
  return Object.fromEntries(chart.lines.map(({ name, values }) => [name, [...values]]));
}

const ran = { process_cpu_seconds_total: [0.5, 0.5, null] };

describe("the charts of the service", () => {
  it("add up series of one name, and leave out what is not known", () => {
    const bytes = {
      "rankstream_store_bytes,part=raw": [1, 2, null],
      "rankstream_store_bytes,part=database": [10, null, null],
    };
    expect(linesOf(bytes, "disk")).toEqual({ store: [11, 2, null] });
    expect(linesOf({}, "memory")).toEqual({});
  });

  it("show no error as none where the service ran, and errors a minute", () => {
    expect(linesOf(ran, "errors")).toEqual({ errors: [0, 0, null] });
    const some = {
      ...ran,
      "rankstream_http_errors_total,code=a": [null, 0.1, null],
      "rankstream_http_errors_total,code=b": [null, 0.2, null],
    };
    const { errors } = linesOf(some, "errors");
    expect(errors).toEqual([0, expect.closeTo(18), null]);
  });

  it("show the share of kept answers where there were any", () => {
    const asked = {
      ...ran,
      "rankstream_cache_hits_total,level=l1": [2, 0, null],
      "rankstream_cache_hits_total,level=l3": [1, 0, null],
      rankstream_cache_joined_total: [1, 0, null],
      rankstream_cache_misses_total: [1, 0, null],
    };
    expect(linesOf(asked, "cache")).toEqual({ share: [0.8, null, null] });
  });

  it("tell the two quantiles apart", () => {
    const latency = {
      "rankstream_http_request_duration_seconds,quantile=0.5": [0.001, null, null],
      "rankstream_http_request_duration_seconds,quantile=0.99": [0.02, null, null],
    };
    const lines = { "99 %": [0.02, null, null], median: [0.001, null, null] };
    expect(linesOf(latency, "latency")).toEqual(lines);
  });

  it("are said in words", () => {
    const [events, lag] = chartsOf([
      reply({ rankstream_events_accepted_total: [1000, 25_000, null] }),
    ]);
    expect(chartWords(events!)).toBe("Events a second: taken 25K/s last, 25K/s at most");
    expect(chartWords(lag!)).toBe("Counting is behind by: nothing measured");
    expect(lastOf([1, 2, null])).toBe(2);
    expect(lastOf([null])).toBeUndefined();
    const texts = [0, 0.00042, 0.0123, 0.9999, 1.26, 89, 600].map(secondsText);
    expect(texts).toEqual(["0 s", "0.4 ms", "12.3 ms", "1 s", "1.3 s", "89 s", "10 min"]);
  });

  it("ask for names that the page of metrics lists", () => {
    const page = readPage("docs/metrics.md");
    const names = chartQueries.flatMap(({ name }) => name);
    expect(names.length).toBeGreaterThan(10);
    expect(names.filter((name) => !page.includes(`| \`${name}\` |`))).toEqual([]);
  });
});
