/**
 * Numbers as parts touch them, an addition to a field, and families of them told apart by labels,
 * as prom-client asks for them.
 */
import { Histogram } from "./telemetry-histogram.ts";

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

export type Labels = Readonly<Record<string, string>>;

/** One number as it is now; a histogram is several, by the suffixes of its name. */
export interface Sample {
  name: string;
  value: number;
  labels: Labels;
}

/** A number read when it is asked for. */
export interface Read {
  readonly value: number;
}

export type Series = Counter | Gauge | Histogram | Read;

/** Series of one name told apart by labels, made as they are first met. */
export interface Family<T> {
  /**
   * The one with these values, in the order of the labels' names. Keep it where it is used often.
   * Beyond the family's bound it is the same for all: each of its values is `other`.
   */
  with(...values: string[]): T;
}

const overflow = "other";
/** Of histograms, in samples. */
const sampledQuantiles = Object.freeze([0.5, 0.99]);

/** What all series of a name have in common. */
export interface Shape {
  kind: MetricKind;
  name: string;
  help: string;
  labelNames: readonly string[];
}

/** A number with the values of its labels, in the order of their names. */
export type Reading = readonly [values: readonly string[], value: number];

interface Named<T> {
  labels: Labels;
  series: T;
}

/** What prom-client asks of a metric. */
interface Collected {
  metricName?: string;
  labels: Record<string, string | number>;
  value: number;
}

/** All series of one name, as prom-client asks for them. */
export abstract class NamedFamily<T extends Series> {
  readonly shape: Shape;

  constructor(shape: Shape) {
    this.shape = shape;
  }

  abstract get all(): Iterable<Named<T>>;

  abstract find(labels: Labels): T | undefined;

  get name(): string {
    return this.shape.name;
  }

  async get() {
    const { name, help, kind: type } = this.shape;
    const values = [...this.all].flatMap(({ labels, series }) => collected(name, labels, series));
    return { name, help, type, values, aggregator: "sum" };
  }

  protected labelsOf(values: readonly string[]): Labels {
    return Object.fromEntries(this.shape.labelNames.map((key, i) => [key, values[i]!]));
  }
}

/** Of series that stay once they are there. */
export class KeptFamily<T extends Series> extends NamedFamily<T> implements Family<T> {
  readonly #make: (() => T) | null;
  readonly #seriesMax: number;
  readonly #series = new Map<string, Named<T>>();

  constructor(shape: Shape, make: (() => T) | null, seriesMax: number) {
    super(shape);
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
    this.#series.set(values.join("\0"), { labels: this.labelsOf(values), series });
    return series;
  }

  find(labels: Labels): T | undefined {
    return this.#series.get(this.shape.labelNames.map((name) => labels[name]).join("\0"))?.series;
  }

  get all(): Iterable<Named<T>> {
    return this.#series.values();
  }
}

/** Of whatever series there are when they are read. */
export class ReadFamily extends NamedFamily<Read> {
  readonly #read: () => Iterable<Reading>;

  constructor(shape: Shape, read: () => Iterable<Reading>) {
    super(shape);
    this.#read = read;
  }

  find(labels: Labels): Read | undefined {
    const { labelNames } = this.shape;
    const found = [...this.all].find((one) =>
      labelNames.every((name) => one.labels[name] === labels[name]),
    );
    return found?.series;
  }

  get all(): Named<Read>[] {
    return Array.from(this.#read(), ([values, value]) => {
      return { labels: this.labelsOf(values), series: { value } };
    });
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
export function sampled(name: string, labels: Labels, series: Series): Sample[] {
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
