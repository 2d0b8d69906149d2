/**
 * Days, weeks, months, years and hours of a time zone's calendar, as half-open spans of epoch ms.
 *
 * Everything rests on two questions about an instant: where does the period that holds it begin,
 * and where does the next one? A neighbour is found through the instant just before or after an
 * edge, never by counting dates: 30 December 2011 never was in Pacific/Apia, so there the day
 * before the 31st is the 29th. A day begins at its first instant, which isn't always midnight.
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

function zoned(epochMs: number, timeZone: string): Temporal.ZonedDateTime {
  return Temporal.Instant.fromEpochMilliseconds(epochMs).toZonedDateTimeISO(timeZone);
}

function firstDate(date: Temporal.PlainDate, period: Exclude<Period, "hour">) {
  if (period === "week") return date.subtract({ days: date.dayOfWeek - 1 });
  if (period === "month") return date.with({ day: 1 });
  if (period === "year") return date.with({ month: 1, day: 1 });
  return date;
}

/** Start of the period that holds the instant, epoch ms. Weeks begin on Monday. */
export function startOfPeriod(epochMs: number, period: Period, timeZone: string): number {
  const time = zoned(epochMs, timeZone);
  if (period === "hour") {
    return time.round({ smallestUnit: "hour", roundingMode: "floor" }).epochMilliseconds;
  }
  return firstDate(time.toPlainDate(), period).toZonedDateTime(timeZone).epochMilliseconds;
}

/** The day, week, month or year that holds the instant. */
export function periodAt(
  epochMs: number,
  period: Exclude<Period, "hour">,
  timeZone: string,
): Span {
  const first = firstDate(zoned(epochMs, timeZone).toPlainDate(), period);
  const next = first.add({ [`${period}s`]: 1 });
  return {
    from: first.toZonedDateTime(timeZone).epochMilliseconds,
    to: next.toZonedDateTime(timeZone).epochMilliseconds,
  };
}

/** The whole period before the one that holds the instant. */
export function periodBefore(epochMs: number, period: Period, timeZone: string): Span {
  const to = startOfPeriod(epochMs, period, timeZone);
  return { from: startOfPeriod(to - 1, period, timeZone), to };
}

/**
 * The instant plus (or with sign -1 minus) a duration, epoch ms: months first, the day clamped
 * to the month's last (31 March less a month is the last of February), then the exact part.
 */
export function shift(epochMs: number, sign: 1 | -1, duration: Duration): number {
  if (duration.months === 0) return epochMs + sign * duration.ms;
  const moved = zoned(epochMs, "UTC").add({ months: sign * duration.months });
  return moved.epochMilliseconds + sign * duration.ms;
}
