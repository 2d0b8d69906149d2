// What a list of candidates promises, held against the true counts.
import { expect } from "vitest";
import { type CandidateList, candidateId } from "../../src/kernel/candidates.ts";

/** `expect` costs more than what it checks where there are millions of items. */
export function hold(promise: boolean, what: string): void {
  if (!promise) throw new Error(`broken: ${what}`);
}

/** Checks every promise about one type of one minute; returns the listed ids' bounds. */
export function holdsFor(
  list: CandidateList,
  truth: Map<string, number>,
): Map<string, [number, number]> {
  const found = new Map<string, [number, number]>();
  for (let row = 0; row < list.rows; row++) {
    const id = candidateId(list, row);
    const count = truth.get(id) ?? 0;
    const [lower, upper] = [list.lower[row]!, list.upper[row]!];
    const isBounded = 0 < lower && lower <= count && count <= upper;
    hold(isBounded, `0 < lower ${lower} <= count ${count} <= upper ${upper} of ${id}`);
    found.set(id, [lower, upper]);
  }
  hold(found.size === list.rows, "each id once");
  for (const [id, count] of truth) {
    const isCovered = found.has(id) || count <= list.outside;
    hold(isCovered, `count ${count} <= outside ${list.outside} of ${id}`);
  }
  expect(list.total).toBe([...truth.values()].reduce((sum, count) => sum + count, 0));
  return found;
}
