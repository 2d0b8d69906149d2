import { describe, expect, it } from "vitest";
import { Histogram } from "../src/telemetry-histogram.ts";

describe("a histogram", () => {
  it("counts a value in the first bucket whose bound it doesn't exceed", () => {
    const histogram = new Histogram([1, 2, 4]);
    for (const value of [0, 1, 1.5, 2, 3, 4, 4.1, 100]) histogram.observe(value);
    expect(histogram.cumulative()).toEqual([2, 4, 6, 8]);
    expect(histogram.count).toBe(8);
    expect(histogram.sum).toBeCloseTo(115.6);
  });

  it("tells quantiles of what came since it was last asked", () => {
    const histogram = new Histogram([1, 2, 4]);
    expect(histogram.recentQuantiles([0.5])).toBeNull();
    for (let i = 0; i < 100; i++) histogram.observe(i < 50 ? 0.5 : 3);
    expect(histogram.recentQuantiles([0.25, 0.5, 0.75, 1])).toEqual([0.5, 1, 3, 4]);
    expect(histogram.recentQuantiles([0.5])).toBeNull();
    histogram.observe(1000);
    expect(histogram.recentQuantiles([0.5, 0.99])).toEqual([4, 4]);
  });

  it("refuses bounds that don't ascend", () => {
    for (const bounds of [[], [1, 1], [2, 1], [Number.NaN, 1]]) {
      expect(() => new Histogram(bounds)).toThrow("expected buckets that ascend");
    }
  });
});
