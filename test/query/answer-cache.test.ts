/** The cache over a scripted engine: what is given again, what is made anew, and how often. */
import { describe, expect, it, vi } from "vitest";
import { AnswerCache } from "../../src/query/answer-cache.ts";
import type { AskControl } from "../../src/query/ask.ts";
import { ChangeMap } from "../../src/query/change-map.ts";
import { MemoryLevel } from "../../src/query/memory-level.ts";
import { PendingTouches } from "../../src/query/pending-touches.ts";
import type { Asker } from "../../src/query/questions.ts";
import type { SeriesRequest } from "../../src/query/series.ts";

const hourMs = 3_600_000;
const start = Date.UTC(2026, 10, 24, 12);

function request(from: number, to: number, eventType = "a"): SeriesRequest {
  const range = { from, to, effectiveFrom: from, effectiveTo: to, label: "" };
  return { eventType, range, step: undefined, timeZone: "UTC", hasDistinct: false };
}

function setUp() {
  const made: { answer: (body: object | Error) => void; control: AskControl }[] = [];
  const state = { isSettled: true, waits: 0, now: start, automatic: true };
  const no = async (): Promise<never> => {
    throw new Error("not scripted");
  };
  const asker: Asker = {
    leaderboard: no,
    trending: no,
    item: no,
    items: no,
    series: (_request, control = {}) =>
      new Promise((resolve, reject) => {
        const answer = (body: object | Error) =>
          body instanceof Error ? reject(body) : resolve(body);
        made.push({ answer, control });
        if (state.automatic) answer({ number: made.length, stale: false });
      }),
  };
  const changes = new ChangeMap(1);
  const pending = new PendingTouches([0]);
  const cache = new AnswerCache(
    {
      asker,
      changes,
      pending,
      settled: async () => {
        state.waits++;
        return state.isSettled;
      },
      clip: (_names, range) => range,
      pages: { touch: () => true, promise: () => undefined },
      levels: [],
      cacheFarMsMin: 20,
      now: () => state.now,
    },
    new MemoryLevel(1 << 20),
  );
  const ask = async (asked = request(0, hourMs), control?: AskControl) => {
    const { text, level, isStale } = await cache.ask("series", asked, control);
    return { ...(JSON.parse(text) as { number: number }), level, isStale };
  };
  return { cache, ask, made, state, changes, pending };
}

describe("kept answers", () => {
  it("are given again until something of their types and range changes", async () => {
    const { ask, changes } = setUp();
    const other = request(5 * hourMs, 6 * hourMs);
    expect(await ask()).toMatchObject({ number: 1, level: null });
    expect(await ask(other)).toMatchObject({ number: 2, level: null });
    changes.note(2, [{ eventType: "b", from: 0, to: hourMs }]);
    changes.note(3, [{ eventType: "a", from: hourMs, to: 2 * hourMs }]);
    expect(await ask()).toMatchObject({ number: 1, level: "l1" });
    changes.note(4, [{ eventType: "a", from: 0, to: hourMs }]);
    expect(await ask()).toMatchObject({ number: 3, level: null });
    expect(await ask()).toMatchObject({ number: 3, level: "l1" });
    expect(await ask(other)).toMatchObject({ number: 2, level: "l1" });
  });

  it("wait for what was acknowledged in their range, and are new where it is late", async () => {
    const { ask, pending, state } = setUp();
    await ask();
    pending.add([7], 3 * hourMs, 3 * hourMs);
    expect(await ask()).toMatchObject({ number: 1, level: "l1" });
    expect(state.waits).toBe(0);
    pending.add([8], 10, 10);
    state.isSettled = false;
    expect(await ask()).toMatchObject({ number: 2, level: null });
    state.isSettled = true;
    expect(await ask()).toMatchObject({ number: 2, level: "l1" });
    pending.release([8]);
    const { waits } = state;
    expect(await ask()).toMatchObject({ number: 2, level: "l1" });
    expect(state.waits).toBe(waits);
  });

  it("are none that may lack something", async () => {
    const { ask, made, state } = setUp();
    state.automatic = false;
    const first = ask();
    await vi.waitFor(() => expect(made.length).toBe(1));
    made[0]!.answer({ number: 1, stale: true });
    await first;
    state.automatic = true;
    expect(await ask()).toMatchObject({ number: 2, level: null });
  });

  it("are made once for all who ask at once, and once more after a change", async () => {
    const { ask, made, state, changes, cache } = setUp();
    state.automatic = false;
    const before = Array.from({ length: 50 }, () => ask());
    await vi.waitFor(() => expect(made.length).toBe(1));
    changes.note(2, [{ eventType: "a", from: 0, to: hourMs }]);
    const after = Array.from({ length: 50 }, () => ask());
    await new Promise((resolve) => setImmediate(resolve));
    expect(made.length).toBe(1);
    made[0]!.answer({ number: 1 });
    for (const one of await Promise.all(before)) expect(one.number).toBe(1);
    await vi.waitFor(() => expect(made.length).toBe(2));
    made[1]!.answer({ number: 2 });
    for (const one of await Promise.all(after)) expect(one.number).toBe(2);
    expect(cache.totals.joined).toBe(99);
    expect(await ask()).toMatchObject({ number: 2, level: "l1" });
  });

  it("are given up when all who wait for them have gone, and not before", async () => {
    const { ask, made, state } = setUp();
    state.automatic = false;
    const gone = [new AbortController(), new AbortController()];
    const asked = gone.map(({ signal }) => ask(undefined, { signal }).catch(() => "gone"));
    await vi.waitFor(() => expect(made.length).toBe(1));
    gone[0]!.abort();
    expect(made[0]!.control.signal!.aborted).toBe(false);
    gone[1]!.abort();
    expect(made[0]!.control.signal!.aborted).toBe(true);
    made[0]!.answer(new Error("cancelled"));
    expect(await Promise.all(asked)).toEqual(["gone", "gone"]);
    state.automatic = true;
    expect(await ask()).toMatchObject({ number: 2, level: null });
  });

  it("are not given out of date to whoever would rather wait", async () => {
    const { ask, made, state, changes } = setUp();
    await ask();
    changes.note(2, [{ eventType: "a", from: 0, to: hourMs }]);
    state.automatic = false;
    const patient = ask(undefined, { isPatient: true });
    expect(await ask()).toMatchObject({ number: 1, isStale: true });
    made[1]!.answer({ number: 2 });
    expect(await patient).toMatchObject({ number: 2, isStale: false });
  });

  it("are not given, not even marked, once something of their types was taken back", async () => {
    const { ask, made, state, changes } = setUp();
    await ask();
    changes.note(2, [{ eventType: "b", from: 0, to: hourMs, undoes: true }]);
    changes.note(3, [{ eventType: "a", from: 0, to: hourMs }]);
    state.automatic = false;
    expect(await ask()).toMatchObject({ number: 1, isStale: true });
    made[1]!.answer({ number: 2 });
    await vi.waitFor(async () => expect((await ask()).number).toBe(2));
    changes.note(4, [{ eventType: "a", from: 0, to: hourMs }]);
    const asked = ask();
    await vi.waitFor(() => expect(made.length).toBe(3));
    // It comes while the new one is waited for.
    changes.note(5, [{ eventType: "a", from: 9 * hourMs, to: 10 * hourMs, undoes: true }]);
    await new Promise((resolve) => setTimeout(resolve, 400));
    made[2]!.answer({ number: 3 });
    expect(await asked).toMatchObject({ number: 3, isStale: false });
  });

  it("are given, marked, where a new one takes long, and never when they are old", async () => {
    const { ask, made, state, changes } = setUp();
    await ask();
    changes.note(2, [{ eventType: "a", from: 0, to: hourMs }]);
    state.automatic = false;
    expect(await ask()).toMatchObject({ number: 1, level: "l1", isStale: true });
    expect(made.length).toBe(2);
    made[1]!.answer({ number: 2 });
    await vi.waitFor(async () => expect((await ask()).number).toBe(2));
    changes.note(3, [{ eventType: "a", from: 0, to: hourMs }]);
    state.now += 20_000;
    const late = ask();
    await vi.waitFor(() => expect(made.length).toBe(3));
    await new Promise((resolve) => setTimeout(resolve, 400));
    made[2]!.answer({ number: 3 });
    expect(await late).toMatchObject({ number: 3, isStale: false });
  });

  it("are dropped by hand: of a type, of a range, or all", async () => {
    const { ask, cache } = setUp();
    const asked = [request(0, hourMs), request(0, hourMs, "b"), request(hourMs, 2 * hourMs)];
    for (const one of asked) await ask(one);
    const drop = (eventType: string | null, from: number | null, to: number | null) =>
      cache.invalidate({ eventType, from, to });
    expect(await drop("a", 2 * hourMs, null)).toBe(0);
    expect(await drop("a", hourMs, 3 * hourMs)).toBe(1);
    expect(await ask(asked[2])).toMatchObject({ level: null });
    expect(await ask(asked[0])).toMatchObject({ level: "l1" });
    expect(await drop("b", null, null)).toBe(1);
    expect(await drop(null, null, null)).toBe(2);
    expect(await ask(asked[0])).toMatchObject({ level: null });
  });
});
