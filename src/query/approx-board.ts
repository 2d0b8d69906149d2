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

function boardRows({ rows, total }: ApproxAnswer, request: BoardRequest): BoardRow[] {
  const counts = rows.map((row) => row.estimate);
  const ranks = rankRows(counts, request.ties, 0, { items: 0, counts: 0 });
  return rows.slice(request.offset).map(({ eventId, lower, upper, estimate }, i) => ({
    eventId,
    count: estimate,
    rank: ranks[request.offset + i]!,
    lower,
    upper,
    share: shareOf(estimate, total.lower),
  }));
}

/** The reply to `request`. */
export function approxBoard(
  request: BoardRequest,
  answer: ApproxAnswer,
  { stale, asOf }: Freshness,
): Board {
  const certain = certifiedPrefix(answer.rows, answer, request.ties);
  const isAllCertain = certain === answer.rows.length;
  const total = answer.total.lower;
  return {
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
    results: boardRows(answer, request),
    plan: { rowsRead: answer.rowsRead, windows: answer.windows, sketches: answer.sketches },
  };
}
