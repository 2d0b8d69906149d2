/** How the service's own numbers went, as `metricsHistory` asks for it and is answered. */

export interface MetricsQuery {
  /** Names of metrics, as docs/metrics.md has them. */
  name: string | readonly string[];
  /** Values that labels must have. */
  label?: Readonly<Record<string, string>>;
  timeRange?: string;
  from?: string | number;
  to?: string | number;
  timeZone?: string;
  /** Seconds of a step. */
  step?: number;
  as?: "auto" | "rate" | "value";
}

/** One series: a number for each step, null where nothing is known. */
export interface MetricsSeries {
  name: string;
  labels: Record<string, string>;
  as: "rate" | "value";
  values: (number | null)[];
}

/** The reply of GET /metrics/history. Times are ISO 8601 UTC. */
export interface MetricsHistory {
  from: string;
  to: string;
  stepSeconds: number;
  /** From one sample to the next; null: none are kept. */
  intervalSeconds: number | null;
  series: MetricsSeries[];
  isCut: boolean;
}
