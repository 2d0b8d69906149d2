/** Pieces against brute force: every minute of a bin once, by the largest windows there are. */
import { describe, expect, it } from "vitest";
import { piecesOf } from "../../src/store/bins.ts";
import type { Pending } from "../../src/store/cover.ts";
import { levels } from "../../src/store/windows.ts";
import { type Random, randomFromEnvironment } from "../support/random.ts";

type LevelName = "minute" | "hour" | "day" | "month";
const firstMinute = Date.UTC(2024, 0, 1) / 60_000;
const endMinute = Date.UTC(2024, 5, 1) / 60_000;
const larger: readonly LevelName[] = ["month", "day", "hour"];

function windowOf(level: LevelName, minute: number): { start: number; end: number } {
  const size = { minute: 1, hour: 60, day: 1440, month: 0 }[level];
  if (size > 0) return { start: minute - (minute % size), end: minute - (minute % size) + size };
  const date = new Date(minute * 60_000);
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
  return { start: Date.UTC(year, month) / 60_000, end: Date.UTC(year, month + 1) / 60_000 };
}

function randomPending(random: Random): Pending {
  const share = random.pick([0, 0.01, 0.3, 1]);
  const pending = new Map<LevelName, number[]>();
  for (const level of larger) {
    const starts = new Set<number>();
    const most = { month: 4, day: 150, hour: 400, minute: 0 }[level];
    for (let n = 0; n < share * most; n++) {
      starts.add(windowOf(level, random.int(firstMinute, endMinute - 1)).start);
    }
    pending.set(
      level,
      [...starts].sort((a, b) => a - b),
    );
  }
  return pending;
}

/** Bounds of bins, many of them where a window begins; or of one bin of five months. */
function randomBounds(random: Random, isWhole: boolean): number[] {
  if (isWhole) return [firstMinute, endMinute];
  const bounds = [random.chance(0.5) ? firstMinute : random.int(firstMinute, endMinute - 1)];
  const size = random.pick([20, 700, 3000, 90_000]);
  for (let n = random.int(1, 6); n > 0; n--) {
    const next = bounds.at(-1)! + random.int(1, size);
    if (next > endMinute) break;
    const { start } = windowOf(random.pick(larger), next);
    bounds.push(random.chance(0.6) && start > bounds.at(-1)! ? start : next);
  }
  return bounds;
}

/** The level that answers a minute of a bin: the largest window inside it that isn't pending. */
function levelFor(
  minute: number,
  bin: { start: number; end: number },
  pending: Pending,
  allowed: readonly LevelName[],
): LevelName {
  for (const level of larger) {
    const { start, end } = windowOf(level, minute);
    const isInside = start >= bin.start && end <= bin.end;
    if (allowed.includes(level) && isInside && !pending.get(level)?.includes(start)) return level;
  }
  return "minute";
}

describe("pieces of bins", () => {
  it("are the largest windows inside each, and none twice", () => {
    const random = randomFromEnvironment("bins");
    const used = new Map<string, number>();
    for (let round = 0; round < 100; round++) {
      const pending = randomPending(random);
      const bounds = randomBounds(random, round % 5 === 0);
      const bins = bounds.slice(1).map((end, i) => ({ start: bounds[i]!, end, bin: i }));
      const largest = random.pick([3, 3, 3, 2, 1, 0]);
      const allowed = levels.slice(0, largest + 1).map(({ name }) => name);
      const parts = piecesOf(bins, pending, largest);
      const answered = new Map<number, string>();
      for (const { level, pieces } of parts) {
        used.set(level.name, (used.get(level.name) ?? 0) + pieces.length);
        for (const [i, { start, end, bin }] of pieces.entries()) {
          expect(i === 0 || pieces[i - 1]!.end <= start).toBe(true);
          expect(windowOf(level.name, start).start).toBe(start);
          for (let minute = start; minute < end; minute++) {
            if (answered.has(minute)) throw new Error(`${minute} is answered twice`);
            answered.set(minute, `${bin} ${level.name}`);
          }
        }
      }
      for (const bin of bins) {
        for (let minute = bin.start; minute < bin.end; minute += random.int(1, 90)) {
          const expected = `${bin.bin} ${levelFor(minute, bin, pending, allowed)}`;
          if (answered.get(minute) !== expected) {
            expect(answered.get(minute), JSON.stringify({ minute, bin })).toBe(expected);
          }
        }
      }
      expect(answered.size).toBe(bounds.at(-1)! - bounds[0]!);
    }
    for (const { name } of levels) expect(used.get(name) ?? 0, name).toBeGreaterThan(0);
  });

  it("of nothing are none", () => {
    expect(piecesOf([], new Map())).toEqual([]);
    expect(piecesOf([{ start: 5, end: 5, bin: 0 }], new Map())).toEqual([]);
  });
});
