/** Numbers out of samples. */

/** The value below which `share` (0..1) of the samples lie; 0 without samples. */
export function percentile(samples: readonly number[], share: number): number {
  if (samples.length === 0) return 0;
  const sorted = Float64Array.from(samples).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}

/** The middle one; of an even number, the mean of the two. */
export function median(samples: readonly number[]): number {
  const sorted = Float64Array.from(samples).sort();
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return 0;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** (max − min) / median: 0 when all are the same. */
export function spread(samples: readonly number[]): number {
  const middle = median(samples);
  return middle === 0 ? 0 : (Math.max(...samples) - Math.min(...samples)) / middle;
}

export function mean(samples: readonly number[]): number {
  return samples.length === 0 ? 0 : samples.reduce((a, b) => a + b, 0) / samples.length;
}

/** p50, p99 and the largest. */
export interface LatencyMs {
  count: number;
  p50: number;
  p99: number;
  max: number;
}

export function latencyOf(samplesMs: readonly number[]): LatencyMs {
  return {
    count: samplesMs.length,
    p50: percentile(samplesMs, 0.5),
    p99: percentile(samplesMs, 0.99),
    max: percentile(samplesMs, 1),
  };
}
