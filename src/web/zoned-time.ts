/** What clocks of a time zone say, and when they say it. Instants are epoch ms. */

/** A date and time of day as a zone's clocks show it; months count from 1. */
export interface WallTime {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
}

const dayMs = 86_400_000;
const formats = new Map<string, Intl.DateTimeFormat>();
const formatsMax = 50;

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const kept = formats.get(timeZone);
  if (kept !== undefined) return kept;
  const numeric = "numeric" as const;
  const made = new Intl.DateTimeFormat("en-u-ca-iso8601-nu-latn", {
    timeZone,
    hourCycle: "h23",
    year: numeric,
    month: numeric,
    day: numeric,
    hour: numeric,
    minute: numeric,
    second: numeric,
  });
  if (formats.size >= formatsMax) formats.clear();
  formats.set(timeZone, made);
  return made;
}

/** What the zone's clocks show at an instant. Throws RangeError when there is no such zone. */
export function wallTimeOf(instant: number, timeZone: string): WallTime {
  const found: Record<string, number> = {};
  for (const { type, value } of formatOf(timeZone).formatToParts(instant)) {
    if (type !== "literal") found[type] = Number(value);
  }
  return found as unknown as WallTime;
}

/** The wall time as if it were of UTC; days and months beyond their ends carry over. */
function asUtc({ year, month, day, hour, minute, second }: WallTime): number {
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

function offsetAt(instant: number, timeZone: string): number {
  const seconds = Math.floor(instant / 1000) * 1000;
  return asUtc(wallTimeOf(seconds, timeZone)) - seconds;
}

/**
 * The first instant at which the zone's clocks show this; where they skip it, the instant they
 * do so.
 */
export function instantOf(wall: WallTime, timeZone: string): number {
  const utc = asUtc(wall);
  const [before, after] = [utc - dayMs, utc + dayMs].map((at) => offsetAt(at, timeZone));
  const found = [utc - before!, utc - after!].filter((at) => at + offsetAt(at, timeZone) === utc);
  if (found.length > 0) return Math.min(...found);
  return firstAtOrAfter(utc, timeZone, utc - Math.max(before!, after!));
}

/** By halving: clocks show less than `utc` at `early`, and more two days later. */
function firstAtOrAfter(utc: number, timeZone: string, early: number): number {
  let low = Math.floor((early - dayMs) / 1000);
  let high = low + (3 * dayMs) / 1000;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (middle * 1000 + offsetAt(middle * 1000, timeZone) < utc) low = middle;
    else high = middle;
  }
  return high * 1000;
}

/** The first instant of the day `days` after the one that holds `instant`. */
export function dayStart(instant: number, days: number, timeZone: string): number {
  const { year, month, day } = wallTimeOf(instant, timeZone);
  return instantOf({ year, month, day: day + days, hour: 0, minute: 0, second: 0 }, timeZone);
}

/** The first instant of the month `months` after the one that holds `instant`. */
export function monthStart(instant: number, months: number, timeZone: string): number {
  const { year, month } = wallTimeOf(instant, timeZone);
  const wall = { year, month: month + months, day: 1, hour: 0, minute: 0, second: 0 };
  return instantOf(wall, timeZone);
}

/** Days since Monday of the day that holds `instant`. */
export function weekdayOf(instant: number, timeZone: string): number {
  const { year, month, day } = wallTimeOf(instant, timeZone);
  return (new Date(Date.UTC(year, month - 1, day)).getUTCDay() + 6) % 7;
}

const two = (value: number) => String(value).padStart(2, "0");

/** As a `datetime-local` field takes it: `2026-11-24T10:30`. */
export function fieldOf(instant: number, timeZone: string): string {
  const { year, month, day, hour, minute } = wallTimeOf(instant, timeZone);
  const date = `${String(year).padStart(4, "0")}-${two(month)}-${two(day)}`;
  return `${date}T${two(hour)}:${two(minute)}`;
}

/** The instant such a field means; null where it holds none. */
export function instantOfField(field: string, timeZone: string): number | null {
  const match = /^(\d{4,6})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d))?/.exec(field);
  if (match === null) return null;
  const [year, month, day, hour, minute, second = 0] = match
    .slice(1)
    .map((part) => Number(part ?? 0));
  return instantOf(
    { year: year!, month: month!, day: day!, hour: hour!, minute: minute!, second },
    timeZone,
  );
}

/** Every zone to choose from: the reader's own first, then UTC, then all others by name. */
export function timeZones(own: string): string[] {
  return [...new Set([own, "UTC", ...Intl.supportedValuesOf("timeZone")])];
}
