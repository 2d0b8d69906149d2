/** Which items grew beyond what chance explains, against the period before. */
import type { TrendingAnswer, TrendingQuery } from "../store/store.ts";
import type { AskControl } from "./ask.ts";
import { type BoardRequest, boardHead, type PreviousPeriod, rangeHead, shareOf } from "./board.ts";
import { type FreshnessDeps, passBarrier } from "./freshness.ts";
import type { RegionShare, Regions } from "./regions.ts";
import type { TimeRange } from "./time-range.ts";
import { formatTimestamp } from "./timestamp.ts";

export interface TrendingDeps extends FreshnessDeps {
  store: {
    trending(query: TrendingQuery, control?: AskControl): Promise<TrendingAnswer>;
  };
  regions: Regions;
}

/** A checked request: plain data. */
export interface TrendingRequest
  extends Pick<BoardRequest, "eventTypes" | "k" | "selection" | "regions"> {
  range: TimeRange;
  /** The baseline. */
  previous: TimeRange;
  /** Items below are left out. */
  minScore: number;
  minCount: number;
}

export interface TrendingItem {
  eventId: string;
  /** 1, 2, 3 … by score. */
  rank: number;
  count: number;
  previousCount: number;
  /** The count it would have, had nothing but the totals changed. */
  expected: number;
  /** How many times its share of the total is what it was; null where it is new. */
  growth: number | null;
  score: number;
  /** Part of the total, 0..1. */
  share: number;
}

/** The reply of GET /trending. Times are ISO 8601 UTC. */
export interface Trending {
  timeRange: string;
  from: string;
  to: string;
  effectiveFrom: string;
  effectiveTo: string;
  eventType: string;
  k: number;
  mode: "exact";
  certified: boolean;
  partial: boolean;
  stale: false;
  asOf: string;
  /** Only where there are several. */
  regions?: RegionShare[];
  /** How `score` is measured (store/trending.ts). */
  measure: "signed_root_log_likelihood_ratio";
  minScore: number;
  minCount: number;
  /** Sum of all items' counts. */
  total: number;
  distinct: number;
  /** How many items reach both minima. */
  found: number;
  previous: PreviousPeriod;
  results: TrendingItem[];
}

/** To so many significant digits: what follows is noise of the arithmetic. */
function rounded(value: number, digits: number): number {
  return Number(value.toPrecision(digits));
}

function itemsOf({ rows, total, previousTotal }: TrendingAnswer): TrendingItem[] {
  return rows.map(({ eventId, count, previousCount, expected, score }, i) => ({
    eventId,
    rank: i + 1,
    count,
    previousCount,
    expected: rounded(expected, 9),
    growth:
      previousCount === 0 ? null : rounded(count / total / (previousCount / previousTotal), 6),
    score: rounded(score, 6),
    share: shareOf(count, total),
  }));
}

/** Throws `query_timeout`, `query_memory`, `too_many_queries`, `query_cancelled`. */
export async function answerTrending(
  deps: TrendingDeps,
  request: TrendingRequest,
  control: AskControl = {},
): Promise<Trending> {
  const { range, previous, k, minScore, minCount, selection } = request;
  const eventTypes = deps.regions.typesOf(request.eventTypes, request);
  const tell = deps.regions.teller(request);
  const { asOf, budgetMs } = await passBarrier(deps, control);
  const answer = await deps.store.trending(
    {
      eventTypes,
      from: range.effectiveFrom,
      to: range.effectiveTo,
      k,
      offset: 0,
      ...(selection !== undefined && { selection }),
      previous: { from: previous.effectiveFrom, to: previous.effectiveTo, ties: "ordinal" },
      minScore,
      minCount,
      budgetMs,
    },
    control,
  );
  const trending: Trending = {
    ...boardHead(request),
    mode: "exact",
    certified: true,
    partial: false,
    stale: false,
    asOf: formatTimestamp(asOf),
    measure: "signed_root_log_likelihood_ratio",
    minScore,
    minCount,
    total: answer.total,
    distinct: answer.distinct,
    found: answer.found,
    previous: { ...rangeHead(previous), total: answer.previousTotal },
    results: itemsOf(answer),
  };
  return tell(trending);
}
