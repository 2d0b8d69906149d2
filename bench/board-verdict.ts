/** Judges answers against the truth: bounds and certificates must hold, the rest is measured. */
import { idOf } from "./event-stream.ts";
import type { Board } from "./load.ts";
import { mean } from "./statistics.ts";
import type { TrueBoard } from "./truth.ts";

/** How one approximate answer compares; it has broken no promise. */
export interface Verdict {
  k: number;
  certified: boolean;
  certifiedRanks: number;
  /** Rows that belong among the first k, of those that there are. */
  recall: number;
  /** Mean of |count − truth| over the rows. */
  errorMean: number;
  /** The same as shares of the truth. */
  errorShareMean: number;
  /** Rows with lower = upper. */
  exactShare: number;
  ms: number;
}

function broken(question: string, what: string): Error {
  return new Error(`${question}: ${what}: no figure is worth printing`);
}

/** Throws unless every row's bounds hold between the counts before and after the answer. */
export function checkBounds(
  board: Board,
  before: Uint32Array,
  after: Uint32Array,
  question: string,
): void {
  const seen = new Set<string>();
  for (const { eventId, count, lower, upper } of board.results) {
    const id = idOf(eventId);
    const [least, most] = [before[id] ?? 0, after[id] ?? 0];
    if (seen.has(eventId)) throw broken(question, `${eventId} is there twice`);
    seen.add(eventId);
    if (lower > most) throw broken(question, `${eventId}: lower is ${lower}, truth ${most}`);
    // What comes in late may be missing where the answer says that it is stale.
    if (upper < least && !board.stale) {
      throw broken(question, `${eventId}: upper is ${upper}, truth ${least}`);
    }
    if (count < lower || count > upper) {
      throw broken(question, `${eventId}: ${count} is outside ${lower}..${upper}`);
    }
  }
}

/** Throws unless what is called certain is right. */
function checkCertain(board: Board, truth: TrueBoard, k: number, question: string): void {
  const rows = truth.rows.slice(0, k);
  const certain = board.certified ? rows.length : board.certifiedRanks;
  if (board.certified && board.results.length !== rows.length) {
    const last = JSON.stringify(board.results.at(-1));
    const [got, expected] = [board.results.length, rows.length];
    throw broken(question, `certified, ${got} rows, truth ${expected}; the last is ${last}`);
  }
  for (let rank = 0; rank < certain; rank++) {
    const [got, expected] = [board.results[rank]?.eventId, rows[rank]?.eventId];
    if (got !== expected) {
      throw broken(question, `certain rank ${rank + 1} is ${got}, truth ${expected}`);
    }
  }
}

/** Judges an answer that nothing came in during; throws when a promise is broken. */
export function judge(
  board: Board,
  counts: Uint32Array,
  truth: TrueBoard,
  k: number,
  ms: number,
  question: string,
): Verdict {
  if (board.stale) throw broken(question, "stale, with everything counted");
  checkBounds(board, counts, counts, question);
  checkCertain(board, truth, k, question);
  const upper = board.totalUpper ?? board.total;
  if (truth.total < board.total || truth.total > upper) {
    throw broken(question, `total is ${board.total}..${upper}, truth ${truth.total}`);
  }
  const wanted = Math.min(k, truth.rows.length);
  const least = wanted === 0 ? 0 : truth.rows[wanted - 1]!.count;
  const known = board.results.map(({ eventId }) => counts[idOf(eventId)] ?? 0);
  const errors = board.results.map(({ count }, at) => Math.abs(count - known[at]!));
  const hits = known.filter((count) => count > 0 && count >= least).length;
  return {
    k,
    certified: board.certified,
    certifiedRanks: board.certifiedRanks,
    recall: wanted === 0 ? 1 : Math.min(hits, wanted) / wanted,
    errorMean: mean(errors),
    errorShareMean: mean(errors.map((error, at) => error / Math.max(1, known[at]!))),
    exactShare: mean(board.results.map(({ lower, upper }) => (lower === upper ? 1 : 0))),
    ms,
  };
}
