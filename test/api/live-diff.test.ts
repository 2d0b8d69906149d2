import { describe, expect, it } from "vitest";
import { diffBoards, weighChanges } from "../../src/api/live-diff.ts";
import { applyDiff } from "../../src/client/board-diff.ts";
import type { LiveBoard } from "../../src/model-live.ts";
import { type Random, randomFromEnvironment } from "../support/random.ts";

type Board = LiveBoard & Record<string, unknown>;

const names = ["total", "asOf", "distinct", "distinctLower", "plan", "__proto__", "stale"];
const values = [0, 1, 2.5, null, true, "x", { a: 1 }, { a: [1, { b: 2 }] }];

function members(random: Random, of: readonly string[]): Record<string, unknown> {
  const chosen = of.filter(() => random.chance(0.6));
  return Object.fromEntries(chosen.map((name) => [name, random.pick(values)]));
}

/** As it would come out of JSON, so that members are own ones whatever their name. */
function board(random: Random): Board {
  const ids = random.shuffle(["a", "b", "c", "d", "__proto__", "constructor", "7"]);
  const results = ids
    .slice(0, random.int(0, ids.length))
    .map((eventId) => ({ ...members(random, ["count", "rank", "isNew", "lower"]), eventId }));
  return { ...members(random, names), results };
}

function sorted(value: unknown): string {
  return JSON.stringify(value, (_, each) =>
    typeof each === "object" && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  );
}

describe("a diff", () => {
  it("makes the new board of the old one, over the wire, and leaves the old one", () => {
    const random = randomFromEnvironment("board diffs");
    let old = board(random);
    for (let round = 0; round < 2000; round++) {
      const next = random.chance(0.1) ? old : board(random);
      const before = sorted(old);
      const changes = JSON.parse(JSON.stringify(diffBoards(old, next)));
      expect(sorted(applyDiff(old, changes)), `round ${round}`).toBe(sorted(next));
      expect(sorted(old)).toBe(before);
      if (sorted(old) === sorted(next)) expect(changes).toEqual({});
      old = next;
    }
  });

  it("says no more than what changed", () => {
    const row = (eventId: string, count: number) => ({ eventId, count, share: 0.5 });
    const old = { total: 9, k: 3, results: [row("a", 5), row("b", 3), row("c", 1)] };
    const next = { total: 12, k: 3, results: [row("b", 6), row("a", 5), row("c", 1)] };
    expect(diffBoards(old, next)).toEqual({
      set: { total: 12 },
      rows: [
        { at: 0, was: 1, set: { count: 6 } },
        { at: 1, was: 0 },
      ],
    });
  });

  it("to another board is refused", () => {
    const empty = { results: [] };
    expect(() => applyDiff(empty, { rows: [{ at: 0, was: 3 }] })).toThrow(RangeError);
    expect(() => applyDiff(empty, { rows: [{ at: 2, was: -1, set: {} }] })).toThrow(RangeError);
    expect(() => applyDiff(empty, { rowCount: 1 })).toThrow(RangeError);
  });

  it("weighs as what it changes", () => {
    expect(weighChanges({})).toBe("none");
    expect(weighChanges({ set: { asOf: "x", to: "y", plan: {}, nextCursor: "z" } })).toBe("clock");
    expect(weighChanges({ set: { asOf: "x", total: 1 } })).toBe("counts");
    expect(weighChanges({ unset: ["distinctLower"] })).toBe("counts");
    expect(weighChanges({ rowCount: 0 })).toBe("counts");
    expect(weighChanges({ rows: [{ at: 0, was: 1 }] })).toBe("counts");
  });
});
