// Exact answers while batches are being posted: each includes everything acknowledged before it
// was asked and nothing that was not sent, and totals only grow.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Random, randomFromEnvironment } from "../support/random.ts";
import { type RankstreamProcess, startRankstream } from "../support/service.ts";

const writers = 4;
const readers = 3;
const batchesPerWriter = 60;
/** Writers go on until each reader has had more answers than this. */
const answersMin = 5;
const batchEventsMax = 200;
const items = 50;
const hourMs = 3_600_000;

/** What writers have done so far, by item. */
class Ledger {
  readonly sent: number[] = Array.from({ length: items }, () => 0);
  readonly acknowledged: number[] = Array.from({ length: items }, () => 0);

  add(to: "sent" | "acknowledged", batch: readonly number[]): void {
    for (const item of batch) this[to][item]!++;
  }
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}

describe("reading one's writes", () => {
  let service: RankstreamProcess;
  beforeAll(async () => {
    service = await startRankstream();
  });
  afterAll(() => service.stop());

  async function write(
    random: Random,
    eventType: string,
    ledger: Ledger,
    timed: boolean,
    isRead: () => boolean,
  ) {
    for (let i = 0; i < batchesPerWriter || !isRead(); i++) {
      const size = random.chance(0.3) ? 1 : random.int(1, batchEventsMax);
      const batch = Array.from({ length: size }, () => random.int(0, items - 1));
      const lines = batch.map((item) => {
        // Without a timestamp the time of receipt counts.
        const timestamp = timed ? { timestamp: Date.now() - random.int(0, hourMs) } : {};
        return JSON.stringify({ eventId: `item-${item}`, eventType, ...timestamp });
      });
      ledger.add("sent", batch);
      const { status, body } = await service.post(lines.join("\n"));
      expect([status, body.accepted]).toEqual([202, size]);
      ledger.add("acknowledged", batch);
      await sleep(random.int(0, 10));
    }
  }

  async function read(
    eventType: string,
    ledger: Ledger,
    isOver: () => boolean,
    onAnswer: () => void,
  ): Promise<void> {
    const last = new Map<string, number>();
    const from = Date.now() - 2 * hourMs;
    while (!isOver()) {
      const before = [...ledger.acknowledged];
      const to = Date.now() + hourMs;
      const query = { eventType, from, to, k: items, mode: "exact" };
      const { status, body } = await service.get("/leaderboard", query);
      expect(status).toBe(200);
      const counts = new Map<string, number>();
      for (const { eventId, count } of body.results) counts.set(eventId, count);
      for (let item = 0; item < items; item++) {
        const id = `item-${item}`;
        const count = counts.get(id) ?? 0;
        expect(count, id).toBeGreaterThanOrEqual(Math.max(before[item]!, last.get(id) ?? 0));
        expect(count, id).toBeLessThanOrEqual(ledger.sent[item]!);
        last.set(id, count);
      }
      expect(body.total).toBe(sum([...counts.values()]));
      expect(body).toMatchObject({ stale: false, partial: false });
      onAnswer();
    }
  }

  it.each([
    ["of events that bring their time", true],
    ["of events that are timed on receipt", false],
  ])("%s", async (eventType, timed) => {
    const random = randomFromEnvironment(eventType);
    const ledger = new Ledger();
    let left = writers;
    const answers = new Array<number>(readers).fill(0);
    const writing = Array.from({ length: writers }, async (_, i) => {
      const isRead = () => Math.min(...answers) > answersMin;
      await write(random.fork(i), eventType, ledger, timed, isRead).finally(() => left--);
    });
    const isOver = () => left === 0;
    const reading = answers.map((_, i) => read(eventType, ledger, isOver, () => answers[i]!++));
    await Promise.all([...reading, ...writing]);
    const query = { eventType, timeRange: "last_2_hours", k: 1, mode: "exact" };
    const { body } = await service.get("/leaderboard", query);
    expect(body.total).toBe(sum(ledger.sent));
  });

  it("one at a time, at once", async () => {
    const eventType = "one";
    for (let i = 1; i <= 100; i++) {
      expect((await service.post({ eventId: "a", eventType })).status).toBe(202);
      const query = { eventType, timeRange: "last_hour", mode: "exact" };
      const { body } = await service.get("/leaderboard", query);
      expect(body.results).toMatchObject([{ eventId: "a", count: i }]);
    }
  });
});
