/** Covers against brute force: every minute once, by the largest windows there are. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { coverOf, cutAtMinutes, cutInStore } from "../../src/store/cover.ts";
import { rowsOf } from "../../src/store/database.ts";
import { LocalDatabase } from "../../src/store/local-database.ts";
import { prepareSchema } from "../../src/store/schema.ts";
import type { Random } from "../support/random.ts";
import { randomFromEnvironment } from "../support/random.ts";

let database: LocalDatabase;
beforeAll(async () => {
  database = await LocalDatabase.open(":memory:");
  const identity = { logId: "log", partitionCount: 1, seed: "0".repeat(16) };
  await database.write((connection) => prepareSchema(connection, identity));
});
afterAll(() => database.close());

type LevelName = "minute" | "hour" | "day" | "month";
interface Window {
  level: LevelName;
  start: number;
  end: number;
}

const levelNames: readonly LevelName[] = ["month", "day", "hour", "minute"];
const firstMinute = Date.UTC(2024, 0, 1) / 60_000;
const endMinute = Date.UTC(2024, 5, 1) / 60_000;

function windowOf(level: LevelName, minute: number): Window {
  const sizes = { minute: 1, hour: 60, day: 1440, month: 0 };
  if (level !== "month") {
    const start = minute - (minute % sizes[level]);
    return { level, start, end: start + sizes[level] };
  }
  const date = new Date(minute * 60_000);
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
  return {
    level,
    start: Date.UTC(year, month) / 60_000,
    end: Date.UTC(year, month + 1) / 60_000,
  };
}

async function insert(table: string, rows: string[]): Promise<void> {
  await database.writer.run(`DELETE FROM ${table}`);
  if (rows.length > 0) await database.writer.run(`INSERT INTO ${table} VALUES ${rows.join(", ")}`);
}

/**
 * Some minutes with content, and of the larger windows that hold them some built and the others
 * pending, each by itself: an hour may wait though its day is there. Returns what is built.
 */
async function build(random: Random): Promise<Window[]> {
  const minutes = new Set<number>();
  for (let clusters = random.int(1, 60); clusters > 0; clusters--) {
    const at = random.int(firstMinute, endMinute - 1);
    for (let n = random.int(1, 30); n > 0; n--) {
      minutes.add(Math.min(endMinute - 1, at + random.int(0, random.pick([20, 3000]))));
    }
  }
  const built: Window[] = [];
  const pending: Window[] = [];
  for (const level of levelNames) {
    const share = random.pick([0, 0.3, 0.9, 1]);
    const starts = new Set([...minutes].map((minute) => windowOf(level, minute).start));
    for (const start of starts) {
      const isBuilt = level === "minute" || random.chance(share);
      (isBuilt ? built : pending).push(windowOf(level, start));
    }
  }
  for (const level of levelNames) {
    const own = built.filter((one) => one.level === level).map(({ start }) => start);
    await insert(
      `window_${level}`,
      own.map((start) => `(${start}, 0, 1, 1, 0)`),
    );
  }
  // Of another type: must not be seen.
  const others = levelNames.slice(0, 3).map((level) => windowOf(level, random.pick([...minutes])));
  const rows = pending.map(({ level, start }) => `('${level}', ${start}, 0, 0)`);
  rows.push(...others.map(({ level, start }) => `('${level}', ${start}, 1, 0)`));
  await insert("pending_windows", random.shuffle(rows));
  return built;
}

/** Largest first, each window that lies inside and of which nothing is covered yet. */
function bruteCover(built: Window[], start: number, end: number): Window[] {
  const covers: Window[] = [];
  const isCovered = (at: number) => covers.some((one) => one.start <= at && at < one.end);
  for (const level of levelNames) {
    const own = built.filter((one) => one.level === level);
    covers.push(
      ...own.filter((one) => one.start >= start && one.end <= end && !isCovered(one.start)),
    );
  }
  return covers;
}

const label = ({ level, start }: { level: string; start: number }) => `${level} ${start}`;

describe("a cover", () => {
  it("is that of brute force, whatever is built and pending", async () => {
    const random = randomFromEnvironment("cover");
    const used = new Map<string, number>();
    for (let round = 0; round < 25; round++) {
      const built = await build(random);
      for (let i = 0; i < 6; i++) {
        const ends = [0, 1].map(() => {
          const minute = random.int(firstMinute, endMinute);
          return random.chance(0.4) ? windowOf(random.pick(levelNames), minute).start : minute;
        });
        const [start, end] = [Math.min(...ends), Math.max(...ends)];
        const parts = await coverOf(database.writer, 0, { start, end });
        const found: string[] = [];
        for (const { level, condition } of parts) {
          const rows = await rowsOf(
            database.writer,
            `SELECT start FROM window_${level.name} WHERE type_id = 0 AND ${condition}`,
          );
          found.push(
            ...rows.map((row) => label({ level: level.name, start: Number(row["start"]) })),
          );
          used.set(level.name, (used.get(level.name) ?? 0) + rows.length);
        }
        const expected = bruteCover(built, start, end).map(label);
        expect(found.sort(), `${start}..${end}`).toEqual(expected.sort());
      }
    }
    for (const level of levelNames) expect(used.get(level), level).toBeGreaterThan(10);
  });

  it("of nothing is empty", async () => {
    expect(await coverOf(database.writer, 0, { start: 5, end: 5 })).toEqual([]);
    expect(await coverOf(database.writer, 0, { start: 6, end: 5 })).toEqual([]);
  });
});

/** Which minutes and edges a cut takes of one millisecond: exactly one, or none. */
function takenBy(cut: ReturnType<typeof cutAtMinutes>, at: number): number {
  const minute = Math.floor(at / 60_000);
  const isWhole = cut.start <= minute && minute < cut.end;
  return Number(isWhole) + cut.edges.filter(({ from, to }) => from <= at && at < to).length;
}

describe("a cut at minutes", () => {
  const random = randomFromEnvironment("cut");
  const randomTime = () => random.int(0, 4) * 60_000 + random.pick([0, 0, 1, 30_000, 59_999]);

  it("takes each moment of the range once and no other", () => {
    for (let round = 0; round < 200; round++) {
      const [from, to] = [randomTime(), randomTime()];
      const cut = cutAtMinutes(from, to);
      for (let at = 0; at < 6 * 60_000; at += 29_999) {
        for (const moment of [at, at + 1, from, from - 1, to, to - 1]) {
          const expected = from <= moment && moment < to ? 1 : 0;
          expect(takenBy(cut, moment), `${moment} of ${from}..${to}`).toBe(expected);
        }
      }
      for (const edge of cut.edges) {
        expect(Math.floor(edge.from / 60_000)).toBe(Math.floor((edge.to - 1) / 60_000));
      }
    }
  });

  it("takes whole a minute that holds nothing outside the range", async () => {
    let widened = 0;
    for (let round = 0; round < 3000; round++) {
      const events = Array.from({ length: random.int(0, 6) }, randomTime);
      const [from, to] = [randomTime(), randomTime()];
      const mayHold = async (_: unknown, low: number, high: number) =>
        events.some((at) => low <= at && at < high);
      const cut = await cutInStore(database.writer, { mayHold }, from, to);
      for (const at of events) {
        const expected = from <= at && at < to ? 1 : 0;
        expect(takenBy(cut, at), JSON.stringify({ events, at, from, to, cut })).toBe(expected);
      }
      widened += cutAtMinutes(from, to).edges.length - cut.edges.length;
    }
    expect(widened).toBeGreaterThan(300);
  });
});
