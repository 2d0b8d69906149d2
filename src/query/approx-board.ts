/** Boards of approximate answers, and what of them is certain. */
import type { ApproxAnswer } from "../store/store.ts";
import {
  type Board,
  type BoardRequest,
  type BoardRow,
  boardHead,
  rankRows,
  shareOf,
} from "./board.ts";
import { certifiedPrefix } from "./certify.ts";
import type { Freshness } from "./freshness.ts";
import { formatTimestamp } from "./timestamp.ts";

/** Whether no item can be missing: fewer rows than asked for are all there are. */
function isClosed(answer: ApproxAnswer, request: BoardRequest): boolean {
  return answer.rows.length === request.offset + request.k || answer.unlistedUpper === 0;
}

function distinctOf({ distinct }: ApproxAnswer) {
  if (distinct.lower === distinct.upper) return { distinct: distinct.lower };
  return { distinct: null, distinctLower: distinct.lower, distinctUpper: distinct.upper };
}

/** The rows shown, and those after them. */
function boardRows({ rows, more, total }: ApproxAnswer, request: BoardRequest): BoardRow[] {
  const all = [...rows, ...more];
  const counts = all.map((row) => row.estimate);
  const ranks = rankRows(counts, request.ties, 0, { items: 0, counts: 0 });
  return all.slice(request.offset).map(({ eventId, lower, upper, estimate }, i) => ({
    eventId,
    count: estimate,
    rank: ranks[request.offset + i]!,
    lower,
    upper,
    share: shareOf(estimate, total.lower),
  }));
}

/**
 * The reply to `request`, and the rows after those shown. What is after is certain only where
 * nothing of the answer is loose.
 */
export function approxBoard(
  request: BoardRequest,
  answer: ApproxAnswer,
  { stale, asOf }: Freshness,
): { board: Board; after: BoardRow[]; isCertain: boolean } {
  const rows = boardRows(answer, request);
  const after = rows.splice(Math.max(0, answer.rows.length - request.offset));
  const certain = certifiedPrefix(answer.rows, answer, request.ties);
  const isAllCertain = certain === answer.rows.length;
  const total = answer.total.lower;
  const isExact = [...answer.rows, ...answer.more].every(({ lower, upper }) => lower === upper);
  const board: Board = {
    ...boardHead(request),
    mode: "approx",
    certified: isAllCertain && isClosed(answer, request),
    certifiedRanks: Math.max(0, certain - request.offset),
    partial: false,
    stale,
    asOf: formatTimestamp(asOf),
    total,
    ...(answer.total.upper > total && { totalUpper: answer.total.upper }),
    ...distinctOf(answer),
    others: Math.max(0, total - answer.rows.reduce((sum, row) => sum + row.estimate, 0)),
    results: rows,
    plan: { rowsRead: answer.rowsRead, windows: answer.windows, sketches: answer.sketches },
  };
  return { board, after, isCertain: board.certified && isExact && answer.unlistedUpper === 0 };
}
