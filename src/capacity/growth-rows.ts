/**
 * How many rows of exact counts a load makes: distinct items of each type in windows of each
 * length, over a day whose rate rises and falls. The i-th type has a share of the events and of
 * the items in proportion to 1/i, the i-th item of a type likewise (distinct.ts).
 */
import { distinctItems } from "./distinct.ts";
import type { Load } from "./load.ts";
import { defaultBounds, measured } from "./measured.ts";

export const secondsADay = 86_400;
export const daysAMonth = 30;
/** Windows of a type have no sketch for fewer items than these beside the list. */
const tailItemsMin = 64;
/** A sketch takes at most so many bytes an event of its window. */
const sketchBytesPerEventMax = 1.5;
/** Types up to here are looked at one by one, further ones in groups that grow. */
const singleTypesMax = 8;
const groupFactor = 1.25;
/** Moments of a day that stand for all of it. */
const moments = 8;
const sharpnessMax = 200;

/** Types that are as good as alike. */
interface TypeGroup {
  types: number;
  /** Of events and of items, each type's. */
  share: number;
}

/** Types in groups; their shares come to 1. */
export function typeGroups(eventTypes: number): TypeGroup[] {
  const groups: TypeGroup[] = [];
  for (let first = 1; first <= eventTypes; ) {
    const end = first < singleTypesMax ? first + 1 : Math.ceil(first * groupFactor);
    const last = Math.min(eventTypes, end - 1);
    let sum = 0;
    for (let type = first; type <= last; type++) sum += 1 / type;
    groups.push({ types: last - first + 1, share: sum / (last - first + 1) });
    first = last + 1;
  }
  const all = groups.reduce((sum, { types, share }) => sum + types * share, 0);
  return groups.map(({ types, share }) => ({ types, share: share / all }));
}

/**
 * Rates at so many moments between the day's busiest and its quietest, as multiples of the
 * average: e^(k · cos), with such a k that the busiest is `peakFactor`.
 */
export function dayCurve(peakFactor: number): number[] {
  const curveWith = (sharpness: number) => {
    const rates = Array.from({ length: moments }, (_, i) =>
      Math.exp(sharpness * (Math.cos((Math.PI * (i + 0.5)) / moments) - 1)),
    );
    const mean = rates.reduce((sum, rate) => sum + rate, 0) / moments;
    return { peak: 1 / mean, rates: rates.map((rate) => rate / mean) };
  };
  let [low, high] = [0, sharpnessMax];
  for (let step = 0; step < 50; step++) {
    const middle = (low + high) / 2;
    if (curveWith(middle).peak < peakFactor) low = middle;
    else high = middle;
  }
  return curveWith(low).rates;
}

/** The same for the load's own peak. */
export function curveOf({ eventsPerSecond, eventsPerSecondPeak }: Load): number[] {
  return dayCurve(eventsPerSecondPeak / eventsPerSecond);
}

/** One window of all types together. */
export interface WindowRows {
  /** Items: listed ones and those of the tails. */
  rows: number;
  listRows: number;
  sketches: number;
  sketchBytes: number;
}

/** What a window with so many events of all types holds. */
export function windowRows({ eventTypes, items }: Load, events: number): WindowRows {
  const { candidatesMax } = defaultBounds;
  const all: WindowRows = { rows: 0, listRows: 0, sketches: 0, sketchBytes: 0 };
  for (const { types, share } of typeGroups(eventTypes)) {
    const own = distinctItems(events * share, Math.max(1, Math.round(items * share)));
    const listed = Math.min(own, candidatesMax);
    all.rows += types * own;
    all.listRows += types * listed;
    if (own - listed < tailItemsMin) continue;
    all.sketches += types;
    all.sketchBytes +=
      types *
      Math.min(
        (own - listed) * measured.sketchBytesPerItem.value,
        measured.sketchBytesMax.value,
        events * share * sketchBytesPerEventMax,
      );
  }
  return all;
}

function meanOf(windows: readonly WindowRows[]): WindowRows {
  const mean = (of: (window: WindowRows) => number) =>
    windows.reduce((sum, window) => sum + of(window), 0) / windows.length;
  return {
    rows: mean(({ rows }) => rows),
    listRows: mean(({ listRows }) => listRows),
    sketches: mean(({ sketches }) => sketches),
    sketchBytes: mean(({ sketchBytes }) => sketchBytes),
  };
}

export type LevelName = "minute" | "hour" | "day" | "month";
export const windowsADay: Readonly<Record<LevelName, number>> = Object.freeze({
  minute: 1440,
  hour: 24,
  day: 1,
  month: 1 / daysAMonth,
});

/** A window of each level, on average over a day. */
export function meanWindows(load: Load): Record<LevelName, WindowRows> {
  const curve = curveOf(load);
  const over = (seconds: number) =>
    meanOf(curve.map((rate) => windowRows(load, load.eventsPerSecond * rate * seconds)));
  const daily = load.eventsPerSecond * secondsADay;
  return {
    minute: over(60),
    hour: over(3600),
    day: windowRows(load, daily),
    month: windowRows(load, daily * daysAMonth),
  };
}

/**
 * Rows of counts that commits write a second, before they are folded into minutes, with a commit
 * every so many seconds: an item is one process's, so how many processes there are is all one.
 * `rate` is a multiple of the average.
 */
export function deltaRowsPerSecond(load: Load, seconds: number, rate: number): number {
  return windowRows(load, load.eventsPerSecond * rate * seconds).rows / seconds;
}
