/**
 * The process's numbers, served by prom-client in Prometheus' text format. Parts are given an
 * object for each number and touch it once a batch or request. What there is of each is only
 * looked at when somebody asks.
 */
import { collectDefaultMetrics, type Metric, Registry } from "prom-client";
import { type Buckets, Histogram } from "./telemetry-histogram.ts";
import {
  Counter,
  type Family,
  Gauge,
  KeptFamily,
  type Labels,
  type NamedFamily,
  type Read,
  ReadFamily,
  type Reading,
  type Sample,
  type Series,
  type Shape,
  sampled,
} from "./telemetry-series.ts";

export type { Counter, Family, Gauge } from "./telemetry-series.ts";

const familiesMax = 500;
/** Series of one name, unless said otherwise. */
const seriesMaxDefault = 500;
const namePattern = /^[a-z_][a-z0-9_]*$/;
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
/** Stands in for every distribution where nothing is measured. */
class SilentHistogram extends Histogram {
  override observe(): void {}
}

/** Every number of the process; at most 500 names, and of each at most 500 series. */
export class Metrics {
  /** Whether numbers are served: else nothing is timed, and counted what /status needs. */
  readonly isOn: boolean;
  readonly #registry = new Registry();
  readonly #families = new Map<string, NamedFamily<Series>>();
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

  /** Gauges of whatever labels there are when somebody asks; `read` bounds their number. */
  readGauges(
    name: string,
    help: string,
    labelNames: readonly string[],
    read: () => Iterable<Reading>,
  ): void {
    this.#add(new ReadFamily({ kind: "gauge", name, help, labelNames }, read));
  }

  /** A distribution that somebody else keeps. */
  readHistogram(name: string, help: string, histogram: Histogram, labels: Labels = {}): void {
    const shape = { kind: "histogram" as const, name, help, labelNames: Object.keys(labels) };
    const family = this.#family<Histogram>(shape, null, seriesMaxDefault);
    if (this.isOn) family.put(Object.values(labels), histogram);
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
  ): KeptFamily<T> {
    const known = this.#families.get(shape.name);
    if (known instanceof KeptFamily && JSON.stringify(known.shape) === JSON.stringify(shape)) {
      return known as KeptFamily<T>;
    }
    const family = new KeptFamily<T>(shape, make, seriesMax);
    this.#add(family);
    return family;
  }

  #add(family: NamedFamily<Series>): void {
    const { shape, name } = family;
    if (this.#families.has(name)) throw new Error(`${name} was described before, and otherwise`);
    for (const text of [name, ...shape.labelNames]) {
      if (!namePattern.test(text)) throw new Error(`not a metric's or label's name: ${text}`);
    }
    if (this.#families.size >= familiesMax) throw new Error("too many metrics");
    this.#families.set(name, family);
    this.#registry.registerMetric(family as unknown as Metric);
  }
}
