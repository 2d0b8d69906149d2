import { describe, expect, it } from "vitest";
import { RankstreamError } from "../../src/errors.ts";
import { type Step, stepsMax, stepsOf } from "../../src/query/steps.ts";

const start = Date.UTC(2026, 2, 1);
const secondMs = 1000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

function refusal(from: number, to: number, step: Step): string {
  try {
    return `taken: ${stepsOf(from, to, step, "UTC").bounds.length}`;
  } catch (error) {
    if (!(error instanceof RankstreamError)) throw error;
    expect([error.code, error.extensions]).toEqual(["invalid_parameter", { parameter: "step" }]);
    return error.message;
  }
}

describe("steps", () => {
  it("are whole but for the first and the last", () => {
    const from = start - 90 * secondMs - 1;
    const { bounds } = stepsOf(from, start + 1, "minute", "UTC");
    expect(bounds).toEqual([from, start - minuteMs, start, start + 1]);
  });

  it("have no empty ones at bounds that are theirs", () => {
    const to = start + 2 * dayMs;
    expect(stepsOf(start, to, "day", "UTC").bounds).toEqual([start, start + dayMs, to]);
    expect(stepsOf(start, start + 1, "month", "UTC").bounds).toEqual([start, start + 1]);
  });

  it("of an empty range are none", () => {
    expect(stepsOf(start, start, "day", "UTC")).toEqual({ step: "day", bounds: [] });
    expect(stepsOf(start, start, undefined, "UTC").bounds).toEqual([]);
  });

  it("of weeks begin on Monday", () => {
    // 1 March 2026 is a Sunday.
    const { bounds } = stepsOf(start, start + 9 * dayMs, "week", "UTC");
    expect(bounds).toEqual([start, start + dayMs, start + 8 * dayMs, start + 9 * dayMs]);
  });

  it("of minutes are those of UTC, also where an offset had seconds", () => {
    const { bounds } = stepsOf(0, 3 * minuteMs, "minute", "Africa/Monrovia");
    expect(bounds).toEqual([0, minuteMs, 2 * minuteMs, 3 * minuteMs]);
  });

  it.each([
    [1, "minute"],
    [100 * minuteMs, "minute"],
    [100 * minuteMs + 1, "hour"],
    [100 * hourMs, "hour"],
    [100 * hourMs + 1, "day"],
    [100 * dayMs, "day"],
    [100 * dayMs + 1, "week"],
    [690 * dayMs, "week"],
    [700 * dayMs, "month"],
    [40_000 * dayMs, "month"],
  ])("make at most a hundred when none is asked for: %s ms by %s", (length, step) => {
    expect(stepsOf(start, start + length, undefined, "UTC").step).toBe(step);
  });

  it("are bounded, and the refusal names the finest there may be", () => {
    const most = start + stepsMax * minuteMs;
    expect(stepsOf(start, most, "minute", "UTC").bounds).toHaveLength(stepsMax + 1);
    expect(refusal(start, most + 1, "minute")).toBe(
      "step: expected at most 10000 steps, got more by minute; " +
        "the finest this range takes is hour",
    );
    expect(refusal(start, start + 10_001 * hourMs, "minute")).toMatch(/takes is day$/);
    expect(refusal(start, start + 10_001 * hourMs, "hour")).toMatch(/takes is day$/);
    expect(refusal(start, start + 10_001 * dayMs, "day")).toMatch(/takes is week$/);
    expect(refusal(start, start + 80_000 * dayMs, "minute")).toMatch(/takes is month$/);
    expect(refusal(0, 253_402_300_800_000, "month")).toMatch(/ask for a shorter range$/);
    expect(() => stepsOf(0, 253_402_300_800_000, undefined, "UTC")).toThrow(/shorter range/);
  });
});
