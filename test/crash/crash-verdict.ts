// After a restart: is every acknowledged event counted exactly once, and no other more than once?

import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import type { Answer, RankstreamProcess } from "../support/service.ts";
import type { Batch, Round } from "./crash-load.ts";

const minuteMs = 60_000;
const pageSize = 1000;
const approxRows = 50;
const unavailableMsMax = 30_000;

/** Once more where only the log's broker didn't answer in time. */
async function askedAgain(ask: () => Promise<Answer>): Promise<Answer> {
  const until = performance.now() + unavailableMsMax;
  for (;;) {
    const answer = await ask();
    // What waits for the log longer than a client does becomes a job.
    const isLate = answer.status === 202 || answer.body.code === "log_unavailable";
    if (!isLate || performance.now() > until) return answer;
    await sleep(100);
  }
}

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
    const { status, body } = await askedAgain(() => service.get("/leaderboard", page));
    expect(status, JSON.stringify(body)).toBe(200);
    for (const { eventId, count } of body.results) {
      expect(counts.has(eventId), `${eventId} is on two pages`).toBe(false);
      counts.set(eventId, count);
    }
    if (body.results.length === pageSize) continue;
    expect(body.distinct).toBe(counts.size);
    return counts;
  }
}

/** `isSplit`: what isn't acknowledged may be there in parts, and more of it may come later. */
function expectCountedRight(
  batch: Batch,
  counts: ReadonlyMap<string, number>,
  isSplit: boolean,
): void {
  const { sent, acknowledged, seen } = batch;
  const range = `${batch.key ?? "without a key"}, ${batch.ids[0]}…${batch.ids.at(-1)}`;
  const name = `${range}, ${sent} sent, ${acknowledged} acknowledged`;
  const times = batch.ids.map((id) => (counts.get(id) ?? 0) / batch.weight);
  const least = batch.key === null ? acknowledged : Math.min(1, acknowledged);
  const most = batch.key === null ? sent : Math.min(1, sent);
  if (!isSplit) expect(new Set(times).size, `a batch was torn (${name}): ${times}`).toBe(1);
  expect(Math.min(...times), `lost (${name}): ${times}`).toBeGreaterThanOrEqual(least);
  expect(Math.max(...times), `counted twice (${name}): ${times}`).toBeLessThanOrEqual(most);
  expect(times.every(Number.isInteger), `half counted (${name}): ${times}`).toBe(true);
  if (isSplit) {
    const isLess = times.some((count, i) => count < (seen.times[i] ?? 0));
    expect(isLess, `less than before (${name}): ${seen.times}, now ${times}`).toBe(false);
  } else if (seen.sent === sent && sent > 0) {
    expect(times, `counted otherwise than before (${name})`).toEqual(seen.times);
  }
  batch.seen = { times, sent };
}

/** Every id of the round's batches, by the counts of its minute; returns the sum. */
export async function expectRoundCounted(
  service: RankstreamProcess,
  round: Round,
  isSplit = false,
): Promise<number> {
  const { eventType, minuteStart } = round;
  const counts = await readCounts(service, eventType, minuteStart, minuteStart + minuteMs);
  let known = 0;
  for (const batch of round.batches) {
    expectCountedRight(batch, counts, isSplit);
    known += batch.ids.filter((id) => counts.has(id)).length;
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
