/** How many events a type had, step by step: for plots, and for sums and means of windows. */
import { minuteMs } from "../model.ts";
import type { SeriesAnswer } from "../store/item-questions.ts";
import type { Store } from "../store/store.ts";
import type { AskControl } from "./ask.ts";
import { rangeHead } from "./board.ts";
import { type FreshnessDeps, passBarrier } from "./freshness.ts";
import { type AnswerHead, effectiveStretch } from "./items.ts";
import type { RegionChoice, Regions } from "./regions.ts";
import { type Step, stepsOf } from "./steps.ts";
import type { TimeRange } from "./time-range.ts";
import { formatTimestamp } from "./timestamp.ts";

export interface SeriesDeps extends FreshnessDeps {
  store: Pick<Store, "series" | "eventTypes">;
  regions: Regions;
}

/** A checked request: plain data. */
export interface SeriesRequest extends RegionChoice {
  eventType: string;
  range: TimeRange;
  /** Undefined: the finest that makes few points. */
  step: Step | undefined;
  /** IANA name: where days, weeks and months begin. */
  timeZone: string;
  /** Whether distinct items are counted: dear, where a step isn't one window. */
  hasDistinct: boolean;
}

/** Sums of a stretch of time. */
interface SeriesSums {
  /** Sum of the events' weights. */
  total: number;
  /** Per minute of the stretch. */
  mean: number;
  /** Of the busiest minute; null where minutes are not kept, 0 where there was nothing. */
  maximum: number | null;
  /** When that was: ISO 8601; null where there was nothing. */
  maximumAt: string | null;
  /** Distinct items; only where they were asked for. */
  distinct?: number;
}

export interface SeriesPoint extends SeriesSums {
  from: string;
  to: string;
}

/** The reply of GET /event-types/{name}/series. Times are ISO 8601 UTC. */
export interface Series extends AnswerHead, SeriesSums {
  eventType: string;
  step: Step;
  timeZone: string;
  points: SeriesPoint[];
}

/** Events a minute, to 6 decimal places. */
function meanOf(total: number, ms: number): number {
  return ms === 0 ? 0 : Math.round((total / ms) * minuteMs * 1e6) / 1e6;
}

/** The busiest minute of some steps; null counts where one of them is not known. */
function maximumOf(counts: readonly (number | null)[], times: readonly (number | null)[]) {
  if (counts.includes(null)) return { maximum: null, maximumAt: null };
  let best = -1;
  for (const [i, count] of counts.entries()) {
    if (times[i] !== null && (best < 0 || count! > counts[best]!)) best = i;
  }
  if (best < 0) return { maximum: 0, maximumAt: null };
  return { maximum: counts[best]!, maximumAt: formatTimestamp(times[best]!) };
}

function sumsOf(answer: SeriesAnswer, bounds: readonly number[], first: number, end: number) {
  const total = answer.counts[0]!.lower.slice(first, end).reduce((sum, count) => sum + count, 0);
  const { counts, times } = answer.busiest!;
  return {
    total,
    mean: meanOf(total, bounds[end]! - bounds[first]!),
    ...maximumOf(counts.slice(first, end), times.slice(first, end)),
  };
}

const nothing = Object.freeze({ total: 0, mean: 0, maximum: 0, maximumAt: null });

/**
 * Throws `query_timeout`, `query_memory`, `too_many_queries`, `query_cancelled`, and
 * `invalid_parameter` for too many steps.
 */
export async function answerSeries(
  deps: SeriesDeps,
  request: SeriesRequest,
  control: AskControl = {},
): Promise<Series> {
  const { eventType, range, timeZone, hasDistinct } = request;
  const eventTypes = deps.regions.typesOf([eventType], request);
  const tell = deps.regions.teller(request);
  const { asOf, budgetMs } = await passBarrier(deps, control);
  const effective = await effectiveStretch(deps.store, eventTypes, range);
  const { step, bounds } = stepsOf(effective.from, effective.to, request.step, timeZone);
  const own = {
    eventType,
    ...rangeHead({ ...range, effectiveFrom: effective.from, effectiveTo: effective.to }),
    mode: "exact" as const,
    certified: true,
    partial: false,
    stale: false,
    asOf: formatTimestamp(asOf),
    step,
    timeZone,
  };
  const head = tell(own);
  if (bounds.length < 2) {
    return { ...head, ...nothing, ...(hasDistinct && { distinct: 0 }), points: [] };
  }
  const question = {
    eventTypes,
    bounds,
    eventIds: null,
    isExact: true,
    hasBusiest: true,
    hasDistinct,
    edgeRowsMax: 0,
    budgetMs,
  };
  const answer = await deps.store.series(question, control);
  const { distinct } = answer;
  return {
    ...head,
    ...sumsOf(answer, bounds, 0, bounds.length - 1),
    ...(distinct !== null && { distinct: distinct.all }),
    points: bounds.slice(1).map((to, i) => ({
      from: formatTimestamp(bounds[i]!),
      to: formatTimestamp(to),
      ...sumsOf(answer, bounds, i, i + 1),
      ...(distinct !== null && { distinct: distinct.byBin[i]! }),
    })),
  };
}
