// The tracker over a scripted service: what becomes of each event, whatever is answered.
import { afterEach, describe, expect, it } from "vitest";
import {
  FlushTimeoutError,
  InvalidEventError,
  ProblemError,
  RankstreamClient,
  type Refusal,
  type Tracker,
  TrackerClosedError,
  type TrackerOptions,
  UnreachableError,
} from "../../src/client/client.ts";
import { CountingService, cut, json, scriptedService } from "./scripted-service.ts";

const trackers: Tracker[] = [];
afterEach(async () => {
  const all = trackers.splice(0);
  await Promise.all(all.map((tracker) => tracker.close({ timeoutMs: 0 }).catch(() => undefined)));
});

function makeTracker(url: string, options: TrackerOptions = {}, requestMsMax = 5000) {
  const refusals: Refusal[] = [];
  const errors: Error[] = [];
  const tracker = new RankstreamClient({ url, requestMsMax }).tracker({
    onRefused: (refusal) => refusals.push(refusal),
    onError: (error) => errors.push(error),
    ...options,
  });
  trackers.push(tracker);
  return { tracker, refusals, errors };
}

const event = (eventId: string) => ({ eventId, eventType: "play" });
const ids = (count: number) => Array.from({ length: count }, (_, i) => `e${i}`);
const lines = (body: Buffer) =>
  body
    .toString()
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

describe("batches", () => {
  it("are made by number, by bytes and by time, and go out one after the other", async () => {
    const store = new CountingService();
    const { url, seen } = await scriptedService([store.take]);
    const { tracker } = makeTracker(url, { batchEventsMax: 3, batchMsMax: 20 });
    for (const id of ids(7)) expect(tracker.track(event(id))).toBe(true);
    expect(tracker.bufferedEvents).toBe(7);
    // The seventh is not enough for a batch: its time has to come.
    await expect.poll(() => tracker.bufferedEvents).toBe(0);
    expect(seen.map(({ body }) => lines(body).length)).toEqual([3, 3, 1]);
    expect(store.ids).toEqual(ids(7));
    expect(tracker.totals).toEqual({ acknowledged: 7, refused: 0 });
    const keys = seen.map(({ headers }) => String(headers["idempotency-key"]));
    const producer = keys[0]!.split("/")[0];
    expect(keys).toEqual([1, 2, 3].map((sequence) => `${producer}/${sequence}`));

    const { tracker: other } = makeTracker(url, { batchBytesMax: 200 });
    for (const id of ids(9)) other.track(event(`${id}-${"ä".repeat(20)}`));
    await other.flush();
    const sizes = seen.slice(3).map(({ body }) => body.length);
    expect(sizes.length).toBeGreaterThan(4);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(200);
    expect(seen.at(-1)!.headers["idempotency-key"]).not.toContain(producer);
  });

  it("say when each event happened, however late they are sent", async () => {
    const store = new CountingService();
    const { url, seen } = await scriptedService([cut, store.take]);
    let now = Date.UTC(2026, 10, 24);
    const { tracker } = makeTracker(url, { now: () => now });
    tracker.track(event("a"));
    now += 3_600_000;
    tracker.track(event("b"));
    tracker.track({ ...event("c"), timestamp: "2026-11-24T10:30:00+01:00", weight: 2 });
    tracker.track({ ...event("d"), timestamp: new Date(1.7e12), metadata: { country: "DE" } });
    now -= 7_200_000;
    await tracker.flush();
    expect(lines(seen.at(-1)!.body)).toEqual([
      { ...event("a"), timestamp: Date.UTC(2026, 10, 24) },
      { ...event("b"), timestamp: Date.UTC(2026, 10, 24, 1) },
      { ...event("c"), timestamp: "2026-11-24T10:30:00+01:00", weight: 2 },
      { ...event("d"), timestamp: 1.7e12, metadata: { country: "DE" } },
    ]);
  });
});

describe("an uncertain answer", () => {
  it.each([
    ["a lost connection", cut],
    ["a proxy's page", json(502, "<html>")],
    ["a batch stored in part", json(503, { code: "partial_append", idempotencyKey: "other/1" })],
    ["a missing right", json(401, { code: "unauthorized" })],
    ["a proxy's refusal", json(400, "<html>")],
    ["an answer that breaks off", json(202, undefined)],
  ])("(%s) has the batch sent again, with the same bytes under the same key", async (_, fault) => {
    const store = new CountingService();
    const { url, seen } = await scriptedService([fault, store.takeAndCut, store.take]);
    const { tracker, errors } = makeTracker(url, { batchEventsMax: 2 });
    for (const id of ids(3)) tracker.track(event(id));
    await tracker.flush();
    expect(store.ids).toEqual(ids(3));
    expect(seen).toHaveLength(4);
    const sent = seen.map(({ headers, body }) => `${headers["idempotency-key"]} ${body}`);
    expect(new Set(sent.slice(0, 3)).size).toBe(1);
    expect(errors).toHaveLength(2);
    for (const error of errors) {
      expect(error instanceof ProblemError || error instanceof UnreachableError).toBe(true);
    }
  });

  it("may come after the service has taken the batch: it is counted once", async () => {
    const store = new CountingService();
    const late = [0, 1].map(() => (_: unknown, seen: Parameters<typeof store.store>[0]) => {
      store.store(seen);
    });
    const { url, seen } = await scriptedService([...late, store.take]);
    const { tracker, errors } = makeTracker(url, {}, 50);
    tracker.track(event("a"));
    await tracker.flush();
    expect(seen.length).toBe(3);
    expect(store.ids).toEqual(["a"]);
    expect(errors.map(({ message }) => message).join()).toContain("no answer in 50 ms");
    expect(tracker.totals).toEqual({ acknowledged: 1, refused: 0 });
  });

  it("has it wait for as long as the service asks", async () => {
    const store = new CountingService();
    const times: number[] = [];
    const full = json(429, { code: "idempotency_full" }, { "retry-after": "1" });
    const { url } = await scriptedService([
      (response) => {
        times.push(Date.now());
        full(response);
      },
      (response, seen) => {
        times.push(Date.now());
        store.take(response, seen);
      },
    ]);
    const { tracker, errors } = makeTracker(url);
    tracker.track(event("a"));
    await tracker.flush();
    expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(995);
    expect(errors.map((error) => (error as ProblemError).code)).toEqual(["idempotency_full"]);
  });
});

describe("a refusal", () => {
  it("names each event that is refused; the others count", async () => {
    const line = { line: 2, field: "timestamp", code: "beyond_retention", message: "too old" };
    const { url, seen } = await scriptedService([
      json(202, { accepted: 2, rejected: 1, errors: [line] }),
      json(202, { accepted: 0, rejected: 3, errors: [line] }),
    ]);
    const { tracker, refusals } = makeTracker(url, { now: () => 1.7e12 });
    for (const id of ids(3)) tracker.track(event(id));
    await tracker.flush();
    const named = { count: 1, field: "timestamp", code: "beyond_retention", message: "too old" };
    expect(refusals).toEqual([{ ...named, event: { ...event("e1"), timestamp: 1.7e12 } }]);
    expect(tracker.totals).toEqual({ acknowledged: 2, refused: 1 });
    // Two more than are listed.
    for (const id of ids(3)) tracker.track(event(id));
    await tracker.flush();
    expect(refusals.slice(1).map((each) => [each.event?.eventId, each.count])).toEqual([
      ["e1", 1],
      [undefined, 2],
    ]);
    expect(seen).toHaveLength(2);
  });

  it("of a whole batch is told of each event, and the next batch goes out", async () => {
    const store = new CountingService();
    const errors = [{ line: 1, field: "timestamp", code: "future_timestamp", message: "no" }];
    const { url } = await scriptedService([
      json(400, { code: "no_valid_events", detail: "none", accepted: 0, rejected: 2, errors }),
      json(422, { code: "idempotency_key_reused", detail: "used" }),
      store.take,
    ]);
    const { tracker, refusals } = makeTracker(url, { batchEventsMax: 2 });
    for (const id of ids(6)) tracker.track(event(id));
    await tracker.flush();
    expect(refusals.map((refusal) => [refusal.event?.eventId, refusal.code])).toEqual([
      ["e0", "future_timestamp"],
      ["e1", "no_valid_events"],
      ["e2", "idempotency_key_reused"],
      ["e3", "idempotency_key_reused"],
    ]);
    expect(store.ids).toEqual(["e4", "e5"]);
  });

  it("that a listener throws at breaks nothing", async () => {
    const store = new CountingService();
    const refuse = json(400, { code: "no_valid_events", errors: [] });
    const { url } = await scriptedService([refuse, store.take]);
    const thrown: unknown[] = [];
    const onThrown = (error: unknown) => thrown.push(error);
    const before = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException").on("uncaughtException", onThrown);
    try {
      const onRefused = () => {
        throw new Error("the listener's own");
      };
      const { tracker } = makeTracker(url, { batchEventsMax: 1, onRefused });
      for (const id of ids(2)) tracker.track(event(id));
      await tracker.flush();
      expect(store.ids).toEqual(["e1"]);
      expect(thrown).toEqual([new Error("the listener's own")]);
    } finally {
      process.removeAllListeners("uncaughtException");
      for (const listener of before) process.on("uncaughtException", listener);
    }
  });

  it("for its size has a batch sent in halves; a single event is refused", async () => {
    const store = new CountingService();
    const tooLarge = json(413, { code: "body_too_large", detail: "too large" });
    const { url, seen } = await scriptedService([
      (response, one) => (lines(one.body).length > 2 ? tooLarge : store.take)(response, one),
    ]);
    const { tracker, refusals } = makeTracker(url);
    for (const id of ids(7)) tracker.track(event(id));
    await tracker.flush();
    expect(store.ids).toEqual(ids(7));
    expect(new Set(seen.map(({ headers }) => headers["idempotency-key"])).size).toBe(seen.length);
    expect([refusals, tracker.bufferedBytes]).toEqual([[], 0]);

    const { url: small } = await scriptedService([tooLarge]);
    const { tracker: other, refusals: refused } = makeTracker(small);
    for (const id of ids(2)) other.track(event(id));
    await other.flush();
    expect(refused.map((refusal) => [refusal.event?.eventId, refusal.code])).toEqual([
      ["e0", "body_too_large"],
      ["e1", "body_too_large"],
    ]);
  });

  it("for its size of a batch that may be stored is final: halves might count twice", async () => {
    const store = new CountingService();
    const { url, seen } = await scriptedService([store.takeAndCut, json(413, {})]);
    const { tracker, refusals } = makeTracker(url);
    for (const id of ids(2)) tracker.track(event(id));
    await tracker.flush();
    expect(seen).toHaveLength(2);
    expect(refusals).toHaveLength(2);
    expect(store.ids).toEqual(ids(2));
  });

  it("after refusal makes another producer, before its gaps are too many", async () => {
    const { url, seen } = await scriptedService([json(400, { code: "no_valid_events" })]);
    const { tracker } = makeTracker(url, { batchEventsMax: 1, onRefused: () => undefined });
    for (const id of ids(502)) tracker.track(event(id));
    await tracker.flush();
    const keys = seen.map(({ headers }) => String(headers["idempotency-key"]).split("/"));
    expect(new Set(keys.map(([producer]) => producer)).size).toBe(2);
    expect(keys.slice(-2).map(([, sequence]) => sequence)).toEqual(["1", "2"]);
  });
});

describe("the buffer", () => {
  it("says when it is full, and when there is room again", async () => {
    const store = new CountingService();
    let open: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      open = resolve;
    });
    const { url } = await scriptedService([
      async (response, seen) => {
        await held;
        store.take(response, seen);
      },
    ]);
    const options = { batchEventsMax: 2, bufferedEventsMax: 5 };
    const { tracker } = makeTracker(url, options);
    const taken = ids(8).filter((id) => tracker.track(event(id)));
    expect(taken).toEqual(ids(5));
    let isReady = false;
    const ready = tracker.ready().then(() => {
      isReady = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(isReady).toBe(false);
    open();
    await ready;
    expect(tracker.track(event("later"))).toBe(true);
    await tracker.flush();
    expect(store.ids).toEqual([...ids(5), "later"]);
  });

  it("is bounded in bytes, and takes any event when it is empty", async () => {
    const { url } = await scriptedService([() => undefined]);
    const { tracker } = makeTracker(url, { bufferedBytesMax: 100 });
    expect(tracker.track(event("x".repeat(200)))).toBe(true);
    expect(tracker.track(event("a"))).toBe(false);
    expect(tracker.bufferedEvents).toBe(1);
  });

  it("refuses at once what can be no event, and takes nothing of it", async () => {
    const { tracker } = makeTracker("http://127.0.0.1:1");
    expect(() => tracker.track({ eventType: "play" } as never)).toThrow(InvalidEventError);
    expect(tracker.bufferedEvents).toBe(0);
  });
});

describe("flush and close", () => {
  it("wait for what was tracked so far, for as long as they may", async () => {
    const { url } = await scriptedService([json(503, { code: "overloaded" })]);
    const { tracker, errors } = makeTracker(url);
    await tracker.flush();
    for (const id of ids(2)) tracker.track(event(id));
    const failure = await tracker.flush({ timeoutMs: 600 }).catch((error) => error);
    expect(failure).toBeInstanceOf(FlushTimeoutError);
    expect(failure.pendingEvents).toBe(2);
    expect(tracker.bufferedEvents).toBe(2);
    expect(errors.length).toBeGreaterThan(0);
    await expect(tracker.close({ timeoutMs: 10 })).rejects.toThrow(FlushTimeoutError);
    expect(() => tracker.track(event("a"))).toThrow(TrackerClosedError);
    await expect(tracker.ready()).rejects.toThrow(TrackerClosedError);
  });

  it("send what there is; a client closes its own tracker", async () => {
    const store = new CountingService();
    const { url } = await scriptedService([cut, store.take]);
    const client = new RankstreamClient({ url, tracking: { batchMsMax: 60_000 } });
    for (const id of ids(3)) client.track(event(id));
    await client.ready();
    await client.close();
    expect(store.ids).toEqual(ids(3));
    expect(() => client.track(event("a"))).toThrow(TrackerClosedError);
  });
});

describe("hourly keys", () => {
  it("are no producer's, and are not used again once they may be forgotten", async () => {
    const store = new CountingService();
    const { url, seen } = await scriptedService([store.takeAndCut, store.take]);
    const { tracker, refusals } = makeTracker(url, { keys: "hourly" });
    const real = Date.now;
    tracker.track(event("a"));
    const flushed = tracker.flush();
    await expect.poll(() => seen.length).toBe(1);
    try {
      Date.now = () => real() + 51 * 60_000;
      await flushed;
    } finally {
      Date.now = real;
    }
    expect(seen[0]!.headers["idempotency-key"]).toMatch(/^[0-9a-f-]{36}\.1$/);
    expect(seen).toHaveLength(1);
    expect(refusals.map((refusal) => [refusal.event?.eventId, refusal.code])).toEqual([
      ["a", "outcome_unknown"],
    ]);
    tracker.track(event("b"));
    await tracker.flush();
    expect(store.ids).toEqual(["a", "b"]);
  });
});
