/** What the panels say, in plain words. */
import type { ItemStanding, TrendingItem } from "../../client/replies.ts";
import { boundsText, countText } from "../words.ts";
import type { StepName } from "./steps.ts";

const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const fine = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** `0.3`, `1,234`, `12.3K`, `4.5B`: for axes and corners. */
export function shortCount(count: number): string {
  const size = Math.abs(count);
  if (size < 100) return fine.format(count);
  return size < 9999.5 ? whole.format(count) : compact.format(count);
}

/** How a course goes, from its first to its last third. */
export function courseWords(points: readonly number[]): string {
  const first = points[0];
  const last = points.at(-1);
  if (first === undefined || last === undefined) return "nothing counted yet";
  if (points.every((count) => count === 0)) return "no event";
  if (points.length === 1) return countText(first);
  const third = Math.max(1, Math.floor(points.length / 3));
  const mean = (part: readonly number[]) => part.reduce((sum, n) => sum + n, 0) / part.length;
  const [early, late] = [mean(points.slice(0, third)), mean(points.slice(-third))];
  const way = late > early * 1.2 ? "rising" : late < early / 1.2 ? "falling" : "steady";
  const most = Math.max(...points);
  const peak = most > 1.5 * Math.max(first, last) ? `, at most ${countText(most)}` : "";
  return `${way}, ${countText(first)} to ${countText(last)}${peak}`;
}

/** How certain count and rank of an item are. */
export function standingCertainty(item: ItemStanding): { text: string; isCertain: boolean } {
  const { count, lower, upper, rank, rankLower, rankUpper } = item;
  const isExact = lower === upper;
  const isPlaced = rankLower === rankUpper;
  if (count === 0 && isExact) return { text: "Proven: no event in this range.", isCertain: true };
  if (isExact && isPlaced) return { text: "Count and rank are proven exact.", isCertain: true };
  const counted = isExact
    ? "The count is proven exact"
    : `The true count is surely ${boundsText(lower, upper)}`;
  const placed =
    isPlaced || rank === null || rankLower === null || rankUpper === null
      ? ""
      : `, the true rank surely ${boundsText(rankLower, rankUpper)}`;
  return { text: `${counted}${placed}.`, isCertain: false };
}

/** How sure it is that more than chance is at work. */
export function scoreWords(score: number): string {
  if (score >= 20) return "overwhelming";
  if (score >= 10) return "very strong";
  if (score >= 6) return "strong";
  return "clear";
}

/** A count that would have been usual: no closer than it can be known. */
export function expectedText(expected: number): string {
  return expected >= 100 ? countText(Math.round(expected)) : fine.format(expected);
}

/** What grew, as a sentence. */
export function growthWords(item: TrendingItem): string {
  const { count, expected, growth, previousCount } = item;
  const seen = `${countText(count)} seen`;
  if (previousCount === 0) return `${seen}, none in the period before.`;
  const usual = `where about ${expectedText(expected)} would have been usual`;
  const times = growth === null ? "" : `: ${fine.format(growth)} times its share of before`;
  return `${seen} ${usual}${times}.`;
}

/** `3.2×`; how many times the share is what it was. */
export function growthText({ growth }: Pick<TrendingItem, "growth">): string {
  return growth === null ? "new" : `${fine.format(growth)}×`;
}

/** The moments of an axis: times of day with the date where it changes, or dates with the year. */
export function axisTexts(times: readonly number[], isByDay: boolean, timeZone: string): string[] {
  const day = new Intl.DateTimeFormat("en", { day: "numeric", month: "short", timeZone });
  const year = new Intl.DateTimeFormat("en", { year: "numeric", timeZone });
  const clock = new Intl.DateTimeFormat("en", {
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
    timeZone,
  });
  let before = "";
  return times.map((time) => {
    const above = isByDay ? day.format(time) : clock.format(time);
    const below = isByDay ? year.format(time) : day.format(time);
    const text = below === before ? above : `${above}\n${below}`;
    before = below;
    return text;
  });
}

/** A step of a history: `24 Nov, 10:00–11:00`, or its days. */
export function stepText(step: { from: number; to: number }, name: string, zone: string): string {
  const isFine = name === "minute" || name === "hour";
  const format = new Intl.DateTimeFormat("en", {
    year: "numeric",
    month: "short",
    ...(name !== "month" && { day: "numeric" as const }),
    ...(isFine && { hour: "2-digit", minute: "2-digit", hourCycle: "h23" as const }),
    timeZone: zone,
  });
  if (name === ("minute" satisfies StepName)) return format.format(step.from);
  return format.formatRange(step.from, isFine ? step.to : step.to - 1);
}
