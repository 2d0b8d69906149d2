// What is taken and what is refused, by a clock that the tests turn.
import { expect, it } from "vitest";
import { type Caller, Limiter } from "../../src/limits/limiter.ts";
import type { Share, Used } from "../../src/limits/share.ts";
import type { KeyLimits } from "../../src/model-access.ts";
import { Metrics } from "../../src/telemetry-metrics.ts";
import { Random, seedFromEnvironment } from "../support/random.ts";

const none = { requestsPerSecond: 0, eventsPerSecond: 0, eventsPerDay: 0, connections: 0 };
const dayMs = 86_400_000;

function makeLimiter(everybodys: KeyLimits = {}, share: Share | null = null) {
  const clock = { now: 1000 * dayMs };
  const now = () => clock.now;
  const options = { everybodys: { ...none, ...everybodys }, share, metrics: new Metrics(), now };
  return { limiter: new Limiter(options), clock };
}

/** What is refused, with the seconds to wait; null where it is taken. */
function refusal(act: () => void): { code: string; limit: unknown; seconds: number } | null {
  try {
    act();
    return null;
  } catch (error) {
    const { code, extensions, retryAfterSeconds } = error as {
      code: string;
      extensions: { limit: string };
      retryAfterSeconds: number;
    };
    return { code, limit: extensions?.limit, seconds: retryAfterSeconds };
  }
}

function taken(act: () => void, times: number): number {
  let count = 0;
  for (let i = 0; i < times; i++) if (refusal(act) === null) count++;
  return count;
}

it("knows nobody where there are no limits", () => {
  const { limiter } = makeLimiter();
  expect(limiter.of("key a", {})).toBe(null);
  expect(limiter.of("key a", { requestsPerSecond: 1 })).not.toBe(null);
  expect(limiter.size).toBe(1);
});

it("takes a second's requests at once, then as many a second as may be", () => {
  const { limiter, clock } = makeLimiter({ requestsPerSecond: 10 });
  const caller = limiter.of("key a", {})!;
  expect(taken(() => caller.request(false), 25)).toBe(10);
  expect(refusal(() => caller.request(false))).toEqual({
    code: "rate_limited",
    limit: "requests",
    seconds: 0.1,
  });
  clock.now += 500;
  expect(taken(() => caller.request(false), 25)).toBe(5);
  clock.now += 60_000;
  expect(taken(() => caller.request(false), 25)).toBe(10);
  expect(taken(() => limiter.of("key b", {})!.request(false), 25)).toBe(10);
});

it("takes no more than the rate over any time, whatever comes when", () => {
  const random = new Random(seedFromEnvironment("rates"));
  for (let round = 0; round < 50; round++) {
    const rate = random.int(1, 50);
    const { limiter, clock } = makeLimiter({ requestsPerSecond: rate });
    const caller = limiter.of("key a", {})!;
    const begun = clock.now;
    let count = 0;
    for (let i = 0; i < 300; i++) {
      count += taken(() => caller.request(false), random.int(0, 20));
      clock.now += random.int(0, 200);
    }
    expect(count).toBeLessThanOrEqual(rate + (rate * (clock.now - begun)) / 1000);
    // What was asked for was enough to use it up nearly always.
    expect(count).toBeGreaterThan(0);
  }
});

it("a clock that is set back takes nothing away and gives nothing", () => {
  const { limiter, clock } = makeLimiter({ requestsPerSecond: 2 });
  const caller = limiter.of("key a", {})!;
  expect(taken(() => caller.request(false), 5)).toBe(2);
  clock.now -= 3_600_000;
  expect(taken(() => caller.request(false), 5)).toBe(0);
  clock.now += 1000;
  expect(taken(() => caller.request(false), 5)).toBe(2);
});

it("lets a large batch pass, and then none until it has run off", () => {
  const { limiter, clock } = makeLimiter({ eventsPerSecond: 100 });
  const caller = limiter.of("key a", {})!;
  caller.request(true);
  caller.admit(1000);
  expect(refusal(() => caller.request(true))).toMatchObject({ limit: "events" });
  // Asking goes on.
  expect(refusal(() => caller.request(false))).toBe(null);
  clock.now += 8900;
  expect(refusal(() => caller.admit(1))).toMatchObject({ code: "rate_limited" });
  clock.now += 200;
  expect(refusal(() => caller.admit(1))).toBe(null);
});

it("refuses as a whole the batch that would exceed the day, and forgets it the next", () => {
  const { limiter, clock } = makeLimiter({ eventsPerDay: 100 });
  const caller = limiter.of("key a", {})!;
  clock.now += dayMs - 90_000;
  caller.admit(90);
  expect(refusal(() => caller.admit(11))).toEqual({
    code: "quota_exceeded",
    limit: "day",
    seconds: 90,
  });
  expect(refusal(() => caller.admit(10))).toBe(null);
  expect(refusal(() => caller.request(true))).toMatchObject({ code: "quota_exceeded" });
  expect(refusal(() => caller.request(false))).toBe(null);
  clock.now += 90_000;
  expect(refusal(() => caller.admit(100))).toBe(null);
  expect(() => caller.admit(101)).toThrow("101 events are more than a day's 100");
});

it("bounds streams that are open at once", () => {
  const { limiter } = makeLimiter({ connections: 2 });
  const caller = limiter.of("key a", {})!;
  const first = caller.connect();
  caller.connect();
  expect(refusal(() => caller.connect())).toMatchObject({ code: "too_many_connections" });
  first();
  expect(refusal(() => caller.connect())).toBe(null);
  expect(caller.open).toBe(2);
});

it("goes by the key's own limits, also when they change", () => {
  const { limiter } = makeLimiter({ requestsPerSecond: 1, eventsPerDay: 10 });
  const own = { requestsPerSecond: 5 };
  expect(taken(() => limiter.of("key a", own)!.request(false), 9)).toBe(5);
  expect(taken(() => limiter.of("key a", { requestsPerSecond: 8 })!.request(false), 9)).toBe(3);
  expect(limiter.of("key a", own)!.rates.eventsPerDay).toBe(10);
  // Zero in a key takes the bound away.
  expect(taken(() => limiter.of("key b", { requestsPerSecond: 0 })!.request(false), 99)).toBe(99);
});

it("says what is left, in the draft's form", () => {
  const { limiter, clock } = makeLimiter({ requestsPerSecond: 10, eventsPerDay: 1000 });
  const caller = limiter.of("key a", {})!;
  clock.now += dayMs - 60_000;
  caller.request(true);
  caller.admit(30);
  expect(caller.headers(true)).toEqual({
    ratelimit: '"requests";r=9;t=1, "day";r=970;t=60',
    "ratelimit-policy": '"requests";q=10;w=1, "day";q=1000;w=86400',
  });
  expect(caller.headers(false).ratelimit).toBe('"requests";r=9;t=1');
  expect(limiter.of("key b", { requestsPerSecond: 0 })!.headers(false)).toEqual({});
});

it("knows a bounded number of addresses, and none of them costs a key its use", () => {
  const { limiter } = makeLimiter({ requestsPerSecond: 1 });
  expect(taken(() => limiter.of("key a", {})!.request(false), 3)).toBe(1);
  for (let i = 0; i < 60_000; i++) limiter.of(`address ${i}`, {})!.request(false);
  expect(limiter.size).toBe(50_001);
  expect(taken(() => limiter.of("key a", {})!.request(false), 3)).toBe(0);
});

/** What all processes have used, in memory; it may be away, or slow. */
class SharedInMemory implements Share {
  readonly sums = new Map<string, Used>();
  calls = 0;
  isAway = false;
  /** Calls under way wait for it. */
  gate: Promise<void> = Promise.resolve();

  async add(subject: string, used: Used) {
    this.calls++;
    await this.gate;
    if (this.isAway) throw new Error("away");
    const sum = this.sums.get(subject) ?? { requests: 0, events: 0, dayEvents: 0 };
    for (const name of ["requests", "events", "dayEvents"] as const) sum[name] += used[name];
    this.sums.set(subject, sum);
    return { ...sum, day: 1000 };
  }

  async close(): Promise<void> {}
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

function pair(share: Share, limits: KeyLimits): [Caller, Caller] {
  const callers = [1, 2].map(() => makeLimiter(limits, share).limiter.of("key a", {})!);
  return callers as [Caller, Caller];
}

it("shares a day's events with others", async () => {
  const share = new SharedInMemory();
  const [one, other] = pair(share, { eventsPerDay: 100 });
  one.admit(60);
  await settled();
  other.admit(30);
  await settled();
  expect(refusal(() => other.admit(11))).toMatchObject({ code: "quota_exceeded" });
  one.admit(10);
  await settled();
  expect(refusal(() => one.admit(1))).toMatchObject({ code: "quota_exceeded" });
  expect(share.sums.get("key a")?.dayEvents).toBe(100);
});

it("tells once what was used while it was telling", async () => {
  const share = new SharedInMemory();
  const [one] = pair(share, { requestsPerSecond: 1000 });
  let open = () => {};
  share.gate = new Promise((resolve) => (open = resolve));
  for (let i = 0; i < 500; i++) one.request(false);
  expect(share.calls).toBe(1);
  open();
  await settled();
  expect(share.calls).toBe(2);
  expect(share.sums.get("key a")?.requests).toBe(500);
});

it("goes by its own knowledge while nobody answers, and makes up for it later", async () => {
  const share = new SharedInMemory();
  const [one, other] = pair(share, { eventsPerDay: 100, requestsPerSecond: 5 });
  one.admit(50);
  await settled();
  other.request(true);
  await settled();
  share.isAway = true;
  other.admit(40);
  await settled();
  expect(refusal(() => other.admit(11))).toMatchObject({ code: "quota_exceeded" });
  expect(taken(() => other.request(false), 20)).toBe(4);
  await settled();
  expect(share.sums.get("key a")?.dayEvents).toBe(50);
  share.isAway = false;
  one.admit(5);
  other.admit(5);
  await settled();
  expect(share.sums.get("key a")?.dayEvents).toBe(100);
});
