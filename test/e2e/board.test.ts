// Boards of the real service against a recount of the events sent, before and after restarts.
import { beforeAll, describe, expect, it } from "vitest";
import { BoardOracle, type BoardQuestion } from "../oracles/board-oracle.ts";
import { type Random, randomFromEnvironment } from "../support/random.ts";
import { type RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";
import { ask, expectTrueBoard, modes, randomQuestion } from "./board-checks.ts";
import { randomEvents, writeBatches } from "./random-events.ts";

const eventsSize = 4000;
/** `npm run test:oracle` asks for more. */
const questionsSize = Number(process.env["RANKSTREAM_BOARD_QUESTIONS"] ?? 80);
const postsAtOnce = 8;
const stopMsMax = 10_000;

describe("boards", () => {
  const dataDir = temporaryFolder();
  const oracle = new BoardOracle();
  let random: Random;
  let service: RankstreamProcess;
  const questions: BoardQuestion[] = [];

  beforeAll(async () => {
    random = randomFromEnvironment("boards");
    service = await startRankstream({ dataDir });
    const batches = writeBatches(random, randomEvents(random, eventsSize, Date.now()), 150);
    const post = async () => {
      for (let batch = batches.pop(); batch; batch = batches.pop()) {
        const { status, body } = await service.post(batch.body, batch.options);
        expect(body).toEqual({ accepted: batch.events.length, rejected: 0, errors: [] });
        expect(status).toBe(202);
        for (const event of batch.events) oracle.add(event);
      }
    };
    await Promise.all(Array.from({ length: postsAtOnce }, post));
    for (let i = 0; i < questionsSize; i++) questions.push(randomQuestion(random, oracle));
  });

  async function expectAllTrue(every: number): Promise<void> {
    for (const [i, question] of questions.entries()) {
      if (i % every !== 0) continue;
      for (const mode of modes) await expectTrueBoard(service, oracle, question, mode);
    }
  }

  async function expectTypes(): Promise<void> {
    const { body } = await service.get("/event-types");
    const names = [...new Set(oracle.events.map(({ eventType }) => eventType))].sort();
    const wanted = names.map((name) => {
      const events = oracle.events.filter(({ eventType }) => eventType === name);
      const times = events.map(({ timeMs }) => timeMs);
      return {
        name,
        total: events.reduce((sum, { weight }) => sum + weight, 0),
        firstSeen: new Date(Math.min(...times)).toISOString(),
        lastSeen: new Date(Math.max(...times)).toISOString(),
      };
    });
    const got = body.eventTypes.map(
      ({ name, total, firstSeen, lastSeen }: Record<string, unknown>) => {
        return { name, total, firstSeen, lastSeen };
      },
    );
    got.sort((a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1));
    expect(got).toEqual(wanted);
  }

  it("are what a recount says, in every mode", async () => {
    await expectAllTrue(1);
    await expectTypes();
  });

  it("of a range of one millisecond hold what happened in it", async () => {
    for (let i = 0; i < 20; i++) {
      const { timeMs, eventType } = random.pick(oracle.events);
      const rest = { eventTypes: [eventType], k: 10, offset: 0, ties: "ordinal" as const };
      const at = { ...rest, from: timeMs, to: timeMs + 1 };
      const body = await expectTrueBoard(service, oracle, at, "exact");
      expect(body.total).toBeGreaterThan(0);
      await expectTrueBoard(service, oracle, { ...at, from: timeMs - 1, to: timeMs }, "exact");
    }
  });

  it("of unknown types and empty ranges are empty", async () => {
    const rest = { k: 10, offset: 0, ties: "competition" as const };
    const [first] = oracle.events;
    for (const mode of modes) {
      const unknown = { ...rest, eventTypes: ["nobody sent this"], from: 0, to: Date.now() };
      const early = { ...rest, eventTypes: [first!.eventType], from: 0, to: 1000 };
      for (const question of [unknown, early]) {
        const { status, body } = await ask(service, question, mode);
        expect([status, body.total, body.results]).toEqual([200, 0, []]);
        await expectTrueBoard(service, oracle, question, mode);
      }
    }
  });

  it("are the same after SIGTERM and a new start", async () => {
    const start = Date.now();
    await service.stop();
    expect(Date.now() - start).toBeLessThan(stopMsMax);
    service = await startRankstream({ dataDir });
    await expectAllTrue(3);
    await expectTypes();
  });

  it("are the same after kill -9 and a new start", async () => {
    const more = writeBatches(random, randomEvents(random, 100, Date.now()), 20);
    for (const { body, options, events } of more) {
      expect((await service.post(body, options)).status).toBe(202);
      for (const event of events) oracle.add(event);
    }
    await service.kill();
    service = await startRankstream({ dataDir });
    await expectAllTrue(3);
    await expectTypes();
    await service.stop();
  });
});
