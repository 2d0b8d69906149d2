/** Answers about single items of one event type: where they stand in a range, and since when. */
import { RankstreamError } from "../errors.ts";
import { minuteMs } from "../model.ts";
import type { ItemAnswer, Neighbour, RankBounds, RankedItem } from "../store/item-questions.ts";
import type { Store } from "../store/store.ts";
import type { AskControl } from "./ask.ts";
import { shareOf } from "./board.ts";
import { type FreshnessDeps, passBarrier } from "./freshness.ts";
import type { RegionChoice, RegionShare, Regions } from "./regions.ts";
import { type Step, stepsOf } from "./steps.ts";
import { formatTimeRange, type TimeRange } from "./time-range.ts";
import { formatTimestamp } from "./timestamp.ts";

/** Counts that the histories of one answer have at most: items times steps. */
export const historyCountsMax = 100_000;
/** Steps that one answer says ranks of at most. */
export const rankedStepsMax = 100;

export interface ItemDeps extends FreshnessDeps {
  store: Pick<Store, "item" | "items" | "series" | "eventTypes">;
  regions: Regions;
}

/** A checked request for several items. */
export interface ItemsRequest extends RegionChoice {
  eventType: string;
  eventIds: string[];
  mode: "auto" | "approx" | "exact";
  range: TimeRange;
  /** Whether to say each item's history: beside where it stands, or that alone. */
  history?: "true" | "only";
  /** Of the histories; undefined: the finest that makes few points. */
  step?: Step | undefined;
  /** IANA name: where the histories' days, weeks and months begin; only with these. */
  timeZone?: string;
}

/** A checked request for one item. */
export interface ItemRequest extends Omit<ItemsRequest, "eventIds" | "history"> {
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
  /** Only where there are several. */
  regions?: RegionShare[];
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

/** Where the steps of some histories begin and end: step i is from bounds[i] to bounds[i + 1]. */
interface HistorySteps {
  step: Step;
  bounds: string[];
}

/** The reply of POST /items/{eventType}/batch; histories where they were asked for. */
export interface Items extends AnswerHead, Partial<HistorySteps> {
  eventType: string;
  total: number;
  items: (ItemStanding & { history?: number[] })[];
}

/** The reply where histories alone were asked for. */
export interface ItemHistories extends AnswerHead, HistorySteps {
  eventType: string;
  items: { eventId: string; count: number; history: number[] }[];
}

interface Stretch {
  from: number;
  to: number;
}

/**
 * The stretch in which a range can hold events of the types, epoch ms. A range from the beginning
 * of time begins with the minute of their first event: what came before is no history.
 */
export async function effectiveStretch(
  store: Pick<Store, "eventTypes">,
  eventTypes: readonly string[],
  { effectiveFrom: from, effectiveTo: to }: TimeRange,
): Promise<Stretch> {
  if (from > 0) return { from, to };
  const types = (await store.eventTypes()).filter(({ name }) => eventTypes.includes(name));
  if (types.length === 0) return { from: to, to };
  const first = Math.min(...types.map(({ firstSeen }) => firstSeen));
  const minute = first - (first % minuteMs);
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
  const eventTypes = deps.regions.typesOf([eventType], request);
  const tell = deps.regions.teller(request);
  const { asOf, budgetMs } = await passBarrier(deps, control);
  const effective = await effectiveStretch(deps.store, eventTypes, range);
  const { step, bounds } = stepsOf(effective.from, effective.to, request.step, timeZone);
  if (hasRanks) checkRankedSteps(bounds.length - 1);
  const question = { eventTypes, eventId, ...effective, neighbours, bounds, hasRanks, budgetMs };
  const answer = await deps.store.item(question, control);
  const { above, below, seen } = answer;
  const total = answer.total.lower;
  return {
    eventType,
    ...tell(headOf(range, effective, asOf)),
    ...standingOf(answer.item, total),
    total,
    neighbours: { above, below },
    step,
    history: historyOf(answer, bounds),
    firstSeen: seen === null ? null : formatTimestamp(seen.first),
    lastSeen: seen === null ? null : formatTimestamp(seen.last),
  };
}

/** The steps of histories. Throws `invalid_parameter` where these have too many counts. */
function historySteps({ eventIds, step, timeZone }: ItemsRequest, { from, to }: Stretch) {
  const steps = stepsOf(from, to, step, timeZone ?? "UTC");
  const counts = eventIds.length * (steps.bounds.length - 1);
  if (counts <= historyCountsMax) return steps;
  const detail =
    `history: expected at most ${historyCountsMax} counts, got ${counts} ` +
    `(${eventIds.length} items, ${steps.bounds.length - 1} steps); ask for a coarser step`;
  throw new RankstreamError("invalid_parameter", `${detail}, or for fewer items`, {
    extensions: { parameter: "history" },
  });
}

/** Histories alone: the ranking of the whole range, which is dear, is not made. */
async function answerHistories(
  { store }: ItemDeps,
  { eventTypes, eventIds }: { eventTypes: string[]; eventIds: string[] },
  { step, bounds }: ReturnType<typeof stepsOf>,
  { budgetMs, ...control }: AskControl & { budgetMs: number },
): Promise<Pick<ItemHistories, "step" | "bounds" | "items">> {
  const shape = { isExact: true, hasBusiest: false, hasDistinct: false, edgeRowsMax: 0 };
  const distinct = [...new Set(eventIds)];
  const question = { eventTypes, eventIds: distinct, bounds, ...shape, budgetMs };
  const counts = bounds.length < 2 ? [] : (await store.series(question, control)).counts;
  const histories = new Map(distinct.map((eventId, i) => [eventId, counts[i]?.lower ?? []]));
  return {
    step,
    bounds: bounds.map(formatTimestamp),
    items: eventIds.map((eventId) => {
      const history = histories.get(eventId)!;
      return { eventId, count: history.reduce((sum, count) => sum + count, 0), history };
    }),
  };
}

/**
 * Several items of a range, in the order asked. Throws `query_timeout`, and `invalid_parameter`
 * for too many steps.
 */
export async function answerItems(
  deps: ItemDeps,
  request: ItemsRequest,
  control: AskControl = {},
): Promise<Items | ItemHistories> {
  const { eventType, eventIds, range, history } = request;
  const eventTypes = deps.regions.typesOf([eventType], request);
  const tell = deps.regions.teller(request);
  const { asOf, budgetMs } = await passBarrier(deps, control);
  const effective = await effectiveStretch(deps.store, eventTypes, range);
  const steps = history === undefined ? null : historySteps(request, effective);
  const head = { eventType, ...tell(headOf(range, effective, asOf)) };
  if (steps !== null && history === "only") {
    const asked = { eventTypes, eventIds };
    return { ...head, ...(await answerHistories(deps, asked, steps, { ...control, budgetMs })) };
  }
  const question = { eventTypes, eventIds, ...effective, bounds: steps?.bounds ?? [], budgetMs };
  const answer = await deps.store.items(question, control);
  const total = answer.total.lower;
  return {
    ...head,
    total,
    ...(steps && { step: steps.step, bounds: steps.bounds.map(formatTimestamp) }),
    items: answer.items.map((item, i) => ({
      ...standingOf(item, total),
      ...(steps && { history: answer.histories?.[i] ?? [] }),
    })),
  };
}
