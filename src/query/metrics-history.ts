/** How the service's own numbers went, from the samples that are kept in the store. */
import { RankstreamError } from "../errors.ts";
import type { MetricsSeries } from "../store/metrics-history.ts";
import type { Store } from "../store/store.ts";
import { processLabel } from "../store/system-metrics.ts";
import type { TimeRange } from "./time-range.ts";
import { formatTimestamp } from "./timestamp.ts";

export const historyBounds = Object.freeze({
  namesMax: 20,
  /** Told in one reply. */
  seriesMax: 50,
  stepsMax: 1000,
  stepSecondsMax: 86_400,
});

export interface HistoryRequest {
  names: readonly string[];
  /** Values that labels must have. */
  labels: Readonly<Record<string, string>>;
  range: TimeRange;
  /** Undefined: the finest of some round ones that makes few steps. */
  stepSeconds: number | undefined;
  /** `auto`: how fast counters grow, and the values of all else. */
  as: "auto" | "rate" | "value";
}

export interface HistorySeries {
  name: string;
  labels: Record<string, string>;
  as: "rate" | "value";
  /** A number a step; null where nothing is known. */
  values: (number | null)[];
}

/** The reply of GET /metrics/history. Times are ISO 8601 UTC. */
export interface MetricsHistoryReply {
  from: string;
  to: string;
  stepSeconds: number;
  /** From one sample to the next; null: none are kept. */
  intervalSeconds: number | null;
  series: HistorySeries[];
  /** There are more series than are told. */
  isCut: boolean;
}

export interface MetricsHistoryDeps {
  store: Pick<Store, "metricsHistory">;
  /** Off: none are kept. */
  metrics: "on" | "off";
  metricsIntervalMs: number;
  /** 0: none are kept. */
  metricsRetentionDays: number;
  /** Whose numbers are told where nobody asks for another's; default: nobody else keeps any. */
  ofProcess?: string | undefined;
  /** Epoch ms; for tests. */
  now?: () => number;
}

const dayMs = 86_400_000;
/** Steps made where nobody says how long one is. */
const stepsWanted = 240;
const roundSeconds = [1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400];
/** What ends so only grows. */
const counterPattern = /_(?:total|count|sum)$/;

function stepSecondsOf(spanMs: number, intervalMs: number): number {
  const least = Math.max(spanMs / stepsWanted, intervalMs) / 1000;
  return roundSeconds.find((seconds) => seconds >= least) ?? historyBounds.stepSecondsMax;
}

function rounded(value: number | null): number | null {
  return value === null ? null : Number(value.toPrecision(6));
}

function shown(
  { name, labels, values, rates }: MetricsSeries,
  asked: HistoryRequest["as"],
): HistorySeries {
  const isRate = asked === "rate" || (asked === "auto" && counterPattern.test(name));
  return {
    name,
    labels: labels === null ? {} : (JSON.parse(labels) as Record<string, string>),
    as: isRate ? "rate" : "value",
    values: (isRate ? rates : values).map(rounded),
  };
}

/** The answer. Throws `invalid_parameter` for more than 1000 steps. */
export async function metricsHistory(
  deps: MetricsHistoryDeps,
  { names, labels, range, stepSeconds: wanted, as }: HistoryRequest,
): Promise<MetricsHistoryReply> {
  const { store, metrics, metricsIntervalMs, metricsRetentionDays, now = Date.now } = deps;
  const to = Math.max(Math.min(range.to, now() + 1), 0);
  const oldest = now() - Math.max(metricsRetentionDays, 1) * dayMs;
  const from = Math.min(Math.max(range.from, oldest), to);
  const stepSeconds = wanted ?? stepSecondsOf(to - from, metricsIntervalMs);
  const stepMs = stepSeconds * 1000;
  // Steps begin at round times, so that a later question has the same ones.
  const begin = Math.floor(from / stepMs) * stepMs;
  const end = Math.ceil(to / stepMs) * stepMs;
  const steps = (end - begin) / stepMs;
  if (steps > historyBounds.stepsMax) {
    const detail = `step: expected at most ${historyBounds.stepsMax} steps, got ${steps}`;
    throw new RankstreamError("invalid_parameter", detail, { extensions: { parameter: "step" } });
  }
  const isKept = metrics === "on" && metricsRetentionDays > 0;
  const { seriesMax } = historyBounds;
  const { [processLabel]: asked, ...more } = labels;
  const { ofProcess } = deps;
  const own =
    ofProcess === undefined ? { labels } : { labels: more, ofProcess: asked ?? ofProcess };
  const query = { names: [...names], ...own, from: begin, to: end, stepMs, seriesMax };
  const found =
    isKept && steps > 0 ? await store.metricsHistory(query) : { series: [], isCut: false };
  return {
    from: formatTimestamp(begin),
    to: formatTimestamp(end),
    stepSeconds,
    intervalSeconds: isKept ? metricsIntervalMs / 1000 : null,
    series: found.series.map((series) => shown(series, as)),
    isCut: found.isCut,
  };
}
