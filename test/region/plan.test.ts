/** Which cells are copied: the smallest that differ, larger ones where smaller are not kept. */
import { describe, expect, it } from "vitest";
import type { RegionCell } from "../../src/model-region-wire.ts";
import { type PlanBounds, planOf, sumsOf } from "../../src/region/plan.ts";

const day = 1440 * 20_000;
const nothing = sumsOf([], []);
const bounds: PlanBounds = {
  before: day + 1440 * 5,
  coarsestSeconds: 60,
  eventsMax: 100,
  cellsMax: 1440,
  isKnown: () => false,
};

const cells = (...given: [number, number][]): RegionCell[] =>
  given.map(([minute, total]) => [day + minute, total, 0]);

describe("a plan", () => {
  it("has the minutes that differ, neighbours together", () => {
    const minute = sumsOf(
      cells([0, 1], [1, 5], [2, 9], [3, 7], [60, 200], [61, 50]),
      cells([0, 1], [1, 4], [3, 6]),
    );
    const { pulls, ahead } = planOf({ minute, hour: nothing, day: nothing }, bounds);
    expect(pulls).toEqual([
      { level: "minute", from: day + 1, to: day + 4, events: 21 },
      { level: "minute", from: day + 60, to: day + 61, events: 200 },
      { level: "minute", from: day + 61, to: day + 62, events: 50 },
    ]);
    expect(ahead).toEqual([]);
  });

  it("leaves minutes that are not over, and says which have more here", () => {
    const minute = sumsOf(cells([0, 1], [1, 5]), cells([0, 3], [2, 1]));
    const known = { level: "minute", start: day, theirs: 1, ours: 3 };
    const { pulls, ahead } = planOf(
      { minute, hour: nothing, day: nothing },
      {
        ...bounds,
        before: day + 2,
        isKnown: (cell) => JSON.stringify(cell) === JSON.stringify(known),
      },
    );
    expect(pulls).toEqual([{ level: "minute", from: day + 1, to: day + 2, events: 5 }]);
    expect(ahead).toEqual([known]);
  });

  it("has an hour whole where its minutes are not kept", () => {
    const hour = sumsOf([[day, 9, 1], ...cells([60, 2])], cells([60, 1]));
    const minute = sumsOf(cells([5, 4], [61, 2]), cells([61, 1]));
    const { pulls } = planOf({ minute, hour, day: nothing }, bounds);
    expect(pulls).toEqual([
      { level: "minute", from: day + 61, to: day + 62, events: 2 },
      { level: "hour", from: day, to: day + 60, events: 9 },
    ]);
  });

  it("has an hour whole where all of it may stand at its start", () => {
    const hour = sumsOf(cells([0, 9]), cells([0, 8]));
    const minute = sumsOf(cells([0, 1], [5, 8]), cells([0, 8]));
    const sums = { minute, hour, day: nothing };
    const { pulls } = planOf(sums, { ...bounds, coarsestSeconds: 3600 });
    expect(pulls).toEqual([{ level: "hour", from: day, to: day + 60, events: 9 }]);
    // Elsewhere more in a minute is but that: deleted there.
    expect(planOf(sums, bounds).pulls).toMatchObject([{ level: "minute", from: day }]);
    // Once all is equal as a whole there is nothing to do.
    const equal = { ...sums, hour: sumsOf(cells([0, 9]), cells([0, 9])) };
    expect(planOf(equal, { ...bounds, coarsestSeconds: 3600 }).pulls).toEqual([]);
  });
});
