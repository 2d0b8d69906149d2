/** Makes the new board of the old one and what changed. */
import type { BoardChanges, LiveBoard, LiveRow } from "../model-live.ts";

/** Defines the member as it is named: `__proto__` too is an ordinary name here. */
function define(target: object, name: string, value: unknown): void {
  Object.defineProperty(target, name, {
    value,
    configurable: true,
    enumerable: true,
    writable: true,
  });
}

function changedRow(old: LiveRow | undefined, set: object = {}): LiveRow {
  const row = { ...old } as LiveRow;
  for (const [name, value] of Object.entries(set)) define(row, name, value);
  return row;
}

/**
 * The board after `changes`; `old` stays as it is. Rows that did not change are the same objects.
 * Throws RangeError when the changes are to another board.
 */
export function applyDiff<B extends LiveBoard>(old: B, changes: BoardChanges): B {
  const board = { ...old };
  for (const name of changes.unset ?? []) delete (board as Record<string, unknown>)[name];
  for (const [name, value] of Object.entries(changes.set ?? {})) define(board, name, value);
  const rows = old.results.slice(0, changes.rowCount ?? old.results.length);
  for (const { at, was, set } of changes.rows ?? []) {
    if (at > rows.length) throw new RangeError(`row ${at} of a board of ${rows.length}`);
    if (was >= old.results.length) throw new RangeError(`there was no row ${was}`);
    rows[at] = changedRow(was < 0 ? undefined : old.results[was], set);
  }
  if (rows.length !== (changes.rowCount ?? old.results.length)) {
    throw new RangeError(`${rows.length} rows, expected ${changes.rowCount}`);
  }
  return { ...board, results: rows };
}
