import { describe, expect, it } from "vitest";
import { requestBuckets } from "../src/telemetry-histogram.ts";
import { Metrics } from "../src/telemetry-metrics.ts";
import { readExposition } from "./support/exposition.ts";

async function servedOf(metrics: Metrics) {
  return readExposition(await metrics.text());
}

describe("metrics", () => {
  it("are served as they are when asked for", async () => {
    const metrics = new Metrics();
    metrics.counter("a_total", "Of a.").add(2);
    metrics.counter("a_total", "Of a.").add();
    metrics.gauge("b", "Of b, with \\ and\nanother line.").set(-1.5);
    metrics.counterBy("c_total", "Of c.", ["x", "y"]).with("1", '"\\\n').add();
    let read = 7;
    metrics.readGauge("d_bytes", "Of d.", () => read, { kind: "e" });
    metrics.readGauge("d_bytes", "Of d.", () => Number.NaN, { kind: "unknown" });
    read = 8;
    expect(await servedOf(metrics)).toEqual([
      { name: "a_total", help: "Of a.", type: "counter", series: [one("a_total", {}, 3)] },
      {
        name: "b",
        help: "Of b, with \\\\ and\\nanother line.",
        type: "gauge",
        series: [one("b", {}, -1.5)],
      },
      {
        name: "c_total",
        help: "Of c.",
        type: "counter",
        series: [one("c_total", { x: "1", y: '"\\\n' }, 1)],
      },
      {
        name: "d_bytes",
        help: "Of d.",
        type: "gauge",
        series: [one("d_bytes", { kind: "e" }, 8)],
      },
    ]);
    expect(metrics.value("a_total")).toBe(3);
    expect(metrics.value("d_bytes", { kind: "e" })).toBe(8);
    expect(metrics.value("nothing")).toBe(0);
  });

  it("have histograms with buckets, sum and count for each set of labels", async () => {
    const metrics = new Metrics();
    const seconds = metrics.histogramBy("x_seconds", "Of x.", ["route"], [0.1, 1]);
    for (const value of [0.05, 0.1, 0.5, 3]) seconds.with("/a").observe(value);
    seconds.with("/b").observe(0.2);
    const [family] = await servedOf(metrics);
    const of = (route: string) => family!.series.filter(({ labels }) => labels["route"] === route);
    expect(of("/a")).toEqual([
      one("x_seconds_bucket", { route: "/a", le: "0.1" }, 2),
      one("x_seconds_bucket", { route: "/a", le: "1" }, 3),
      one("x_seconds_bucket", { route: "/a", le: "+Inf" }, 4),
      one("x_seconds_sum", { route: "/a" }, 3.65),
      one("x_seconds_count", { route: "/a" }, 4),
    ]);
    expect(of("/b").map(({ value }) => value)).toEqual([0, 1, 1, 0.2, 1]);
    expect(metrics.value("x_seconds", { route: "/a" })).toBe(4);
  });

  it("have a bounded number of series a name: the others share one", async () => {
    const metrics = new Metrics();
    const types = metrics.counterBy("events_total", "By type.", ["event_type"], 50);
    for (let i = 0; i < 10_000; i++) types.with(`type ${i}`).add(2);
    types.with("type 49").add();
    types.with("type 50").add();
    const [family] = await servedOf(metrics);
    expect(family!.series).toHaveLength(51);
    expect(metrics.value("events_total", { event_type: "type 49" })).toBe(3);
    expect(metrics.value("events_total", { event_type: "other" })).toBe(9950 * 2 + 1);
    const two = metrics.gaugeBy("two", "By two.", ["a", "b"], 1);
    two.with("1", "other").set(1);
    two.with("2", "other").set(2);
    expect(metrics.value("two", { a: "other", b: "other" })).toBe(2);
  });

  it("refuse names that are none, and one name for two things", () => {
    const metrics = new Metrics();
    metrics.counter("a_total", "Of a.");
    expect(() => metrics.gauge("a_total", "Of a.")).toThrow("a_total was described before");
    expect(() => metrics.counter("a_total", "Of b.")).toThrow("a_total was described before");
    expect(() => metrics.counter("a-total", "Of a.")).toThrow("a-total");
    expect(() => metrics.counterBy("b_total", "Of b.", ["A B"])).toThrow("A B");
    const family = metrics.counterBy("c_total", "Of c.", ["x"]);
    expect(() => family.with()).toThrow("c_total: expected 1 labels, got 0");
    for (let i = 2; i < 500; i++) metrics.counter(`n${i}_total`, "One of many.");
    expect(() => metrics.counter("more_total", "Too many.")).toThrow("too many metrics");
  });

  it("are sampled with what histograms got since the last sample", async () => {
    const metrics = new Metrics();
    metrics.counter("a_total", "Of a.").add(2);
    const seconds = metrics.histogram("x_seconds", "Of x.", requestBuckets);
    for (let i = 0; i < 100; i++) seconds.observe(0.0004);
    expect(await metrics.samples()).toEqual([
      one("a_total", {}, 2),
      one("x_seconds_count", {}, 100),
      one("x_seconds_sum", {}, expect.closeTo(0.04)),
      one("x_seconds", { quantile: "0.5" }, expect.closeTo(0.00025)),
      one("x_seconds", { quantile: "0.99" }, expect.closeTo(0.000495)),
    ]);
    expect(await metrics.samples()).toEqual([one("a_total", {}, 2)]);
    seconds.observe(0.8);
    expect(
      (await metrics.samples()).find(({ labels }) => labels["quantile"] === "0.99")!.value,
    ).toBeCloseTo(0.995);
  });
});

function one(name: string, labels: Record<string, string>, value: number) {
  return { name, labels, value };
}
