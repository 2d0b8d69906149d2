/**
 * Which ranks of an approximate board are certainly right. Order is count, then id bytes: row i
 * is surely before j when lower(i) > upper(j), or these are equal and id(i) < id(j); before any
 * item on no list only by >. Equal ranks of ties moreover need both counts to be exact.
 */
import { type Contender, compareIds, stronger, type TieRule } from "../store/order.ts";
import type { BoundedItem } from "../store/store.ts";

/** Everything that comes after the rows. */
export interface Remainder {
  /** Greatest upper bound of a known item, and the least id that has it. */
  rest: Contender | null;
  unlistedUpper: number;
}

function isBefore(row: BoundedItem, upper: number, eventId: string): boolean {
  if (row.lower !== upper) return row.lower > upper;
  return compareIds(row.eventId, eventId) < 0;
}

function isTieSure(row: BoundedItem, next: BoundedItem, ties: TieRule): boolean {
  if (ties === "ordinal" || row.lower > next.upper) return true;
  return row.lower === row.upper && next.lower === next.upper;
}

/**
 * Length of the longest prefix of `rows` (ranked from the first place on) in which each row is
 * surely before everything after it and has surely the rank it is given.
 */
export function certifiedPrefix(
  rows: readonly BoundedItem[],
  { rest, unlistedUpper }: Remainder,
  ties: TieRule,
): number {
  // The strongest of everything after row i: greatest upper bound, then least id.
  const after: (Contender | null)[] = new Array(rows.length);
  let strongest = rest;
  for (let i = rows.length - 1; i >= 0; i--) {
    after[i] = strongest;
    strongest = stronger(strongest, rows[i]!);
  }
  let length = 0;
  for (; length < rows.length; length++) {
    const row = rows[length]!;
    const next = after[length];
    if (row.lower <= unlistedUpper) break;
    if (next && !isBefore(row, next.upper, next.eventId)) break;
    const before = rows[length - 1];
    if (before !== undefined && !isTieSure(before, row, ties)) break;
  }
  return length;
}
