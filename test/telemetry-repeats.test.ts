// Equal lines are counted instead of written, within bounds, and the counts are told.
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Repeats } from "../src/telemetry-repeats.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function makeRepeats(more = {}) {
  const told: [line: string, leftOut: number][] = [];
  const options = { linesMax: 3, windowMs: 1000, keysMax: 4, now: () => Date.now(), ...more };
  const repeats = new Repeats<string>(options, (line, leftOut) => told.push([line, leftOut]));
  return { repeats, told };
}

it("admits so many in a window, and tells of the others when it ends", () => {
  const { repeats, told } = makeRepeats();
  const admitted = Array.from({ length: 10 }, (_, i) => repeats.admit("a", `a${i}`));
  expect(admitted.filter(Boolean)).toHaveLength(3);
  expect(repeats.admit("b", "b")).toBe(true);
  expect(told).toEqual([]);
  vi.advanceTimersByTime(1000);
  expect(told).toEqual([["a9", 7]]);
  expect(repeats.admit("a", "again")).toBe(true);
});

it("tells at once where the next comes before the timer", () => {
  const { repeats, told } = makeRepeats({ now: () => now });
  let now = 0;
  for (let i = 0; i < 5; i++) repeats.admit("a", "a");
  now = 1001;
  expect(repeats.admit("a", "a")).toBe(true);
  expect(told).toEqual([["a", 2]]);
});

it("keeps few: the oldest is forgotten for a new one, and told", () => {
  const { repeats, told } = makeRepeats();
  for (let i = 0; i < 5; i++) repeats.admit("first", "first");
  for (let i = 0; i < 100; i++) {
    repeats.admit(`other ${i}`, "other");
    expect(repeats.size).toBeLessThanOrEqual(4);
  }
  expect(told).toEqual([["first", 2]]);
});

it("tells everything when it is flushed", () => {
  const { repeats, told } = makeRepeats();
  for (let i = 0; i < 5; i++) repeats.admit("a", "a");
  for (let i = 0; i < 4; i++) repeats.admit("b", "b");
  repeats.flush();
  expect(told).toEqual([
    ["a", 2],
    ["b", 1],
  ]);
  vi.advanceTimersByTime(5000);
  expect(told).toHaveLength(2);
});
