// How a plot is cut, and which ranges go on.
import { expect, it } from "vitest";
import {
  isRankable,
  isRunning,
  stepFor,
  stepsFor,
  wholeSteps,
} from "../../../src/web/panels/steps.ts";

const hour = 3_600_000;
const span = (hours: number) => ({ from: 0, to: hours * hour });

it.each([
  [1, "minute", "minute"],
  [3, "minute", "hour"],
  [24, "hour", "hour"],
  [24 * 7, "hour", "day"],
  [24 * 31, "day", "day"],
  [24 * 365, "week", "week"],
  [24 * 365 * 25, "month", "month"],
] as const)("%d hours are cut by %s, compared by %s", (hours, step, compared) => {
  expect([stepFor(span(hours)), stepFor(span(hours), true)]).toEqual([step, compared]);
});

it("offers no step that makes too many points", () => {
  expect(stepsFor(span(24))).toEqual(["minute", "hour", "day", "week", "month"]);
  expect(stepsFor(span(24 * 365))).toEqual(["day", "week", "month"]);
  expect(stepsFor({ from: 0, to: Number.MAX_SAFE_INTEGER })).toEqual(["month"]);
});

it("ranks what a hundred months at most are made of", () => {
  expect([isRankable(span(24 * 28 * 98)), isRankable(span(24 * 28 * 99))]).toEqual([true, false]);
});

it("goes on where the range reaches now", () => {
  const now = Date.UTC(2026, 10, 24);
  const by = (timeRange: string, to = "") => isRunning({ timeRange, to }, now);
  expect(["last_hour", "today", "all"].map((name) => by(name))).toEqual([true, true, true]);
  expect(["yesterday", "previous_week"].map((name) => by(name))).toEqual([false, false]);
  expect([by("", "2026-11-23T23:59:59Z"), by("", "2026-11-24T00:00:01Z")]).toEqual([false, true]);
});

it("draws steps that a range has cut as long as the others", () => {
  const steps = [
    { from: 50, to: 100 },
    { from: 100, to: 200 },
    { from: 200, to: 210 },
  ];
  expect(wholeSteps(steps)).toEqual([
    { from: 0, to: 100 },
    { from: 100, to: 200 },
    { from: 200, to: 300 },
  ]);
  expect(wholeSteps(steps.slice(0, 2))).toEqual(steps.slice(0, 2));
});
