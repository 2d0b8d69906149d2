/** Boards of exact answers. */
import type { ExactAnswer, ExactQuery, ExactRow } from "../store/store.ts";
import {
  type Board,
  type BoardRequest,
  type BoardRow,
  boardHead,
  type DroppedRow,
  rangeHead,
  rankRows,
  shareOf,
} from "./board.ts";
import { formatTimestamp } from "./timestamp.ts";

/** The question to the store, but for its time; `eventTypes` as they are kept. */
export function exactQuery(
  request: BoardRequest,
  eventTypes: string[],
): Omit<ExactQuery, "budgetMs"> {
  const { range, k, offset, ties, selection, previous } = request;
  return {
    eventTypes,
    from: range.effectiveFrom,
    to: range.effectiveTo,
    k,
    offset,
    ...(selection !== undefined && { selection }),
    ...(previous !== undefined && {
      previous: { from: previous.effectiveFrom, to: previous.effectiveTo, ties },
    }),
  };
}

/** What a row was before; nothing where no period is compared with. */
function changeOf({ previous }: ExactRow, rank: number, request: BoardRequest): Partial<BoardRow> {
  if (previous === undefined) return {};
  const { from, effectiveFrom } = request.previous!;
  // What it had in a stretch that has expired is not known.
  const isKnown = effectiveFrom <= Math.max(0, from);
  return {
    previousCount: previous.count,
    previousRank: previous.rank,
    rankChange: previous.rank === null ? null : previous.rank - rank,
    isNew: previous.count > 0 ? false : isKnown || null,
  };
}

/** The first rows of the period compared with that are not among the first ones now. */
function droppedOf(request: BoardRequest, answer: ExactAnswer): DroppedRow[] {
  const before = answer.previous!.rows;
  const counts = before.map(({ count }) => count);
  const ranks = rankRows(counts, request.ties, 0, { items: 0, counts: 0 });
  const now = new Set(answer.rows.map(({ eventId }) => eventId));
  const all = before.map(({ eventId, count, now: { count: countNow, rank } }, i) => {
    return { eventId, previousCount: count, previousRank: ranks[i]!, count: countNow, rank };
  });
  return all.filter(({ eventId }) => !now.has(eventId));
}

function comparisonOf(request: BoardRequest, answer: ExactAnswer): Partial<Board> {
  if (request.previous === undefined || answer.previous === undefined) return {};
  const previous = { ...rangeHead(request.previous), total: answer.previous.total };
  if (request.offset > 0) return { previous };
  return { previous, dropped: droppedOf(request, answer) };
}

/**
 * The reply to `request`, and the rows after those shown, where the answer has more; `asOf` is
 * epoch ms.
 */
export function exactBoard(
  request: BoardRequest,
  answer: ExactAnswer,
  asOf: number,
): { board: Board; after: BoardRow[] } {
  const board = wholeBoard(request, answer, asOf);
  const after = board.results.splice(request.k);
  board.certifiedRanks = board.results.length;
  const left = after.reduce((sum, { count }) => sum + count, 0);
  if (board.others !== null) board.others += left;
  return { board, after };
}

/** With all rows that the answer has. */
function wholeBoard(request: BoardRequest, answer: ExactAnswer, asOf: number): Board {
  const counts = answer.rows.map((row) => row.count);
  const ranks = rankRows(counts, request.ties, request.offset, answer.ahead);
  const shown = counts.reduce((sum, count) => sum + count, 0);
  const isOfUsers = request.selection?.by === "users";
  return {
    ...boardHead(request),
    mode: "exact",
    certified: true,
    certifiedRanks: answer.rows.length,
    partial: false,
    stale: false,
    asOf: formatTimestamp(asOf),
    total: answer.total,
    distinct: answer.distinct,
    others: isOfUsers ? null : answer.total - shown - answer.skipped,
    results: answer.rows.map((row, i) => ({
      eventId: row.eventId,
      count: row.count,
      rank: ranks[i]!,
      lower: row.count,
      upper: row.count,
      share: shareOf(row.count, answer.total),
      ...changeOf(row, ranks[i]!, request),
    })),
    ...comparisonOf(request, answer),
    plan: {
      rowsRead: { lists: 0, counts: answer.rowsRead.counts, raw: answer.rowsRead.raw },
      windows: { minute: 0, hour: 0, day: 0, month: 0 },
      sketches: 0,
    },
  };
}
