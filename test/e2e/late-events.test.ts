// Late and historical events into windows that are being sealed, and were, while boards are asked
// for all the time: at no moment is an acknowledged event missing or any event counted twice.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BoardOracle, type BoardQuestion, type CountedEvent } from "../oracles/board-oracle.ts";
import { type Random, randomFromEnvironment, ZipfSampler } from "../support/random.ts";
import { type Answer, type RankstreamProcess, startRankstream } from "../support/service.ts";
import { isLakeRun } from "../support/service-store.ts";
import { ask, expectTrueBoard, type Mode, modes, randomQuestion } from "./board-checks.ts";

const eventType = "late";
const hourMs = 3_600_000;
/** Hours and days are built 5 s after their last change: late events come in bursts, apart. */
const writeMs = 24_000;
/** On a busy machine it goes on, without bursts, until days were built. */
const moreMsMax = isLakeRun ? 180_000 : 60_000;
const testMsMax = isLakeRun ? 480_000 : 180_000;
const burstEveryMs = 12_000;
const burstMs = 1000;
const burstShare = 0.15;
/** Always some for the first hour: what is late must not keep other windows from being built. */
const trickleShare = 0.02;
/** So much faster passes the events' time. */
const timeFactor = isLakeRun ? 4 * 3600 : 12 * 3600;
const writers = 2;
const readers = 2;
const batchEventsMax = 120;
/** An exact answer waits for what was acknowledged before, in a lake for a second and more. */
const pauseMsMax = isLakeRun ? 1000 : 60;
const answersMin = isLakeRun ? 2 : 6;
/** More items than a window lists, so that lists are incomplete. */
const candidatesMax = 100;
const items = 600;
const questionsAfter = 60;
const levels = ["minute", "hour", "day"] as const;

describe("late events", () => {
  let service: RankstreamProcess;
  const sent: CountedEvent[] = [];
  const acknowledged: CountedEvent[] = [];
  /** Sealed windows that answers were made from, by size. */
  const used = { minute: 0, hour: 0, day: 0 };
  beforeAll(async () => {
    service = await startRankstream({ args: ["--candidates-max", String(candidatesMax)] });
  });
  afterAll(() => service.stop());

  function isOver(until: number): boolean {
    if (Date.now() < until) return false;
    return levels.every((level) => used[level] > 0) || Date.now() > until + moreMsMax;
  }

  async function write(random: Random, until: number): Promise<void> {
    const zipf = new ZipfSampler(items, 1);
    const start = Date.now() - 80 * 24 * hourMs;
    const timeMs = () => {
      const elapsedMs = Date.now() - (until - writeMs);
      const front = start + elapsedMs * timeFactor;
      if (random.chance(trickleShare)) return start + random.int(0, hourMs - 1);
      const isBurst = elapsedMs < writeMs && elapsedMs % burstEveryMs < burstMs;
      const isLate = isBurst && random.chance(burstShare);
      return Math.floor(front - random.float() * (isLate ? front - start : hourMs));
    };
    while (!isOver(until)) {
      const batch = Array.from({ length: random.int(1, batchEventsMax) }, () => ({
        eventId: `item-${zipf.draw(random)}`,
        eventType,
        timeMs: timeMs(),
        weight: 1,
      }));
      const lines = batch.map(({ timeMs: timestamp, weight: _, ...event }) =>
        JSON.stringify({ ...event, timestamp }),
      );
      sent.push(...batch);
      expect((await service.post(lines.join("\n"))).status).toBe(202);
      acknowledged.push(...batch);
      await sleep(random.int(0, pauseMsMax));
    }
  }

  function oracleOf(events: readonly CountedEvent[]): BoardOracle {
    const oracle = new BoardOracle();
    for (const event of events) oracle.add(event);
    return oracle;
  }

  /** What was acknowledged before is in, what was not sent until the reply is not. */
  function expectBetween(body: Answer["body"], question: BoardQuestion, before: number): void {
    const { from, to } = question;
    const least = oracleOf(acknowledged.slice(0, before)).counts([eventType], from, to);
    const most = oracleOf(sent).counts([eventType], from, to);
    const sum = (counts: Map<string, number>) => [...counts.values()].reduce((a, b) => a + b, 0);
    expect(body.total).toBeLessThanOrEqual(sum(most));
    if (!body.stale) expect(body.total).toBeGreaterThanOrEqual(sum(least));
    for (const { eventId, lower, count, upper } of body.results) {
      expect(lower, eventId).toBeLessThanOrEqual(most.get(eventId) ?? 0);
      if (!body.stale) expect(upper, eventId).toBeGreaterThanOrEqual(least.get(eventId) ?? 0);
      expect(count, eventId).toBeGreaterThanOrEqual(lower);
      expect(count, eventId).toBeLessThanOrEqual(upper);
    }
    if (!body.certified || body.stale) return;
    // A certified board has the greatest: none that surely has more is left out.
    const last = body.results.at(-1);
    const shown = new Set(body.results.map(({ eventId }: { eventId: string }) => eventId));
    if (last === undefined || body.results.length < question.k) return;
    for (const [eventId, count] of least) {
      if (!shown.has(eventId)) expect(count, eventId).toBeLessThanOrEqual(last.upper);
    }
  }

  async function read(random: Random, until: number): Promise<Record<Mode, number>> {
    const answers = { exact: 0, approx: 0, auto: 0 };
    let lastTotal = 0;
    for (let turn = 0; !isOver(until); turn++) {
      const before = acknowledged.length;
      if (before === 0) {
        await sleep(10);
        continue;
      }
      const mode = modes[turn % modes.length]!;
      const drawn = randomQuestion(random, oracleOf(acknowledged.slice(0, before)));
      const isAll = random.chance(0.4);
      const all = { ...drawn, from: 0, to: Date.now() };
      const question = { ...(isAll ? all : drawn), offset: 0 };
      const { status, body } = await ask(service, question, mode);
      try {
        expect(status).toBe(200);
        expectBetween(body, question, before);
        if (isAll && mode === "exact") {
          expect(body.total).toBeGreaterThanOrEqual(lastTotal);
          lastTotal = body.total;
        }
      } catch (error) {
        const asked = JSON.stringify({ mode, ...question });
        throw new Error(`asked ${asked}:\n${(error as Error).message}`, { cause: error });
      }
      answers[mode]++;
      const { windows } = body.plan;
      for (const level of levels) used[level] += windows[level];
    }
    return answers;
  }

  it("are in every answer from when they are acknowledged", { timeout: testMsMax }, async () => {
    const random = randomFromEnvironment("late events");
    const until = Date.now() + writeMs;
    const writing = Array.from({ length: writers }, (_, i) => write(random.fork(i), until));
    const reading = Array.from({ length: readers }, (_, i) => {
      return read(random.fork(writers + i), until);
    });
    const [readings] = await Promise.all([Promise.all(reading), ...writing]);
    for (const answers of readings) {
      for (const mode of modes) expect(answers[mode], mode).toBeGreaterThanOrEqual(answersMin);
    }
    // Windows of these sizes were sealed by then, or the test would show little.
    for (const level of levels) expect(used[level], level).toBeGreaterThan(0);
    const oracle = oracleOf(sent);
    for (let i = 0; i < questionsAfter; i++) {
      const question = randomQuestion(random, oracle);
      for (const mode of modes) await expectTrueBoard(service, oracle, question, mode);
    }
  });
});
