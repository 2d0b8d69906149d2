/** A leaderboard as it is asked for and as it is answered. */
import type { Selection } from "../model-selection.ts";
import type { TieRule } from "../store/order.ts";
import type { RegionChoice, RegionShare } from "./regions.ts";
import { formatTimeRange, type TimeRange } from "./time-range.ts";
import { formatTimestamp } from "./timestamp.ts";

export type { TieRule };

/** A checked request: plain data, all that the answer depends on beside the events. */
export interface BoardRequest extends RegionChoice {
  /** 1..100 distinct names, in the order given; items are summed over them by id. */
  eventTypes: string[];
  /** 1..1000. */
  k: number;
  /** Rows skipped before the first shown. */
  offset: number;
  mode: "auto" | "approx" | "exact";
  ties: TieRule;
  range: TimeRange;
  /** Absent: every event of the types, every item. */
  selection?: Selection;
  /** The period to compare with; absent: none. */
  previous?: TimeRange;
}

export interface BoardRow {
  eventId: string;
  /** Best estimate, within [lower, upper]. */
  count: number;
  rank: number;
  lower: number;
  upper: number;
  /** Part of the total, 0..1. */
  share: number;
  /** These only where a period is compared with: the count in it. */
  previousCount?: number;
  /** Null where it was not there. */
  previousRank?: number | null;
  /** Positive where it climbed; null where it is new. */
  rankChange?: number | null;
  /** It was not there in the previous period; null where a part of that has expired. */
  isNew?: boolean | null;
}

/** The period compared with. Times are ISO 8601 UTC. */
export interface PreviousPeriod {
  timeRange: string;
  from: string;
  to: string;
  effectiveFrom: string;
  effectiveTo: string;
  total: number;
}

/** One of the first `k` rows of the period compared with that is not among them any more. */
export interface DroppedRow {
  eventId: string;
  previousCount: number;
  previousRank: number;
  /** What it is in the range asked for; rank null where it is not there. */
  count: number;
  rank: number | null;
}

/** The reply of GET /leaderboard. Times are ISO 8601 UTC. */
export interface Board {
  timeRange: string;
  from: string;
  to: string;
  effectiveFrom: string;
  effectiveTo: string;
  eventType: string;
  k: number;
  mode: "approx" | "exact";
  certified: boolean;
  /** Length of the longest prefix of rows that is certainly right and in order. */
  certifiedRanks: number;
  partial: boolean;
  stale: boolean;
  /** Everything acknowledged up to here is in. */
  asOf: string;
  /** Only where there are several. */
  regions?: RegionShare[];
  /**
   * Of what is selected: events, each as many as its weight, or distinct users. Exact, or a
   * lower bound where `totalUpper` says more.
   */
  total: number;
  /** Only where an edge was too large to read. */
  totalUpper?: number;
  distinct: number | null;
  distinctLower?: number;
  distinctUpper?: number;
  /** Total less the counts of the rows shown and skipped; null of users, who are in many rows. */
  others: number | null;
  results: BoardRow[];
  /** Of the rows after these, pinned to this board's moment; absent where there are none. */
  nextCursor?: string;
  /** Only where a period is compared with. */
  previous?: PreviousPeriod;
  /** Only where a period is compared with, and only from the first row on. */
  dropped?: DroppedRow[];
  plan: BoardPlan;
}

/** What answering took. */
export interface BoardPlan {
  /** Rows of exact counts not yet in a window's list, and raw events. */
  rowsRead: { lists: number; counts: number; raw: number };
  windows: { minute: number; hour: number; day: number; month: number };
  sketches: number;
}

/**
 * Ranks of rows in order of count: `ahead` items, of so many different counts, come before the
 * first one, `offset` rows were skipped.
 */
export function rankRows(
  counts: readonly number[],
  ties: TieRule,
  offset: number,
  ahead: { items: number; counts: number },
): number[] {
  if (ties === "ordinal") return counts.map((_, i) => offset + i + 1);
  let competition = ahead.items + 1;
  let dense = ahead.counts + 1;
  return counts.map((count, i) => {
    if (i > 0 && count !== counts[i - 1]) {
      competition = offset + i + 1;
      dense++;
    }
    return ties === "dense" ? dense : competition;
  });
}

/** A range as replies say it. */
export function rangeHead(range: TimeRange) {
  return {
    timeRange: formatTimeRange(range),
    from: formatTimestamp(range.from),
    to: formatTimestamp(range.to),
    effectiveFrom: formatTimestamp(range.effectiveFrom),
    effectiveTo: formatTimestamp(range.effectiveTo),
  };
}

/** The parts of a reply that follow from the request alone. */
export function boardHead({
  range,
  eventTypes,
  k,
}: Pick<BoardRequest, "range" | "eventTypes" | "k">) {
  return { ...rangeHead(range), eventType: eventTypes.join(","), k };
}

/** A count's part of the total, to 6 decimal places; 0 of nothing. */
export function shareOf(count: number, total: number): number {
  return total === 0 ? 0 : Math.round((count / total) * 1e6) / 1e6;
}
