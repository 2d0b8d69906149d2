// Retention, by the real service: answers end where it ends, what is older goes and nothing else,
// also where a larger window still holds it, and across a kill in the middle.
import { beforeAll, describe, expect, it, vi } from "vitest";
import { BoardOracle } from "../oracles/board-oracle.ts";
import { type Random, randomFromEnvironment } from "../support/random.ts";
import { type RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";
import { ask, expectBoard, modes, randomQuestion } from "./board-checks.ts";

const minuteMs = 60_000;
const dayMs = 1440 * minuteMs;
const waitMsMax = 30_000;

describe("retention", () => {
  const dataDir = temporaryFolder();
  const args = ["--seal-interval-ms", "100", "--seal-quiet-ms", "0", "--candidates-max", "15"];
  args.push("--freshness-wait-ms-max", "9000");
  const oracle = new BoardOracle();
  let random: Random;
  let service: RankstreamProcess;

  const start = async () => {
    service = await startRankstream({ dataDir, args });
  };

  const put = (name: string, settings: object) =>
    service.request(`/event-types/${name}`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(settings),
    });

  async function post(eventType: string, size: number, back: number): Promise<void> {
    const now = Date.now();
    const events = Array.from({ length: size }, () => ({
      eventId: `item-${random.int(0, 40)}`,
      eventType,
      timeMs: now - random.int(0, back),
      weight: random.pick([1, 1, 2]),
    }));
    const lines = events.map(({ timeMs, ...event }) =>
      JSON.stringify({ ...event, timestamp: timeMs }),
    );
    const { status, body } = await service.post(lines.join("\n"));
    expect([status, body.rejected]).toEqual([202, 0]);
    for (const event of events) oracle.add(event);
  }

  /** Asks for ranges that reach over the horizon; of what is older the answer must be clipped. */
  async function expectKept(days: Record<string, number | null>, size: number): Promise<void> {
    for (let i = 0; i < size; i++) {
      const question = randomQuestion(random, oracle);
      const mode = random.pick(modes);
      const before = Date.now();
      const { body } = await ask(service, question, mode);
      const kept = question.eventTypes.map((name) => days[name] ?? null);
      const shortest = Math.min(...kept.map((own) => own ?? 100_000));
      const effectiveFrom = Date.parse(body.effectiveFrom);
      const horizon = (now: number) => now - (now % minuteMs) - shortest * dayMs;
      const clipped = Math.min(question.to, Math.max(question.from, horizon(before)));
      expect(effectiveFrom).toBeGreaterThanOrEqual(clipped);
      const latest = Math.min(question.to, Math.max(question.from, horizon(Date.now())));
      expect(effectiveFrom).toBeLessThanOrEqual(latest);
      expect(body.from).toBe(new Date(question.from).toISOString());
      const truth = oracle.board({ ...question, from: effectiveFrom });
      expectBoard(body, truth, question.k, mode);
    }
  }

  beforeAll(async () => {
    random = randomFromEnvironment("retention");
    await start();
    for (const eventType of ["short", "long", "kept"]) {
      for (let i = 0; i < 4; i++) await post(eventType, 400, 70 * dayMs);
    }
    await post("short", 200, 2 * dayMs);
  });

  it("clips answers at once, and takes what is older, of that type alone", async () => {
    await expectKept({}, 8);
    const { status, body } = await put("short", { retentionDays: 3, description: "plays" });
    expect(status).toBe(200);
    expect(body).toMatchObject({ name: "short", retentionDays: 3, description: "plays" });
    await expectKept({ short: 3 }, 8);
    const end = Date.now();
    const through = end - (end % dayMs) - 3 * dayMs;
    const isLeft = (time: number) => time >= through;
    await vi.waitFor(
      async () => {
        const { body: type } = await service.get("/event-types/short");
        expect(isLeft(Date.parse(type.firstSeen))).toBe(true);
        const own = oracle.events.filter(({ eventType }) => eventType === "short");
        const left = own.filter(({ timeMs }) => isLeft(timeMs));
        expect(type.total).toBe(left.reduce((sum, { weight }) => sum + weight, 0));
      },
      { timeout: waitMsMax, interval: 50 },
    );
    await expectKept({ short: 3 }, 12);
    for (const eventType of ["long", "kept"]) {
      const own = oracle.events.filter((event) => event.eventType === eventType);
      const { body: type } = await service.get(`/event-types/${eventType}`);
      expect(type.total).toBe(own.reduce((sum, { weight }) => sum + weight, 0));
    }
  });

  it("goes on after a kill, and stays what it was", async () => {
    expect((await put("long", { retentionDays: 40 })).status).toBe(200);
    await service.kill();
    await start();
    const { body } = await service.get("/event-types");
    expect(body.eventTypes).toMatchObject([
      { name: "kept", retentionDays: null },
      { name: "long", retentionDays: 40 },
      { name: "short", retentionDays: 3, description: "plays" },
    ]);
    await expectKept({ short: 3, long: 40 }, 12);
  });

  it("refuses events that are older, and takes the rest of the batch", async () => {
    const now = Date.now();
    const event = (eventType: string, timestamp: number) => ({
      eventId: "late",
      eventType,
      timestamp,
    });
    const batch = [
      event("short", now - 5 * dayMs),
      event("long", now - 5 * dayMs),
      event("kept", now - 400 * dayMs),
    ];
    const { status, body } = await service.post(batch);
    expect([status, body.accepted, body.rejected]).toEqual([202, 2, 1]);
    expect(body.errors).toMatchObject([{ line: 1, field: "timestamp", code: "beyond_retention" }]);
    for (const { timestamp, ...rest } of batch.slice(1)) {
      oracle.add({ ...rest, timeMs: timestamp, weight: 1 });
    }
    await expectKept({ short: 3, long: 40 }, 8);
  });

  it("leaves open what is new where the period before has expired", async () => {
    const now = Date.now();
    const ask = async (days: number) => {
      const query = `from=${now - days * dayMs}&to=${now}&compare=previous&k=1000`;
      return (await service.get(`/leaderboard?eventType=short&${query}`)).body;
    };
    const inside = await ask(1);
    for (const row of inside.results) expect(row.isNew).toBe(row.previousCount === 0);
    const cut = await ask(2);
    for (const row of cut.results) expect(row.isNew).toBe(row.previousCount === 0 ? null : false);
    expect(cut.results.length).toBeGreaterThan(0);
  });

  it("never brings back what has expired, and ends with its event type", async () => {
    const known = await service.get("/leaderboard?eventType=short&timeRange=all");
    expect((await put("short", { retentionDays: null })).body.retentionDays).toBe(null);
    const { body } = await service.get("/leaderboard?eventType=short&timeRange=all");
    const day = Date.now() - (Date.now() % dayMs);
    expect(body.effectiveFrom).toBe(new Date(day - 3 * dayMs).toISOString());
    expect(body.total).toBeGreaterThanOrEqual(known.body.total);
    expect((await service.request("/event-types/short", { method: "DELETE" })).status).toBe(200);
    expect((await service.get("/event-types/short")).status).toBe(404);
    const again = { eventId: "a", eventType: "short", timestamp: Date.now() - 50 * dayMs };
    expect((await service.post(again)).status).toBe(202);
    const fresh = await service.get("/leaderboard?eventType=short&timeRange=all&mode=exact");
    expect([fresh.body.total, fresh.body.effectiveFrom]).toEqual([1, "1970-01-01T00:00:00.000Z"]);
  });

  it("is refused where it makes no sense", async () => {
    const cases: [object, string][] = [
      [{ retentionDays: 0 }, "retentionDays: expected an integer 1..36500, or null, got"],
      [{ retentionDays: 1.5 }, "retentionDays"],
      [{ retentionDays: "7" }, "retentionDays"],
      [{ description: 7 }, "description: expected text of at most 2000 characters"],
      [{ retention: 7 }, "retention: expected one of description, retentionDays"],
      [{ aggregationWindow: 90 }, "aggregationWindow: expected 60, 3600 or 86400 (seconds)"],
      [[], "body: expected an object"],
    ];
    for (const [settings, detail] of cases) {
      const { status, body } = await put("kept", settings);
      expect([status, body.code]).toEqual([400, "invalid_parameter"]);
      expect(body.detail).toContain(detail);
    }
    expect((await service.get("/event-types/kept")).body.retentionDays).toBe(null);
    await service.stop();
  });
});
