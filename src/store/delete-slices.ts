/**
 * Large deletes are made in slices of time, each one transaction: DuckDB keeps 16 KiB of memory
 * for every 2048 rows of which some are deleted, and can't put that on disk.
 */
import { type Level, levels, startAt } from "./windows.ts";

const hourMinutes = 60;
const [, , dayLevel, monthLevel] = levels as unknown as [Level, Level, Level, Level];

/** The last start of a window of `level` in `(after, upTo]`; null when there is none. */
function lastStart(level: Level, after: number, upTo: number): number | null {
  const start = startAt(level, upTo);
  return start > after ? start : null;
}

/**
 * Minutes at which to divide a delete, ascending, so that each slice takes at most `vectorsMax`
 * vectors; an hour is never divided. `vectorsByHour` is ascending by hour (its first minute).
 * Where months or days begin is preferred: the windows that a slice cuts are made anew.
 */
export function sliceBounds(
  vectorsByHour: ReadonlyMap<number, number>,
  vectorsMax: number,
): number[] {
  const hours = [...vectorsByHour];
  const bounds: number[] = [];
  for (let from = 0; from < hours.length; ) {
    let vectors = 0;
    let to = from;
    while (to < hours.length && (to === from || vectors + hours[to]![1] <= vectorsMax)) {
      vectors += hours[to]![1];
      to++;
    }
    if (to === hours.length) break;
    const first = hours[from]![0];
    // Nothing lies between the last hour taken and the next one.
    const next = hours[to]![0];
    const bound = lastStart(monthLevel, first, next) ?? lastStart(dayLevel, first, next) ?? next;
    bounds.push(bound);
    while (hours[from]![0] + hourMinutes <= bound) from++;
  }
  return bounds;
}
