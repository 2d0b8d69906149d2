/** Snapshots against a recount of the events that were left when each was taken. */
import { existsSync } from "node:fs";
import { mkdir, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { nodeFiles } from "../../src/files.ts";
import type { Database } from "../../src/store/database.ts";
import { Snapshots, snapshotDefaults } from "../../src/store/snapshot.ts";
import { writeMetrics } from "../../src/store/system-metrics.ts";
import type { CountedEvent } from "../oracles/board-oracle.ts";
import { type Random, randomFromEnvironment, ZipfSampler } from "../support/random.ts";
import { rawPlaces } from "../support/raw-places.ts";
import { temporaryFolder } from "../support/service.ts";
import { DeleteFixture } from "./delete-fixture.ts";

const minuteMs = 60_000;
const first = Date.UTC(2026, 0, 30, 22);
const rounds = 4;

let fixture: DeleteFixture;
async function start(kind = rawPlaces[0]!): Promise<void> {
  const options = { candidatesMax: 4, vectorsMax: 4096, hasSketches: false, kind };
  fixture = await new DeleteFixture(temporaryFolder(), options).open();
}

beforeEach(() => start());
afterEach(() => fixture.close());

function snapshotsOf({ folder, database, rawFiles }: DeleteFixture, more = {}) {
  const options = { ...snapshotDefaults, sliceRowsMax: 25, folder, files: nodeFiles, ...more };
  return Snapshots.open(database, rawFiles, options);
}

/** What a DuckDB of its own reads of a snapshot, cells as text. */
async function queryAt(path: string, sql: string): Promise<string[]> {
  const settings = { file_search_path: path, access_mode: "READ_ONLY" };
  const instance = await DuckDBInstance.create(join(path, "rankstream.duckdb"), settings);
  const connection = await instance.connect();
  const rows = (await connection.runAndReadAll(sql)).getRowsJson();
  connection.closeSync();
  instance.closeSync();
  return rows.map((row) => row.map(String).join(" | ")).sort();
}

const starts: [number, (ms: number) => number][] = [
  [60, (ms) => ms - (ms % minuteMs)],
  [3600, (ms) => ms - (ms % (60 * minuteMs))],
  [86_400, (ms) => ms - (ms % (1440 * minuteMs))],
  [2_592_000, (ms) => Date.UTC(new Date(ms).getUTCFullYear(), new Date(ms).getUTCMonth())],
];

function stampOfWindow(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).replace("T", " ");
}

/** All rows of event_counts, by counting. */
function trueCounts(events: readonly CountedEvent[]): string[] {
  const windows = new Map<string, Map<string, number>>();
  for (const { eventId, eventType, timeMs, weight } of events) {
    for (const [size, startOf] of starts) {
      const key = `${stampOfWindow(startOf(timeMs))} | ${eventType} | ${size}`;
      const counts = windows.get(key) ?? new Map();
      windows.set(key, counts);
      counts.set(eventId, (counts.get(eventId) ?? 0) + weight);
    }
  }
  return [...windows]
    .flatMap(([key, counts]) =>
      [...counts]
        .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
        .map(([id, count], i) => `${key} | ${id} | ${count} | ${i + 1}`),
    )
    .sort();
}

const countsSql =
  "SELECT time_window, event_type, window_size, event_id, count, rank FROM event_counts";
const rawSql =
  "SELECT event_type, event_id, epoch_ms(timestamp), weight, date, hour FROM raw_events";

function trueRaw(events: readonly CountedEvent[]): string[] {
  return events
    .map(({ eventType, eventId, timeMs, weight }) => {
      const date = new Date(timeMs);
      const day = date.toISOString().slice(0, 10);
      return [eventType, eventId, timeMs, weight, day, date.getUTCHours()].join(" | ");
    })
    .sort();
}

/** Around the end of a month: some minutes, hours and days are sealed, others not. */
function randomEvents(random: Random, size: number, spanMs: number): CountedEvent[] {
  const zipf = new ZipfSampler(12, 0.8);
  return Array.from({ length: size }, () => ({
    eventId: `it'em-${zipf.draw(random)}`,
    eventType: random.pick(["play", "view"]),
    timeMs: first + random.int(0, spanMs),
    weight: random.pick([1, 1, 1, 5]),
  }));
}

async function deleteSome(random: Random): Promise<void> {
  const { eventType, eventId, timeMs } = random.pick(fixture.events);
  const scope = random.pick([
    { eventType, eventId, from: 0, to: Date.UTC(10_000, 0, 1) },
    { eventType, eventId: null, from: timeMs - 90_000, to: timeMs + 1 },
    { eventType, eventId, from: timeMs, to: timeMs + 600_000 },
  ]);
  await fixture.deleter.run(scope);
  fixture.forget(scope);
}

describe("snapshots", () => {
  const title = "of $name hold what a recount says at every level, and go on holding it";
  it.each(rawPlaces)(
    title,
    async (kind) => {
      await fixture.close();
      await start(kind);
      const random = randomFromEnvironment("snapshots");
      // With so few rows a window is summed up in parts.
      const snapshots = await snapshotsOf(fixture, { sliceRowsMax: random.pick([15, 60]) });
      const taken: { path: string; events: CountedEvent[] }[] = [];
      let linkedFiles = 0;
      for (let round = 0; round < rounds; round++) {
        const span = random.pick([3 * minuteMs, 5 * 60 * minuteMs, 4 * 1440 * minuteMs]);
        await fixture.add(randomEvents(random, random.int(40, 110), span));
        if (round > 0 && random.chance(0.7)) await deleteSome(random);
        if (round === 1 || random.chance(0.6)) await fixture.rawFiles.flushRecent(true);
        if (random.chance(0.6)) {
          const end = first + random.pick([minuteMs, span / 2, 40 * 1440 * minuteMs]);
          for (let i = 0; i < random.int(1, 20); i++) {
            const { isMore } = await fixture.sealer.seal(Math.floor(end / minuteMs), Date.now());
            if (!isMore) break;
          }
        }
        if (random.chance(0.3)) await fixture.rawFiles.rewriteHidden(Date.now());
        const events = [...fixture.events];
        const answer = await snapshots.take(`round-${round}`);
        expect(answer.events).toBe(events.length);
        const files = await readdir(join(answer.path, "event_counts"));
        expect(files.every((name) => /^(?:minute|hour|day|month)-\d+\.parquet$/.test(name))).toBe(
          true,
        );
        expect(answer.counts).toBe(trueCounts(events).length);
        linkedFiles += answer.linkedFiles;
        taken.push({ path: answer.path, events });
        expect(await queryAt(answer.path, countsSql)).toEqual(trueCounts(events));
        expect(await queryAt(answer.path, rawSql)).toEqual(trueRaw(events));
      }
      expect(linkedFiles).toBeGreaterThan(0);
      // Files are merged and removed, types deleted: what was taken stays as it was.
      for (const eventType of ["play", "view"]) {
        await fixture.deleter.run({
          eventType,
          eventId: null,
          from: 0,
          to: Date.UTC(10_000, 0, 1),
        });
      }
      await fixture.rawFiles.replaced.remove(Date.now());
      for (const { path, events } of taken) {
        expect(await queryAt(path, countsSql)).toEqual(trueCounts(events));
        expect(await queryAt(path, rawSql)).toEqual(trueRaw(events));
      }
      const none = await snapshots.take("none");
      expect(await queryAt(none.path, countsSql)).toEqual([]);
      expect(await queryAt(none.path, rawSql)).toEqual([]);
      expect(await queryAt(none.path, "FROM event_types")).toEqual([]);
    },
    60_000,
  );

  it("hold each window whole or not at all where smaller ones are gone", async () => {
    const random = randomFromEnvironment("coarse snapshots");
    await fixture.close();
    const aggregationWindows: Record<string, number> = { play: 3600, view: 86_400 };
    const options = { candidatesMax: 4, vectorsMax: 4096, hasSketches: false, aggregationWindows };
    fixture = await new DeleteFixture(temporaryFolder(), options).open();
    const snapshots = await snapshotsOf(fixture, { sliceRowsMax: random.pick([15, 60]) });
    const windowOf = (row: string) => row.split(" | ").slice(0, 3).join(" | ");
    const isKept = (row: string) => {
      const [, eventType, size] = row.split(" | ");
      return Number(size) >= aggregationWindows[eventType!]!;
    };
    let gone = 0;
    for (let round = 0; round < rounds; round++) {
      const span = random.pick([5 * 60 * minuteMs, 4 * 1440 * minuteMs]);
      await fixture.add(randomEvents(random, random.int(40, 110), span));
      if (round > 0 && random.chance(0.5)) await deleteSome(random);
      // At last no minute is left of a day and a month that are not built.
      const isLast = round === rounds - 1;
      const newest = Math.max(...fixture.events.map(({ timeMs }) => timeMs));
      const hourEnd = newest - (newest % (60 * minuteMs)) + 60 * minuteMs;
      const end = isLast ? hourEnd : random.pick([first + span / 2, hourEnd]);
      while ((await fixture.sealer.seal(Math.floor(end / minuteMs), 9e12)).isMore);
      while (await fixture.coarse.step(9e12));
      // Not folded yet, some of it in windows whose smaller ones are gone.
      if (!isLast && random.chance(0.7)) await fixture.add(randomEvents(random, 20, span));
      const { path } = await snapshots.take(`round-${round}`);
      const rows = await queryAt(path, countsSql);
      const windows = new Set(rows.map(windowOf));
      const truth = trueCounts(fixture.events);
      expect(rows).toEqual(truth.filter((row) => windows.has(windowOf(row))));
      expect(rows.filter(isKept)).toEqual(truth.filter(isKept));
      gone += truth.length - rows.length;
    }
    expect(gone).toBeGreaterThan(0);
  }, 60_000);

  it("read metadata and labels as maps, settings beside types", async () => {
    const { writer } = fixture.database;
    const odd = ['{"a":"1","b/c":"x\\"y"}', '{"a":"1","a":"2"}', "{}", '{"a":"\\ud800"}'];
    for (const [i, metadata] of odd.entries()) {
      await writer.run(
        `INSERT INTO raw_recent VALUES (TIMESTAMP_MS '2026-01-01 10:00:00.25', now()::TIMESTAMP,
           1, 't', 'i${i}', NULL, NULL, $1)`,
        [metadata],
      );
    }
    await writer.run("INSERT INTO event_types VALUES (1, 't', 4, '2026-01-01', '2026-01-02')");
    await writer.run(
      `INSERT INTO type_settings VALUES ('t', 'said', 30, NULL, 3600), ('u', NULL, 7, 1, NULL)`,
    );
    await writer.run("INSERT INTO item_labels VALUES ('t', 'i0', 'L', NULL, 'http://p')");
    const at = Date.UTC(2026, 0, 1);
    const samples = [
      { name: "hits_total", value: 1.5, labels: { level: "l1" } },
      { name: "types", value: 3, labels: {} },
    ];
    await fixture.database.write((c) => writeMetrics(c, { at, samples, keepFrom: 0 }));
    const { path } = await (await snapshotsOf(fixture)).take("odd");
    const values = "SELECT event_id, metadata['a'], metadata['b/c'], timestamp FROM raw_events";
    const time = "2026-01-01 10:00:00.25";
    expect(await queryAt(path, `${values} WHERE event_id < 'i3'`)).toEqual([
      `i0 | 1 | x"y | ${time}`,
      `i1 | 1 | null | ${time}`,
      `i2 | null | null | ${time}`,
    ]);
    expect(await queryAt(path, "SELECT count(*) FROM raw_events")).toEqual(["4"]);
    expect(await queryAt(path, "FROM event_types")).toEqual([
      "t | said | 30 | 3600 | 4 | 2026-01-01 00:00:00 | 2026-01-02 00:00:00",
      "u | null | 7 | 60 | 0 | null | null",
    ]);
    expect(await queryAt(path, "FROM item_labels")).toEqual(["t | i0 | L | null | http://p"]);
    expect(
      await queryAt(path, "SELECT * REPLACE (labels['level'] AS labels) FROM system_metrics"),
    ).toEqual([
      "2026-01-01 00:00:00 | hits_total | 1.5 | l1",
      "2026-01-01 00:00:00 | types | 3 | null",
    ]);
    const typed = `SELECT table_name || '.' || column_name || ' ' || data_type
      FROM information_schema.columns WHERE column_name IN ('metadata', 'labels', 'date', 'count',
      'time_window', 'timestamp', 'first_seen', 'metric_value', 'hour', 'rank')`;
    expect(await queryAt(path, typed)).toEqual([
      "event_counts.count BIGINT",
      "event_counts.rank BIGINT",
      "event_counts.time_window TIMESTAMP",
      "event_types.first_seen TIMESTAMP",
      "raw_events.date DATE",
      "raw_events.hour INTEGER",
      "raw_events.metadata MAP(VARCHAR, VARCHAR)",
      "raw_events.timestamp TIMESTAMP",
      "system_metrics.labels MAP(VARCHAR, VARCHAR)",
      "system_metrics.metric_value DOUBLE",
      "system_metrics.timestamp TIMESTAMP",
    ]);
  });

  it("take no room for raw events in files, and leave nothing when given up", async () => {
    await fixture.add(randomEvents(randomFromEnvironment("linked"), 300, 60 * minuteMs));
    await fixture.rawFiles.flushRecent(true);
    const snapshots = await snapshotsOf(fixture, { snapshotsMax: 2 });
    const { path, linkedFiles } = await snapshots.take("one");
    expect(linkedFiles).toBe(1);
    const names = await readdir(join(path, "raw_events"));
    const links = await Promise.all(
      names.map(async (name) => (await stat(join(path, "raw_events", name))).nlink),
    );
    expect(links.sort()).toEqual([1, 2]);
    await expect(snapshots.take("one")).rejects.toMatchObject({ code: "snapshot_exists" });
    const gone = new AbortController();
    const cancelled = snapshots.take("two", gone.signal);
    await expect(snapshots.take("three")).rejects.toMatchObject({ code: "too_many_snapshots" });
    setTimeout(() => gone.abort(), 5);
    await expect(cancelled).rejects.toMatchObject({ code: "query_cancelled" });
    expect(await readdir(join(fixture.folder, "snapshots"))).toEqual(["one"]);
    await snapshots.take("two");
    await expect(snapshots.take("three")).rejects.toMatchObject({ code: "too_many_snapshots" });
    expect((await snapshots.list()).map(({ name }) => name)).toEqual(["one", "two"]);
    await snapshots.drop("one");
    await expect(snapshots.drop("one")).rejects.toMatchObject({ code: "snapshot_not_found" });
    expect(existsSync(path)).toBe(false);
    await mkdir(join(fixture.folder, "snapshots", "torn.tmp", "raw_events"), { recursive: true });
    expect((await snapshots.list()).map(({ name }) => name)).toEqual(["two"]);
    await snapshotsOf(fixture);
    expect(await readdir(join(fixture.folder, "snapshots"))).toEqual(["two"]);
    const late = snapshots.take("late");
    const ended = late.catch((error) => error);
    await snapshots.stop();
    expect(await ended).toMatchObject({ code: "query_cancelled" });
    expect(await readdir(join(fixture.folder, "snapshots"))).toEqual(["two"]);
  });
});

describe("the service's numbers", () => {
  const rowsOf = async (database: Database) => {
    const reader = await database.writer.runAndReadAll(
      `SELECT epoch_ms(sampled_at)::INTEGER, count(*)::INTEGER FROM system_metrics
       GROUP BY sampled_at ORDER BY sampled_at`,
    );
    return reader.getRows();
  };

  it("are forgotten by age, and by half where there are too many", async () => {
    const { database } = fixture;
    const samples = Array.from({ length: 10 }, (_, i) => ({
      name: `n${i}`,
      value: i,
      labels: {},
    }));
    const write = (at: number, keepFrom: number) =>
      database.write((c) => writeMetrics(c, { at, samples, keepFrom }, 45));
    for (const at of [1000, 2000, 3000]) await write(at, 0);
    await write(4000, 2000);
    expect(await rowsOf(database)).toEqual([
      [2000, 10],
      [3000, 10],
      [4000, 10],
    ]);
    await write(5000, 0);
    await write(6000, 0);
    expect(await rowsOf(database)).toEqual([
      [4000, 10],
      [5000, 10],
      [6000, 10],
    ]);
  });
});
