/** Covers against brute force: every minute once, by the largest windows there are. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { coverOf, cutAtMinutes, cutInStore } from "../../src/store/cover.ts";
import { Database } from "../../src/store/database.ts";
import { prepareSchema } from "../../src/store/schema.ts";
import type { Random } from "../support/random.ts";
import { randomFromEnvironment } from "../support/random.ts";

let database: Database;
beforeAll(async () => {
  database = await Database.open(":memory:");
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

const firstDay = Date.UTC(2024, 0, 1) / 60_000;
const endDay = Date.UTC(2024, 5, 1) / 60_000;

/** Every window of the half year, in minutes since 1970. */
function allWindows(): Window[] {
  const windows: Window[] = [];
  for (let month = 0; month < 5; month++) {
    const [start, end] = [Date.UTC(2024, month), Date.UTC(2024, month + 1)];
    windows.push({ level: "month", start: start / 60_000, end: end / 60_000 });
  }
  for (let start = firstDay; start < endDay; start += 1440) {
    windows.push({ level: "day", start, end: start + 1440 });
  }
  for (let start = firstDay; start < endDay; start += 60) {
    windows.push({ level: "hour", start, end: start + 60 });
  }
  return windows;
}

/** Builds some of the windows: long stretches of them, holes, and others' in between. */
async function build(random: Random): Promise<Window[]> {
  const shares = { minute: 0, hour: random.float(), day: random.float(), month: random.float() };
  const holes = Array.from({ length: random.int(0, 3) }, () => random.int(firstDay, endDay));
  const isHole = ({ start, end }: Window) => holes.some((at) => start <= at && at < end);
  const built = allWindows().filter((one) => !isHole(one) && random.chance(shares[one.level]));
  for (const level of ["hour", "day", "month"]) {
    await database.writer.run(`DELETE FROM window_${level}`);
    const own = built.filter((one) => one.level === level).map(({ start }) => start);
    const rows = own.map((start) => `(${start}, 0, 1, 1, 0)`);
    // Of another type: must not be seen.
    rows.push(`(${firstDay}, 1, 1, 1, 0)`, `(${firstDay + 1440 * 31}, 1, 1, 1, 0)`);
    await database.writer.run(`INSERT INTO window_${level} VALUES ${rows.join(", ")}`);
  }
  return built;
}

/** Largest first, each window that lies inside and of which nothing is covered yet. */
function bruteCover(built: Window[], start: number, end: number): Window[] {
  const covered = new Set<number>();
  const cover: Window[] = [];
  for (const one of built) {
    if (one.start < start || one.end > end || covered.has(one.start)) continue;
    cover.push(one);
    for (let minute = one.start; minute < one.end; minute++) covered.add(minute);
  }
  for (let minute = start; minute < end; minute++) {
    if (!covered.has(minute)) cover.push({ level: "minute", start: minute, end: minute + 1 });
  }
  return cover;
}

const label = ({ level, start }: Window) => `${level} ${start}`;

describe("a cover", () => {
  it("is that of brute force, whatever windows there are", async () => {
    const random = randomFromEnvironment("cover");
    for (let round = 0; round < 12; round++) {
      const built = await build(random);
      for (let i = 0; i < 4; i++) {
        const start = random.int(firstDay, endDay - 1);
        const length = random.pick([1, 59, 1440, 90 * 1440, 150 * 1440]);
        const end = Math.min(endDay, start + random.int(0, length));
        const parts = await coverOf(database.writer, 0, { start, end });
        const found = parts.flatMap(({ level, spans }) => {
          const inside = (at: number) => spans.some((span) => span.start <= at && at < span.end);
          if (level.name !== "minute") {
            return built.filter((one) => one.level === level.name && inside(one.start));
          }
          return spans.flatMap((span) =>
            Array.from({ length: span.end - span.start }, (_, minute): Window => {
              return { level: "minute", start: span.start + minute, end: 0 };
            }),
          );
        });
        const expected = bruteCover(built, start, end).map(label).sort();
        expect(found.map(label).sort(), `${start}..${end}`).toEqual(expected);
        const order = ["month", "day", "hour", "minute"];
        const levels = parts.map(({ level }) => order.indexOf(level.name));
        expect(levels).toEqual([...levels].sort());
      }
    }
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
