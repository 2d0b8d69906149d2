/** Distributions of what was measured, in a fixed list of buckets. */

/** Upper bounds of buckets, ascending; what is larger is counted beyond the last. */
export type Buckets = readonly number[];

/** Of requests and questions: half a millisecond to ten seconds. */
export const requestBuckets: Buckets = Object.freeze([
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
]);

/** Of single writes and syncs of a disk: a quarter of a millisecond to two and a half seconds. */
export const diskBuckets: Buckets = Object.freeze([
  0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5,
]);

/** Of work in the background: five milliseconds to a minute. */
export const workBuckets: Buckets = Object.freeze([
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
]);

/** One distribution; kept by who measures. */
export class Histogram {
  readonly buckets: Buckets;
  readonly #counts: Float64Array;
  /** The counts when `quantiles` was last asked. */
  readonly #before: Float64Array;
  #sum = 0;

  /** Throws where `buckets` are none or don't ascend. */
  constructor(buckets: Buckets) {
    if (buckets.length === 0 || !buckets.every((bound, i) => i === 0 || bound > buckets[i - 1]!)) {
      throw new Error(`expected buckets that ascend, got [${buckets.join(", ")}]`);
    }
    this.buckets = buckets;
    this.#counts = new Float64Array(buckets.length + 1);
    this.#before = new Float64Array(buckets.length + 1);
  }

  /** Counts one value; allocates nothing. */
  observe(value: number): void {
    const { buckets } = this;
    let at = 0;
    while (at < buckets.length && value > buckets[at]!) at += 1;
    this.#counts[at]! += 1;
    this.#sum += value;
  }

  get count(): number {
    return this.#counts.reduce((all, count) => all + count, 0);
  }

  get sum(): number {
    return this.#sum;
  }

  /** How many values were at most each bound; the last says how many there were. */
  cumulative(): number[] {
    let all = 0;
    return Array.from(this.#counts, (count) => {
      all += count;
      return all;
    });
  }

  /**
   * Quantiles (0 to 1) of what came since this was last asked, each within its bucket as if the
   * values lay evenly in it, the last bound where they lie beyond; null where nothing came.
   */
  recentQuantiles(quantiles: readonly number[]): number[] | null {
    const recent = this.#counts.map((count, at) => count - this.#before[at]!);
    this.#before.set(this.#counts);
    const all = recent.reduce((sum, count) => sum + count, 0);
    if (all === 0) return null;
    return quantiles.map((quantile) => quantileOf(recent, this.buckets, quantile * all));
  }
}

/** The value below which `wanted` of the values lie. */
function quantileOf(counts: Float64Array, buckets: Buckets, wanted: number): number {
  let below = 0;
  for (const [at, bound] of buckets.entries()) {
    const count = counts[at]!;
    if (count > 0 && below + count >= wanted) {
      const from = at === 0 ? 0 : buckets[at - 1]!;
      return from + ((bound - from) * (wanted - below)) / count;
    }
    below += count;
  }
  return buckets.at(-1)!;
}
