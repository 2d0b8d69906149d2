/** Answers about single items of one event type: where they stand in a range, and since when. */
import { RankstreamError } from "../errors.ts";
import { minuteMs } from "../model.ts";
import type { ItemAnswer, Neighbour, RankBounds, RankedItem } from "../store/item-questions.ts";
import type { Store } from "../store/store.ts";
import type { AskControl } from "./ask.ts";
import { shareOf } from "./board.ts";
import { type FreshnessDeps, passBarrier } from "./freshness.ts";
import { type Step, stepsOf } from "./steps.ts";
import { formatTimeRange, type TimeRange } from "./time-range.ts";
import { formatTimestamp } from "./timestamp.ts";

/** Steps that one answer says ranks of at most. */
export const rankedStepsMax = 100;

export interface ItemDeps extends FreshnessDeps {
  store: Pick<Store, "item" | "items" | "eventTypes">;
}

/** A checked request for several items. */
export interface ItemsRequest {
  eventType: string;
  eventIds: string[];
  mode: "auto" | "approx" | "exact";
  range: TimeRange;
}

/** A checked request for one item. */
export interface ItemRequest extends Omit<ItemsRequest, "eventIds"> {
  eventId: string;
  /** Items above and below, each. */
  neighbours: number;
  /** Of the history; undefined: the finest that makes few points. */
  step: Step | undefined;
  /** Whether the history says the item's ranks too; of few steps only. */
  hasRanks: boolean;
  /** IANA name: where the history's days, weeks and months begin. */
  timeZone: string;
}

/** Where an item stands. */
export interface ItemStanding {
  eventId: string;
  /** Best estimate, within [lower, upper]. */
  count: number;
  lower: number;
  upper: number;
  /** 1 + the number of items with a greater count; null without an event in the range. */
  rank: number | null;
  rankLower: number | null;
  rankUpper: number | null;
  /** Part of the total, 0..1. */
  share: number;
}

export interface HistoryPoint {
  from: string;
  to: string;
  count: number;
  /** These where ranks were asked for, null without an event in the step. */
  rank?: number | null;
  /** Competition ranks; `rank` is null where these differ: it is known to lie between them. */
  rankLower?: number | null;
  rankUpper?: number | null;
}

/** What every answer says of its question and of itself. Times are ISO 8601 UTC. */
export interface AnswerHead {
  timeRange: string;
  from: string;
  to: string;
  effectiveFrom: string;
  effectiveTo: string;
  mode: "approx" | "exact";
  certified: boolean;
  partial: boolean;
  stale: boolean;
  /** Everything acknowledged up to here is in. */
  asOf: string;
}

/** The reply of GET /items/{eventType}/{eventId}. */
export interface Item extends AnswerHead, ItemStanding {
  eventType: string;
  total: number;
  neighbours: { above: Neighbour[]; below: Neighbour[] };
  step: Step;
  history: HistoryPoint[];
  firstSeen: string | null;
  lastSeen: string | null;
}

/** The reply of POST /items/{eventType}/batch. */
export interface Items extends AnswerHead {
  eventType: string;
  total: number;
  items: ItemStanding[];
}

interface Stretch {
  from: number;
  to: number;
}

/**
 * The stretch in which a range can hold events of the type, epoch ms. A range from the beginning
 * of time begins with the minute of the type's first event: what came before is no history.
 */
export async function effectiveStretch(
  store: Pick<Store, "eventTypes">,
  eventType: string,
  { effectiveFrom: from, effectiveTo: to }: TimeRange,
): Promise<Stretch> {
  if (from > 0) return { from, to };
  const type = (await store.eventTypes()).find(({ name }) => name === eventType);
  if (type === undefined) return { from: to, to };
  const minute = type.firstSeen - (type.firstSeen % minuteMs);
  return { from: Math.min(minute, to), to };
}

function headOf(range: TimeRange, effective: Stretch, asOf: number): AnswerHead {
  return {
    timeRange: formatTimeRange(range),
    from: formatTimestamp(range.from),
    to: formatTimestamp(range.to),
    effectiveFrom: formatTimestamp(effective.from),
    effectiveTo: formatTimestamp(effective.to),
    mode: "exact",
    certified: true,
    partial: false,
    stale: false,
    asOf: formatTimestamp(asOf),
  };
}

function standingOf(item: RankedItem, total: number): ItemStanding {
  const { eventId, count, lower, upper, rank, rankLower, rankUpper } = item;
  const share = shareOf(count, total);
  return { eventId, count, lower, upper, rank, rankLower, rankUpper, share };
}

/** What a step says of the item's rank in it. */
function rankOf(bounds: RankBounds | null): Omit<Required<HistoryPoint>, "from" | "to" | "count"> {
  if (bounds === null) return { rank: null, rankLower: null, rankUpper: null };
  const { lower, upper } = bounds;
  return { rank: lower === upper ? lower : null, rankLower: lower, rankUpper: upper };
}

function historyOf({ history, ranks }: ItemAnswer, bounds: readonly number[]): HistoryPoint[] {
  return history.lower.map((count, i) => ({
    from: formatTimestamp(bounds[i]!),
    to: formatTimestamp(bounds[i + 1]!),
    count,
    ...(ranks !== null && rankOf(ranks[i]!)),
  }));
}

/** Refuses more steps than are ranked in one answer. */
function checkRankedSteps(steps: number): void {
  if (steps <= rankedStepsMax) return;
  const detail = `ranks: expected at most ${rankedStepsMax} steps with it, got ${steps}`;
  throw new RankstreamError("invalid_parameter", `${detail}; ask for a coarser step`, {
    extensions: { parameter: "ranks" },
  });
}

/**
 * One item of a range. Throws `query_timeout`, and `invalid_parameter` for too many steps, or too
 * many to be ranked.
 */
export async function answerItem(
  deps: ItemDeps,
  request: ItemRequest,
  control: AskControl = {},
): Promise<Item> {
  const { eventType, eventId, range, neighbours, timeZone, hasRanks } = request;
  const { asOf, budgetMs } = await passBarrier(deps, control);
  const effective = await effectiveStretch(deps.store, eventType, range);
  const { step, bounds } = stepsOf(effective.from, effective.to, request.step, timeZone);
  if (hasRanks) checkRankedSteps(bounds.length - 1);
  const question = { eventType, eventId, ...effective, neighbours, bounds, hasRanks, budgetMs };
  const answer = await deps.store.item(question, control);
  const { above, below, seen } = answer;
  const total = answer.total.lower;
  return {
    eventType,
    ...headOf(range, effective, asOf),
    ...standingOf(answer.item, total),
    total,
    neighbours: { above, below },
    step,
    history: historyOf(answer, bounds),
    firstSeen: seen === null ? null : formatTimestamp(seen.first),
    lastSeen: seen === null ? null : formatTimestamp(seen.last),
  };
}

/** Several items of a range, in the order asked. Throws `query_timeout`. */
export async function answerItems(
  deps: ItemDeps,
  request: ItemsRequest,
  control: AskControl = {},
): Promise<Items> {
  const { eventType, eventIds, range } = request;
  const { asOf, budgetMs } = await passBarrier(deps, control);
  const effective = await effectiveStretch(deps.store, eventType, range);
  const question = { eventType, eventIds, ...effective, budgetMs };
  const answer = await deps.store.items(question, control);
  const total = answer.total.lower;
  return {
    eventType,
    ...headOf(range, effective, asOf),
    total,
    items: answer.items.map((item) => standingOf(item, total)),
  };
}
