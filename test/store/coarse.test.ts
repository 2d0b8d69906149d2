/** Types whose minutes, or hours too, are gone: what must not get lost, and what must not go. */

import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { foreverMs } from "../../src/model.ts";
import { newestMinuteOf } from "../../src/store/contents.ts";
import { readExact, typesNamed } from "../../src/store/exact.ts";
import { readTimes } from "../../src/store/item-times.ts";
import { temporaryFolder } from "../support/service.ts";
import { checkTypes, checkWindows } from "./delete-checks.ts";
import { DeleteFixture } from "./delete-fixture.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const day = Date.UTC(2024, 1, 5);
/** A whole day before and after, so that months and days are built around it. */
const endMinute = (day + 60 * 24 * hourMs) / minuteMs;

let fixture: DeleteFixture;
afterEach(() => fixture.close());

async function open(aggregationWindow: number): Promise<void> {
  const options = { candidatesMax: 3, vectorsMax: 4096, hasSketches: true };
  const aggregationWindows = { play: aggregationWindow };
  const all = { ...options, aggregationWindows };
  fixture = await new DeleteFixture(temporaryFolder(), all).open();
}

function add(...events: [eventId: string, hour: number, minute: number][]): Promise<void> {
  const made = events.map(([eventId, hour, minute]) => ({
    eventId,
    eventType: "play",
    timeMs: day + hour * hourMs + minute * minuteMs + 1234,
    weight: 1,
  }));
  return fixture.add(made);
}

async function seal(): Promise<void> {
  for (let i = 0; i < 3; i++) while ((await fixture.sealer.seal(endMinute, 9e12)).isMore);
}

async function coarsen(): Promise<void> {
  while (await fixture.coarse.step(9e12));
}

/** Counts of `[from, to)`, hours of the day, as a question gets them. */
async function countsOf(fromHour: number, toHour: number): Promise<Record<string, number>> {
  const [from, to] = [day + fromHour * hourMs, day + toHour * hourMs];
  const query = { eventTypes: ["play"], from, to, k: 100, offset: 0, budgetMs: 60_000 };
  await fixture.ready(query.eventTypes, query);
  return read(query);
}

async function read(query: Parameters<typeof readExact>[2]): Promise<Record<string, number>> {
  const { database, rawFiles } = fixture;
  const { rows } = await database.read(60_000, (c) => readExact(c, rawFiles, query));
  return Object.fromEntries(rows.map(({ eventId, count }) => [eventId, count]));
}

describe("windows that are gone", () => {
  it("leave none behind for an hour that was emptied, so that late events count", async () => {
    await open(86_400);
    await add(["a", 3, 10], ["b", 5, 20], ["b", 5, 30]);
    await seal();
    await coarsen();
    expect(await fixture.countOf("window_minute")).toBe(0);
    expect(await fixture.countOf("window_hour")).toBe(0);
    const scope = { eventType: "play", eventId: "a", from: 0, to: foreverMs };
    await fixture.deleter.run(scope);
    fixture.forget(scope);
    // The hours come back: of the third nothing is left.
    expect(await countsOf(4, 24)).toEqual({ b: 2 });
    await add(["c", 3, 40]);
    await seal();
    expect(await countsOf(3, 6)).toEqual({ b: 2, c: 1 });
    expect(await countsOf(3, 4)).toEqual({ c: 1 });
    await checkWindows(fixture);
  });

  it.each([3600, 86_400])("hide no first or last event from a delete: %d s", async (seconds) => {
    await open(seconds);
    const inner = [
      ["a", 10, 5],
      ["b", 10, 40],
      ["b", 12, 1],
      ["a", 12, 50],
    ] as const;
    await add(["x", 2, 30], ...inner.map(([...one]): [string, number, number] => one));
    await add(["x", 20, 30]);
    await seal();
    await coarsen();
    // Late ones that are not folded yet, inside windows whose minutes are gone.
    await add(["c", 10, 30], ["c", 12, 20]);
    for (const hour of [2, 20]) {
      const [from, to] = [day + hour * hourMs, day + (hour + 1) * hourMs];
      const scope = { eventType: "play", eventId: null, from, to };
      await fixture.deleter.run(scope);
      fixture.forget(scope);
      await coarsen();
    }
    await checkTypes(fixture);
    const types = await typesNamed(fixture.database.writer, ["play"]);
    for (const eventId of ["a", "b", "c"]) {
      const times = fixture.events.filter((e) => e.eventId === eventId).map((e) => e.timeMs);
      const seen = await fixture.database.read(60_000, (c) =>
        readTimes(c, fixture.rawFiles, types, eventId),
      );
      expect(seen).toEqual({ first: Math.min(...times), last: Math.max(...times) });
    }
  });

  it("stay until a question has ended that waits for its turn", async () => {
    await open(3600);
    await add(["a", 10, 5], ["b", 10, 40], ["b", 11, 10], ["a", 11, 50]);
    await seal();
    await coarsen();
    expect(await fixture.countOf("window_minute")).toBe(0);
    const [from, to] = [day + 10.5 * hourMs, day + 11.5 * hourMs];
    const query = { eventTypes: ["play"], from, to, k: 100, offset: 0, budgetMs: 60_000 };
    const { eventTypes, budgetMs } = query;
    const counts = await fixture.coarse.during(
      { eventTypes, budgetMs, times: [from, to] },
      async () => {
        await coarsen();
        return read(query);
      },
    );
    expect(counts).toEqual({ b: 2 });
    await coarsen();
    expect(await fixture.countOf("window_minute")).toBe(0);
  });

  it("stay until a delete that waits has taken from them", async () => {
    await open(86_400);
    await add(["a", 10, 5], ["b", 10, 40], ["b", 11, 10], ["a", 11, 50]);
    await seal();
    await coarsen();
    let release = (_: unknown): void => undefined;
    const until = new Promise((resolve) => {
      release = resolve;
    });
    const held = fixture.checkpointer.alone(() => until);
    const [from, to] = [day + 10.5 * hourMs, day + 11.5 * hourMs];
    const scope = { eventType: "play", eventId: null, from, to };
    const deleted = fixture.deleter.run(scope);
    while ((await fixture.countOf("window_minute")) === 0) await sleep(5);
    await sleep(50);
    await coarsen();
    release(null);
    await held;
    expect((await deleted).count).toBe(2);
    fixture.forget(scope);
    expect(await countsOf(0, 24)).toEqual({ a: 2 });
    await coarsen();
    expect(await countsOf(10, 11)).toEqual({ a: 1 });
    await checkWindows(fixture);
  });

  // Of what is in no file yet all is taken to be read each time: too much for several at once.
  it.each([
    ["many at once", true],
    ["one by one where they are large", false],
  ])("are made anew %s, for a question with many ends", async (_, isFiled) => {
    await open(3600);
    // Hours of few events, of more than are read at once, and far from others.
    const hours = [...Array.from({ length: 40 }, (_, i) => i), 44, 46, 200, 201, 202];
    const sizes = new Map(hours.map((hour) => [hour, hour % 11 === 3 ? 50 : 1 + (hour % 3)]));
    const at = (hour: number, i: number): [string, number, number] => [`i${i % 5}`, hour, i];
    const eventsOf = (hour: number) =>
      Array.from({ length: sizes.get(hour)! }, (_, i) => at(hour, (i * 37) % 60));
    await add(...hours.flatMap(eventsOf));
    await seal();
    await coarsen();
    if (isFiled) await fixture.rawFiles.flushRecent(true);
    expect(await fixture.countOf("window_minute")).toBe(0);
    expect(await fixture.countOf("coarse_windows")).toBe(hours.length);
    // Late ones that are not folded yet.
    await add(["late", 7, 10], ["late", 201, 50]);
    let transactions = 0;
    const { writeDeferrable } = fixture.database;
    fixture.database.writeDeferrable = (work) => {
      transactions++;
      return writeDeferrable.call(fixture.database, work) as ReturnType<typeof work>;
    };
    const times = hours.map((hour) => day + (hour + 0.5) * hourMs);
    const needs = { eventTypes: ["play"], budgetMs: 60_000, times };
    await fixture.coarse.during(needs, async () => {
      expect(await fixture.countOf("coarse_windows")).toBe(0);
      for (const from of times) {
        const to = from + hourMs;
        const query = { eventTypes: ["play"], from, to, k: 100, offset: 0, budgetMs: 60_000 };
        const own = fixture.events.filter(({ timeMs }) => timeMs >= from && timeMs < to);
        const truth: Record<string, number> = {};
        for (const { eventId } of own) truth[eventId] = (truth[eventId] ?? 0) + 1;
        expect(await read(query), new Date(from).toISOString()).toEqual(truth);
      }
    });
    if (isFiled) expect(transactions).toBeLessThan(hours.length / 2);
    await checkWindows(fixture);
  });

  it("say no earlier newest minute than there was", async () => {
    await open(86_400);
    await add(["a", 10, 5], ["b", 11, 10]);
    await seal();
    const newest = await newestMinuteOf(fixture.database.writer);
    expect(newest).toBe(day / minuteMs + 11 * 60 + 10);
    await coarsen();
    expect(await fixture.countOf("window_minute")).toBe(0);
    expect(await newestMinuteOf(fixture.database.writer)).toBe(day / minuteMs + 1439);
  });
});
