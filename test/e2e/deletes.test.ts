// Deletes of the real service, between events, running minutes, sealing, kills and restarts: each
// answer is that of the events left, and a dry run says what then goes.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BoardOracle, type CountedEvent } from "../oracles/board-oracle.ts";
import { type Random, randomFromEnvironment, ZipfSampler } from "../support/random.ts";
import { type RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";
import { isLakeRun } from "../support/service-store.ts";
import { ask, expectTrueBoard, modes, randomQuestion } from "./board-checks.ts";
import { randomEvents, writeBatches } from "./random-events.ts";

const minuteMs = 60_000;
const rounds = 8;
const questionsPerRound = 3;

interface Scope {
  eventType: string;
  eventId: string | null;
  range: { from: number; to: number } | null;
}

/** A delete from a lake is some transactions of tenths of a second. */
const recountMsMax = isLakeRun ? 600_000 : 120_000;

describe("deletes", () => {
  const dataDir = temporaryFolder();
  // Short lists, running minutes that are streamed however few events they have.
  const args = ["--open-minute-events-min", "0", "--candidates-max", "12"];
  args.push("--seal-interval-ms", "100", "--seal-quiet-ms", "0");
  const oracle = new BoardOracle();
  const zipf = new ZipfSampler(60, 0.8);
  let random: Random;
  let service: RankstreamProcess;

  const restart = async () => {
    const more = ["--freshness-wait-ms-max", "9000"];
    service = await startRankstream({ dataDir, args: [...args, ...more] });
  };
  beforeAll(async () => {
    random = randomFromEnvironment("deletes");
    await restart();
  });
  afterAll(() => service.stop());

  /** Of the running minutes, and of months ago. */
  async function post(): Promise<void> {
    const now = Date.now();
    const live = Array.from({ length: random.int(20, 200) }, () => ({
      eventId: `item-${zipf.draw(random)}`,
      eventType: random.pick(["play", "view"]),
      timeMs: now + random.int(Math.floor(-2.8 * minuteMs), 4 * minuteMs),
      weight: random.pick([1, 1, 1, 7]),
    }));
    const events = [...live, ...randomEvents(random, random.int(1, 150), now)];
    for (const batch of writeBatches(random, events, 200)) {
      const { status, body } = await service.post(batch.body, batch.options);
      expect([status, body.rejected]).toEqual([202, 0]);
      for (const event of batch.events) oracle.add(event);
    }
  }

  function randomScope(): Scope {
    const { eventType, eventId, timeMs } = random.pick(oracle.events);
    const kind = random.pick(["type", "range", "item", "item", "item range"]);
    const length = random.pick([1, 10_000, minuteMs, 90 * minuteMs, 30 * 1440 * minuteMs]);
    const from = timeMs - random.int(0, length);
    const start = random.chance(0.4) ? from - (from % minuteMs) : from;
    return {
      eventType,
      eventId: kind.startsWith("item") ? eventId : null,
      range: kind.endsWith("range") ? { from: start, to: start + length } : null,
    };
  }

  function addressOf({ eventType, eventId, range }: Scope, more: Record<string, string>): string {
    const type = encodeURIComponent(eventType);
    const query = new URLSearchParams(more);
    if (range !== null) {
      query.set("from", String(range.from));
      query.set("to", String(range.to));
    }
    if (eventId !== null) return `/items/${type}/${encodeURIComponent(eventId)}?${query}`;
    return `/event-types/${type}${range === null ? "" : "/events"}?${query}`;
  }

  async function send(scope: Scope, more: Record<string, string> = {}) {
    const reply = await service.request(addressOf(scope, more), { method: "DELETE" });
    expect(reply.status, JSON.stringify(reply.body)).toBe(200);
    return reply.body;
  }

  function isIn({ eventType, eventId, range }: Scope) {
    return (event: CountedEvent) =>
      event.eventType === eventType &&
      (eventId === null || event.eventId === eventId) &&
      (range === null || (event.timeMs >= range.from && event.timeMs < range.to));
  }

  async function deleteOne(): Promise<void> {
    const scope = randomScope();
    const { dryRun, ...would } = await send(scope, { dryRun: "true" });
    expect(dryRun).toBe(true);
    const { dryRun: isDry, ...did } = await send(scope);
    expect(isDry).toBe(false);
    const gone = oracle.forget(isIn(scope));
    const times = gone.map(({ timeMs }) => timeMs);
    const iso = (ms: number) => new Date(ms).toISOString();
    const context = JSON.stringify({ scope, did });
    expect({ ...did, windows: 0, files: 0 }, context).toEqual({
      eventType: scope.eventType,
      ...(scope.eventId !== null && { eventId: scope.eventId }),
      from: scope.range && iso(scope.range.from),
      to: scope.range && iso(scope.range.to),
      events: gone.length,
      count: gone.reduce((sum, { weight }) => sum + weight, 0),
      items: new Set(gone.map(({ eventId }) => eventId)).size,
      windows: 0,
      files: 0,
      firstSeen: times.length === 0 ? null : iso(Math.min(...times)),
      lastSeen: times.length === 0 ? null : iso(Math.max(...times)),
    });
    // Windows are sealed and files written in between.
    expect({ ...did, windows: 0, files: 0 }).toEqual({ ...would, windows: 0, files: 0 });
  }

  async function askSome(): Promise<void> {
    if (oracle.events.length === 0) return;
    for (let i = 0; i < questionsPerRound; i++) {
      const question = randomQuestion(random, oracle);
      for (const mode of modes) await expectTrueBoard(service, oracle, question, mode);
    }
  }

  async function expectTypes(): Promise<void> {
    const { body } = await service.get("/event-types");
    const totals = new Map<string, number>();
    for (const { eventType, weight } of oracle.events) {
      totals.set(eventType, (totals.get(eventType) ?? 0) + weight);
    }
    const got = body.eventTypes.map(({ name, total }: { name: string; total: number }) => {
      return [name, total];
    });
    expect(new Map(got)).toEqual(totals);
  }

  it("leave running minutes to their deltas: what was streamed holds what is gone", async () => {
    const eventType = "running";
    const start = Math.floor(Date.now() / minuteMs + 2) * minuteMs;
    const send = async (eventId: string) => {
      await service.post([{ eventId, eventType, timestamp: start + 5 }]);
    };
    const look = async () => {
      const range = { eventType, from: start, to: start + minuteMs, mode: "approx" };
      const { results, plan } = (await service.get("/leaderboard", range)).body;
      const rows = results.map((row: { eventId: string; upper: number }) => {
        return `${row.eventId} ${row.upper}`;
      });
      return { rows, isStreamed: plan.rowsRead.counts === 0 };
    };
    for (const id of ["a", "a", "b"]) await send(id);
    // To a lake nothing is streamed: its deltas answer from the start.
    expect(await look()).toEqual({ rows: ["a 2", "b 1"], isStreamed: !isLakeRun });
    await service.request(`/items/${eventType}/a`, { method: "DELETE" });
    expect(await look()).toEqual({ rows: ["b 1"], isStreamed: false });
    await send("b");
    expect(await look()).toEqual({ rows: ["b 2"], isStreamed: false });
    for (const id of ["a", "a", "a"]) await send(id);
    expect(await look()).toEqual({ rows: ["a 3", "b 2"], isStreamed: false });
    await service.request(`/event-types/${eventType}`, { method: "DELETE" });
    await send("c");
    expect(await look()).toEqual({ rows: ["c 1"], isStreamed: false });
    await service.request(`/event-types/${eventType}`, { method: "DELETE" });
  });

  it("leave what a recount says, in every mode", { timeout: recountMsMax }, async () => {
    for (let round = 0; round < rounds; round++) {
      await post();
      await deleteOne();
      await askSome();
      if (round % 4 === 3) await expectTypes();
      if (round === rounds / 2) {
        // Whatever was deleted before is gone for good, what the log holds comes once.
        await service.kill();
        await restart();
        await askSome();
      }
    }
    await expectTypes();
  });

  it("leave no trace where only raw events know: times, users, filters, parts", async () => {
    const eventType = "traces";
    const start = Date.UTC(2026, 8, 1, 10);
    const eventOf = (eventId: string, at: number, userId: string, country: string) => {
      return { eventId, eventType, timestamp: start + at, userId, metadata: { country } };
    };
    const early = eventOf("a", 0, "u1", "DE");
    const late = eventOf("a", 90_000, "u3", "AT");
    const kept = [eventOf("a", 30_000, "u2", "FR"), eventOf("b", 30_000, "u1", "FR")];
    // So many go to a file of their own, the last one stays beside.
    const filler = Array.from({ length: 33_000 }, (_, i) => eventOf("c", i, "u4", "FR"));
    const lines = [early, ...kept, ...filler].map((event) => JSON.stringify(event));
    await service.post(lines.join("\n"));
    await service.post([late]);
    const range = { from: start - minuteMs, to: start + 5 * minuteMs };
    const iso = (ms: number) => new Date(ms).toISOString();
    // Where new events make an answer late, the one before may come, and says so.
    const newest = async (path: string, query: Record<string, string | number>) => {
      for (;;) {
        const { body } = await service.get(path, query);
        if (body.stale !== true) return body;
      }
    };
    const look = async () => {
      const item = await newest(`/items/${eventType}/a`, range);
      const series = await newest(`/event-types/${eventType}/series`, range);
      const total = async (more: Record<string, string>) => {
        const query = { eventType, ...range, include: "a", ...more };
        return (await newest("/leaderboard", query)).total;
      };
      const counts = item.history.map(({ count }: { count: number }) => count);
      return {
        times: [item.firstSeen, item.lastSeen],
        history: counts.reduce((sum: number, count: number) => sum + count, 0),
        series: series.total,
        filtered: await Promise.all(["DE", "FR", "AT"].map((c) => total({ "filter.country": c }))),
        ofUsers: await Promise.all(["u1", "u2", "u3"].map((userId) => total({ userId }))),
        users: await total({ by: "users" }),
        cut: await total({ to: String(start + 1) }),
      };
    };
    const both = {
      times: [iso(start), iso(start + 90_000)],
      history: 3,
      series: 33_004,
      filtered: [1, 1, 1],
      ofUsers: [1, 1, 1],
      users: 3,
      cut: 1,
    };
    expect(await look()).toEqual(both);
    for (const at of [0, 90_000]) {
      const one = { from: start + at, to: start + at + 1 };
      await send({ eventType, eventId: "a", range: one });
    }
    const left = {
      times: [iso(start + 30_000), iso(start + 30_000)],
      history: 1,
      series: 33_002,
      filtered: [0, 1, 0],
      ofUsers: [0, 1, 0],
      users: 1,
      cut: 0,
    };
    expect(await look()).toEqual(left);
    await service.kill();
    await restart();
    expect(await look()).toEqual(left);
    await service.post([early, late]);
    expect(await look()).toEqual(both);
    await send({ eventType, eventId: null, range: null });
  });

  it("let events of a deleted type and item count again", async () => {
    const event = { eventId: "again", eventType: "fresh", timeMs: Date.now(), weight: 3 };
    const { eventId, eventType, timeMs: timestamp, weight } = event;
    const scopes: Scope[] = [
      { eventType, eventId: null, range: null },
      { eventType, eventId, range: null },
    ];
    for (const scope of scopes) {
      await service.post([{ eventId, eventType, timestamp, weight }]);
      expect(await send(scope)).toMatchObject({ events: 1, count: 3, items: 1 });
      expect(await send(scope)).toMatchObject({ events: 0, count: 0, firstSeen: null });
      await service.post([{ eventId, eventType, timestamp, weight }]);
      oracle.add(event);
      const range = { from: timestamp - minuteMs, to: timestamp + 1 };
      const question = { eventTypes: [eventType], ...range, k: 5, offset: 0 };
      for (const mode of modes) {
        await expectTrueBoard(service, oracle, { ...question, ties: "ordinal" }, mode);
      }
      await send(scopes[0]!);
      oracle.forget(isIn(scopes[0]!));
    }
    const nothing = { eventTypes: [eventType], from: 0, to: timestamp, k: 5, offset: 0 };
    const { body } = await ask(service, { ...nothing, ties: "ordinal" }, "auto");
    expect(body).toMatchObject({ total: 0, results: [], certified: true });
  });
});
