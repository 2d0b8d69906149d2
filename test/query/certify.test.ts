import { describe, expect, it } from "vitest";
import type { TieRule } from "../../src/query/board.ts";
import { certifiedPrefix } from "../../src/query/certify.ts";
import { compareIds } from "../../src/store/order.ts";
import { randomFromEnvironment } from "../support/random.ts";

type Row = [eventId: string, lower: number, upper: number];

const item = ([eventId, lower, upper]: Row) => ({ eventId, lower, upper, estimate: lower });

/** How many of these rows are certain, before `rest` and anything not known. */
function certain(rows: Row[], rest: Row | null = null, unlisted = 0, ties: TieRule = "ordinal") {
  const remainder = {
    rest: rest && { eventId: rest[0], upper: rest[2] },
    unlistedUpper: unlisted,
  };
  return certifiedPrefix(rows.map(item), remainder, ties);
}

describe("the order of ids", () => {
  it("is that of their bytes, also beyond the basic plane", () => {
    const ids = ["", "Z", "a", "aa", "b", "é", "\uff5e", "\u{10000}", "😀"];
    expect([...ids].reverse().sort(compareIds)).toEqual(ids);
    expect(["😀", "\uff5e"].sort()).toEqual(["😀", "\uff5e"]);
    expect(compareIds("x", "x")).toBe(0);
  });
});

describe("the certified prefix", () => {
  it("is all of exact rows in order", () => {
    expect(certain([])).toBe(0);
    expect(
      certain([
        ["a", 5, 5],
        ["b", 4, 4],
        ["c", 4, 4],
      ]),
    ).toBe(3);
    expect(certain([["a", 5, 5]], ["b", 5, 5], 4)).toBe(1);
  });

  it("ends where a later row may be greater", () => {
    expect(
      certain([
        ["a", 9, 9],
        ["b", 5, 6],
        ["c", 4, 5],
        ["d", 1, 1],
      ]),
    ).toBe(4);
    expect(
      certain([
        ["a", 9, 9],
        ["b", 5, 6],
        ["c", 4, 6],
        ["d", 1, 1],
      ]),
    ).toBe(1);
    expect(
      certain([
        ["a", 9, 9],
        ["b", 5, 5],
        ["c", 3, 3],
        ["d", 1, 10],
      ]),
    ).toBe(0);
  });

  it("decides equality by id, in bytes", () => {
    expect(
      certain([
        ["a", 5, 5],
        ["b", 2, 5],
      ]),
    ).toBe(2);
    expect(
      certain([
        ["b", 5, 5],
        ["a", 2, 5],
      ]),
    ).toBe(0);
    expect(
      certain([
        ["\uff5e", 5, 5],
        ["😀", 2, 5],
      ]),
    ).toBe(2);
    expect(
      certain([
        ["😀", 5, 5],
        ["\uff5e", 2, 5],
      ]),
    ).toBe(0);
    // Two after it that are equal: the lesser id is the stronger.
    expect(
      certain([
        ["b", 5, 5],
        ["c", 2, 5],
        ["a", 2, 5],
      ]),
    ).toBe(0);
  });

  it("ends where the remainder may be greater", () => {
    expect(
      certain(
        [
          ["a", 9, 9],
          ["c", 5, 5],
        ],
        ["b", 0, 5],
      ),
    ).toBe(1);
    expect(
      certain(
        [
          ["a", 9, 9],
          ["c", 5, 5],
        ],
        ["d", 0, 5],
      ),
    ).toBe(2);
    expect(
      certain(
        [
          ["a", 9, 9],
          ["c", 5, 5],
        ],
        ["d", 0, 6],
      ),
    ).toBe(1);
  });

  it("takes an equality with what is not known at all for undecided", () => {
    expect(
      certain(
        [
          ["a", 9, 9],
          ["b", 5, 5],
        ],
        null,
        4,
      ),
    ).toBe(2);
    expect(
      certain(
        [
          ["a", 9, 9],
          ["b", 5, 5],
        ],
        null,
        5,
      ),
    ).toBe(1);
    expect(certain([["", 1, 1]], null, 1)).toBe(0);
  });

  it.each<[TieRule, number]>([
    ["ordinal", 3],
    ["competition", 1],
    ["dense", 1],
  ])("with ties by %s wants both sides of an equality exact", (ties, expected) => {
    const open: Row[] = [
      ["a", 5, 6],
      ["b", 4, 5],
      ["c", 4, 4],
    ];
    // The first two may be equal; which of them comes first is certain all the same.
    expect(certain(open, null, 0, ties)).toBe(expected);
    expect(
      certain(
        [
          ["a", 5, 5],
          ["b", 5, 5],
          ["c", 1, 2],
        ],
        null,
        0,
        ties,
      ),
    ).toBe(3);
  });

  /** All counts these bounds allow, one a row. */
  function* worlds(bounds: [number, number][]): Generator<number[]> {
    const [first, ...others] = bounds;
    if (first === undefined) return yield [];
    for (let count = first[0]; count <= first[1]; count++) {
      for (const rest of worlds(others)) yield [count, ...rest];
    }
  }

  function rankOf(ties: TieRule, counts: number[], place: number): number {
    if (ties === "ordinal") return place + 1;
    const greater = counts.filter((count) => count > counts[place]!);
    return (ties === "dense" ? new Set(greater).size : greater.length) + 1;
  }

  it("is right in every world that the bounds allow", () => {
    const random = randomFromEnvironment("certify");
    let sure = 0;
    for (let round = 0; round < 400; round++) {
      const ids = random.shuffle(["a", "b", "c", "\uff5e", "😀"]).slice(0, random.int(1, 5));
      const known = ids.map((eventId): Row => {
        const lower = random.int(0, 5);
        return [eventId, lower, lower + random.pick([0, 0, 0, 1, 2])];
      });
      known.sort((a, b) => b[1] - a[1] || compareIds(a[0], b[0]));
      const shown = random.int(1, known.length);
      const rows = known.slice(0, shown);
      const left = known.slice(shown).sort((a, b) => b[2] - a[2] || compareIds(a[0], b[0]));
      const unlistedUpper = random.pick([0, 0, 1, 2]);
      const ties = random.pick<TieRule>(["ordinal", "competition", "dense"]);
      const length = certain(rows, left[0] ?? null, unlistedUpper, ties);
      sure += length;
      const items = [...known, ["\u0001 unknown", 0, unlistedUpper] as Row];
      const claims = rankRowsOf(rows, ties);
      for (const counts of worlds(items.map(([, lower, upper]) => [lower, upper]))) {
        const order = items.map((_, i) => i).filter((i) => counts[i]! > 0 || i < items.length - 1);
        order.sort((i, j) => counts[j]! - counts[i]! || compareIds(items[i]![0], items[j]![0]));
        const ranked = order.map((i) => counts[i]!);
        for (let place = 0; place < length; place++) {
          const what = JSON.stringify({ items, shown, ties, counts, place });
          expect(items[order[place]!]![0], what).toBe(rows[place]![0]);
          expect(rankOf(ties, ranked, place), what).toBe(claims[place]);
        }
      }
    }
    expect(sure).toBeGreaterThan(100);
  });

  /** The ranks a board shows for these rows. */
  function rankRowsOf(rows: Row[], ties: TieRule): number[] {
    const counts = rows.map(([, lower]) => lower);
    return counts.map((_, place) => rankOf(ties, counts, place));
  }
});
