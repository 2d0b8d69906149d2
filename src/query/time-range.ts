/**
 * The grammar of time ranges, as `timeRange` or as `from` with `to`.
 *
 *     last_<n>_<seconds|minutes|hours|days|weeks|months>, last_<unit>    back from now
 *     today yesterday this_week this_month this_year                     whole calendar periods
 *     previous_<hour|day|week|month>                                     of `timeZone`
 *     all                                                                whatever there can be
 *     A/B  A/PT3H  PT3H/B  PT3H                                          ISO 8601 intervals
 *
 * `timeZone` matters to the calendar words only: what rolls back from now and what a duration
 * adds is counted in UTC, where a day is always 24 hours.
 */
import { RankstreamError } from "../errors.ts";
import { eventBounds, foreverMs, minuteMs } from "../model.ts";
import {
  checkTimeZone,
  type Duration,
  periodAt,
  periodBefore,
  type Span,
  shift,
} from "./calendar.ts";
import { excerpt, formatTimestamp, parseTimestamp, parseTimestampText } from "./timestamp.ts";

export interface TimeRangeInput {
  timeRange?: string | undefined;
  from?: string | number | undefined;
  to?: string | number | undefined;
  /** For the calendar words; default UTC. */
  timeZone?: string | undefined;
  /**
   * Epoch ms, and the exclusive end of what rolls back from now: pass the millisecond after the
   * clock's, so that an event received in this very millisecond is inside. Calendar words ask
   * about the clock's own, the one before.
   */
  now: number;
}

export interface TimeRange extends Span {
  /** The part of the range in which events can be; empty (equal) when there is none. */
  effectiveFrom: number;
  effectiveTo: number;
  /** "A to B", ISO 8601 in UTC. */
  label: string;
  /** Its words, where it rolls back a minute or more from the moment of the question. */
  rolling?: string;
}

const defaultTimeRange = "last_24_hours";
/** How far a range may reach, whether by its count or by its duration. */
const reachYearsMax = 10_000;
const reachMsMax = reachYearsMax * 366 * 86_400_000;
/** The first moment an event can have, and the one after the last: the year 10000. */
const eventMsMin = 0;
const eventMsEnd = foreverMs;
/** Longer text is no range; bounds what the patterns below are run on. */
const timeRangeCharsMax = 128;

const unitMs: Record<string, number> = {
  second: 1000,
  minute: minuteMs,
  hour: 3_600_000,
  day: 86_400_000,
  week: 7 * 86_400_000,
};

const calendarWords: Record<string, (clock: number, timeZone: string) => Span> = {
  today: (clock, timeZone) => periodAt(clock, "day", timeZone),
  yesterday: (clock, timeZone) => periodBefore(clock, "day", timeZone),
  this_week: (clock, timeZone) => periodAt(clock, "week", timeZone),
  this_month: (clock, timeZone) => periodAt(clock, "month", timeZone),
  this_year: (clock, timeZone) => periodAt(clock, "year", timeZone),
  previous_hour: (clock, timeZone) => periodBefore(clock, "hour", timeZone),
  previous_day: (clock, timeZone) => periodBefore(clock, "day", timeZone),
  previous_week: (clock, timeZone) => periodBefore(clock, "week", timeZone),
  previous_month: (clock, timeZone) => periodBefore(clock, "month", timeZone),
};

const rollingForm = /^last_(?:(\d{1,15})_)?(second|minute|hour|day|week|month)(s?)$/;
const durationForm = new RegExp(
  "^P(?=.)(?:(?<years>\\d{1,9})Y)?(?:(?<months>\\d{1,9})M)?(?:(?<weeks>\\d{1,9})W)?" +
    "(?:(?<days>\\d{1,9})D)?(?:T(?=.)(?:(?<hours>\\d{1,15})H)?(?:(?<minutes>\\d{1,15})M)?" +
    "(?:(?<seconds>\\d{1,15})(?:[.,](?<fraction>\\d{1,9}))?S)?)?$",
);

const roughDuration = "P([0-9]{1,9}[YMWD])*(T([0-9]{1,15}([.,][0-9]{1,9})?[HMS])+)?";

/** All that a time range may look like, and a little more, as a pattern for a JSON Schema. */
export const timeRangePattern = [
  "^(",
  "last_([0-9]{1,15}_)?(second|minute|hour|day|week|month)s?",
  `|${Object.keys(calendarWords).join("|")}|all`,
  `|${roughDuration}`,
  `|[0-9T:.,Ztz +-]{20,40}/(${roughDuration}|[0-9T:.,Ztz +-]{20,40})`,
  `|${roughDuration}/[0-9T:.,Ztz +-]{20,40}`,
  ")$",
].join("");

const forms =
  "last_<n>_<seconds|minutes|hours|days|weeks|months>, " +
  `${Object.keys(calendarWords).join(", ")}, all, ` +
  "or an ISO 8601 interval (A/B, A/PT3H, PT3H)";

function refuse(detail: string): RankstreamError {
  return new RankstreamError("invalid_time_range", detail);
}

function checkReach(duration: Duration, given: string): Duration {
  const isTooFar = duration.months > reachYearsMax * 12 || duration.ms > reachMsMax;
  if (!isTooFar) return duration;
  const limit = `a reach of at most ${reachYearsMax} years`;
  throw refuse(`timeRange: expected ${limit}, got ${excerpt(given)}`);
}

function parseRolling(text: string): Duration | undefined {
  const match = rollingForm.exec(text);
  if (match === null) return undefined;
  const [, digits, unit, plural] = match;
  // `last_hours` says no number and is no form; `last_1_hours` and `last_3_hour` are taken.
  if (digits === undefined && plural === "s") return undefined;
  const n = digits === undefined ? 1 : Number(digits);
  if (n === 0) throw refuse(`timeRange: expected a number from 1, got ${excerpt(text)}`);
  const months = unit === "month" ? n : 0;
  return checkReach({ months, ms: months > 0 ? 0 : n * unitMs[unit!]! }, text);
}

function parseDuration(text: string): Duration {
  const groups = durationForm.exec(text)?.groups;
  if (groups === undefined) {
    throw refuse(
      `timeRange: expected an ISO 8601 duration such as PT3H or P1M, got ${excerpt(text)}`,
    );
  }
  const part = (name: string) => Number(groups[name] ?? 0);
  const ms =
    part("weeks") * unitMs["week"]! +
    part("days") * unitMs["day"]! +
    part("hours") * unitMs["hour"]! +
    part("minutes") * minuteMs +
    part("seconds") * 1000 +
    Number((groups["fraction"] ?? "").padEnd(3, "0").slice(0, 3));
  return checkReach({ months: part("years") * 12 + part("months"), ms }, text);
}

function parseInterval(text: string, now: number): Span {
  const parts = text.split("/");
  if (parts.length === 1) return { from: shift(now, -1, parseDuration(text)), to: now };
  const [start, end, ...more] = parts as [string, string, ...string[]];
  if (more.length > 0) throw refuse(`timeRange: expected one "/", got ${excerpt(text)}`);
  const isDuration = (part: string) => part.startsWith("P");
  if (isDuration(start) && isDuration(end)) {
    throw refuse(`timeRange: expected a time on one side of "/", got ${excerpt(text)}`);
  }
  if (isDuration(start)) {
    const to = parseTimestampText(end, "timeRange's end");
    return { from: shift(to, -1, parseDuration(start)), to };
  }
  const from = parseTimestampText(start, "timeRange's start");
  if (isDuration(end)) return { from, to: shift(from, 1, parseDuration(end)) };
  return { from, to: parseTimestampText(end, "timeRange's end") };
}

/**
 * All there can be: events may lie up to `futureMsMax` ahead. The end is rounded up to a whole
 * minute, so that no ragged edge costs an answer about everything its certainty.
 */
function everything(clock: number): Span {
  const lastMs = clock + eventBounds.futureMsMax;
  return { from: eventMsMin, to: (Math.floor(lastMs / minuteMs) + 1) * minuteMs };
}

function parseWord(text: string, now: number, timeZone: string): Span {
  if (text.length > timeRangeCharsMax) {
    throw refuse(`timeRange: expected ${timeRangeCharsMax} characters at most: ${excerpt(text)}`);
  }
  const clock = now - 1;
  if (text === "all") return everything(clock);
  const word = Object.hasOwn(calendarWords, text) ? calendarWords[text] : undefined;
  if (word !== undefined) return word(clock, timeZone);
  const rolling = parseRolling(text);
  if (rolling !== undefined) return { from: shift(now, -1, rolling), to: now };
  if (text.includes("/") || text.startsWith("P")) return parseInterval(text, now);
  throw refuse(`timeRange: expected ${forms}; got ${excerpt(text)}`);
}

function parseSpan(input: TimeRangeInput, timeZone: string): Span {
  const { timeRange, from, to, now } = input;
  if (from === undefined && to === undefined) {
    return parseWord(timeRange ?? defaultTimeRange, now, timeZone);
  }
  if (timeRange !== undefined) {
    throw refuse("expected either timeRange or from and to, got both");
  }
  if (from === undefined) throw refuse("from: expected beside to, got none");
  if (to === undefined) throw refuse("to: expected beside from, got none");
  return { from: parseTimestamp(from, "from"), to: parseTimestamp(to, "to") };
}

/** "A to B", both ISO 8601 in UTC. */
export function formatTimeRange(span: Span): string {
  return `${formatTimestamp(span.from)} to ${formatTimestamp(span.to)}`;
}

/** The span with the part of it that can hold events. */
export function rangeOf({ from, to }: Span): TimeRange {
  const clip = (time: number) => Math.min(Math.max(time, eventMsMin), eventMsEnd);
  return {
    from,
    to,
    effectiveFrom: clip(from),
    effectiveTo: clip(to),
    label: formatTimeRange({ from, to }),
  };
}

/**
 * What a query's range means, in epoch ms, `to` exclusive; without any the last 24 hours.
 * Throws RankstreamError `invalid_time_range`, `invalid_time_zone` or `invalid_timestamp`, each
 * saying what was expected and what came.
 */
export function parseTimeRange(input: TimeRangeInput): TimeRange {
  const timeZone = input.timeZone === undefined ? "UTC" : checkTimeZone(input.timeZone);
  const span = parseSpan(input, timeZone);
  if (span.from >= span.to) {
    const got = `${formatTimestamp(span.from)} and ${formatTimestamp(span.to)}`;
    throw refuse(`expected from before to (which is exclusive), got ${got}`);
  }
  const words = input.timeRange ?? (input.from === undefined ? defaultTimeRange : undefined);
  const isRolling = words !== undefined && span.to === input.now && words !== "all";
  if (!isRolling || words.includes("/") || span.to - span.from < minuteMs) return rangeOf(span);
  return { ...rangeOf(span), rolling: words };
}
