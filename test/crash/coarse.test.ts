// Types whose minutes, or hours too, go once larger windows are built of them: killed while they
// go and while they are made anew, every answer stays what a recount says.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, it } from "vitest";
import type { FailPointName } from "../../src/fail-point.ts";
import { ask, expectBoard, modes, randomQuestion } from "../e2e/board-checks.ts";
import { BoardOracle } from "../oracles/board-oracle.ts";
import { type Random, randomFromEnvironment } from "../support/random.ts";
import { RankstreamProcess, temporaryFolder } from "../support/service.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const daysBack = 3;
const asked = 25;
const exitMsMax = 30_000;
const windows = { play: 3600, search: 86_400, view: 60 };
const names = Object.keys(windows);
/** A whole day, some days back. */
const day = Math.floor(Date.now() / dayMs) * dayMs - 2 * dayMs;

const random: Random = randomFromEnvironment("coarse windows");
const oracle = new BoardOracle();
const dataDir = temporaryFolder();
const args = ["--seal-interval-ms", "100", "--seal-quiet-ms", "0", "--candidates-max", "15"];
args.push("--coarsen-after-ms", "0", "--freshness-wait-ms-max", "9000");
let service: RankstreamProcess;

afterAll(() => service.stop());

async function start(failPoint?: `${FailPointName}${"" | ":2"}`): Promise<void> {
  service = new RankstreamProcess({ dataDir, args, ...(failPoint && { failPoint }) });
  await service.ready();
}

async function post(size: number): Promise<void> {
  const now = Date.now();
  const events = Array.from({ length: size }, () => ({
    eventId: `item-${random.int(0, 60)}`,
    eventType: random.pick(names),
    timeMs: now - random.int(0, daysBack * dayMs),
    weight: random.pick([1, 1, 3]),
  }));
  const lines = events.map(({ timeMs, ...event }) =>
    JSON.stringify({ ...event, timestamp: timeMs }),
  );
  const { status, body } = await service.post(lines.join("\n"));
  expect([status, body.rejected]).toEqual([202, 0]);
  for (const event of events) oracle.add(event);
}

/** Asks for a cut of the day until the service dies of it. */
async function askUntilDead(): Promise<void> {
  const until = Date.now() + exitMsMax;
  const range = { from: day + hourMs / 2, to: day + dayMs + hourMs / 3, mode: "exact" };
  let isDead = false;
  void service.exited.then(() => {
    isDead = true;
  });
  while (!isDead && Date.now() < until) {
    const eventType = random.pick(["play", "search"]);
    await service.get("/leaderboard", { ...range, eventType }).catch(() => undefined);
    await sleep(50);
  }
  expect(await service.exited, service.output()).toEqual({ code: null, signal: "SIGKILL" });
}

async function expectRight(): Promise<void> {
  for (let i = 0; i < asked; i++) {
    const question = randomQuestion(random, oracle);
    const mode = random.pick(modes);
    const { body } = await ask(service, question, mode);
    expectBoard(body, oracle.board(question), question.k, mode);
  }
}

/** Every point of a series of a day and a bit, and one item's history. */
async function expectSeries(eventType: string, step: "minute" | "hour"): Promise<void> {
  const from = day + 2 * hourMs + 90_000;
  const to = step === "minute" ? from + 3 * hourMs : day + dayMs + hourMs;
  const range = { from, to, step };
  const { body } = await service.get(`/event-types/${eventType}/series`, range);
  expect(body.points.length).toBeGreaterThan(20);
  const sum = (counts: Map<string, number>) => [...counts.values()].reduce((a, b) => a + b, 0);
  for (const point of body.points) {
    const counts = oracle.counts([eventType], Date.parse(point.from), Date.parse(point.to));
    expect(point.total, `${eventType} ${point.from}`).toBe(sum(counts));
  }
  const item = await service.get(`/items/${eventType}/item-7`, range);
  for (const point of item.body.history) {
    const counts = oracle.counts([eventType], Date.parse(point.from), Date.parse(point.to));
    expect(point.count, `${eventType} ${point.from}`).toBe(counts.get("item-7") ?? 0);
  }
}

it("answers as a recount does, whatever windows are there", { timeout: 180_000 }, async () => {
  await start("coarse.before_commit:2");
  await post(3000);
  for (const [name, aggregationWindow] of Object.entries(windows)) {
    const { body } = await service.request(`/event-types/${name}`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ aggregationWindow }),
    });
    expect(body.aggregationWindow).toBe(aggregationWindow);
  }
  expect(await service.exited, service.output()).toEqual({ code: null, signal: "SIGKILL" });
  await start("coarse.before_restore_commit");
  await askUntilDead();
  await start();
  await expectRight();
  // Late events come to windows whose minutes are gone.
  await post(500);
  await expectRight();
  for (const name of names) {
    for (const step of ["minute", "hour"] as const) await expectSeries(name, step);
  }
  for (const eventType of names) {
    const [from, to] = [day + 5 * hourMs + 12_345, day + 9 * hourMs + 60_000];
    const scope = `from=${from}&to=${to}`;
    const path = `/event-types/${eventType}/events?${scope}`;
    const { status, body } = await service.request(path, { method: "DELETE" });
    expect([status, body.code]).toEqual([200, undefined]);
    oracle.forget((e) => e.eventType === eventType && e.timeMs >= from && e.timeMs < to);
  }
  await expectRight();
  await post(300);
  await expectRight();
});
