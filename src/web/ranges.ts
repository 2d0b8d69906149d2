/** Time ranges to choose from, where they begin and end, and those before and after them. */
import type { View } from "./view-state.ts";
import { dayStart, monthStart, wallTimeOf, weekdayOf } from "./zoned-time.ts";

/** From inclusive, to exclusive; epoch ms. */
export interface Ends {
  from: number;
  to: number;
}

type Named = readonly (readonly [timeRange: string, words: string])[];

/** Back from now. */
export const rollingRanges: Named = [
  ["last_minute", "Last minute"],
  ["last_5_minutes", "Last 5 minutes"],
  ["last_15_minutes", "Last 15 minutes"],
  ["last_hour", "Last hour"],
  ["last_3_hours", "Last 3 hours"],
  ["last_24_hours", "Last 24 hours"],
  ["last_7_days", "Last 7 days"],
  ["last_30_days", "Last 30 days"],
];

/** Of the calendar, and everything. */
export const calendarRanges: Named = [
  ["today", "Today"],
  ["yesterday", "Yesterday"],
  ["this_week", "This week"],
  ["previous_week", "Last week"],
  ["this_month", "This month"],
  ["previous_month", "Last month"],
  ["this_year", "This year"],
  ["all", "All time"],
];

const unitMs: Readonly<Record<string, number>> = {
  second: 1000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
  week: 7 * 86_400_000,
};
const rolling = /^last_(?:(\d+)_)?(second|minute|hour|day|week)s?$/;

/** Beginnings of calendar words, and of what follows them. */
const calendar: Readonly<Record<string, (now: number, zone: string) => number[]>> = {
  today: (now, zone) => [0, 1].map((days) => dayStart(now, days, zone)),
  yesterday: (now, zone) => [-1, 0].map((days) => dayStart(now, days, zone)),
  this_week: (now, zone) => {
    const since = weekdayOf(now, zone);
    return [-since, 7 - since].map((days) => dayStart(now, days, zone));
  },
  previous_week: (now, zone) => {
    const since = weekdayOf(now, zone);
    return [-since - 7, -since].map((days) => dayStart(now, days, zone));
  },
  this_month: (now, zone) => [0, 1].map((months) => monthStart(now, months, zone)),
  previous_month: (now, zone) => [-1, 0].map((months) => monthStart(now, months, zone)),
  this_year: (now, zone) => {
    const since = wallTimeOf(now, zone).month - 1;
    return [-since, 12 - since].map((months) => monthStart(now, months, zone));
  },
};

function instantOfText(text: string): number {
  return /^-?\d+$/.test(text) ? Number(text) : Date.parse(text);
}

/** Where the view's range begins and ends; null where only the service knows, and of `all`. */
export function endsOf(view: Pick<View, "timeRange" | "from" | "to">, now: number, zone: string) {
  const [, count = "1", unit] = rolling.exec(view.timeRange) ?? [];
  if (unit !== undefined) return { from: now - Number(count) * unitMs[unit]!, to: now };
  const word = Object.hasOwn(calendar, view.timeRange) ? calendar[view.timeRange] : undefined;
  const [from, to] = word?.(now, zone) ?? [instantOfText(view.from), instantOfText(view.to)];
  return Number.isFinite(from) && Number.isFinite(to) ? { from: from!, to: to! } : null;
}

function isStartOfDay(instant: number, zone: string): boolean {
  return dayStart(instant, 0, zone) === instant;
}

/** Whole days from one start of a day to another. */
function daysBetween({ from, to }: Ends, zone: string): number {
  const [first, last] = [from, to].map((at) => {
    const { year, month, day } = wallTimeOf(at, zone);
    return Date.UTC(year, month - 1, day) / unitMs["day"]!;
  });
  return last! - first!;
}

function monthsBetween({ from, to }: Ends, zone: string): number {
  const [first, last] = [from, to].map((at) => wallTimeOf(at, zone));
  return (last!.year - first!.year) * 12 + last!.month - first!.month;
}

/**
 * The range right before (`step` -1) or right after (1) this one: as many months of whole months,
 * days of whole days, else as long.
 */
export function stepped(ends: Ends, step: -1 | 1, zone: string): Ends {
  const { from, to } = ends;
  const isOfDays = isStartOfDay(from, zone) && isStartOfDay(to, zone) && from < to;
  if (!isOfDays) return { from: from + step * (to - from), to: to + step * (to - from) };
  const isOfMonths = [from, to].every((at) => wallTimeOf(at, zone).day === 1);
  const start = isOfMonths ? monthStart : dayStart;
  const length = isOfMonths ? monthsBetween(ends, zone) : daysBetween(ends, zone);
  return step < 0
    ? { from: start(from, -length, zone), to: from }
    : { from: to, to: start(to, length, zone) };
}

/** The view's members that name this range. */
export function viewOfEnds({ from, to }: Ends): Pick<View, "timeRange" | "from" | "to"> {
  return { timeRange: "", from: new Date(from).toISOString(), to: new Date(to).toISOString() };
}

/** A moment for people, in a zone: to the minute, or the second where it isn't a whole one. */
function momentText(instant: number, zone: string): string {
  const hasSeconds = instant % 60_000 !== 0;
  return new Intl.DateTimeFormat(undefined, {
    timeZone: zone,
    dateStyle: "medium",
    timeStyle: hasSeconds ? "medium" : "short",
  }).format(instant);
}

/** `24 Nov 2026, 10:30 – 11:30`, in a zone. */
export function endsText({ from, to }: Ends, zone: string): string {
  const days = [from, to].map((at) => dayStart(at, 0, zone));
  if (days[0] !== days[1]) return `${momentText(from, zone)} – ${momentText(to, zone)}`;
  const timeStyle = to % 60_000 === 0 ? ("short" as const) : ("medium" as const);
  const clock = new Intl.DateTimeFormat(undefined, { timeZone: zone, timeStyle });
  return `${momentText(from, zone)} – ${clock.format(to)}`;
}

/** Longer ranges are shown by the minute. */
const secondsMsMax = 900_000;

/** Where an answer begins and ends, in a zone; by the second where the range is short. */
export function spanText(
  { effectiveFrom, effectiveTo }: { effectiveFrom: string; effectiveTo: string },
  zone: string,
): string {
  const [from, to] = [Date.parse(effectiveFrom), Date.parse(effectiveTo)];
  const toMs = to - from < secondsMsMax ? 1000 : 60_000;
  return endsText({ from: from - (from % toMs), to: to - (to % toMs) }, zone);
}

/** What the range is called; undefined of ends, and of what has no name here. */
export function rangeName(timeRange: string): string | undefined {
  return [...rollingRanges, ...calendarRanges].find(([value]) => value === timeRange)?.[1];
}

/** The range in a few words: its name, its ends, or what was given. */
export function rangeText(view: View, zone: string): string {
  const name = rangeName(view.timeRange);
  if (name !== undefined) return name;
  if (view.timeRange !== "") return view.timeRange;
  const ends = endsOf(view, 0, zone);
  return ends === null ? `${view.from} – ${view.to}` : endsText(ends, zone);
}
