import { describe, expect, it } from "vitest";
import type { EventType, Leaderboard } from "../../src/client/replies.ts";
import {
  addressOf,
  queryOf,
  rangeToShow,
  stateOfAddress,
  typeToShow,
} from "../../src/web/view-state.ts";
import { boundsText, certaintyOf, percentText, rangeWords } from "../../src/web/words.ts";

function board(rows: number, more: Partial<Leaderboard> = {}): Leaderboard {
  const results = Array.from({ length: rows }, (_, i) => ({
    eventId: String(i),
    count: 5,
    rank: i + 1,
    lower: 5,
    upper: 5,
    share: 0.1,
  }));
  return { certified: true, certifiedRanks: rows, results, ...more } as Leaderboard;
}

function bounded(rows: number, more: Partial<Leaderboard>): Leaderboard {
  const results = board(rows).results.map((row) => ({ ...row, upper: 6 }));
  return board(rows, { results, ...more });
}

describe("what is certain", () => {
  it.each([
    [board(10), "All 10 ranks are proven exact.", true],
    [board(1), "The one rank is proven exact.", true],
    [bounded(3, {}), "All 3 ranks are proven; counts lie within the bounds shown.", true],
    [bounded(9, { certified: false, certifiedRanks: 7 }), "Ranks 1–7 are certain; ", false],
    [bounded(9, { certified: false, certifiedRanks: 1 }), "Rank 1 is certain; ", false],
    [bounded(9, { certified: false, certifiedRanks: 0 }), "Best estimates: ", false],
    [board(0), "Proven to be empty.", true],
    [board(0, { certified: false }), "No item yet.", false],
    [board(2, { stale: true }), "exact. The newest events may not be in yet.", true],
  ])("is said in words (%#)", (of, words, isCertain) => {
    const said = certaintyOf(of);
    expect(said.text).toContain(words);
    expect(said.isCertain).toBe(isCertain);
  });
});

describe("numbers and ranges", () => {
  it("are written for people", () => {
    expect(boundsText(1234, 1234)).toBe("1,234");
    expect(boundsText(1234, 1300)).toBe("1,234–1,300");
    const shares = [0, 0.00001, 0.0042, 0.1234, 1].map(percentText);
    expect(shares).toEqual(["0%", "<0.01%", "0.42%", "12.3%", "100.0%"]);
    expect(rangeWords("last_3_hours")).toBe("last 3 hours");
    expect(rangeWords("PT3H")).toBe("PT3H");
  });
});

const now = Date.UTC(2026, 10, 24, 12);
const type = (name: string, ageMs: number, total = 1) =>
  ({ name, total, lastSeen: new Date(now - ageMs).toISOString() }) as EventType;

describe("what is shown first", () => {
  it("is a live type, or the largest of the newest", () => {
    expect(typeToShow([])).toBeUndefined();
    const old = type("old", 3_600_000, 1_000_000);
    expect(typeToShow([old])?.name).toBe("old");
    const recent = [type("small", 10, 1), type("large", 5000, 9), old];
    expect(typeToShow(recent)?.name).toBe("large");
    expect(typeToShow([...recent, type("live_x", 500)])?.name).toBe("live_x");
    expect(typeToShow([...recent, type("live_x", 600_000)])?.name).toBe("large");
  });

  it("is a range that holds something", () => {
    expect(rangeToShow(undefined, now)).toBe("last_hour");
    expect(rangeToShow(type("a", 1000), now)).toBe("last_hour");
    expect(rangeToShow(type("a", 5 * 3_600_000), now)).toBe("last_24_hours");
    expect(rangeToShow(type("a", 40 * 86_400_000), now)).toBe("all");
  });
});

describe("the address", () => {
  it("holds the view", () => {
    const state = { eventType: "a&b=ü", timeRange: "PT3H", k: "5" };
    expect(stateOfAddress(addressOf(state))).toEqual(state);
    expect(stateOfAddress("?k=&other=1&timeRange=all")).toEqual({ timeRange: "all" });
  });

  it("asks for the reader's calendar, and for nothing more otherwise", () => {
    const state = { eventType: "a", timeRange: "last_hour", k: "5" };
    expect(queryOf(state)).toEqual(state);
    const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
    expect(queryOf({ ...state, timeRange: "today" })).toMatchObject({ timeZone });
  });
});
