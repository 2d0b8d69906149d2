// After a restart: is every acknowledged event counted exactly once, and no other more than once?
import { expect } from "vitest";
import type { RankstreamProcess } from "../support/service.ts";
import type { Batch, Round } from "./crash-load.ts";

const minuteMs = 60_000;
const pageSize = 1000;
const approxRows = 50;

/** Counts by id of one type in a range, page by page. */
export async function readCounts(
  service: RankstreamProcess,
  eventType: string,
  from: number,
  to: number,
): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (;;) {
    const page = { eventType, from, to, k: pageSize, offset: counts.size, mode: "exact" };
    const { status, body } = await service.get("/leaderboard", page);
    expect(status).toBe(200);
    for (const { eventId, count } of body.results) {
      expect(counts.has(eventId), `${eventId} is on two pages`).toBe(false);
      counts.set(eventId, count);
    }
    if (body.results.length === pageSize) continue;
    expect(body.distinct).toBe(counts.size);
    return counts;
  }
}

function timesCounted(batch: Batch, counts: ReadonlyMap<string, number>): number {
  const times = batch.ids.map((id) => (counts.get(id) ?? 0) / batch.weight);
  const name = `${batch.key ?? "without a key"}, ${batch.ids[0]}…${batch.ids.at(-1)}`;
  expect(new Set(times).size, `a batch was torn (${name}): ${times}`).toBe(1);
  return times[0]!;
}

function expectCountedRight(batch: Batch, times: number): void {
  const name = `${batch.key ?? "without a key"}, ${batch.ids[0]}`;
  const { sent, acknowledged, seen } = batch;
  const least = batch.key === null ? acknowledged : Math.min(1, acknowledged);
  const most = batch.key === null ? sent : 1;
  expect(times, `lost (${name}, ${sent} sent)`).toBeGreaterThanOrEqual(least);
  expect(times, `counted twice (${name}, ${sent} sent)`).toBeLessThanOrEqual(most);
  expect(Number.isInteger(times), `half counted (${name})`).toBe(true);
  if (seen.sent === sent && sent > 0) {
    expect(times, `counted otherwise than before (${name})`).toBe(seen.times);
  }
  batch.seen = { times, sent };
}

/** Every id of the round's batches, by the counts of its minute; returns the sum. */
export async function expectRoundCounted(
  service: RankstreamProcess,
  round: Round,
): Promise<number> {
  const { eventType, minuteStart } = round;
  const counts = await readCounts(service, eventType, minuteStart, minuteStart + minuteMs);
  let known = 0;
  for (const batch of round.batches) {
    const times = timesCounted(batch, counts);
    expectCountedRight(batch, times);
    if (times > 0) known += batch.ids.length;
  }
  expect(counts.size, "ids nobody sent").toBe(known);
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}

/** The raw events, which a ragged range reads, are the counted ones. */
export async function expectRawAgrees(service: RankstreamProcess, round: Round): Promise<void> {
  const { eventType, minuteStart } = round;
  const end = minuteStart + minuteMs;
  const middle = minuteStart + 29_999;
  const whole = await readCounts(service, eventType, minuteStart, end);
  const halves = [
    await readCounts(service, eventType, minuteStart, middle),
    await readCounts(service, eventType, middle, end),
  ];
  const sum = new Map<string, number>();
  for (const half of halves) {
    for (const [id, count] of half) sum.set(id, (sum.get(id) ?? 0) + count);
  }
  expect(sum.size).toBe(whole.size);
  for (const [id, count] of sum) expect(count, id).toBe(whole.get(id));
}

/** Totals of all rounds, as the types' own totals have them. */
export async function expectTotals(service: RankstreamProcess, rounds: Round[]): Promise<void> {
  // An exact board waits for what the log holds; types' totals alone would not.
  await readCounts(service, "nothing", 0, minuteMs);
  const { body } = await service.get("/event-types");
  const totals = new Map<string, number>();
  for (const { name, total } of body.eventTypes) totals.set(name, total);
  for (const { eventType, acknowledged, sent } of rounds) {
    const total = totals.get(eventType) ?? 0;
    expect(total, `${eventType} lost events`).toBeGreaterThanOrEqual(acknowledged);
    expect(total, `${eventType} counted events twice`).toBeLessThanOrEqual(sent);
  }
}

/** The bounds of an approximate board hold what is counted exactly. */
export async function expectApproxHolds(service: RankstreamProcess, round: Round): Promise<void> {
  const { eventType, minuteStart: from } = round;
  const to = from + minuteMs;
  const counts = await readCounts(service, eventType, from, to);
  const query = { eventType, from, to, k: approxRows, mode: "approx" };
  const { status, body } = await service.get("/leaderboard", query);
  expect(status, JSON.stringify(body)).toBe(200);
  expect(body.results.length).toBe(Math.min(approxRows, counts.size));
  for (const { eventId, lower, count, upper } of body.results) {
    const known = counts.get(eventId) ?? 0;
    expect(lower, `${eventId}: ${lower}..${upper}`).toBeLessThanOrEqual(known);
    expect(upper, `${eventId}: ${lower}..${upper}`).toBeGreaterThanOrEqual(known);
    expect(count).toBeGreaterThanOrEqual(lower);
    expect(count).toBeLessThanOrEqual(upper);
  }
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  expect(body.total).toBe(total);
}
