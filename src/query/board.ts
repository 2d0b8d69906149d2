/** A leaderboard as it is asked for and as it is answered. */
import type { Selection } from "../model-selection.ts";
import { formatTimeRange, type TimeRange } from "./time-range.ts";
import { formatTimestamp } from "./timestamp.ts";

export type TieRule = "competition" | "dense" | "ordinal";

/** A checked request: plain data, all that the answer depends on beside the events. */
export interface BoardRequest {
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

/** The parts of a reply that follow from the request alone. */
export function boardHead(request: BoardRequest, effective: { from: number; to: number }) {
  return {
    timeRange: formatTimeRange(request.range),
    from: formatTimestamp(request.range.from),
    to: formatTimestamp(request.range.to),
    effectiveFrom: formatTimestamp(effective.from),
    effectiveTo: formatTimestamp(effective.to),
    eventType: request.eventTypes.join(","),
    k: request.k,
  };
}

/** A count's part of the total, to 6 decimal places; 0 of nothing. */
export function shareOf(count: number, total: number): number {
  return total === 0 ? 0 : Math.round((count / total) * 1e6) / 1e6;
}
