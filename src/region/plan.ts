/**
 * Which cells of another region to copy: those whose sums differ from what is kept here, the
 * smallest there are. Where the other region keeps larger windows than minutes, a cell whose
 * parts are gone is copied as one; and so is one in which some part has more here than there,
 * since that may stand at its start for all of it.
 */
import {
  cellMinutes,
  type RegionCell,
  type RegionLevel,
  regionLevels,
} from "../model-region-wire.ts";

/** The sums of one level there and here. */
export interface LevelSums {
  theirs: Map<number, number>;
  ours: Map<number, number>;
  coarse: Set<number>;
}

/** Cells to copy, one after another. */
export interface Pull {
  level: RegionLevel;
  /** Minutes; `to` is exclusive. */
  from: number;
  to: number;
  /** Events there, about: no more items than that. */
  events: number;
}

/** A cell and its sums. */
export interface KnownCell {
  level: RegionLevel;
  start: number;
  theirs: number;
  ours: number;
}

export interface Plan {
  pulls: Pull[];
  /** Cells in which more is kept here than there. */
  ahead: KnownCell[];
}

export interface PlanBounds {
  /** Cells that end after this minute are not over yet. */
  before: number;
  /** Seconds of the coarsest windows that the region keeps. */
  coarsestSeconds: number;
  /** Events of one pull of several cells, about. */
  eventsMax: number;
  /** Cells of one pull. */
  cellsMax: number;
  /** Whether these sums were looked at before and nothing could be done. */
  isKnown: (cell: KnownCell) => boolean;
}

export function sumsOf(theirs: readonly RegionCell[], ours: readonly RegionCell[]): LevelSums {
  return {
    theirs: new Map(theirs.map(([start, total]) => [start, total])),
    ours: new Map(ours.map(([start, total]) => [start, total])),
    coarse: new Set(theirs.filter(([, , isCoarse]) => isCoarse === 1).map(([start]) => start)),
  };
}

/** Starts of the cells whose sums differ, rising. */
export function differing({ theirs, ours }: LevelSums): number[] {
  const starts = new Set([...theirs.keys(), ...ours.keys()]);
  return [...starts]
    .filter((start) => (theirs.get(start) ?? 0) !== (ours.get(start) ?? 0))
    .sort((a, b) => a - b);
}

const startIn = (level: RegionLevel, minute: number) => minute - (minute % cellMinutes[level]);

function isAhead({ theirs, ours }: LevelSums, start: number): boolean {
  return (ours.get(start) ?? 0) > (theirs.get(start) ?? 0);
}

/**
 * Cells as few pulls, at least one cell each: what lies between two and has few events is copied
 * along.
 */
function joined(
  level: RegionLevel,
  starts: readonly number[],
  { theirs }: LevelSums,
  { eventsMax, cellsMax }: PlanBounds,
): Pull[] {
  const pulls: Pull[] = [];
  const size = cellMinutes[level];
  for (const from of starts) {
    const last = pulls.at(-1);
    const to = from + size;
    if (last !== undefined && (to - last.from) / size <= cellsMax) {
      let events = last.events;
      for (let start = last.to; start < to; start += size) events += theirs.get(start) ?? 0;
      if (events <= eventsMax) {
        [last.to, last.events] = [to, events];
        continue;
      }
    }
    pulls.push({ level, from, to, events: theirs.get(from) ?? 0 });
  }
  return pulls;
}

/** What to copy of the range whose sums these are, by level; a level may have none. */
export function planOf(sums: Record<RegionLevel, LevelSums>, bounds: PlanBounds): Plan {
  const plan: Plan = { pulls: [], ahead: [] };
  /** Cells of which only the whole can be compared, by level. */
  const whole: Record<RegionLevel, Set<number>> = {
    minute: new Set(),
    hour: new Set(sums.hour.coarse),
    day: new Set(sums.day.coarse),
  };
  for (const [i, level] of regionLevels.entries()) {
    const above = regionLevels[i + 1];
    if (above === undefined || bounds.coarsestSeconds < cellMinutes[above] * 60) continue;
    for (const start of differing(sums[level])) {
      // Windows are taken away once their day is over, not before.
      const isOver = startIn("day", start) + cellMinutes.day <= bounds.before;
      if (isOver && isAhead(sums[level], start)) whole[above].add(startIn(above, start));
    }
  }
  const isIn = (level: RegionLevel, start: number) => whole[level].has(startIn(level, start));
  for (const [i, level] of regionLevels.entries()) {
    const starts = differing(sums[level]).filter((start) => {
      if (start + cellMinutes[level] > bounds.before) return false;
      if (regionLevels.slice(i + 1).some((above) => isIn(above, start))) return false;
      return level === "minute" || isIn(level, start);
    });
    const cells = starts.map((start) => cellAt(level, start, sums[level]));
    plan.ahead.push(...cells.filter(({ theirs, ours }) => ours > theirs));
    const fresh = cells.filter((cell) => !bounds.isKnown(cell)).map(({ start }) => start);
    plan.pulls.push(...joined(level, fresh, sums[level], bounds));
  }
  return plan;
}

export function cellAt(level: RegionLevel, start: number, sums: LevelSums): KnownCell {
  return { level, start, theirs: sums.theirs.get(start) ?? 0, ours: sums.ours.get(start) ?? 0 };
}
