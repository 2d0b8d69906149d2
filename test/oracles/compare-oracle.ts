// A board beside the one of another period, from two plain maps of counts. Shares no code with
// what it judges.
import { type BoardQuestion, boardOf } from "./board-oracle.ts";

export interface ComparedRow {
  eventId: string;
  previousCount: number;
  previousRank: number | null;
  rankChange: number | null;
  isNew: boolean;
}

export interface DroppedRow {
  eventId: string;
  previousCount: number;
  previousRank: number;
  count: number;
  rank: number | null;
}

type Counts = ReadonlyMap<string, number>;

/** Every item of a period with its rank. */
function ranksOf(counts: Counts, ties: BoardQuestion["ties"]): Map<string, number> {
  const all = boardOf(counts, { k: counts.size, offset: 0, ties });
  return new Map(all.results.map(({ eventId, rank }) => [eventId, rank]));
}

/** What is to be said of each row shown, and of those that are not shown any more. */
export function comparedRows(
  now: Counts,
  before: Counts,
  { k, offset, ties }: Pick<BoardQuestion, "k" | "offset" | "ties">,
): { rows: ComparedRow[]; dropped: DroppedRow[] } {
  const ranksNow = ranksOf(now, ties);
  const ranksBefore = ranksOf(before, ties);
  const shown = boardOf(now, { k, offset, ties }).results;
  const rows = shown.map(({ eventId, rank }) => {
    const previousRank = ranksBefore.get(eventId) ?? null;
    return {
      eventId,
      previousCount: before.get(eventId) ?? 0,
      previousRank,
      rankChange: previousRank === null ? null : previousRank - rank,
      isNew: !before.has(eventId),
    };
  });
  const dropped = boardOf(before, { k, offset: 0, ties })
    .results.filter(({ eventId }) => shown.every((row) => row.eventId !== eventId))
    .map(({ eventId, count, rank }) => ({
      eventId,
      previousCount: count,
      previousRank: rank,
      count: now.get(eventId) ?? 0,
      rank: ranksNow.get(eventId) ?? null,
    }));
  return { rows, dropped };
}
