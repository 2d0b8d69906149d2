/**
 * Hours, days, weeks, months and years of a time zone's calendar, as half-open spans of epoch ms.
 *
 * A zone's offset is constant between two of its transitions, so there periods are plain
 * arithmetic, and only the transitions are asked for: an operation on a zoned date takes 10 µs,
 * and a series may have ten thousand steps.
 *
 * A day, week, month or year begins at the first instant whose local time is its midnight or
 * later: at one o'clock where midnight is left out. A period ends where the next one begins, so
 * each instant lies in exactly one, also where the clock goes back past midnight; a day that is
 * left out (30 December 2011 in Pacific/Apia) begins where its successor does and is none. Hours
 * are those of the clock: one that it shows twice is two hours, and a change inside an hour makes
 * that longer or shorter.
 */
import { Temporal } from "temporal-polyfill";
import { RankstreamError } from "../errors.ts";
import { excerpt } from "./timestamp.ts";

export type Period = "hour" | "day" | "week" | "month" | "year";

export interface Span {
  /** Epoch ms. */
  from: number;
  /** Epoch ms, exclusive. */
  to: number;
}

/** What a duration adds: months go by the calendar in UTC, the rest is exact. */
export interface Duration {
  months: number;
  ms: number;
}

const hourMs = 3_600_000;
const dayMs = 86_400_000;
/** Monday, 5 January 1970, as local ms. */
const firstMondayMs = 4 * dayMs;
/** So far before an instant two periods have begun, with a day left out between them. */
const lookBackMs: Readonly<Record<Period, number>> = Object.freeze({
  hour: 5 * hourMs,
  day: 4 * dayMs,
  week: 16 * dayMs,
  month: 64 * dayMs,
  year: 734 * dayMs,
});

const zoneForm = /^(?:[A-Za-z][A-Za-z0-9_+\-/]{0,63}|[+-]\d\d:\d\d)$/;

/**
 * Returns the zone when it is known: an IANA name in any case, UTC, or ±hh:mm.
 * Throws RankstreamError `invalid_time_zone`.
 */
export function checkTimeZone(timeZone: string): string {
  try {
    if (!zoneForm.test(timeZone)) throw new RangeError("not a zone's form");
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(timeZone);
    return timeZone;
  } catch (cause) {
    throw new RankstreamError(
      "invalid_time_zone",
      `timeZone: expected an IANA name such as Europe/Berlin, or UTC, got ${excerpt(timeZone)}`,
      { cause },
    );
  }
}

/** A stretch of constant offset: local time is epoch time plus `offsetMs`. */
interface Segment {
  /** Epoch ms; −Infinity for the first, whose beginning nobody asked for. */
  from: number;
  /** Epoch ms, exclusive; Infinity when no transition follows. */
  to: number;
  offsetMs: number;
}

/** The segments from the one that holds `from` on, as far as they are asked for. */
function* segmentsFrom(from: number, timeZone: string): Generator<Segment, never> {
  let at = Temporal.Instant.fromEpochMilliseconds(from).toZonedDateTimeISO(timeZone);
  for (let start = Number.NEGATIVE_INFINITY; ; ) {
    const next = at.getTimeZoneTransition("next");
    const to = next === null ? Number.POSITIVE_INFINITY : next.epochMilliseconds;
    yield { from: start, to, offsetMs: Math.round(at.offsetNanoseconds / 1e6) };
    if (next !== null) at = next;
    start = to;
  }
}

function* hoursFrom(from: number, timeZone: string): Generator<number, void> {
  let offsetBefore: number | null = null;
  for (const { from: start, to, offsetMs } of segmentsFrom(from, timeZone)) {
    const hourAt = (at: number, offset: number) => Math.floor((at + offset) / hourMs);
    const first = Math.ceil((Math.max(start, from) + offsetMs) / hourMs) * hourMs - offsetMs;
    // Where the clock jumps into another hour, that begins here, though not at its first minute.
    const isJump =
      offsetBefore !== null && hourAt(start - 1, offsetBefore) !== hourAt(start, offsetMs);
    if (isJump && start < Math.min(first, to)) yield start;
    for (let at = first; at < to; at += hourMs) yield at;
    offsetBefore = offsetMs;
  }
}

type DatePeriod = Exclude<Period, "hour">;

/** Midnights that begin a period, from that of `local` on; local times are ms as if of UTC. */
function* midnightsFrom(local: number, period: DatePeriod): Generator<number, never> {
  if (period === "month" || period === "year") {
    const date = new Date(local);
    const month = period === "month" ? date.getUTCMonth() : 0;
    const months = period === "month" ? 1 : 12;
    for (let i = 0; ; i++) yield Date.UTC(date.getUTCFullYear(), month + i * months);
  }
  const [size, origin] = period === "day" ? [dayMs, 0] : [7 * dayMs, firstMondayMs];
  for (let at = Math.floor((local - origin) / size) * size + origin; ; at += size) yield at;
}

function* datesFrom(from: number, period: DatePeriod, timeZone: string): Generator<number, void> {
  const segments = segmentsFrom(from, timeZone);
  let segment = segments.next().value;
  for (const midnight of midnightsFrom(from + segment.offsetMs, period)) {
    while (midnight - segment.offsetMs >= segment.to) segment = segments.next().value;
    yield Math.max(segment.from, midnight - segment.offsetMs);
  }
}

/**
 * Where periods begin, epoch ms, ascending and without end, from about `from` on: those before
 * it may be among them. A period left out by the zone comes as a start given twice.
 */
export function startsFrom(from: number, period: Period, timeZone: string) {
  return period === "hour" ? hoursFrom(from, timeZone) : datesFrom(from, period, timeZone);
}

/** The period that holds the instant, with the start of the one before. Weeks begin on Monday. */
function around(epochMs: number, period: Period, timeZone: string) {
  let [before, from] = [Number.NaN, Number.NaN];
  for (const start of startsFrom(epochMs - lookBackMs[period], period, timeZone)) {
    if (start > epochMs) return { before, from, to: start };
    if (start === from) continue;
    before = from;
    from = start;
  }
  throw new RangeError("periods never end");
}

/** The hour, day, week, month or year that holds the instant. Weeks begin on Monday. */
export function periodAt(epochMs: number, period: Period, timeZone: string): Span {
  const { from, to } = around(epochMs, period, timeZone);
  return { from, to };
}

/** The whole period before the one that holds the instant. */
export function periodBefore(epochMs: number, period: Period, timeZone: string): Span {
  const { before, from } = around(epochMs, period, timeZone);
  return { from: before, to: from };
}

/**
 * The instant plus (or with sign -1 minus) a duration, epoch ms: months first, the day clamped
 * to the month's last (31 March less a month is the last of February), then the exact part.
 */
export function shift(epochMs: number, sign: 1 | -1, duration: Duration): number {
  if (duration.months === 0) return epochMs + sign * duration.ms;
  const zoned = Temporal.Instant.fromEpochMilliseconds(epochMs).toZonedDateTimeISO("UTC");
  const moved = zoned.add({ months: sign * duration.months });
  return moved.epochMilliseconds + sign * duration.ms;
}
