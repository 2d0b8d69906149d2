// What a load is: its defaults, and what of it is refused.
import { describe, expect, it } from "vitest";
import { distinctItems } from "../../src/capacity/distinct.ts";
import { exampleLoads, LoadError, loadFields, parseLoad } from "../../src/capacity/load.ts";
import { randomFromEnvironment, ZipfSampler } from "../support/random.ts";

describe("parseLoad", () => {
  it("fills in what is not said", () => {
    const load = parseLoad({ eventsPerSecond: "100", items: "5000" });
    expect(load.eventsPerSecondPeak).toBe(300);
    expect(load.itemsPerMonth).toBe(5000);
    expect(load.itemsPerMinute).toBeLessThan(load.itemsPerHour);
    expect(load.mustSurvive).toBe("restart");
  });

  const refused: [Record<string, string>, RegExp][] = [
    [
      { eventsPerSecond: "many" },
      /^eventsPerSecond: expected a number 0.001..1000000000, got "many"/,
    ],
    [{ eventsPerSecond: "" }, /^eventsPerSecond: expected a number/],
    [{ eventBytes: "1.5" }, /^eventBytes: expected an integer 40..1000000, got "1.5"/],
    [{ keptShare: "1.1" }, /^keptShare: expected a number 0..1, got "1.1"/],
    [{ ids: "short" }, /^ids: expected one of names, random, got "short"/],
    [{ eventsPerSecondPeak: "1" }, /^eventsPerSecondPeak: expected at least eventsPerSecond/],
    [{ randomBytes: "500" }, /^randomBytes: expected at most eventBytes 200, got 500/],
    [{ itemsPerMinute: "50", itemsPerHour: "40" }, /^itemsPerHour: expected at least itemsPer/],
    [{ events: "5" }, /^"events" is no field of a load/],
  ];
  it.each(refused)("refuses %j", (texts, message) => {
    expect(() => parseLoad(texts)).toThrow(LoadError);
    expect(() => parseLoad(texts)).toThrow(message);
  });

  it("takes every example, and each field at both of its ends", () => {
    for (const texts of Object.values(exampleLoads)) expect(() => parseLoad(texts)).not.toThrow();
    for (const { name, choices, min, max } of loadFields) {
      for (const text of choices ?? [String(min), String(max)]) {
        // Beside others that suit it, where fields are held against each other.
        const others: Record<string, string> = { eventsPerSecond: "0.001", eventBytes: "1000000" };
        const wide = /^itemsPer|^eventsPerSecond$/.test(name);
        if (wide) others["eventsPerSecondPeak"] = "1000000000";
        for (const window of ["itemsPerMinute", "itemsPerHour", "itemsPerDay", "itemsPerMonth"]) {
          if (/^itemsPer/.test(name)) others[window] = text;
        }
        const load = parseLoad({ ...others, [name]: text });
        expect(String(load[name])).toBe(String(choices === undefined ? Number(text) : text));
      }
    }
  });
});

describe("distinctItems", () => {
  it("is the sum over all items of the chance to be seen", () => {
    for (const [events, items] of [
      [1, 1],
      [1000, 10],
      [50_000, 300_000],
      [3e6, 100_000],
    ] as const) {
      let harmonic = 0;
      for (let i = 1; i <= items; i++) harmonic += 1 / i;
      let expected = 0;
      for (let i = 1; i <= items; i++) expected += 1 - Math.exp(-events / (i * harmonic));
      expect(distinctItems(events, items) / expected).toBeCloseTo(1, 3);
    }
  });

  it("is what a real draw has, within a few standard deviations", () => {
    const random = randomFromEnvironment("distinct items");
    const sampler = new ZipfSampler(20_000, 1);
    const seen = new Set(Array.from({ length: 30_000 }, () => sampler.draw(random)));
    expect(Math.abs(seen.size - distinctItems(30_000, 20_000))).toBeLessThan(6 * 70);
  });
});
