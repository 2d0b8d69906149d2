/** The range that another is compared with. */
import { type Period, periodBefore } from "./calendar.ts";
import { rangeOf, type TimeRange } from "./time-range.ts";
import { epochMsMax } from "./timestamp.ts";

/** What the calendar words of a range are one of. */
const periodOf: Readonly<Record<string, Period>> = Object.freeze({
  today: "day",
  yesterday: "day",
  this_week: "week",
  this_month: "month",
  this_year: "year",
  previous_hour: "hour",
  previous_day: "day",
  previous_week: "week",
  previous_month: "month",
});

/**
 * The range before `range`: of a calendar word the whole hour, day, week, month or year before
 * it (before `today` all of yesterday), else as many milliseconds right before it.
 */
export function previousRange(
  {
    timeRange,
    timeZone = "UTC",
  }: { timeRange?: string | undefined; timeZone?: string | undefined },
  range: TimeRange,
): TimeRange {
  const period = Object.hasOwn(periodOf, timeRange ?? "") ? periodOf[timeRange!] : undefined;
  if (period !== undefined) return rangeOf(periodBefore(range.from, period, timeZone));
  const from = Math.max(range.from - (range.to - range.from), -epochMsMax);
  const before = rangeOf({ from, to: range.from });
  return range.rolling === undefined ? before : { ...before, rolling: `before ${range.rolling}` };
}
