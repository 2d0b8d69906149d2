/** Deletes where two things meet: each case by itself. */

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { foreverMs } from "../../src/model.ts";
import { rowsOf } from "../../src/store/database.ts";
import type { EventScope } from "../../src/store/delete-questions.ts";
import { sliceBounds } from "../../src/store/delete-slices.ts";
import { readExact } from "../../src/store/exact.ts";
import type { CountedEvent } from "../oracles/board-oracle.ts";
import { temporaryFolder } from "../support/service.ts";
import { checkTypes, checkWindows } from "./delete-checks.ts";
import { DeleteFixture } from "./delete-fixture.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const startMs = Date.UTC(2026, 10, 24, 10);
const endMinute = startMs / minuteMs + 100_000;

let fixture: DeleteFixture;

beforeEach(async () => {
  const options = { candidatesMax: 2, vectorsMax: 4096, hasSketches: true };
  fixture = await new DeleteFixture(temporaryFolder(), options).open();
});
afterEach(() => fixture.close());

function event(eventId: string, atMs: number, weight = 1, eventType = "t"): CountedEvent {
  return { eventId, eventType, timeMs: startMs + atMs, weight };
}

const allOf = (eventId: string | null, eventType = "t"): EventScope => {
  return { eventType, eventId, from: 0, to: foreverMs };
};
const rangeOf = (eventId: string | null, fromMs: number, toMs: number): EventScope => {
  return { ...allOf(eventId), from: startMs + fromMs, to: startMs + toMs };
};

async function seal(): Promise<void> {
  for (let i = 0; i < 3; i++) while ((await fixture.sealer.seal(endMinute, 9e12)).isMore);
}

/** Counts by id over all times: from the counts kept, and from raw events. */
async function counts(): Promise<Record<string, number>> {
  const query = {
    eventTypes: ["t"],
    from: 0,
    to: foreverMs,
    k: 1000,
    offset: 0,
    budgetMs: 60_000,
  };
  const metadata = [{ key: "none", values: ["x"], isNot: true }];
  const read = async (more: object) =>
    fixture.database.read(60_000, async (c) =>
      Object.fromEntries(
        (await readExact(c, fixture.rawFiles, { ...query, ...more })).rows.map((row) => [
          row.eventId,
          row.count,
        ]),
      ),
    );
  const kept = await read({});
  expect(await read({ selection: { metadata } })).toEqual(kept);
  return kept;
}

async function remove(scope: EventScope) {
  const answer = await fixture.deleter.run(scope);
  fixture.forget(scope);
  return answer;
}

describe("a minute of which a part goes", () => {
  it("loses it from its window and from what waits beside it", async () => {
    await fixture.add([event("a", 0), event("a", 10_000, 2), event("b", 10_000), event("c", 0)]);
    await seal();
    await fixture.add([event("a", 30_000, 4), event("a", 50_000, 8), event("d", 40_000)]);
    // Of a, 2 + 4 go: of what waits, 4 + 8, so much; nothing of what is folded.
    const answer = await remove(rangeOf(null, 10_000, 45_000));
    expect(answer).toMatchObject({ events: 4, count: 8, items: 3 });
    expect(await counts()).toEqual({ a: 9, c: 1 });
    await checkWindows(fixture);
    await seal();
    expect(await counts()).toEqual({ a: 9, c: 1 });
    await checkWindows(fixture);
    await checkTypes(fixture);
  });

  it("loses an item's part only", async () => {
    await fixture.add([event("a", 0), event("a", 10_000, 2), event("b", 10_000, 5)]);
    await seal();
    await fixture.add([event("a", 20_000, 4)]);
    // More than waits.
    await remove(rangeOf("a", 0, 15_000));
    expect(await counts()).toEqual({ a: 4, b: 5 });
    await checkWindows(fixture);
    await remove(rangeOf("b", 5_000, 15_000));
    expect(await counts()).toEqual({ a: 4 });
    await seal();
    await checkWindows(fixture);
    expect(await counts()).toEqual({ a: 4 });
  });
});

describe("a window", () => {
  it("whose list lost all of its items takes events as any other", async () => {
    const ids = ["a", "b", "c", "d", "e"];
    await fixture.add(ids.map((id, i) => event(id, 0, 10 - i)));
    await seal();
    await remove(allOf("a"));
    await remove(allOf("b"));
    await checkWindows(fixture);
    await fixture.add([event("z", 1000, 1)]);
    await seal();
    await checkWindows(fixture);
    expect(await counts()).toEqual({ c: 8, d: 7, e: 6, z: 1 });
  });

  it("is exact and bounded while an hour's part is gone and more comes", async () => {
    await fixture.add([event("a", 0, 3), event("a", 30 * minuteMs, 5), event("b", hourMs, 2)]);
    await seal();
    await remove(rangeOf("a", 0, 10 * minuteMs));
    await fixture.add([event("a", 5 * minuteMs), event("b", 5 * minuteMs)]);
    await seal();
    expect(await checkWindows(fixture)).toBeGreaterThanOrEqual(6);
    expect(await counts()).toEqual({ a: 6, b: 3 });
  });
});

describe("a merge of files under way", () => {
  const files = [0, 1, 2].map((i) => [
    event("a", i * 1000),
    event("b", i * 1000),
    event("u", i * 1000, 1, "only"),
  ]);

  async function makeFiles(): Promise<void> {
    for (const events of files) {
      await fixture.add(events);
      await fixture.rawFiles.flushRecent(true);
    }
  }

  it("keeps what a delete hides meanwhile hidden", async () => {
    await makeFiles();
    fixture.whileWriting = async () => {
      fixture.whileWriting = async () => undefined;
      await remove(allOf("a"));
    };
    expect(await fixture.rawFiles.mergeSmall(0)).toBe(true);
    expect(await fixture.countOf("raw_files")).toBe(1);
    expect(await fixture.countOf("raw_tombstones")).toBe(1);
    expect(await counts()).toEqual({ b: 3 });
    expect(await fixture.rawFiles.rewriteHidden(0)).toBe(true);
    expect(await fixture.countOf("raw_tombstones")).toBe(0);
    expect(await counts()).toEqual({ b: 3 });
  });

  it("is given up when one of the files went whole", async () => {
    await fixture.add([event("a", 0)]);
    await fixture.rawFiles.flushRecent(true);
    await makeFiles();
    fixture.whileWriting = async () => {
      fixture.whileWriting = async () => undefined;
      await remove(rangeOf("a", 0, 1));
    };
    await fixture.rawFiles.mergeSmall(0);
    expect(await counts()).toEqual({ a: 2, b: 3 });
    expect(await fixture.countOf("raw_files")).toBe(3);
    // The next one finds them as they are.
    await fixture.rawFiles.mergeSmall(0);
    expect(await counts()).toEqual({ a: 2, b: 3 });
    expect(await fixture.countOf("raw_files")).toBe(1);
  });

  it("does not bring back what was hidden before", async () => {
    await makeFiles();
    await remove(allOf("a"));
    expect(await fixture.countOf("raw_tombstones")).toBe(3);
    await fixture.rawFiles.mergeSmall(0);
    expect(await fixture.countOf("raw_tombstones")).toBe(0);
    await fixture.add([event("a", 2000)]);
    expect(await counts()).toEqual({ a: 1, b: 3 });
  });
});

describe("a type that is gone", () => {
  it("begins anew when events of its name come", async () => {
    await fixture.add([event("a", 0, 3), event("b", hourMs), event("x", 0, 1, "other")]);
    await seal();
    const [before] = await rowsOf(
      fixture.database.writer,
      "SELECT max(type_id) AS id FROM event_types",
    );
    await remove(allOf(null));
    expect(await counts()).toEqual({});
    await checkTypes(fixture);
    await fixture.add([event("a", 0)]);
    const [after] = await rowsOf(
      fixture.database.writer,
      "SELECT type_id AS id FROM event_types WHERE event_type = 't'",
    );
    expect(Number(after!["id"])).toBeGreaterThan(Number(before!["id"]));
    expect(await counts()).toEqual({ a: 1 });
    await seal();
    while (await fixture.graves.step());
    expect(await counts()).toEqual({ a: 1 });
    await checkWindows(fixture);
    await checkTypes(fixture);
  });

  it("is cleared away later where something else holds the lane for slow work", async () => {
    await fixture.add([event("a", 0)]);
    await seal();
    await remove(allOf(null));
    let letGo = () => {};
    const holding = fixture.database.read(
      60_000,
      () => new Promise<void>((resolve) => (letGo = resolve)),
      { lane: "apart" },
    );
    const started = performance.now();
    expect(await fixture.graves.step()).toBe(false);
    fixture.compactor.look();
    expect(await fixture.compactor.step()).toBe(false);
    expect(performance.now() - started).toBeLessThan(5000);
    expect(await fixture.countOf("type_graves")).toBe(1);
    letGo();
    await holding;
    while (await fixture.graves.step());
    expect(await fixture.countOf("type_graves")).toBe(0);
  });

  it("goes with its last event", async () => {
    await fixture.add([event("a", 0), event("b", 0)]);
    await remove(allOf("a"));
    await checkTypes(fixture);
    await remove(rangeOf(null, -1, 1));
    await checkTypes(fixture);
    expect(await fixture.countOf("event_types")).toBe(0);
    expect(await fixture.deleter.run(allOf(null))).toMatchObject({ events: 0, windows: 0 });
  });
});

describe("a delete in slices", () => {
  it("goes on at the next start where a stop ended it", async () => {
    await fixture.close();
    const options = { candidatesMax: 2, vectorsMax: 2, hasSketches: true };
    fixture = await new DeleteFixture(fixture.folder, options).open();
    const hours = Array.from({ length: 12 }, (_, i) => i * hourMs);
    await fixture.add(hours.flatMap((at) => [event("a", at), event("b", at)]));
    await seal();
    let slices = 0;
    fixture.compactor.settle = async () => {
      if (((await counts())["a"] ?? 0) < 12 && slices++ === 0) fixture.database.refuseDeferrable();
    };
    await expect(fixture.deleter.run(allOf("a"))).rejects.toThrow(/closing/);
    const left = (await counts())["a"]!;
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThan(12);
    expect(await fixture.countOf("deletes_under_way")).toBe(1);
    await fixture.restart();
    expect(await counts()).toEqual({ b: 12 });
    expect(await fixture.countOf("deletes_under_way")).toBe(0);
  });

  it("is divided where months or days begin, if it can be", () => {
    const hour = (...of: [number, number, number, number]) => Date.UTC(...of) / minuteMs;
    const at = (entries: [number, number][]) => new Map(entries);
    const december = hour(2025, 11, 31, 20);
    const stream = Array.from({ length: 72 }, (_, i): [number, number] => [december + 60 * i, 10]);
    expect(sliceBounds(at(stream), 1000)).toEqual([]);
    expect(sliceBounds(at(stream), 400)).toEqual([1, 2, 3].map((day) => hour(2026, 0, day, 0)));
    expect(sliceBounds(at(stream.slice(0, 8)), 50)).toEqual([hour(2026, 0, 1, 0)]);
    expect(sliceBounds(at(stream.slice(5, 12)), 25)).toEqual([
      december + 60 * 7,
      december + 60 * 9,
      december + 60 * 11,
    ]);
    expect(
      sliceBounds(
        at([
          [december, 999],
          [december + 60, 1],
        ]),
        10,
      ),
    ).toEqual([december + 60]);
    expect(sliceBounds(at([]), 10)).toEqual([]);
  });
});

it("refuses deletes while too many hidden events wait to be written away", async () => {
  await fixture.add([event("a", 0), event("b", 0), event("c", 0)]);
  await fixture.rawFiles.flushRecent(true);
  const deleter = fixture.deleterWith({ tombstonesMax: 1 });
  await deleter.run(allOf("a"));
  await deleter.run(allOf("b"));
  await expect(deleter.run(allOf("c"))).rejects.toMatchObject({ code: "too_many_deletes" });
  await fixture.rawFiles.rewriteHidden(0);
  expect(await deleter.run(allOf("c"))).toMatchObject({ events: 1 });
});
