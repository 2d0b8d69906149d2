/** What changed from one board to the next, for those who have the old one. */
import type { BoardChanges, LiveBoard, LiveRow, RowChange } from "../model-live.ts";

/**
 * Members that follow the clock alone: a board of a range that rolls has new ones at every look,
 * and a fixed one a new `asOf`, though nothing happened.
 */
const clockMembers: ReadonlySet<string> = new Set([
  "timeRange",
  "from",
  "to",
  "effectiveFrom",
  "effectiveTo",
  "asOf",
  "regions",
  "plan",
  // Of each look its own.
  "nextCursor",
]);

function isSame(a: unknown, b: unknown): boolean {
  if (typeof a !== "object" || typeof b !== "object") return Object.is(a, b);
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Members of `next` that `old` lacks or has otherwise; `results` is left out. */
function changedMembers(old: object, next: object): Record<string, unknown> {
  const before = new Map(Object.entries(old));
  const changed = Object.entries(next).filter(
    ([name, value]) =>
      name !== "results" && !(before.has(name) && isSame(before.get(name), value)),
  );
  return Object.fromEntries(changed);
}

function goneMembers(old: object, next: object): string[] {
  return Object.keys(old).filter((name) => !Object.hasOwn(next, name));
}

function rowChange(
  row: LiveRow,
  at: number,
  old: LiveBoard,
  places: ReadonlyMap<string, number>,
): RowChange | null {
  const was = places.get(row.eventId) ?? -1;
  const before = old.results[was];
  if (before === undefined || goneMembers(before, row).length > 0) {
    return { at, was: -1, set: { ...row } };
  }
  const set = changedMembers(before, row);
  const isChanged = Object.keys(set).length > 0;
  if (!isChanged && was === at) return null;
  return isChanged ? { at, was, set } : { at, was };
}

/** The changes that make `next` of `old`. */
export function diffBoards(old: LiveBoard, next: LiveBoard): BoardChanges {
  const places = new Map(old.results.map(({ eventId }, at) => [eventId, at]));
  const rows = next.results.flatMap((row, at) => rowChange(row, at, old, places) ?? []);
  const set = changedMembers(old, next);
  const unset = goneMembers(old, next);
  return {
    ...(Object.keys(set).length > 0 && { set }),
    ...(unset.length > 0 && { unset }),
    ...(next.results.length !== old.results.length && { rowCount: next.results.length }),
    ...(rows.length > 0 && { rows }),
  };
}

/** How much changed: nothing, only what follows the clock, or what is counted. */
export function weighChanges(changes: BoardChanges): "none" | "clock" | "counts" {
  const { set = {}, unset = [], rowCount, rows } = changes;
  const names = [...Object.keys(set), ...unset];
  if (rowCount !== undefined || rows !== undefined) return "counts";
  if (names.some((name) => !clockMembers.has(name))) return "counts";
  return names.length > 0 ? "clock" : "none";
}
