import { describe, expect, it } from "vitest";
import { rankRows, shareOf, type TieRule } from "../../src/query/board.ts";
import { randomFromEnvironment } from "../support/random.ts";

describe("ranks", () => {
  const none = { items: 0, counts: 0 };
  it.each<[TieRule, number[]]>([
    ["competition", [1, 2, 2, 4, 5, 5, 5]],
    ["dense", [1, 2, 2, 3, 4, 4, 4]],
    ["ordinal", [1, 2, 3, 4, 5, 6, 7]],
  ])("by %s", (ties, expected) => {
    expect(rankRows([9, 7, 7, 5, 1, 1, 1], ties, 0, none)).toEqual(expected);
    expect(rankRows([], ties, 0, none)).toEqual([]);
  });

  it("of any page are those of the whole ranking", () => {
    const random = randomFromEnvironment("ranks");
    for (let round = 0; round < 500; round++) {
      const counts = Array.from({ length: random.int(1, 30) }, () => random.int(1, 8));
      counts.sort((a, b) => b - a);
      const offset = random.int(0, counts.length - 1);
      const page = counts.slice(offset, offset + random.int(1, 10));
      const ahead = counts.filter((count) => count > page[0]!);
      const known = { items: ahead.length, counts: new Set(ahead).size };
      const greater = page.map((count) => counts.filter((other) => other > count));
      const competition = greater.map((found) => found.length + 1);
      const dense = greater.map((found) => new Set(found).size + 1);
      expect(rankRows(page, "competition", offset, known)).toEqual(competition);
      expect(rankRows(page, "dense", offset, known)).toEqual(dense);
      expect(rankRows(page, "ordinal", offset, known)).toEqual(page.map((_, i) => offset + i + 1));
    }
  });
});

describe("a share", () => {
  it.each([
    [1, 3, 0.333333],
    [2, 3, 0.666667],
    [5, 5, 1],
    [0, 0, 0],
    [1, 1e9, 0],
  ])("of %d in %d is %d", (count, total, share) => {
    expect(shareOf(count, total)).toBe(share);
  });
});
