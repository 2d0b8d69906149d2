import { expect, it, vi } from "vitest";
import { keepMetrics, processName, SampleSieve } from "../src/service-samples.ts";
import type { MetricsPart } from "../src/store/system-metrics.ts";
import { silentLogger } from "../src/telemetry.ts";
import { Metrics } from "../src/telemetry-metrics.ts";

it("What is as it was is left out, but for once an hour", () => {
  const minuteMs = 60_000;
  const sieve = new SampleSieve(minuteMs);
  const sample = (value: number, label = "x") => ({ name: "a", labels: { label }, value });
  expect(sieve.pick([sample(1), sample(1, "y")], 0)).toEqual([sample(1), sample(1, "y")]);
  expect(sieve.pick([sample(1), sample(2, "y")], minuteMs)).toEqual([sample(2, "y")]);
  let [kept, last] = [0, 0];
  for (let minute = 2; minute <= 180; minute++) {
    const picked = sieve.pick([sample(1), sample(minute + 100, "y")], minute * minuteMs);
    expect(picked).toContainEqual(sample(minute + 100, "y"));
    if (picked.length === 1) continue;
    expect(minute - last).toBeLessThanOrEqual(60);
    kept += 1;
    last = minute;
  }
  expect(kept).toBeLessThanOrEqual(4);
  expect(sieve.pick([sample(1), sample(280, "y")], 180 * minuteMs + 1, true)).toHaveLength(2);
  expect(sieve.pick([sample(1)], 181 * minuteMs)).toEqual([]);
  // One that was gone is new.
  expect(sieve.pick([sample(1), sample(280, "y")], 182 * minuteMs)).toEqual([sample(280, "y")]);
});

it("Samples are kept as often as asked for, and all of them on request", async () => {
  const metrics = new Metrics();
  metrics.counter("a_total", "Of a.").add(3);
  const parts: MetricsPart[] = [];
  const store = { putMetrics: async (part: MetricsPart) => void parts.push(part) as never };
  const keeping = { metricsIntervalMs: 20, metricsRetentionDays: 2 };
  const keeper = keepMetrics(metrics, store, keeping, silentLogger);
  const deadline = { timeout: 10_000, interval: 5 };
  await vi.waitFor(() => expect(parts.length).toBeGreaterThan(2), deadline);
  expect(parts[0]!.samples).toEqual([{ name: "a_total", labels: {}, value: 3 }]);
  expect(parts[0]!.keepFrom).toBe(parts[0]!.at - 2 * 86_400_000);
  expect(parts[1]!.samples).toEqual([]);
  await keeper.sample();
  expect(parts.at(-1)!.samples).toHaveLength(1);
  await keeper.close();
});

it("None is kept where nothing is measured", async () => {
  const store = { putMetrics: () => Promise.reject(new Error("not to be called")) };
  const keeping = { metricsIntervalMs: 5, metricsRetentionDays: 2 };
  const metrics = new Metrics({ isOn: false });
  const keeper = keepMetrics(metrics, store, keeping, silentLogger);
  await keeper.sample();
  await keeper.close();
});

it("Samples bear their process where others keep theirs in the same store", async () => {
  const metrics = new Metrics();
  metrics.counter("a_total", "Of a.").add(3);
  const parts: MetricsPart[] = [];
  const store = { putMetrics: async (part: MetricsPart) => void parts.push(part) as never };
  const keeping = { metricsIntervalMs: 20, metricsRetentionDays: 2, ofProcess: "one" };
  const keeper = keepMetrics(metrics, store, keeping, silentLogger);
  await keeper.sample();
  await keeper.close();
  const own = { name: "a_total", labels: { process: "one" }, value: 3 };
  expect(parts[0]!.samples).toEqual([own]);

  const options = { store: "ducklake:postgres:host=x", nodeName: "web", dataDir: "/a" };
  expect(processName({ ...options, store: "local" })).toBeUndefined();
  expect(processName(options)).toMatch(/^web-[0-9a-f]{8}$/);
  expect(processName({ ...options, dataDir: "/b" })).not.toBe(processName(options));
});
