/** Times work by tinybench: medians with their spread, an item at a time. */
import { Bench } from "tinybench";
import { say } from "./report.ts";

export interface Work {
  name: string;
  /** What one run does, in items: events, updates. */
  items: number;
  run: () => void | Promise<void>;
}

export interface Timing {
  name: string;
  /** Median and upper quartile of the runs, an item. */
  usMedian: number;
  usP75: number;
  /** Relative margin of error of the mean, in percent (95 %). */
  rme: number;
  runs: number;
}

export interface TimingBounds {
  /** Of each work. */
  timeMs: number;
  runsMin: number;
}

/** Runs each work again and again, one after the other. Throws what a work throws. */
export async function timeAll(
  works: readonly Work[],
  { timeMs, runsMin }: TimingBounds,
): Promise<Timing[]> {
  const bench = new Bench({
    time: timeMs,
    iterations: runsMin,
    warmupTime: timeMs / 10,
    warmupIterations: 1,
    throws: true,
  });
  for (const { name, run } of works) bench.add(name, run);
  bench.addEventListener("start", () => say(`kernel: timing ${works.length} works`));
  const tasks = await bench.run();
  return tasks.map(({ name, result }, at) => {
    if (result.state !== "completed") throw new Error(`${name}: ${result.state}`);
    const { p50, p75, rme, samplesCount } = result.latency;
    const each = 1000 / works[at]!.items;
    return { name, usMedian: p50 * each, usP75: p75 * each, rme, runs: samplesCount };
  });
}

/** `0.123 (p75 0.130, ±1.2 %)`. */
export function timingText({ usMedian, usP75, rme }: Timing, digits = 3): string {
  return `${usMedian.toFixed(digits)} (p75 ${usP75.toFixed(digits)}, ±${rme.toFixed(1)} %)`;
}

/** Millions of items a second at the median. */
export function millions({ usMedian }: Timing): string {
  return `${(1 / usMedian).toFixed(1)} M/s`;
}
