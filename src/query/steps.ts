/** Cuts a range into the minutes, hours, days, weeks or months of a time zone. */
import { RankstreamError } from "../errors.ts";
import { minuteMs } from "../model.ts";
import { startsFrom } from "./calendar.ts";

export const stepNames = ["minute", "hour", "day", "week", "month"] as const;
export type Step = (typeof stepNames)[number];

/** Steps of one answer at most. */
export const stepsMax = 10_000;
/** Where no step is asked for: the finest that makes at most so many. */
const stepsWanted = 100;

export interface Steps {
  step: Step;
  /** Epoch ms, ascending: step i is from bounds[i] to bounds[i + 1], exclusive. */
  bounds: number[];
}

/** Minutes are those of UTC, whatever the zone: a few zones once had offsets with seconds. */
function* minutesFrom(from: number): Generator<number, void> {
  for (let at = Math.floor(from / minuteMs) * minuteMs; ; at += minuteMs) yield at;
}

/** The bounds of at most `countMax` steps; null where there are more. */
function boundsOf(
  from: number,
  to: number,
  step: Step,
  timeZone: string,
  countMax: number,
): number[] | null {
  const bounds = [from];
  const starts = step === "minute" ? minutesFrom(from) : startsFrom(from, step, timeZone);
  for (const start of starts) {
    if (start >= to) break;
    if (start <= bounds.at(-1)!) continue;
    if (bounds.length >= countMax) return null;
    bounds.push(start);
  }
  bounds.push(to);
  return bounds;
}

/**
 * Cuts `[from, to)` (epoch ms) where steps begin in the zone; the first and the last step are cut
 * off at the range's ends. Without `step` it is the finest that makes at most 100, else months.
 * An empty range has no steps. Throws `invalid_parameter` for over 10,000 steps, naming the finest
 * that makes fewer.
 */
export function stepsOf(
  from: number,
  to: number,
  step: Step | undefined,
  timeZone: string,
): Steps {
  if (from >= to) return { step: step ?? "minute", bounds: [] };
  if (step === undefined) {
    for (const name of stepNames) {
      const bounds = boundsOf(from, to, name, timeZone, stepsWanted);
      if (bounds !== null) return { step: name, bounds };
    }
  }
  const asked = step ?? "month";
  const bounds = boundsOf(from, to, asked, timeZone, stepsMax);
  if (bounds !== null) return { step: asked, bounds };
  const fits = (name: Step) => boundsOf(from, to, name, timeZone, stepsMax) !== null;
  const finest = stepNames.slice(stepNames.indexOf(asked) + 1).find(fits);
  const advice =
    finest === undefined
      ? "no step is coarse enough: ask for a shorter range"
      : `the finest this range takes is ${finest}`;
  const detail = `step: expected at most ${stepsMax} steps, got more by ${asked}; ${advice}`;
  throw new RankstreamError("invalid_parameter", detail, { extensions: { parameter: "step" } });
}
