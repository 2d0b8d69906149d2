// What answers about items must hold against the truth.
import { expect } from "vitest";
import type { CountedEvent } from "../oracles/board-oracle.ts";
import type { ItemOracle, Stretch } from "../oracles/item-oracle.ts";
import type { Random } from "../support/random.ts";
import type { Answer, RankstreamProcess } from "../support/service.ts";

const secondMs = 1000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const unknownId = "nobody sent this";
const zones = ["UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia"];
/** So that no range makes more steps than one answer may have. */
const stepMs = { minute: minuteMs, hour: hourMs, day: dayMs, week: 7 * dayMs, month: 28 * dayMs };
export const stepsMost = 1000;
/** Steps that have ranks at most, less the two that a range's ends cut off. */
const ranksMost = 98;

export type Body = Answer["body"];

/** A range between moments of events, or near them. */
export function randomStretch(random: Random, events: readonly CountedEvent[]): Stretch {
  const { eventType } = random.pick(events);
  const own = events.filter((event) => event.eventType === eventType);
  const moment = () => {
    const { timeMs } = random.pick(own);
    const step = random.pick([1, 1, secondMs, minuteMs, hourMs, dayMs]);
    return timeMs - (random.chance(0.7) ? timeMs % step : 0) + random.pick([-1, 0, 0, 1]);
  };
  const from = moment();
  const to = random.chance(0.2) ? from + random.int(1, 90_000) : moment();
  const [low, high] = from < to ? [from, to] : [to, from];
  return { eventType, from: low, to: high === low ? high + 1 : high };
}

/** A step that the range takes, or none, and a zone. */
export function randomStep(random: Random, { from, to }: Stretch): Record<string, string> {
  const fitting = Object.entries(stepMs).filter(([, ms]) => (to - from) / ms < stepsMost);
  const timeZone = random.pick(zones);
  if (fitting.length === 0 || random.chance(0.2)) return { timeZone };
  return { timeZone, step: random.pick(fitting)[0] };
}

/** Ranks in the history, where its steps are few enough. */
export function randomRanks(random: Random, { from, to }: Stretch, step: string | undefined) {
  const ms = stepMs[(step ?? "month") as keyof typeof stepMs];
  const isAsked = (to - from) / ms < ranksMost && random.chance(0.5);
  return isAsked ? { ranks: "true" } : {};
}

/** Some ids of the type, and now and then one that never was. */
export function randomIds(
  random: Random,
  events: readonly CountedEvent[],
  { eventType }: Stretch,
  size: number,
): string[] {
  const own = events.filter((event) => event.eventType === eventType);
  return Array.from({ length: size }, () =>
    random.chance(0.05) ? unknownId : random.pick(own).eventId,
  );
}

export function rangeOf({ from, to }: Stretch): Record<string, string> {
  return { from: String(from), to: new Date(to).toISOString() };
}

function expectStretch(body: Body, { from, to }: Stretch): void {
  const iso = (at: number) => new Date(at).toISOString();
  expect(body).toMatchObject({
    timeRange: `${iso(from)} to ${iso(to)}`,
    from: iso(from),
    to: iso(to),
    effectiveFrom: iso(from),
    effectiveTo: iso(to),
    partial: false,
    stale: false,
  });
}

/** Points that follow each other from one end of the range to the other. */
export function expectContiguous(points: Body[], { from, to }: Stretch): void {
  expect(Date.parse(points[0].from)).toBe(from);
  expect(Date.parse(points.at(-1).to)).toBe(to);
  for (const [i, point] of points.entries()) {
    expect(Date.parse(point.from)).toBeLessThan(Date.parse(point.to));
    if (i > 0) expect(point.from).toBe(points[i - 1].to);
  }
}

export function stretchOf(eventType: string, point: { from: string; to: string }): Stretch {
  return { eventType, from: Date.parse(point.from), to: Date.parse(point.to) };
}

/** Of an exact answer: count, bounds, rank and share. */
function expectStanding(row: Body, oracle: ItemOracle, stretch: Stretch): void {
  const [truth] = oracle.standings(stretch, [row.eventId]);
  const { count, rank } = truth!;
  const bounds = { lower: count, upper: count, rankLower: rank, rankUpper: rank };
  expect(row).toMatchObject({ count, rank, ...bounds });
  const total = oracle.total(stretch);
  expect(row.share).toBeCloseTo(total === 0 ? 0 : count / total, 5);
}

/** Ranks step by step: known ones as counted, and bounds that hold; none unless asked for. */
function expectTrueRanks(
  points: Body[],
  oracle: ItemOracle,
  { eventType, eventId }: { eventType: string; eventId: string },
  isAsked: boolean,
): void {
  for (const point of points) {
    const [truth] = oracle.standings(stretchOf(eventType, point), [eventId]);
    const { rank, rankLower, rankUpper } = point;
    const own = isAsked ? truth!.rank : undefined;
    // What these tests send is never too much to be counted.
    expect([point.from, rank, rankLower, rankUpper]).toEqual([point.from, own, own, own]);
  }
}

/** GET /items/{eventType}/{eventId} of an exact answer. */
export async function expectTrueItem(
  service: RankstreamProcess,
  oracle: ItemOracle,
  stretch: Stretch,
  eventId: string,
  more: Record<string, string | number>,
): Promise<Body> {
  const { eventType } = stretch;
  const path = `/items/${encodeURIComponent(eventType)}/${encodeURIComponent(eventId)}`;
  const { status, body } = await service.get(path, { ...rangeOf(stretch), ...more });
  try {
    expect(status, JSON.stringify(body).slice(0, 500)).toBe(200);
    expectStretch(body, stretch);
    expect(body).toMatchObject({ eventType, eventId, mode: "exact", certified: true });
    expect(body.total).toBe(oracle.total(stretch));
    expectStanding(body, oracle, stretch);
    const size = Number(more["neighbours"] ?? 2);
    expect(body.neighbours).toEqual(oracle.neighbours(stretch, eventId, size));
    expectContiguous(body.history, stretch);
    const alone = oracle.only(eventType, eventId);
    const truth = body.history.map((point: Body) => alone.total(stretchOf(eventType, point)));
    expect(body.history.map(({ count }: Body) => count)).toEqual(truth);
    expectTrueRanks(body.history, oracle, { eventType, eventId }, more["ranks"] === "true");
    const seen = oracle.seen(eventType, eventId);
    const iso = (at: number | undefined) => (at === undefined ? null : new Date(at).toISOString());
    expect(body).toMatchObject({ firstSeen: iso(seen?.first), lastSeen: iso(seen?.last) });
  } catch (error) {
    const asked = JSON.stringify({ ...stretch, eventId, ...more });
    throw new Error(`asked ${asked}:\n${(error as Error).message}`, { cause: error });
  }
  return body;
}

/**
 * GET /event-types/{name}/series; returns how many of its sums know no busiest minute, which they
 * may only where minutes are not kept.
 */
export async function expectTrueSeries(
  service: RankstreamProcess,
  oracle: ItemOracle,
  stretch: Stretch,
  more: Record<string, string>,
  mayLackMinutes = false,
): Promise<number> {
  let lacking = 0;
  const { eventType } = stretch;
  const path = `/event-types/${encodeURIComponent(eventType)}/series`;
  const { status, body } = await service.get(path, { ...rangeOf(stretch), ...more });
  try {
    expect(status, JSON.stringify(body).slice(0, 500)).toBe(200);
    expectStretch(body, stretch);
    expect(body).toMatchObject({ eventType, mode: "exact", certified: true });
    expectContiguous(body.points, stretch);
    for (const sums of [body, ...body.points]) {
      const own = sums === body ? stretch : stretchOf(eventType, sums);
      const total = oracle.total(own);
      expect([sums.from, sums.total]).toEqual([sums.from, total]);
      expect(sums.mean).toBeCloseTo((total / (own.to - own.from)) * minuteMs, 5);
      const { count, minute } = oracle.busiest(own);
      const at = minute === null ? null : new Date(Math.max(minute, own.from)).toISOString();
      if (mayLackMinutes && sums.maximum === null && total > 0) lacking++;
      else expect([sums.maximum, sums.maximumAt]).toEqual([count, at]);
      const isCounted = more["distinct"] === "true";
      expect(sums.distinct).toBe(isCounted ? oracle.distinct(own) : undefined);
    }
  } catch (error) {
    const asked = JSON.stringify({ ...stretch, ...more });
    throw new Error(`asked ${asked}:\n${(error as Error).message}`, { cause: error });
  }
  return lacking;
}

/** Counts step by step, where histories were asked for; none where not. */
function expectTrueHistories(
  body: Body,
  oracle: ItemOracle,
  stretch: Stretch,
  history: string | undefined,
): void {
  if (history === undefined) {
    expect(body).not.toHaveProperty("bounds");
    return;
  }
  const { eventType } = stretch;
  const points = body.bounds.slice(1).map((to: string, i: number) => ({
    from: body.bounds[i],
    to,
  }));
  expectContiguous(points, stretch);
  for (const { eventId, history: counts } of body.items) {
    const alone = oracle.only(eventType, eventId);
    expect([eventId, ...counts]).toEqual([
      eventId,
      ...points.map((point: Body) => alone.total(stretchOf(eventType, point))),
    ]);
  }
}

/** POST /items/{eventType}/batch of an exact answer. */
export async function expectTrueItems(
  service: RankstreamProcess,
  oracle: ItemOracle,
  stretch: Stretch,
  eventIds: readonly string[],
  more: Record<string, string> = {},
): Promise<void> {
  const { eventType } = stretch;
  const query = new URLSearchParams({ ...rangeOf(stretch), ...more });
  const path = `/items/${encodeURIComponent(eventType)}/batch?${query}`;
  const { status, body } = await service.request(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ eventIds }),
  });
  try {
    expect(status, JSON.stringify(body).slice(0, 500)).toBe(200);
    expectStretch(body, stretch);
    expect(body).toMatchObject({ eventType, mode: "exact", certified: true });
    expect(body.items.map((row: Body) => row.eventId)).toEqual(eventIds);
    expectTrueHistories(body, oracle, stretch, more["history"]);
    if (more["history"] === "only") {
      const truth = oracle.standings(stretch, eventIds).map(({ count }) => count);
      expect(body.items.map(({ count }: Body) => count)).toEqual(truth);
      return;
    }
    expect(body.total).toBe(oracle.total(stretch));
    for (const row of body.items) expectStanding(row, oracle, stretch);
  } catch (error) {
    const asked = JSON.stringify({ ...stretch, ...more, eventIds: eventIds.length });
    throw new Error(`asked ${asked}:\n${(error as Error).message}`, { cause: error });
  }
}
