/** Ranks in bins against a recount: of single windows, of sums, bounded where too many rows. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { readRanks } from "../../src/store/item-ranks.ts";
import { LocalDatabase } from "../../src/store/local-database.ts";
import type { RawFiles } from "../../src/store/raw-files.ts";
import { prepareSchema } from "../../src/store/schema.ts";
import { type Random, randomFromEnvironment } from "../support/random.ts";

const rounds = 25;
const hours = 72;
const hourMinutes = 60;
const types = [
  { id: 3, name: "play" },
  { id: 5, name: "view" },
];
const firstMinute = Date.UTC(2024, 2, 1) / 60_000;

/** By id its count in each hour, and whether that is in windows or still in deltas. */
interface Row {
  /** type_id. */
  type: number;
  hour: number;
  id: string;
  count: number;
  isDelta: boolean;
}

let database: LocalDatabase;
beforeAll(async () => {
  database = await LocalDatabase.open(":memory:");
  const identity = { logId: "log", partitionCount: 1, seed: "0".repeat(16) };
  await database.write((connection) => prepareSchema(connection, identity));
  const never = "make_timestamp(0)::TIMESTAMP_MS";
  const rows = types.map(({ id, name }) => `(${id}, '${name}', 1, ${never}, ${never})`);
  await database.writer.run(`INSERT INTO event_types VALUES ${rows.join(", ")}`);
});
afterAll(() => database.close());

function randomRows(random: Random, type: number): Row[] {
  const ids = Array.from({ length: 30 }, (_, i) => `item ${i}`);
  const deltas = random.pick([0, 0.01, 0.2]);
  return Array.from({ length: hours }, (_, hour) =>
    random
      .shuffle([...ids])
      .slice(0, random.int(0, ids.length))
      .map((id) => ({ type, hour, id, count: random.int(1, 20), isDelta: random.chance(deltas) })),
  ).flat();
}

function sums(rows: readonly Row[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { id, count } of rows) counts.set(id, (counts.get(id) ?? 0) + count);
  return counts;
}

async function insert(table: string, rows: readonly string[]): Promise<void> {
  await database.writer.run(`DELETE FROM ${table}`);
  if (rows.length > 0) await database.writer.run(`INSERT INTO ${table} VALUES ${rows.join(", ")}`);
}

/** The first hours of windows of `size` hours. */
function startsOf(size: number): number[] {
  return Array.from({ length: Math.ceil(hours / size) }, (_, i) => i * size);
}

/** Windows of some hours each, with lists of `listed` items; none where nothing is. */
async function build(level: string, size: number, rows: readonly Row[], listed: number) {
  const windows: string[] = [];
  const lists: string[] = [];
  const tails: string[] = [];
  for (const [type, first] of types.flatMap(({ id }) => startsOf(size).map((at) => [id, at]))) {
    const isOwn = (row: Row) =>
      row.type === type && row.hour >= first! && row.hour < first! + size;
    const own = sums(rows.filter(isOwn));
    if (own.size === 0) continue;
    const start = firstMinute + first! * hourMinutes;
    const ranking = [...own].sort(([idA, a], [idB, b]) => b - a || (idA < idB ? -1 : 1));
    const threshold = ranking.length > listed ? ranking[listed - 1]![1] : 0;
    const total = ranking.reduce((sum, [, count]) => sum + count, 0);
    windows.push(`(${start}, ${type}, ${total}, ${ranking.length}, ${threshold})`);
    for (const [i, [id, count]] of ranking.entries()) {
      // Deletes leave gaps between ranks.
      if (i < listed) lists.push(`(${start}, ${type}, '${id}', ${count}, ${2 * i + 1})`);
      else tails.push(`(${start}, ${type}, '${id}', ${count})`);
    }
  }
  await insert(`window_${level}`, windows);
  await insert(`list_${level}`, lists);
  await insert(`tail_${level}`, tails);
}

/** Bounds of bins on whole hours, as hours from the first. */
function randomBounds(random: Random): number[] {
  const step = random.pick([1, 1, 5, 24]);
  const first = step === 24 ? 0 : random.int(0, 30);
  const length = Math.floor((hours - first) / step);
  return Array.from({ length: length + 1 }, (_, i) => first + i * step);
}

/** The competition rank of `id` among these rows; null without an event. */
function trueRank(rows: readonly Row[], id: string): number | null {
  const counts = sums(rows);
  const own = counts.get(id);
  if (own === undefined) return null;
  return 1 + [...counts.values()].filter((count) => count > own).length;
}

test("are those of a recount, or bounds that hold them", { timeout: 60_000 }, async () => {
  const random = randomFromEnvironment("item ranks");
  const noRaw = { mayHold: async () => false } as unknown as RawFiles;
  const seen = { exact: 0, bounded: 0 };
  for (let round = 0; round < rounds; round++) {
    const own = types.slice(0, random.int(1, 2));
    const rows = own.flatMap(({ id }) => randomRows(random, id));
    const folded = rows.filter(({ isDelta }) => !isDelta);
    const listed = random.pick([1, 5, 40]);
    await build("hour", 1, folded, listed);
    await build("day", 24, folded, listed);
    const deltas = rows
      .filter(({ isDelta }) => isDelta)
      .map(({ type, hour, id, count }) => {
        const minute = firstMinute + hour * hourMinutes + random.int(0, 59);
        return `(${minute}, ${type}, '${id}', 0, ${count})`;
      });
    await insert("count_deltas", deltas);
    const bins = randomBounds(random);
    const bounds = bins.map((hour) => (firstMinute + hour * hourMinutes) * 60_000);
    const { id: eventId } = random.pick(rows);
    const inBin = (i: number) =>
      rows.filter(({ hour }) => hour >= bins[i]! && hour < bins[i + 1]!);
    const counts = bins.slice(1).map((_, i) => sums(inBin(i)).get(eventId) ?? 0);
    for (const rowsMax of [Number.MAX_SAFE_INTEGER, random.pick([0, 50, 300])]) {
      const query = { eventTypes: own.map(({ name }) => name), eventId, bounds };
      const ranks = await database.read(60_000, (connection) =>
        readRanks(connection, noRaw, query, counts, rowsMax),
      );
      for (const [i, rank] of ranks.entries()) {
        const truth = trueRank(inBin(i), eventId);
        if (truth === null || rowsMax === Number.MAX_SAFE_INTEGER) {
          expect(rank).toEqual(truth && { lower: truth, upper: truth });
          continue;
        }
        expect(rank!.lower).toBeLessThanOrEqual(truth);
        expect(rank!.upper).toBeGreaterThanOrEqual(truth);
        const others = inBin(i).reduce((sum, { count }) => sum + count, 0) - counts[i]!;
        expect(rank!.upper).toBeLessThanOrEqual(1 + others / (counts[i]! + 1));
        seen[rank!.lower === rank!.upper ? "exact" : "bounded"]++;
      }
    }
  }
  expect(seen.exact).toBeGreaterThan(50);
  expect(seen.bounded).toBeGreaterThan(50);
});
