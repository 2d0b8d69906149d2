/** Exports against the plain list of the events that were left when each was opened. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { nodeFiles } from "../../src/files.ts";
import type { ExportQuery } from "../../src/store/export-sql.ts";
import { Exports, exportsDefaults, slicesOf } from "../../src/store/exports.ts";
import type { CountedEvent } from "../oracles/board-oracle.ts";
import { type Random, randomFromEnvironment } from "../support/random.ts";
import { rawPlaces } from "../support/raw-places.ts";
import { temporaryFolder } from "../support/service.ts";
import { DeleteFixture } from "./delete-fixture.ts";

const first = Date.UTC(2026, 0, 30, 22);
const spanMs = 3 * 3_600_000;
const everything = { from: 0, to: Date.UTC(10_000, 0, 1) };

let fixture: DeleteFixture;
let exports: Exports;
async function start(kind = rawPlaces[0]!): Promise<void> {
  const options = { candidatesMax: 4, vectorsMax: 4096, hasSketches: false, kind };
  fixture = await new DeleteFixture(temporaryFolder(), options).open();
  const { folder, database, rawFiles } = fixture;
  const own = { ...exportsDefaults, sliceRowsMax: 25, folder, files: nodeFiles };
  exports = await Exports.start(database, rawFiles, own);
}

async function stop(): Promise<void> {
  await exports.stop();
  await fixture.close();
}

beforeEach(() => start());
afterEach(stop);

function queryOf(more: Partial<ExportQuery> = {}): ExportQuery {
  return { eventTypes: null, ...everything, horizons: [], format: "ndjson", ...more };
}

function randomEvents(random: Random, size: number): CountedEvent[] {
  return Array.from({ length: size }, () => ({
    eventId: `it'em-${random.int(0, 8)}`,
    eventType: random.pick(["play", "view"]),
    timeMs: first + random.int(0, spanMs),
    weight: random.pick([1, 1, 5]),
  }));
}

/** All lines of an export, slice after slice. */
async function linesOf(id: string, slices: number): Promise<string[]> {
  let text = "";
  for (let i = 0; i < slices; i++) text += readFileSync(await exports.slice(id, i), "utf8");
  return text.split("\n").slice(0, -1);
}

const lineOf = ({ eventId, eventType, timeMs, weight }: CountedEvent) => {
  const timestamp = new Date(timeMs).toISOString();
  return JSON.stringify({ eventId, eventType, timestamp, ...(weight > 1 && { weight }) });
};

describe("exports", () => {
  const title = "of $name hold the events of one moment, in order, whatever becomes of them";
  it.each(rawPlaces)(title, async (kind) => {
    await stop();
    await start(kind);
    const random = randomFromEnvironment("exports");
    const opened: { id: string; slices: number; events: CountedEvent[] }[] = [];
    for (let round = 0; round < 4; round++) {
      await fixture.add(randomEvents(random, random.int(60, 120)));
      if (random.chance(0.7)) await fixture.rawFiles.flushRecent(true);
      const { eventType, eventId } = random.pick(fixture.events);
      const scope = { eventType, eventId, ...everything };
      await fixture.deleter.run(scope);
      fixture.forget(scope);
      const { id, rows, slices } = await exports.open(queryOf());
      expect(rows).toBe(fixture.events.length);
      opened.push({ id, slices, events: [...fixture.events] });
    }
    expect(Math.max(...opened.map(({ slices }) => slices))).toBeGreaterThan(2);
    // What comes and goes from now on is not theirs.
    await fixture.add(randomEvents(random, 30));
    await fixture.rawFiles.flushRecent(true);
    await fixture.deleter.run({ eventType: "play", eventId: null, ...everything });
    for (let i = 0; i < 4; i++) await fixture.rawFiles.rewriteHidden(Date.now());
    await fixture.rawFiles.replaced.remove(Date.now() + 1);
    for (const { id, slices, events } of opened) {
      const lines = await linesOf(id, slices);
      expect([...lines].sort()).toEqual(events.map(lineOf).sort());
      const times = lines.map((line) => JSON.parse(line).timestamp);
      expect(times).toEqual([...times].sort());
      await exports.close(id);
    }
    expect(existsSync(join(fixture.folder, "exports", opened[0]!.id))).toBe(false);
    await expect(exports.slice(opened[0]!.id, 0)).rejects.toThrow("closed");
  });

  it("take types, ranges, items and what has not expired", async () => {
    const random = randomFromEnvironment("parts of exports");
    await fixture.add(randomEvents(random, 150));
    const [from, to] = [first + 600_000, first + 7_200_001];
    const horizon = first + 3_600_000;
    const query = queryOf({
      eventTypes: ["play"],
      from,
      to,
      horizons: [{ eventType: "play", from: horizon }],
      selection: { exclude: ["it'em-1"] },
    });
    const { id, slices } = await exports.open(query);
    const own = fixture.events.filter(
      ({ eventType, eventId, timeMs }) =>
        eventType === "play" && eventId !== "it'em-1" && timeMs >= horizon && timeMs < to,
    );
    expect((await linesOf(id, slices)).sort()).toEqual(own.map(lineOf).sort());
    const none = await exports.open(queryOf({ eventTypes: ["no'ne"], format: "csv" }));
    expect(none.rows).toBe(0);
    const header = "eventId,eventType,timestamp,userId,sessionId,metadata,weight";
    expect(await linesOf(none.id, none.slices)).toEqual([header]);
  });

  it("leave out what other regions counted", async () => {
    const events = randomEvents(randomFromEnvironment("own events"), 40);
    const others = events.map((event) => ({ ...event, eventType: "\u001feu\u001fplay" }));
    await fixture.add([...events, ...others]);
    const { id, slices, rows } = await exports.open(queryOf({ isOwnOnly: true }));
    expect(rows).toBe(40);
    expect((await linesOf(id, slices)).sort()).toEqual(events.map(lineOf).sort());
    const whole = await exports.open(queryOf());
    expect(await linesOf(whole.id, whole.slices)).toHaveLength(80);
  });

  it("sum events up by hour and item, each sum whole", async () => {
    const random = randomFromEnvironment("sums of exports");
    await fixture.add(randomEvents(random, 200));
    const sums = new Map<string, number>();
    for (const { eventId, eventType, timeMs, weight } of fixture.events) {
      const time = new Date(timeMs - (timeMs % 3_600_000)).toISOString();
      const key = JSON.stringify({ time, eventType, eventId });
      sums.set(key, (sums.get(key) ?? 0) + weight);
    }
    const { id, rows, slices } = await exports.open(queryOf({ counts: "hour" }));
    expect(rows).toBeNull();
    expect(slices).toBeGreaterThan(1);
    const lines = (await linesOf(id, slices)).map((line) => JSON.parse(line));
    const keyOf = ({ count, ...key }: { count: number }) => [JSON.stringify(key), count];
    expect(lines.map(keyOf).sort()).toEqual([...sums].sort());
  });

  it("end when they are told to, and leave nothing", async () => {
    await fixture.add(randomEvents(randomFromEnvironment("stopped exports"), 20));
    const { id } = await exports.open(queryOf());
    const signal = AbortSignal.abort();
    await expect(exports.slice(id, 0, signal)).rejects.toThrow();
    await expect(exports.open(queryOf(), signal)).rejects.toThrow();
    await exports.stop();
    await expect(exports.open(queryOf())).rejects.toThrow();
    expect(await nodeFiles.list(join(fixture.folder, "exports"))).toEqual([]);
  });
});

describe("slices", () => {
  it("cover what there is, side by side, at multiples of the step", () => {
    const random = randomFromEnvironment("slices");
    for (let round = 0; round < 200; round++) {
      const stepMs = random.pick([1, 1000, 60_000]);
      const files = Array.from({ length: random.int(0, 5) }, (_, i) => {
        const firstTime = random.int(0, 1e7);
        const lastTime = firstTime + random.int(0, 1e6);
        return { path: String(i), firstTime, lastTime, rows: random.int(1, 1000) };
      });
      const [from, to] = [random.int(0, 5e6), random.int(5e6 + 1, 2e7)];
      const slices = slicesOf(files, [from, to], { rowsMax: 50, stepMs });
      let end = from;
      for (const slice of slices) {
        const isGap = (t: number) => !files.some((f) => f.firstTime < t && f.lastTime >= end);
        expect(slice.from === end || isGap(slice.from)).toBe(true);
        expect(slice.from === from || slice.from % stepMs === 0).toBe(true);
        expect(slice.to).toBeGreaterThan(slice.from);
        end = slice.to;
      }
      expect(end === to || !files.some((f) => f.firstTime < to && f.lastTime >= end)).toBe(true);
    }
  });
});
