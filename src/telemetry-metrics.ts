/**
 * The process's numbers, served by prom-client in Prometheus' text format. Parts are given an
 * object for each number and touch it once a batch or request: that is an addition to a field.
 * What there is of each is only read when somebody asks.
 */
import { collectDefaultMetrics, type Metric, Registry } from "prom-client";
import { type Buckets, Histogram } from "./telemetry-histogram.ts";

/** A number that only grows. */
export class Counter {
  #value = 0;

  get value(): number {
    return this.#value;
  }

  /** Adds; `count` is never negative. */
  add(count = 1): void {
    this.#value += count;
  }
}

/** A number that goes up and down. */
export class Gauge {
  #value = 0;

  get value(): number {
    return this.#value;
  }

  set(value: number): void {
    this.#value = value;
  }

  add(change = 1): void {
    this.#value += change;
  }
}

export type MetricKind = "counter" | "gauge" | "histogram";

type Labels = Readonly<Record<string, string>>;

/** One number as it is now; a histogram is several, by the suffixes of its name. */
export interface Sample {
  name: string;
  value: number;
  labels: Labels;
}

/** A number read when it is asked for. */
interface Read {
  readonly value: number;
}

type Series = Counter | Gauge | Histogram | Read;

/** Series of one name told apart by labels, made as they are first met. */
export interface Family<T> {
  /**
   * The one with these values, in the order of the labels' names. Keep it where it is used often.
   * Beyond the family's bound it is the same for all: each of its values is `other`.
   */
  with(...values: string[]): T;
}

const familiesMax = 500;
/** Series of one name, unless said otherwise. */
const seriesMaxDefault = 500;
const namePattern = /^[a-z_][a-z0-9_]*$/;
const overflow = "other";
/** Of Node's own numbers, in samples; the first of them measures the others. */
const sampledDefaults = Object.freeze([
  "nodejs_eventloop_lag_seconds",
  "nodejs_eventloop_lag_p99_seconds",
  "nodejs_eventloop_lag_max_seconds",
  "process_cpu_seconds_total",
  "process_resident_memory_bytes",
  "nodejs_heap_size_used_bytes",
  "nodejs_external_memory_bytes",
  "process_open_fds",
]);
/** Of histograms, in samples. */
const sampledQuantiles = Object.freeze([0.5, 0.99]);

interface Shape {
  kind: MetricKind;
  name: string;
  help: string;
  labelNames: readonly string[];
}

/** What prom-client asks of a metric. */
interface Collected {
  metricName?: string;
  labels: Record<string, string | number>;
  value: number;
}

class MetricFamily<T extends Series> implements Family<T> {
  readonly shape: Shape;
  readonly #make: (() => T) | null;
  readonly #seriesMax: number;
  readonly #series = new Map<string, { labels: Labels; series: T }>();

  constructor(shape: Shape, make: (() => T) | null, seriesMax: number) {
    this.shape = shape;
    this.#make = make;
    this.#seriesMax = seriesMax;
  }

  with(...values: string[]): T {
    const known = this.#series.get(values.join("\0"));
    if (known !== undefined) return known.series;
    const { name, labelNames } = this.shape;
    if (values.length !== labelNames.length) {
      throw new Error(`${name}: expected ${labelNames.length} labels, got ${values.length}`);
    }
    if (this.#series.size >= this.#seriesMax && values.some((value) => value !== overflow)) {
      return this.with(...values.map(() => overflow));
    }
    return this.put(values, this.#make!());
  }

  put(values: readonly string[], series: T): T {
    const labels = Object.fromEntries(this.shape.labelNames.map((key, i) => [key, values[i]!]));
    this.#series.set(values.join("\0"), { labels, series });
    return series;
  }

  find(labels: Labels): T | undefined {
    return this.#series.get(this.shape.labelNames.map((name) => labels[name]).join("\0"))?.series;
  }

  get all(): IterableIterator<{ labels: Labels; series: T }> {
    return this.#series.values();
  }

  /** For prom-client, which asks for these. */
  get name(): string {
    return this.shape.name;
  }

  async get() {
    const { name, help, kind: type } = this.shape;
    const values = [...this.all].flatMap(({ labels, series }) => collected(name, labels, series));
    return { name, help, type, values, aggregator: "sum" };
  }
}

/** A number that isn't known is left out. */
function collected(name: string, labels: Labels, series: Series): Collected[] {
  if (!(series instanceof Histogram)) {
    const { value } = series;
    return Number.isFinite(value) ? [{ labels, value }] : [];
  }
  const counts = series.cumulative();
  const buckets = counts.map((value, at) => ({
    metricName: `${name}_bucket`,
    labels: { ...labels, le: series.buckets[at] ?? "+Inf" },
    value,
  }));
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: series.sum },
    { metricName: `${name}_count`, labels, value: counts.at(-1)! },
  ];
}

/** Of a histogram nothing where nothing came since the last time. */
function sampled(name: string, labels: Labels, series: Series): Sample[] {
  if (!(series instanceof Histogram)) return [{ name, labels, value: series.value }];
  const recent = series.recentQuantiles(sampledQuantiles);
  if (recent === null) return [];
  const quantiles = recent.map((value, at) => {
    return { name, labels: { ...labels, quantile: `${sampledQuantiles[at]}` }, value };
  });
  return [
    { name: `${name}_count`, labels, value: series.count },
    { name: `${name}_sum`, labels, value: series.sum },
    ...quantiles,
  ];
}

/** Stands in for every distribution where nothing is measured. */
class SilentHistogram extends Histogram {
  override observe(): void {}
}

/** Every number of the process; at most 500 names, and of each at most 500 series. */
export class Metrics {
  /** Whether numbers are served: else nothing is timed, and counted what /status needs. */
  readonly isOn: boolean;
  readonly #registry = new Registry();
  readonly #families = new Map<string, MetricFamily<Series>>();
  readonly #refreshers: (() => Promise<void>)[] = [];

  constructor({ isOn = true }: { isOn?: boolean } = {}) {
    this.isOn = isOn;
  }

  /** The counter of this name, made at its first use. Names of counters end in `_total`. */
  counter(name: string, help: string): Counter {
    return this.counterBy(name, help, []).with();
  }

  /** Counters told apart by labels; `seriesMax` says how many before `other`. */
  counterBy(
    name: string,
    help: string,
    labelNames: readonly string[],
    seriesMax = seriesMaxDefault,
  ): Family<Counter> {
    const shape = { kind: "counter" as const, name, help, labelNames };
    return this.#family(shape, () => new Counter(), seriesMax);
  }

  gauge(name: string, help: string): Gauge {
    return this.gaugeBy(name, help, []).with();
  }

  gaugeBy(
    name: string,
    help: string,
    labelNames: readonly string[],
    seriesMax = seriesMaxDefault,
  ): Family<Gauge> {
    const shape = { kind: "gauge" as const, name, help, labelNames };
    return this.#family(shape, () => new Gauge(), seriesMax);
  }

  histogram(name: string, help: string, buckets: Buckets): Histogram {
    return this.histogramBy(name, help, [], buckets).with();
  }

  histogramBy(
    name: string,
    help: string,
    labelNames: readonly string[],
    buckets: Buckets,
    seriesMax = seriesMaxDefault,
  ): Family<Histogram> {
    const shape = { kind: "histogram" as const, name, help, labelNames };
    const make = () => (this.isOn ? new Histogram(buckets) : new SilentHistogram(buckets));
    return this.#family(shape, make, seriesMax);
  }

  /** A gauge that is read whenever somebody asks; while it is no number it is left out. */
  readGauge(name: string, help: string, read: () => number, labels: Labels = {}): void {
    this.#read("gauge", name, help, read, labels);
  }

  /** A counter kept elsewhere, read whenever somebody asks. */
  readCounter(name: string, help: string, read: () => number, labels: Labels = {}): void {
    this.#read("counter", name, help, read, labels);
  }

  /** The number of this name and labels as it is now; 0 where there is none. */
  value(name: string, labels: Labels = {}): number {
    const series = this.#families.get(name)?.find(labels);
    if (series === undefined) return 0;
    return series instanceof Histogram ? series.count : series.value;
  }

  /** Has `refresh` look after numbers that take a while to get, before each time all are read. */
  beforeRead(refresh: () => Promise<void>): void {
    this.#refreshers.push(refresh);
  }

  /** Adds the process's own numbers and Node's: CPU, memory, descriptors, event loop, GC. */
  addProcess(): void {
    if (this.isOn) collectDefaultMetrics({ register: this.#registry });
  }

  /**
   * Every number as it is now; of the process's own a few. Of a histogram `_count`, `_sum`, and
   * under its own name the median and the 99th percentile of what came since the last call.
   */
  async samples(): Promise<Sample[]> {
    await this.#refresh();
    const own = [...this.#families.values()].flatMap((family) =>
      [...family.all].flatMap(({ labels, series }) => sampled(family.name, labels, series)),
    );
    const defaults = await Promise.all(
      sampledDefaults.map((name) => this.#registry.getSingleMetric(name)?.get()),
    );
    const more = defaults.flatMap((metric) =>
      (metric?.values ?? []).map(({ value }) => ({ name: metric!.name, value, labels: {} })),
    );
    return [...own, ...more].filter(({ value }) => Number.isFinite(value));
  }

  /** Prometheus' text exposition format 0.0.4. */
  async text(): Promise<string> {
    await this.#refresh();
    return this.#registry.metrics();
  }

  /** The media type of `text`. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  /** What one number can't be had of doesn't keep the others back. */
  async #refresh(): Promise<void> {
    await Promise.allSettled(this.#refreshers.map((refresh) => refresh()));
  }

  #read(
    kind: "counter" | "gauge",
    name: string,
    help: string,
    read: () => number,
    labels: Labels,
  ): void {
    const shape = { kind, name, help, labelNames: Object.keys(labels) };
    const series = Object.freeze({
      get value() {
        return read();
      },
    });
    this.#family<Read>(shape, null, seriesMaxDefault).put(Object.values(labels), series);
  }

  #family<T extends Series>(
    shape: Shape,
    make: (() => T) | null,
    seriesMax: number,
  ): MetricFamily<T> {
    const { name } = shape;
    const known = this.#families.get(name) as MetricFamily<T> | undefined;
    if (known !== undefined) {
      if (JSON.stringify(known.shape) === JSON.stringify(shape)) return known;
      throw new Error(`${name} was described before, and otherwise`);
    }
    for (const text of [name, ...shape.labelNames]) {
      if (!namePattern.test(text)) throw new Error(`not a metric's or label's name: ${text}`);
    }
    if (this.#families.size >= familiesMax) throw new Error("too many metrics");
    const family = new MetricFamily<T>(shape, make, seriesMax);
    this.#families.set(name, family as unknown as MetricFamily<Series>);
    this.#registry.registerMetric(family as unknown as Metric);
    return family;
  }
}
