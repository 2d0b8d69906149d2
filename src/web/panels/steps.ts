/** How long the points of a history are, and how often a range is asked for anew. */
import type { View } from "../view-state.ts";

export const stepNames = ["minute", "hour", "day", "week", "month"] as const;
export type StepName = (typeof stepNames)[number];

const minuteMs = 60_000;
const stepMs: Readonly<Record<StepName, number>> = {
  minute: minuteMs,
  hour: 60 * minuteMs,
  day: 1440 * minuteMs,
  week: 7 * 1440 * minuteMs,
  month: 28 * 1440 * minuteMs,
};
/** Points of a plot where nobody has chosen a step, and where somebody has. */
const pointsWanted = 200;
/** Two courses in one plot can be told apart as long as their points are few. */
const comparedPointsWanted = 60;
const pointsMax = 2000;

/** Steps that one answer ranks at most, less the two that a range's ends may cut off. */
const rankedStepsMax = 98;

const runningPollMs = 5000;
/** Of the past: late events may still come. */
const pastPollMs = 60_000;

export interface Span {
  /** Epoch ms; `to` is exclusive. */
  from: number;
  to: number;
}

/** The steps a plot of this span may be cut into, the finest first; never none. */
export function stepsFor({ from, to }: Span): StepName[] {
  const fitting = stepNames.filter((name) => (to - from) / stepMs[name] <= pointsMax);
  return fitting.length === 0 ? ["month"] : fitting;
}

/** The finest step that makes a plot of at most about 200 points, 60 where two are compared. */
export function stepFor({ from, to }: Span, isCompared = false): StepName {
  const most = isCompared ? comparedPointsWanted : pointsWanted;
  return stepNames.find((name) => (to - from) / stepMs[name] <= most) ?? "month";
}

/** Whether a span has steps, the coarsest at least, that are few enough to be ranked. */
export function isRankable({ from, to }: Span): boolean {
  return (to - from) / stepMs.month <= rankedStepsMax;
}

/** Whether a range reaches up to now, so that what comes in changes it. */
export function isRunning(
  { timeRange, to }: Pick<View, "timeRange" | "to">,
  now: number,
): boolean {
  if (timeRange === "") return !(Date.parse(to) < now);
  return timeRange !== "yesterday" && !timeRange.startsWith("previous_");
}

/** How often questions about a view's range are asked again, in ms. */
export function pollMsOf(view: Pick<View, "timeRange" | "to">): number {
  return isRunning(view, Date.now()) ? runningPollMs : pastPollMs;
}

/** A plot's steps: where they would begin and end were the range's ends not to cut them. */
export function wholeSteps(steps: readonly Span[]): Span[] {
  if (steps.length < 3) return [...steps];
  const whole = steps.map((step) => ({ ...step }));
  const first = whole[0]!;
  const last = whole.at(-1)!;
  const { from, to } = steps[1]!;
  first.from = Math.min(first.from, first.to - (to - from));
  const before = steps.at(-2)!;
  last.to = Math.max(last.to, last.from + (before.to - before.from));
  return whole;
}
