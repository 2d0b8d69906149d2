/** Names of kept answers: one for each question, and the same for the same. */
import { describe, expect, it } from "vitest";
import { keyOf } from "../../src/query/answer-key.ts";
import type { BoardRequest } from "../../src/query/board.ts";
import { parseTimeRange } from "../../src/query/time-range.ts";
import { type Random, randomFromEnvironment } from "../support/random.ts";

const now = Date.UTC(2026, 10, 24, 12);

function randomRequest(random: Random): BoardRequest {
  const names = ["a", "b", "a,b", "a:b", "%2C", "ü"];
  const timeRange = random.pick([
    "today",
    "last_3_hours",
    "yesterday",
    "2026-01-01T00:00:00Z/P1D",
  ]);
  const some = (list: string[]) => random.shuffle([...list]).slice(0, random.int(1, 2));
  const selection = {
    ...(random.chance(0.3) && { include: some(["x", "y", "x:y"]) }),
    ...(random.chance(0.3) && { exclude: some(["x", "y", "x:y"]) }),
    ...(random.chance(0.2) && { by: "users" as const }),
    ...(random.chance(0.2) && { prefix: random.pick(["x", "y"]) }),
  };
  return {
    eventTypes: some(names),
    k: random.int(1, 3),
    offset: random.int(0, 1),
    mode: random.pick(["auto", "approx", "exact"]),
    ties: random.pick(["competition", "dense", "ordinal"]),
    range: parseTimeRange({ timeRange, now }),
    ...(Object.keys(selection).length > 0 && { selection }),
  };
}

describe("names of kept answers", () => {
  it("are shared by equal questions only", () => {
    const random = randomFromEnvironment("answer keys");
    const byKey = new Map<string, string>();
    for (let i = 0; i < 3000; i++) {
      const request = randomRequest(random);
      const key = keyOf("leaderboard", request);
      const { eventTypes, k, offset, mode, ties, range, selection = {} } = request;
      const parts = [eventTypes, k, offset, mode, ties, range.label];
      const own = [selection.include, selection.exclude, selection.by, selection.prefix];
      const text = JSON.stringify([...parts, ...own]);
      expect(byKey.get(key) ?? text).toBe(text);
      byKey.set(key, text);
      const reordered = Object.fromEntries(Object.entries(request).reverse()) as never;
      expect(keyOf("leaderboard", reordered)).toBe(key);
    }
    expect(new Set(byKey.values()).size).toBe(byKey.size);
    expect(byKey.size).toBeGreaterThan(1000);
  });

  it("say what they are of, and hold for a second of a rolling range", () => {
    const at = (ms: number) => parseTimeRange({ timeRange: "last_3_hours", now: now + ms });
    const request = {
      ...randomRequest(randomFromEnvironment("k")),
      eventTypes: ["a:b", "c"],
      k: 7,
    };
    const key = keyOf("leaderboard", { ...request, range: at(1) });
    expect(key).toMatch(/^topk:a%3Ab,c:last_3_hours%40\d+:7:[\w-]{20}$/);
    expect(keyOf("leaderboard", { ...request, range: at(999) })).toBe(key);
    expect(keyOf("leaderboard", { ...request, range: at(1000) })).not.toBe(key);
    const item = {
      eventType: "a",
      eventId: "x:y",
      mode: "auto" as const,
      range: parseTimeRange({ from: 1000, to: 2000, now }),
      neighbours: 2,
      step: undefined,
      hasRanks: false,
      timeZone: "UTC",
    };
    expect(keyOf("item", item)).toMatch(/^count:a:x%3Ay:1000-2000:[\w-]{20}$/);
    expect(keyOf("item", { ...item, hasRanks: true })).not.toBe(keyOf("item", item));
    const series = { ...item, hasDistinct: false };
    expect(keyOf("series", series)).toMatch(/^series:a:1000-2000:/);
    expect(keyOf("series", { ...series, hasDistinct: true })).not.toBe(keyOf("series", series));
  });
});
