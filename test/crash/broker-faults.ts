// Faults of the broker that holds the log, which the service has to outlast: what it answers
// meanwhile says so, and all goes on by itself once the broker is back.
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import type { KafkaBroker } from "../support/kafka-broker.ts";
import type { Answer, RankstreamProcess } from "../support/service.ts";
import { appendTimeoutMs } from "./campaign-target.ts";
import { type CrashWorld, within } from "./crash-world.ts";
import { disturbed, type Fault, type FaultNote } from "./faults.ts";

const slackMs = 4000;
const awayMsMax = 10_000;
/** An answer of the first moments may still be one that was made before. */
const staleAfterMs = 3000;

/** Like any load, but a broker is taken away meanwhile; whatever happens it comes back. */
async function withoutBroker(
  world: CrashWorld,
  takeAway: (broker: KafkaBroker, service: RankstreamProcess) => Promise<string>,
  giveBack: (broker: KafkaBroker) => Promise<void>,
): Promise<FaultNote> {
  const { broker } = world.target;
  if (broker === null) throw new Error(`target ${world.target.name} has no broker`);
  world.begin({ largeChance: world.random.pick([0, 0.05]) });
  world.load.allowedErrors = new Set(["log_full", "query_timeout"]);
  // While nothing can be asked of the broker an exact question waits in vain.
  const service = await world.start({ env: { RANKSTREAM_EXACT_TIMEOUT_MS: "5000" } });
  const note = await disturbed(world, service, async () => {
    await sleep(world.random.int(100, 800));
    try {
      return await takeAway(broker, service);
    } finally {
      await giveBack(broker);
    }
  });
  world.load.allowedErrors = new Set();
  return note;
}

/** kill -9 under load: what it had acknowledged is still there. */
export const brokerKill: Fault = (world) =>
  withoutBroker(
    world,
    async (broker) => {
      await broker.kill();
      const awayMs = world.random.int(0, world.isBrisk ? 500 : 4000);
      await sleep(awayMs);
      return `the broker was killed, and gone for ${awayMs} ms`;
    },
    async (broker) => void (await broker.start()),
  );

/** SIGSTOP for longer than an append may take: what was sent may land after all. */
export const brokerPause: Fault = (world) =>
  withoutBroker(
    world,
    async (broker) => {
      const longest = appendTimeoutMs + (world.isBrisk ? 1000 : 5000);
      const pauseMs = world.random.int(appendTimeoutMs + 500, longest);
      const before = unavailableIn(world);
      broker.signal("SIGSTOP");
      await sleep(pauseMs);
      const isNamed = await within(slackMs, () => unavailableIn(world) > before);
      expect(isNamed, "log_unavailable was expected").toBe(true);
      return `the broker stood still for ${pauseMs} ms`;
    },
    async (broker) => broker.signal("SIGCONT"),
  );

/** Down for a while: batches are turned away at once, boards stay, marked. */
export const brokerStop: Fault = (world) =>
  withoutBroker(
    world,
    async (broker, service) => {
      const before = unavailableIn(world);
      await broker.stop();
      const stopped = performance.now();
      const isNamed = await within(appendTimeoutMs + slackMs, () => unavailableIn(world) > before);
      expect(isNamed, `log_unavailable was expected: ${service.output()}`).toBe(true);
      await expectTurnedAway(service);
      const awayMs = world.random.int(staleAfterMs, world.isBrisk ? 4000 : awayMsMax);
      await sleep(stopped + staleAfterMs - performance.now());
      await expectStale(world, service);
      await sleep(Math.max(0, stopped + awayMs - performance.now()));
      return `the broker was down for ${awayMs} ms`;
    },
    async (broker) => void (await broker.start()),
  );

function unavailableIn(world: CrashWorld): number {
  return world.load.totals.errors["log_unavailable"] ?? 0;
}

/** Nothing of it is stored, and nobody waits for the broker to say so. */
async function expectTurnedAway(service: RankstreamProcess): Promise<void> {
  const event = JSON.stringify({ eventId: "nobody", eventType: "turned-away" });
  const started = performance.now();
  const { status, body, headers } = await service.post(event);
  expect([status, body.code], JSON.stringify(body)).toEqual([503, "log_unavailable"]);
  expect(headers.get("retry-after")).toMatch(/^\d+$/);
  expect(performance.now() - started).toBeLessThan(slackMs);
}

async function expectStale(world: CrashWorld, service: RankstreamProcess): Promise<void> {
  const { eventType, minuteStart: from } = world.load.rounds.at(-1)!;
  const query = { eventType, from, to: from + 60_000, k: 10 };
  const asked = performance.now();
  const answer: Answer = await service.get("/leaderboard", query);
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  expect(answer.body.stale, JSON.stringify(answer.body)).toBe(true);
  expect(performance.now() - asked).toBeLessThan(slackMs);
  const ready = await service.get("/health/ready");
  expect(ready.status, JSON.stringify(ready.body)).toBe(503);
}
