/** Which of the service's numbers are drawn, and how their samples become lines. */
import type { MetricsHistory, MetricsQuery, MetricsSeries } from "../../client/metrics-history.ts";
import { shortCount } from "./panel-words.ts";
import { bytesText } from "./status-words.ts";

type Values = readonly (number | null)[];

export interface ChartLine {
  name: string;
  values: Values;
}

export interface Chart {
  id: string;
  title: string;
  /** A number of this chart in words, with its unit. */
  text: (value: number) => string;
  /** Numbers may not be cut in two on the axis; a share ends at 1. */
  scale: "any" | "bytes" | "share";
  lines: readonly ChartLine[];
}

/** What all charts need, in three questions: labels that one of them wants fit no other. */
export const chartQueries: readonly MetricsQuery[] = Object.freeze([
  {
    name: [
      "rankstream_events_accepted_total",
      "rankstream_ingest_events_total",
      "rankstream_log_lag_seconds",
      "rankstream_cache_hits_total",
      "rankstream_cache_misses_total",
      "rankstream_cache_joined_total",
      "rankstream_store_bytes",
      "rankstream_log_bytes",
      "process_resident_memory_bytes",
      "process_cpu_seconds_total",
    ],
  },
  {
    name: "rankstream_http_request_duration_seconds",
    label: { route: "/events", method: "POST" },
  },
  { name: "rankstream_http_errors_total" },
]);

/** `0.4 ms`, `12 ms`, `1.3 s`, `2 min`. */
export function secondsText(seconds: number): string {
  if (seconds === 0) return "0 s";
  if (seconds < 0.9995) return `${shortCount(seconds * 1000)} ms`;
  return seconds < 90 ? `${shortCount(seconds)} s` : `${shortCount(seconds / 60)} min`;
}

function percentText(share: number): string {
  return `${shortCount(share * 100)} %`;
}

/** Step by step; null where `combine` is given nothing that is known. */
function combined(lists: readonly Values[], combine: (values: number[]) => number | null): Values {
  const steps = Math.max(0, ...lists.map(({ length }) => length));
  return Array.from({ length: steps }, (_, at) => {
    const known = lists.map((list) => list[at] ?? null).filter((value) => value !== null);
    return known.length === 0 ? null : combine(known);
  });
}

const sum = (values: readonly number[]) => values.reduce((all, value) => all + value, 0);

/** The series of a reply, looked up by name and labels. */
class Found {
  readonly #series: readonly MetricsSeries[];

  constructor(replies: readonly MetricsHistory[]) {
    this.#series = replies.flatMap(({ series }) => series);
  }

  all(name: string, labels: Record<string, string> = {}): Values[] {
    const isWanted = (own: Record<string, string>) =>
      Object.entries(labels).every(([label, value]) => own[label] === value);
    return this.#series
      .filter((one) => one.name === name && isWanted(one.labels))
      .map(({ values }) => values);
  }

  sum(name: string, labels?: Record<string, string>): Values {
    return combined(this.all(name, labels), sum);
  }

  /** 0 where the service ran and this never came up. */
  counted(name: string): Values {
    const ran = this.sum("process_cpu_seconds_total").map((value) => (value === null ? null : 0));
    return combined([ran, ...this.all(name)], sum);
  }
}

/** Answers that were kept, or shared while they were made, of all that were asked for. */
function hitShare(found: Found): Values {
  const hits = found.counted("rankstream_cache_hits_total");
  const joined = found.counted("rankstream_cache_joined_total");
  const misses = found.counted("rankstream_cache_misses_total");
  return hits.map((hit, at) => {
    const saved = (hit ?? 0) + (joined[at] ?? 0);
    const all = saved + (misses[at] ?? 0);
    return all === 0 ? null : saved / all;
  });
}

const perSecond = (value: number) => `${shortCount(value)}/s`;
const line = (name: string, values: Values): ChartLine => ({ name, values });
const bytes = { text: bytesText, scale: "bytes" } as const;
const seconds = { text: secondsText, scale: "any" } as const;
const numbers = { text: shortCount, scale: "any" } as const;

/** What comes in, and how well it is dealt with. */
function flowCharts(found: Found): Chart[] {
  const taken = found.sum("rankstream_events_accepted_total");
  const counted = found.sum("rankstream_ingest_events_total");
  const latency = "rankstream_http_request_duration_seconds";
  const errors = found
    .counted("rankstream_http_errors_total")
    .map((value) => (value === null ? null : value * 60));
  return [
    {
      id: "events",
      title: "Events a second",
      text: perSecond,
      scale: "any",
      lines: [line("taken", taken), line("counted", counted)],
    },
    {
      id: "lag",
      title: "Counting is behind by",
      ...seconds,
      lines: [line("lag", found.sum("rankstream_log_lag_seconds"))],
    },
    {
      id: "latency",
      title: "Time to take a batch",
      ...seconds,
      lines: [
        line("99 %", found.sum(latency, { quantile: "0.99" })),
        line("median", found.sum(latency, { quantile: "0.5" })),
      ],
    },
    { id: "errors", title: "Errors a minute", ...numbers, lines: [line("errors", errors)] },
  ];
}

/** What answers cost, and what it all takes. */
function costCharts(found: Found): Chart[] {
  const store = found.sum("rankstream_store_bytes");
  const log = found.sum("rankstream_log_bytes");
  return [
    {
      id: "cache",
      title: "Answers that were kept",
      text: percentText,
      scale: "share",
      lines: [line("share", hitShare(found))],
    },
    {
      id: "cpu",
      title: "Processor cores at work",
      ...numbers,
      lines: [line("cores", found.sum("process_cpu_seconds_total"))],
    },
    {
      id: "memory",
      title: "Memory",
      ...bytes,
      lines: [line("memory", found.sum("process_resident_memory_bytes"))],
    },
    { id: "disk", title: "Disk", ...bytes, lines: [line("store", store), line("log", log)] },
  ];
}

/** The charts of what `chartQueries` were answered with, in the order of the page. */
export function chartsOf(replies: readonly MetricsHistory[]): Chart[] {
  const found = new Found(replies);
  return [...flowCharts(found), ...costCharts(found)].map((chart) => {
    return { ...chart, lines: chart.lines.filter(({ values }) => values.some((v) => v !== null)) };
  });
}

/** The newest number that is known; undefined for none. */
export function lastOf(values: Values): number | undefined {
  return values.findLast((value) => value !== null) ?? undefined;
}

/** What a chart shows, in words. */
export function chartWords({ title, lines, text }: Chart): string {
  if (lines.length === 0) return `${title}: nothing measured`;
  const told = lines.map(({ name, values }) => {
    const most = Math.max(...values.map((value) => value ?? 0));
    return `${name} ${text(lastOf(values) ?? 0)} last, ${text(most)} at most`;
  });
  return `${title}: ${told.join("; ")}`;
}
