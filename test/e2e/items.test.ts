// Items and series of the real service against a recount of the events sent: before windows seal,
// while they do, with lists too short for them, and after a restart.
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { json } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import type { CountedEvent } from "../oracles/board-oracle.ts";
import { ItemOracle } from "../oracles/item-oracle.ts";
import { type Random, randomFromEnvironment } from "../support/random.ts";
import { type RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";
import {
  type Body,
  expectTrueItem,
  expectTrueItems,
  expectTrueSeries,
  randomIds,
  randomRanks,
  randomStep,
  randomStretch,
} from "./item-checks.ts";
import { randomEvents, writeBatches } from "./random-events.ts";

const eventsSize = 4000;
const questionsSize = 25;
const sealMsMax = 30_000;
const hourMs = 3_600_000;

describe("items", () => {
  const dataDir = temporaryFolder();
  // Fewer than any window of the busier types has items.
  const args = ["--candidates-max", "20", "--seal-interval-ms", "100", "--seal-quiet-ms", "0"];
  const events: CountedEvent[] = [];
  const oracle = new ItemOracle(events);
  let random: Random;
  let service: RankstreamProcess;

  async function post(more: CountedEvent[]): Promise<void> {
    for (const batch of writeBatches(random, more, 400)) {
      const { status, body } = await service.post(batch.body, batch.options);
      expect([status, body.rejected]).toEqual([202, 0]);
      events.push(...batch.events);
    }
  }

  async function ask(size: number): Promise<void> {
    for (let i = 0; i < size; i++) {
      const stretch = randomStretch(random, events);
      const [eventId] = randomIds(random, events, stretch, 1);
      const neighbours = random.pick([0, 1, 2, 5, 50]);
      const steps = randomStep(random, stretch);
      const ranks = randomRanks(random, stretch, steps["step"]);
      const more = { neighbours, ...steps, ...ranks, mode: "exact" };
      await expectTrueItem(service, oracle, stretch, eventId!, more);
      const distinct = random.pick(["true", "false"]);
      await expectTrueSeries(service, oracle, stretch, {
        ...randomStep(random, stretch),
        distinct,
      });
      if (i % 4 !== 0) continue;
      const batch = randomIds(random, events, stretch, random.pick([1, 10, 1000]));
      await expectTrueItems(service, oracle, stretch, batch);
      const few = [...batch.slice(0, 9), batch[0]!];
      const shape = { history: random.pick(["true", "only"]), ...steps };
      await expectTrueItems(service, oracle, stretch, few, shape);
    }
  }

  beforeAll(async () => {
    random = randomFromEnvironment("items");
    service = await startRankstream({ dataDir, args });
    await post(randomEvents(random, eventsSize, Date.now()));
  });

  it("are what a recount says, while windows seal", () => ask(questionsSize));

  it("are the same once months are sealed, and with late events beside them", async () => {
    const months = { eventType: events[0]!.eventType, timeRange: "all", mode: "approx" };
    const until = Date.now() + sealMsMax;
    for (;;) {
      const { body } = await service.get("/leaderboard", months);
      if (body.plan.windows.month >= 3) break;
      if (Date.now() > until) throw new Error(`no months sealed: ${JSON.stringify(body.plan)}`);
      await sleep(100);
    }
    await ask(questionsSize);
    await post(randomEvents(random, 100, Date.now() - 5 * 86_400_000));
    await ask(questionsSize);
  }, 180_000);

  it("were first seen when the type was, in all of time", async () => {
    for (const eventType of new Set(events.map((event) => event.eventType))) {
      const first = oracle.firstOf(eventType)!;
      const [eventId] = randomIds(random, events, { eventType, from: 0, to: 0 }, 1);
      const path = `/items/${encodeURIComponent(eventType)}/${encodeURIComponent(eventId!)}`;
      const { body } = await service.get(path, { timeRange: "all" });
      expect(body.from).toBe("1970-01-01T00:00:00.000Z");
      expect(Date.parse(body.effectiveFrom)).toBe(first - (first % 60_000));
      expect(body.history[0].from).toBe(body.effectiveFrom);
      const counted = body.history.reduce((sum: number, { count }: { count: number }) => {
        return sum + count;
      }, 0);
      const own = { eventType, from: 0, to: Date.now() + 600_000 };
      expect([body.count, counted]).toEqual(
        Array(2).fill(oracle.standings(own, [eventId!])[0]!.count),
      );
    }
  });

  it("have histories of so many counts in one answer and no more", async () => {
    const { eventType } = events[0]!;
    const ask = async (items: number, hours: number) => {
      const from = 460_000;
      const range = `from=${from * hourMs}&to=${(from + hours) * hourMs}`;
      const path = `/items/${encodeURIComponent(eventType)}/batch?${range}&history=only&step=hour`;
      const headers = { "content-type": "application/json" };
      const body = JSON.stringify({ eventIds: Array(items).fill("a") });
      return service.request(path, { method: "POST", headers, body });
    };
    const most = await ask(100, 1000);
    expect([most.status, most.body.items[99].history.length]).toEqual([200, 1000]);
    const more = await ask(100, 1001);
    expect([more.status, more.body.code]).toEqual([400, "invalid_parameter"]);
    expect(more.body.detail).toBe(
      "history: expected at most 100000 counts, got 100100 (100 items, 1001 steps); " +
        "ask for a coarser step, or for fewer items",
    );
  });

  it("that never were have no rank, no neighbours and a history of zeros", async () => {
    const { eventType } = events[0]!;
    for (const [type, id] of [
      [eventType, "nobody sent this"],
      ["nor of this", events[0]!.eventId],
    ] as const) {
      const path = `/items/${encodeURIComponent(type)}/${encodeURIComponent(id)}`;
      const { status, body } = await service.get(path, { timeRange: "last_3_hours" });
      expect(status).toBe(200);
      expect(body).toMatchObject({ count: 0, lower: 0, upper: 0, rank: null, share: 0 });
      expect(body).toMatchObject({ neighbours: { above: [], below: [] }, firstSeen: null });
      expect(body.history.map(({ count }: { count: number }) => count)).toEqual(
        Array(body.history.length).fill(0),
      );
      expect(body.history.length).toBeGreaterThanOrEqual(3);
    }
  });

  it("are ranked in a hundred steps at most", async () => {
    const { eventType, eventId } = events[0]!;
    const query = { eventType, eventId, timeRange: "last_3_hours", step: "minute" };
    expect((await service.get("/items", query)).status).toBe(200);
    const { status, body } = await service.get("/items", { ...query, ranks: "true" });
    expect([status, body.code, body.parameter]).toEqual([400, "invalid_parameter", "ranks"]);
    expect(body.detail).toContain("at most 100 steps with it, got 18");
  });

  it("are found by whatever text they are named", async () => {
    const names = ["..", ".", "a/b", "%2F", "%252F", "100%", "?q=1#f", "a+b c", "\u{1f3b5}\u0001"];
    const { port } = new URL(service.url);
    /** The address goes out as it is written: fetch would resolve %2e%2e. */
    const get = async (path: string): Promise<Body> => {
      const [reply] = (await once(request({ port, path }).end(), "response")) as [IncomingMessage];
      return await json(reply);
    };
    const timestamp = Date.now();
    const eventType = "names/..";
    const named = names.map((eventId, i) => ({ eventId, eventType, timestamp, weight: i + 1 }));
    expect((await service.post(named)).status).toBe(202);
    const encoded = (text: string) => encodeURIComponent(text).replaceAll(".", "%2e");
    for (const [i, eventId] of names.entries()) {
      const body = await get(`/items/${encoded(eventType)}/${encoded(eventId)}`);
      expect(body).toMatchObject({ eventType, eventId, count: i + 1, rank: names.length - i });
      const query = new URLSearchParams({ eventType, eventId });
      expect(await get(`/items?${query}`)).toMatchObject({ eventId, count: i + 1 });
    }
  });

  it("are the same after a restart", async () => {
    await service.stop();
    service = await startRankstream({ dataDir, args });
    await ask(10);
    await service.stop();
  });
});
