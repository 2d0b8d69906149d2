/** What the page says of a board, in plain words. */
import type { Leaderboard, LeaderboardRow } from "../client/replies.ts";
import { rangeName } from "./ranges.ts";

/** The range's name in the middle of a sentence; the value itself where it has none. */
export function rangeWords(timeRange: string): string {
  return rangeName(timeRange)?.toLowerCase() ?? timeRange;
}

const whole = new Intl.NumberFormat("en");

export function countText(count: number): string {
  return whole.format(count);
}

/** `5`, or `5–7` where only bounds are known. */
export function boundsText(lower: number, upper: number): string {
  return lower === upper ? countText(lower) : `${countText(lower)}–${countText(upper)}`;
}

/** How many distinct items: the number, or what is known of it. */
export function distinctText(board: Leaderboard): string {
  const { distinct, distinctLower = 0, distinctUpper } = board;
  if (distinct !== null) return countText(distinct);
  if (distinctUpper === undefined) return `at least ${countText(distinctLower)}`;
  return boundsText(distinctLower, distinctUpper);
}

/** A part of 1 as percent, with the more digits the smaller it is. */
export function percentText(share: number): string {
  const percent = share * 100;
  if (percent === 0) return "0%";
  if (percent < 0.01) return "<0.01%";
  return `${percent.toFixed(percent < 1 ? 2 : 1)}%`;
}

/** Whether every row's count is known exactly. */
function isExact(rows: readonly LeaderboardRow[]): boolean {
  return rows.every(({ lower, upper }) => lower === upper);
}

/** How much of the board is proven, as a sentence, and whether that is all of it. */
export function certaintyOf(board: Leaderboard): { text: string; isCertain: boolean } {
  const { results: rows, certified, certifiedRanks, partial, stale } = board;
  const late = partial || stale ? " The newest events may not be in yet." : "";
  const say = (text: string, isCertain: boolean) => ({ text: text + late, isCertain });
  if (rows.length === 0) return say(certified ? "Proven to be empty." : "No item yet.", certified);
  if (certified) {
    const ranks = rows.length === 1 ? "The one rank" : `All ${rows.length} ranks`;
    const are = rows.length === 1 ? "is" : "are";
    if (isExact(rows)) return say(`${ranks} ${are} proven exact.`, true);
    return say(`${ranks} ${are} proven; counts lie within the bounds shown.`, true);
  }
  const rest = "the others are best estimates, within the bounds shown.";
  if (certifiedRanks > 1) return say(`Ranks 1–${certifiedRanks} are certain; ${rest}`, false);
  if (certifiedRanks === 1) return say(`Rank 1 is certain; ${rest}`, false);
  return say("Best estimates: the true counts lie within the bounds shown.", false);
}

export interface Change {
  kind: "up" | "down" | "same" | "new";
  /** `▲3`, `▼1`, `=`, `new`; "" where nothing is known. */
  mark: string;
  words: string;
}

/** How a row stands against the period before. */
export function changeOf(
  row: Pick<LeaderboardRow, "isNew" | "previousRank" | "rankChange">,
): Change {
  const { rankChange, isNew, previousRank } = row;
  if (isNew) return { kind: "new", mark: "new", words: "new, it was not there before" };
  if (rankChange === null || rankChange === undefined)
    return { kind: "same", mark: "", words: "" };
  const was = `was rank ${previousRank}`;
  if (rankChange === 0) return { kind: "same", mark: "=", words: "same rank as before" };
  if (rankChange > 0) return { kind: "up", mark: `▲${rankChange}`, words: `up, ${was}` };
  return { kind: "down", mark: `▼${-rankChange}`, words: `down, ${was}` };
}

/** The time of day in a zone, with the date where that isn't `now`'s there. */
export function timeText(iso: string, now: Date, timeZone: string): string {
  const time = new Date(iso);
  const day = new Intl.DateTimeFormat("en", { dateStyle: "short", timeZone });
  const isToday = day.format(time) === day.format(now);
  return new Intl.DateTimeFormat(undefined, {
    ...(!isToday && { dateStyle: "medium" as const }),
    timeStyle: "medium",
    timeZone,
  }).format(time);
}
