// The sample: what the build makes of the flights, and what the page makes of that.
import { describe, expect, it } from "vitest";
import { type Sample, sampleBatches, sampleLabels } from "../../src/web/sample.ts";
import { sampleText } from "../../tools/sample.mjs";

describe("the sample", () => {
  it("is one day of flights, the same each time", async () => {
    const text = await sampleText();
    expect(await sampleText()).toBe(text);
    const sample = JSON.parse(text) as Sample;
    const { airports, wait, origin, destination, late } = sample;
    const minutes = wait.reduce((sum, each) => sum + each, 0);
    expect([airports.length, wait.length, minutes]).toEqual([220, 17_370, 1439]);
    for (const column of [origin, destination, late]) expect(column).toHaveLength(17_370);
    expect(airports.find(([code]) => code === "ORD")).toEqual(["ORD", "Chicago"]);
    const labels = sampleLabels(sample);
    expect(labels.length).toBeLessThanOrEqual(10_000);
    expect(new Set(labels.map(({ eventType, eventId }) => `${eventType} ${eventId}`)).size).toBe(
      labels.length,
    );
  });

  const small: Sample = {
    airports: [
      ["AAA", "Anaa"],
      ["BBB", "BBB"],
    ],
    wait: [0, 0, 1439],
    origin: [0, 1, 0],
    destination: [1, 0, 1],
    late: [0, 1, 0],
  };
  const endMs = Date.UTC(2026, 10, 24, 12);

  it("becomes two events a flight, within the last day and in order", () => {
    const [batch, ...others] = sampleBatches(small, endMs);
    expect(others).toEqual([]);
    expect(batch!.key).toBe("rankstream-sample-flights/1");
    const events = batch!.body
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(events.map(({ eventType, eventId }) => `${eventType} ${eventId}`)).toEqual([
      "flight_to BBB",
      "flight_route AAA-BBB",
      "flight_to AAA",
      "flight_route BBB-AAA",
      "flight_to BBB",
      "flight_route AAA-BBB",
    ]);
    expect(events[2].metadata).toEqual({ origin: "BBB", destination: "AAA", late: "yes" });
    const times = events.map(({ timestamp }) => Date.parse(timestamp));
    expect(times[0]).toBe(endMs - 23 * 3_600_000);
    expect(times[2]! - times[0]!).toBe(500);
    expect(times.at(-1)).toBeLessThan(endMs);
    expect(times.at(-1)).toBeGreaterThan(endMs - 60_000);
  });

  it("names airports and routes by their cities", () => {
    expect(sampleLabels(small).map(({ label }) => label)).toEqual([
      "Anaa (AAA)",
      "BBB",
      "Anaa → BBB (AAA-BBB)",
      "BBB → Anaa (BBB-AAA)",
    ]);
  });

  it("has the same keys however often it is made", () => {
    const many = (length: number) => Array.from({ length }, () => 0);
    const large = { ...small, wait: many(4000), origin: many(4000), destination: many(4000) };
    const keysAt = (ms: number) => sampleBatches({ ...large, late: many(4000) }, ms);
    const keys = keysAt(endMs).map(({ key }) => key);
    expect(keys).toEqual([1, 2, 3].map((at) => `rankstream-sample-flights/${at}`));
    expect(keysAt(endMs + 1).map(({ key }) => key)).toEqual(keys);
  });
});
