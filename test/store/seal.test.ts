import { deflateRawSync, inflateRawSync } from "node:zlib";
import { DuckDBBlobValue } from "@duckdb/node-api";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { nodeFiles } from "../../src/files.ts";
import { certifiedPrefix } from "../../src/query/certify.ts";
import { readApprox } from "../../src/store/approx.ts";
import { rowsOf } from "../../src/store/database.ts";
import { resetDeltaSpans } from "../../src/store/delta-spans.ts";
import { readExact } from "../../src/store/exact.ts";
import { FolderRawPlace } from "../../src/store/folder-raw-place.ts";
import { LocalDatabase } from "../../src/store/local-database.ts";
import { RawFiles, rawFilesDefaults } from "../../src/store/raw-files.ts";
import { prepareSchema } from "../../src/store/schema.ts";
import { Sealer } from "../../src/store/seal.ts";
import { Sketches } from "../../src/store/sketches.ts";
import type { PlacedItem } from "../../src/store/store.ts";
import { randomFromEnvironment } from "../support/random.ts";

const candidatesMax = 5;
const quietMs = 1000;
const bounds = { sliceRowsMax: 300, buildRowsMax: 60 };
/** 2024-01-30T22:00Z: the stream crosses two month ends, one in a leap year. */
const firstMinute = Date.UTC(2024, 0, 30, 22) / 60_000;
const spanMinutes = 32 * 1440;
const streamMsMax = 300_000;
const random = randomFromEnvironment("seal");

let database: LocalDatabase;
let rawFiles: RawFiles;
let sealer: Sealer;
let sketches: Sketches;

beforeEach(async () => {
  database = await LocalDatabase.open(":memory:");
  const identity = { logId: "log", partitionCount: 2, seed: "0".repeat(16) };
  await database.write((connection) => prepareSchema(connection, identity));
  await database.writer.run(`INSERT INTO event_types SELECT range, 'type-' || range, 0,
    TIMESTAMP_MS '2024-01-01', TIMESTAMP_MS '2024-01-01' FROM range(2)`);
  const options = {
    ...rawFilesDefaults,
    place: new FolderRawPlace("/nowhere", nodeFiles),
    removeAfterMs: 0,
  };
  rawFiles = new RawFiles(database, options);
  sketches = await Sketches.create(
    { low: 1, high: 2 },
    // Batches smaller than the longest tails, so that these come in parts.
    { bytesPerEventMax: 1000, tailItemsMin: 1, batchItemsMax: 20 },
  );
  sealer = new Sealer(database, { candidatesMax, quietMs, ...bounds }, sketches);
});

afterEach(() => database.close());

interface Delta {
  minute: number;
  typeId: number;
  eventId: string;
  count: number;
}

function randomDelta(minuteOf: () => number): Delta {
  return {
    minute: minuteOf(),
    typeId: random.int(0, 1),
    // Few ids, so that ties and full lists are common.
    eventId: `item-${Math.floor(random.float() ** 2 * 40)}`,
    count: random.pick([1, 1, 2, 5]),
  };
}

async function append(deltas: Delta[]): Promise<void> {
  const values = deltas
    .map((d) => `(${d.minute}, ${d.typeId}, '${d.eventId}', 0, ${d.count})`)
    .join(", ");
  await database.write(async (connection) => {
    await connection.run(`INSERT INTO count_deltas VALUES ${values}`);
    await resetDeltaSpans(connection);
  });
}

type Counts = Map<string, number>;

function sumOf(deltas: Delta[], typeIds: number[], start: number, end: number): Counts {
  const counts: Counts = new Map();
  for (const { minute, typeId, eventId, count } of deltas) {
    if (minute < start || minute >= end || !typeIds.includes(typeId)) continue;
    counts.set(eventId, (counts.get(eventId) ?? 0) + count);
  }
  return counts;
}

function ranked(counts: Counts): { eventId: string; count: number }[] {
  return [...counts]
    .map(([eventId, count]) => ({ eventId, count }))
    .sort((a, b) => b.count - a.count || (a.eventId < b.eventId ? -1 : 1));
}

async function checkRange(all: Delta[], start: number, end: number): Promise<void> {
  const typeIds = random.pick([[0], [1], [0, 1]]);
  const query = {
    eventTypes: typeIds.map((id) => `type-${id}`),
    from: start * 60_000,
    to: end * 60_000,
    k: random.int(1, 30),
    offset: random.pick([0, 0, random.int(0, 20)]),
    budgetMs: 60_000,
  };
  // At once, or in parts by hash.
  const partRowsMax = random.pick([undefined, random.int(1, 100)]);
  const answer = await database.read(60_000, (c) => readExact(c, rawFiles, query, partRowsMax));
  const expected = ranked(sumOf(all, typeIds, start, end));
  const page = expected.slice(query.offset, query.offset + query.k);
  const skipped = expected.slice(0, query.offset);
  const ahead = skipped.filter(({ count }) => page.length > 0 && count > page[0]!.count);
  expect(answer.skipped).toBe(skipped.reduce((sum, row) => sum + row.count, 0));
  expect(answer.ahead).toEqual({
    items: ahead.length,
    counts: new Set(ahead.map(({ count }) => count)).size,
  });
  expect(answer.rows, JSON.stringify(query)).toEqual(page);
  expect(answer.total).toBe(expected.reduce((sum, row) => sum + row.count, 0));
  expect(answer.distinct).toBe(expected.length);
}

const seen = { rows: 0, certified: 0, sketches: 0, placed: 0, exactlyPlaced: 0 };

const someItems = () => [1, 2, 3].map((i) => `item-${i * 12 + random.int(0, 11)}`);

/** Each item asked for, its true count and place within what is said of them. */
function checkItems(
  asked: string[],
  items: PlacedItem[],
  expected: { eventId: string; count: number }[],
  context: string,
): void {
  expect(items.map((item) => item.eventId)).toEqual(asked);
  for (const item of items) {
    const at = expected.findIndex((row) => row.eventId === item.eventId);
    const count = expected[at]?.count ?? 0;
    const place = at < 0 ? expected.length + 1 : at + 1;
    const isCounted = item.lower <= count && count <= item.upper;
    const isPlaced = item.rankLower <= place && place <= item.rankUpper;
    const ahead = expected.filter((row) => row.count > count).length;
    const isAhead = item.aheadLower <= ahead && ahead <= item.aheadUpper;
    const isLikely = item.aheadLower <= item.ahead && item.ahead <= item.aheadUpper;
    if (!isCounted || !isPlaced || !isAhead || !isLikely) {
      throw new Error(`${item.eventId} is ${count} at ${place}: ${context}`);
    }
    seen.placed++;
    if (item.rankLower === item.rankUpper) seen.exactlyPlaced++;
  }
}

/** Bounds hold for every item, shown or not; what is certified is what a recount says. */
async function checkApprox(
  all: Delta[],
  start: number,
  end: number,
  asked = random.pick([sketches, null]),
): Promise<void> {
  const typeIds = random.pick([[0], [1], [0, 1]]);
  const query = {
    eventTypes: typeIds.map((id) => `type-${id}`),
    from: start * 60_000,
    to: end * 60_000,
    rows: random.int(1, 30),
    edgeRowsMax: 1000,
    items: random.shuffle(["item-0", "nobody", ...someItems()]),
    budgetMs: 60_000,
  };
  const answer = await database.read(60_000, (c) => readApprox(c, rawFiles, asked, query));
  seen.sketches += answer.sketches;
  const truth = sumOf(all, typeIds, start, end);
  const expected = ranked(truth);
  const shown = new Set(answer.rows.map((row) => row.eventId));
  const context = JSON.stringify({ query, answer });
  for (const { eventId, lower, upper } of answer.rows) {
    const count = truth.get(eventId) ?? 0;
    if (lower > count || count > upper) throw new Error(`${eventId} is ${count}: ${context}`);
  }
  const most = Math.max(answer.rest?.upper ?? 0, answer.unlistedUpper);
  for (const [eventId, count] of truth) {
    if (!shown.has(eventId) && count > most) throw new Error(`${eventId} is ${count}: ${context}`);
  }
  checkItems(query.items, answer.items, expected, context);
  const total = expected.reduce((sum, row) => sum + row.count, 0);
  expect(answer.total).toEqual({ lower: total, upper: total });
  expect(answer.distinct.lower).toBeLessThanOrEqual(expected.length);
  expect(answer.distinct.upper).toBeGreaterThanOrEqual(expected.length);
  for (const ties of ["competition", "dense", "ordinal"] as const) {
    const certain = certifiedPrefix(answer.rows, answer, ties);
    const ids = answer.rows.slice(0, certain).map((row) => row.eventId);
    expect(ids, context).toEqual(expected.slice(0, certain).map((row) => row.eventId));
    seen.certified += certain;
    seen.rows += answer.rows.length;
  }
}

/** Every window's list, total, items and threshold follow from all deltas folded into it. */
async function checkWindows(all: Delta[]): Promise<number> {
  const waiting = await rowsOf(database.writer, "SELECT * FROM count_deltas");
  expect(waiting).toEqual([]);
  let checked = 0;
  const ends = { minute: 1, hour: 60, day: 1440, month: 0 };
  for (const [level, minutes] of Object.entries(ends)) {
    const windows = await rowsOf(database.writer, `SELECT * FROM window_${level}`);
    const lists = new Map<string, unknown[]>();
    const listed = `SELECT * FROM list_${level} ORDER BY start, type_id, rank`;
    for (const row of await rowsOf(database.writer, listed)) {
      const key = `${row["start"]}/${row["type_id"]}`;
      const entry = [row["event_id"], Number(row["count"]), row["rank"]];
      lists.set(key, [...(lists.get(key) ?? []), entry]);
    }
    for (const window of windows) {
      const start = Number(window["start"]);
      const typeId = Number(window["type_id"]);
      const date = new Date(start * 60_000);
      const nextMonth = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1) / 60_000;
      const end = minutes === 0 ? nextMonth : start + minutes;
      const expected = ranked(sumOf(all, [typeId], start, end));
      const list = lists.get(`${start}/${typeId}`) ?? [];
      const top = expected.slice(0, candidatesMax);
      expect(list).toEqual(top.map((row, i) => [row.eventId, row.count, i + 1]));
      expect(Number(window["items"])).toBe(expected.length);
      expect(Number(window["total"])).toBe(expected.reduce((sum, row) => sum + row.count, 0));
      const isComplete = expected.length <= candidatesMax;
      expect(Number(window["threshold"])).toBe(isComplete ? 0 : top.at(-1)!.count);
      checked++;
    }
  }
  return checked;
}

async function sealAll(endMinute: number, now: number): Promise<void> {
  while ((await sealer.seal(endMinute, now)).isMore);
  while ((await sealer.seal(endMinute, now)).isMore);
}

describe("sealing", () => {
  const recounted = "a stream over 32 days, late events and all, at every step equals a recount";
  test(recounted, { timeout: streamMsMax }, async () => {
    const all: Delta[] = [];
    let now = 1_000_000;
    for (let day = 0; day < 32; day += 4) {
      const from = firstMinute + day * 1440;
      const fresh = Array.from({ length: 400 }, () =>
        randomDelta(() => from + random.int(0, 4 * 1440)),
      );
      const late = Array.from({ length: 40 }, () =>
        randomDelta(() => firstMinute + random.int(0, (day + 4) * 1440)),
      );
      const deltas = random.shuffle([...fresh, ...late]);
      await append(deltas);
      all.push(...deltas);
      const endMinute = from + 4 * 1440 - random.int(0, 600);
      for (let step = 0; step < 3; step++) {
        now += random.int(0, 2 * quietMs);
        await sealer.seal(endMinute, now);
        for (let i = 0; i < 3; i++) {
          const start = firstMinute + random.int(0, spanMinutes);
          const end = start + random.int(0, 20 * 1440);
          await checkRange(all, start, end);
          await checkApprox(all, start, end);
        }
      }
      now += quietMs;
      await sealAll(endMinute, now);
      await checkRange(all, firstMinute, firstMinute + spanMinutes);
    }
    await sealAll(firstMinute + 2 * spanMinutes, now + 10 * quietMs);
    await sealAll(firstMinute + 2 * spanMinutes, now + 20 * quietMs);
    expect(await checkWindows(all)).toBeGreaterThan(100);
    const built = await rowsOf(database.writer, "SELECT count(*) AS n FROM window_month");
    expect(Number(built[0]!["n"])).toBe(6);
    expect(await rowsOf(database.writer, "SELECT * FROM pending_windows")).toEqual([]);
    for (let i = 0; i < 40; i++) {
      const from = firstMinute + random.int(0, spanMinutes);
      await checkApprox(all, from, from + random.int(0, 20 * 1440));
    }
    // Neither everything nor nothing is certain: lists of 5 of 40 items prove a part.
    expect(seen.certified).toBeGreaterThan(seen.rows * 0.02);
    expect(seen.certified).toBeLessThan(seen.rows);
    expect(seen.sketches).toBeGreaterThan(100);
    expect(seen.exactlyPlaced).toBeGreaterThan(seen.placed * 0.02);
    expect(seen.exactlyPlaced).toBeLessThan(seen.placed);
    const start = firstMinute - (firstMinute % 1440);
    await checkRange(all, start, start + 40 * 1440);
  });

  const changing = "answers hold when lists' length and sketches change from start to start";
  test(changing, { timeout: streamMsMax }, async () => {
    const all: Delta[] = [];
    const minuteOf = () => firstMinute + random.int(0, 300);
    for (let start = 0; start < 12; start++) {
      const options = { candidatesMax: random.int(1, 12), ...bounds, quietMs };
      const sealed = random.pick([sketches, null]);
      sealer = new Sealer(database, options, sealed);
      for (let step = 0; step < 2; step++) {
        const deltas = Array.from({ length: random.int(1, 60) }, () => randomDelta(minuteOf));
        await append(deltas);
        all.push(...deltas);
        await sealAll(firstMinute + 2 * 1440, 1_000_000 * (start + 1) + step);
        for (let i = 0; i < 4; i++) {
          const from = firstMinute + random.int(-200, 200);
          const to = from + random.int(1, 300);
          await checkRange(all, from, to);
          await checkApprox(all, from, to, sealed);
        }
      }
    }
  });

  test("a sketch is forgotten once its window changes without it", async () => {
    const minutes = { candidatesMax: 1, ...bounds, quietMs };
    const sealNow = async (sealed: Sketches | null, deltas: [number, string, number][]) => {
      const item = ([minute, eventId, count]: (typeof deltas)[0]) => ({
        minute: firstMinute + minute,
        typeId: 0,
        eventId,
        count,
      });
      await append(deltas.map(item));
      await new Sealer(database, minutes, sealed).seal(firstMinute + 10, 0);
    };
    const boundsOfY = async () => {
      const from = firstMinute * 60_000;
      const range = { from, to: from + 120_000, rows: 5, edgeRowsMax: 0, budgetMs: 60_000 };
      const query = { eventTypes: ["type-0"], ...range };
      const answer = await database.read(60_000, (c) => readApprox(c, rawFiles, sketches, query));
      const { lower, upper } = answer.rows.find((row) => row.eventId === "y")!;
      return [lower, upper];
    };
    const first: [number, string, number][] = [
      [0, "x", 10],
      [0, "y", 2],
      [1, "y", 1],
    ];
    await sealNow(sketches, first);
    expect(await boundsOfY()).toEqual([1, 3]);
    await sealNow(null, [[0, "y", 5]]);
    expect(await boundsOfY()).toEqual([1, 11]);
    await sealNow(sketches, [[0, "z", 1]]);
    expect(await boundsOfY()).toEqual([1, 11]);
  });

  test("a sketch of an older version bounds nothing, and is in nobody's way", async () => {
    const minuteOf = () => firstMinute;
    const all = Array.from({ length: 40 }, () => randomDelta(minuteOf));
    await append(all);
    await sealAll(firstMinute + 10, 1_000_000);
    const [row] = await rowsOf(database.writer, "SELECT data FROM sketch_minute LIMIT 1");
    const saved = inflateRawSync((row!["data"] as DuckDBBlobValue).bytes);
    saved.fill(0xff, 32);
    saved[3] = 1;
    await database.writer.run(
      "UPDATE sketch_minute SET version = version + 1e6::BIGINT, data = ?",
      [new DuckDBBlobValue(deflateRawSync(saved))],
    );
    seen.sketches = 0;
    await checkApprox(all, firstMinute, firstMinute + 1);
    expect(seen.sketches).toBe(0);
    const late = Array.from({ length: 20 }, () => randomDelta(minuteOf));
    await append(late);
    await sealAll(firstMinute + 10, 2_000_000);
    await checkApprox([...all, ...late], firstMinute, firstMinute + 1);
    expect(seen.sketches).toBe(0);
  });

  test("a failing fold leaves everything as it was", async () => {
    const deltas = Array.from({ length: 200 }, () => randomDelta(() => firstMinute));
    await append(deltas);
    await database.writer.run("ALTER TABLE window_hour RENAME TO window_gone");
    await expect(sealer.seal(firstMinute + 10, 0)).rejects.toThrow(/window_hour/);
    await database.writer.run("ALTER TABLE window_gone RENAME TO window_hour");
    await checkRange(deltas, firstMinute, firstMinute + 1);
    expect((await sealer.seal(firstMinute + 10, 0)).deltaRows).toBe(200);
    await checkRange(deltas, firstMinute, firstMinute + 1);
  });

  test("a fold that is interrupted because the store closes leaves no trace", async () => {
    const deltas = Array.from({ length: 2000 }, () => randomDelta(() => firstMinute));
    await append(deltas);
    const folding = sealer.seal(firstMinute + 10, 0);
    await new Promise((resolve) => setTimeout(resolve, 2));
    database.refuseDeferrable();
    // It was over already, or it fails: both are whole.
    await folding.catch((error) => expect(String(error)).toMatch(/INTERRUPT|closing/i));
    await checkRange(deltas, firstMinute, firstMinute + 1);
    await expect(sealer.seal(firstMinute + 10, 0)).rejects.toThrow(/closing/);
    await append(deltas);
    await checkRange([...deltas, ...deltas], firstMinute, firstMinute + 1);
  });
});
