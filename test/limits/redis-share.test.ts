// Two processes' limiters with one real Redis between them, which is killed and comes back.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Caller, Limiter } from "../../src/limits/limiter.ts";
import { RedisShare } from "../../src/limits/redis-share.ts";
import type { KeyLimits } from "../../src/model-access.ts";
import { silentLogger } from "../../src/telemetry.ts";
import { Metrics } from "../../src/telemetry-metrics.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";

const none = { requestsPerSecond: 0, eventsPerSecond: 0, eventsPerDay: 0, connections: 0 };
const waitMsMax = 20_000;

let redis: RedisServer;
const limiters: { limiter: Limiter; metrics: Metrics }[] = [];

beforeAll(async () => {
  redis = await startRedis();
  for (let i = 0; i < 2; i++) {
    const metrics = new Metrics();
    const options = { url: redis.url, layer: "node", timeoutMs: 1000, logger: silentLogger };
    const share = new RedisShare(options);
    limiters.push({ limiter: new Limiter({ everybodys: none, share, metrics }), metrics });
  }
});

afterAll(async () => {
  await Promise.all(limiters.map(({ limiter }) => limiter.close()));
});

function callers(subject: string, own: KeyLimits): [Caller, Caller] {
  const [one, other] = limiters.map(({ limiter }) => limiter.of(subject, own)!);
  return [one!, other!];
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + waitMsMax;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error("it did not become so in time");
    await sleep(20);
  }
}

function isTaken(act: () => void): boolean {
  try {
    act();
    return true;
  } catch {
    return false;
  }
}

/** Events left of the day, as the caller is told. */
function leftOf(caller: Caller): number {
  return Number(/"day";r=(\d+)/.exec(caller.headers(true)["ratelimit"]!)![1]);
}

async function dayEventsOf(subject: string): Promise<number> {
  return Number(await redis.command("hget", `limits:node:${subject}`, "dayEvents"));
}

const alone = async () =>
  /^rankstream_limits_alone (\d)$/m.exec(await limiters[1]!.metrics.text())?.[1];

it("a day's events are both's, also while Redis is gone, and afterwards", async () => {
  const [one, other] = callers("key quota", { eventsPerDay: 100 });
  // The connection is made by now, or what is used waits for it.
  await until(async () => {
    one.admit(1);
    await sleep(20);
    return (await dayEventsOf("key quota")) > 0;
  });
  one.admit(60 - (100 - leftOf(one)));
  await until(async () => (await dayEventsOf("key quota")) === 60);
  // It hears of them with its first request.
  other.request(true);
  await until(() => leftOf(other) === 40);
  other.admit(10);
  expect(isTaken(() => other.admit(31))).toBe(false);
  await until(async () => (await dayEventsOf("key quota")) === 70);

  await redis.kill();
  other.admit(20);
  expect(isTaken(() => other.admit(11))).toBe(false);
  await until(async () => (await alone()) === "1");
  // The other knows nothing of these 20: it goes by what it heard last.
  one.admit(1);

  await redis.start();
  await until(async () => {
    isTaken(() => other.request(true));
    await sleep(20);
    return (await alone()) === "0";
  });
  // It came back empty: what was not told before is.
  expect(await dayEventsOf("key quota")).toBeGreaterThanOrEqual(20);
}, 60_000);

it("a rate is both's", async () => {
  const rate = 200;
  const [one, other] = callers("key rate", { requestsPerSecond: rate });
  const begun = performance.now();
  let count = 0;
  while (performance.now() - begun < 1500) {
    for (const caller of [one, other]) {
      for (let i = 0; i < 4; i++) if (isTaken(() => caller.request(false))) count++;
    }
    await sleep(1);
  }
  const seconds = (performance.now() - begun) / 1000;
  // What comes while the others are being told of it is taken twice, at most.
  expect(count).toBeLessThan(rate * (seconds + 1) * 1.5);
  expect(count).toBeGreaterThan(rate * 0.5);
}, 60_000);
