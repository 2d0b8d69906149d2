/** Latencies of the log's syncs, counted in fixed buckets as a histogram metric wants them. */

/** Upper bounds of the buckets in ms; one more counts what is above the last. */
export const syncLatencyBoundsMs: readonly number[] = Object.freeze([
  0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024,
]);

export interface SyncLatency {
  count: number;
  sumMs: number;
  /** Not cumulative; one more than `syncLatencyBoundsMs`. */
  buckets: number[];
}

export class SyncLatencyRecorder {
  #count = 0;
  #sumMs = 0;
  readonly #buckets = new Array<number>(syncLatencyBoundsMs.length + 1).fill(0);

  record(latencyMs: number): void {
    this.#count++;
    this.#sumMs += latencyMs;
    let bucket = syncLatencyBoundsMs.findIndex((bound) => latencyMs <= bound);
    if (bucket < 0) bucket = syncLatencyBoundsMs.length;
    this.#buckets[bucket]!++;
  }

  /** A copy of the counts since the log was opened. */
  read(): SyncLatency {
    return { count: this.#count, sumMs: this.#sumMs, buckets: [...this.#buckets] };
  }
}
