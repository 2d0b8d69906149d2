import { describe, expect, it } from "vitest";
import type { Leaderboard, LeaderboardRow } from "../../src/client/replies.ts";
import {
  boundsText,
  certaintyOf,
  changeOf,
  percentText,
  rangeWords,
  timeText,
} from "../../src/web/words.ts";

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
    expect([rangeWords("last_3_hours"), rangeWords("PT3H")]).toEqual(["last 3 hours", "PT3H"]);
    expect(shares).toEqual(["0%", "<0.01%", "0.42%", "12.3%", "100.0%"]);
  });
});

describe("changes and times", () => {
  it.each([
    [{ rankChange: 3, previousRank: 5, isNew: false }, "up", "▲3", "up, was rank 5"],
    [{ rankChange: -1, previousRank: 1, isNew: false }, "down", "▼1", "down, was rank 1"],
    [{ rankChange: 0, previousRank: 1, isNew: false }, "same", "=", "same rank as before"],
    [{ rankChange: null, isNew: true }, "new", "new", "new, it was not there before"],
    [{ rankChange: null, isNew: null }, "same", "", ""],
    [{}, "same", "", ""],
  ])("are said in words (%#)", (row, kind, mark, words) => {
    expect(changeOf(row as LeaderboardRow)).toEqual({ kind, mark, words });
  });

  it("are of a zone, with the day where it is another one there", () => {
    const at = "2026-11-24T23:30:00Z";
    expect(timeText(at, new Date("2026-11-24T23:50:00Z"), "UTC")).toMatch(/^\D*11:30|^23:30/);
    expect(timeText(at, new Date("2026-11-25T00:50:00Z"), "UTC")).toMatch(/24/);
    expect(timeText(at, new Date("2026-11-25T00:50:00Z"), "Asia/Tokyo")).toMatch(/^0?8:30/);
  });
});
