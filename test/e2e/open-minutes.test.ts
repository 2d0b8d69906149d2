// Running minutes answered by their candidates instead of their deltas: bounds hold at every
// moment, before a minute seals and after, also over a restart in between.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BoardOracle } from "../oracles/board-oracle.ts";
import { type Random, randomFromEnvironment, ZipfSampler } from "../support/random.ts";
import { type RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";
import { isLakeRun } from "../support/service-store.ts";
import { expectTrueBoard, randomQuestion } from "./board-checks.ts";

const minuteMs = 60_000;
const rounds = 40;
const questionsPerRound = 3;
const items = 200;

describe("open minutes", () => {
  const dataDir = temporaryFolder();
  // Lists of a few items, so that most are incomplete, and no minute too small to be streamed.
  const args = ["--open-minute-events-min", "0", "--candidates-max", "12"];
  const oracle = new BoardOracle();
  const random = randomFromEnvironment("open-minutes");
  const zipf = new ZipfSampler(items, 0.8);
  const seen = { open: 0, certified: 0, answers: 0 };
  let service: RankstreamProcess;

  const start = async () => {
    service = await startRankstream({
      dataDir,
      args: [...args, "--freshness-wait-ms-max", "9000"],
    });
  };
  beforeAll(start);
  afterAll(() => service.stop());

  async function post(own: Random): Promise<void> {
    const now = Date.now();
    const events = Array.from({ length: own.int(1, 300) }, () => ({
      eventId: `item-${zipf.draw(own)}`,
      eventType: own.pick(["play", "view"]),
      timeMs: now + own.int(Math.floor(-2.8 * minuteMs), 4 * minuteMs),
      weight: own.pick([1, 1, 1, 7]),
    }));
    const lines = events.map(({ eventId, eventType, timeMs, weight }) =>
      JSON.stringify({ eventId, eventType, timestamp: timeMs, weight }),
    );
    const { status } = await service.post(lines.join("\n"), {
      contentType: "application/x-ndjson",
    });
    expect(status).toBe(202);
    for (const event of events) oracle.add(event);
  }

  async function askSome(): Promise<void> {
    for (let i = 0; i < questionsPerRound; i++) {
      const question = { ...randomQuestion(random, oracle), offset: 0, k: random.int(1, 12) };
      if (random.chance(0.5)) {
        question.from -= question.from % minuteMs;
        question.to += minuteMs - (question.to % minuteMs);
      }
      const body = await expectTrueBoard(service, oracle, question, "approx");
      seen.answers++;
      if (body.plan.windows.minute > 0 && body.plan.rowsRead.counts === 0) seen.open++;
      if (body.certified) seen.certified++;
    }
  }

  it("keep their bounds while events come and minutes seal", async () => {
    for (let round = 0; round < rounds; round++) {
      await post(random);
      await askSome();
    }
    // Of a lake the deltas answer for running minutes.
    if (!isLakeRun) expect(seen.open).toBeGreaterThan(seen.answers / 10);
    expect(seen.certified).toBeGreaterThan(0);
    expect(seen.certified).toBeLessThan(seen.answers);
  });

  it("are left to the deltas after a kill, and answer the same", async () => {
    await service.kill();
    await start();
    await askSome();
    for (let round = 0; round < 5; round++) {
      await post(random);
      await askSome();
    }
  });
});
