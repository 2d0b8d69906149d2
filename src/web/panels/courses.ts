/** Courses of items over a range, made of the histories that the service tells. */
import type { ItemHistories } from "../../client/item-histories.ts";
import { type Span, wholeSteps } from "./steps.ts";

export type Course = readonly number[];
export type Histories = Pick<ItemHistories, "bounds" | "items">;

/** An end that a range cuts shorter than this is left out: its fall would be none. */
const wholeShareMin = 0.8;

/** A history without ends that were cut off; `bounds` are of its steps, epoch ms. */
export function courseOf(history: readonly number[], bounds: readonly number[]): number[] {
  const steps: Span[] = history.map((_, i) => ({ from: bounds[i]!, to: bounds[i + 1]! }));
  const whole = wholeSteps(steps);
  const lengthOf = ({ from, to }: Span) => to - from;
  const isWhole = (i: number) => lengthOf(steps[i]!) >= wholeShareMin * lengthOf(whole[i]!);
  return history.filter((_, i) => isWhole(i));
}

/** Counts of several series that end together, added up from their ends. */
export function summed(series: readonly Course[]): number[] {
  const length = Math.max(0, ...series.map((points) => points.length));
  return Array.from({ length }, (_, at) =>
    series.reduce((sum, points) => sum + (points[points.length - length + at] ?? 0), 0),
  );
}

/** The items of several types together; the bounds are the longest ones. */
export function together(replies: readonly Histories[]): Histories {
  const [first, ...more] = [...replies].sort((a, b) => b.bounds.length - a.bounds.length);
  const items = first!.items.map((item, i) => ({
    ...item,
    history: summed([item.history, ...more.map((reply) => reply.items[i]!.history)]),
  }));
  return { bounds: first!.bounds, items };
}

/** Where there is something: from the first step that any item has events in to the last one. */
export function busySpan({ bounds, items }: Histories): Span | null {
  const steps = bounds.slice(1).map((_, i) => i);
  const busy = steps.filter((i) => items.some(({ history }) => history[i]! > 0));
  if (busy.length === 0) return null;
  return { from: Date.parse(bounds[busy[0]!]!), to: Date.parse(bounds[busy.at(-1)! + 1]!) };
}
