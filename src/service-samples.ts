/** Keeps the service's numbers in the store, for those who have nobody to scrape them. */
import type { Store } from "./store/store.ts";
import type { MetricSample } from "./store/system-metrics.ts";
import type { Logger } from "./telemetry.ts";
import type { Metrics } from "./telemetry-metrics.ts";

export interface MetricsKeeping {
  metricsIntervalMs: number;
  metricsRetentionDays: number;
}

const dayMs = 86_400_000;
/** A number that stays as it is has a row this often. */
const quietMsMax = 3_600_000;

/** What keeps the service's numbers in the store. */
export interface MetricsKeeper {
  /** Keeps all of them once more now; waits for a sample under way. */
  sample(): Promise<void>;
  close(): Promise<void>;
}

/** A number as it was last kept, epoch ms. */
interface Kept {
  value: number;
  at: number;
}

/** Leaves out what is as it was. */
export class SampleSieve {
  readonly #intervalMs: number;
  /** By name and labels: as many as there were in the last sample. */
  #before = new Map<string, Kept>();

  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
  }

  /** Those to be kept as of `at`, epoch ms: new, changed, or last kept an hour ago. */
  pick(samples: readonly MetricSample[], at: number, isWhole = false): MetricSample[] {
    const next = new Map<string, Kept>();
    const picked = samples.filter(({ name, labels, value }) => {
      const key = JSON.stringify([name, labels]);
      const before = this.#before.get(key);
      const isQuiet = before?.value === value && at - before.at < quietMsMax - this.#intervalMs;
      next.set(key, isQuiet && !isWhole ? before : { value, at });
      return !isQuiet || isWhole;
    });
    this.#before = next;
    return picked;
  }
}

/** Keeps the numbers now and then: what changed, and all of them when asked to. */
export function keepMetrics(
  metrics: Metrics,
  store: Pick<Store, "putMetrics">,
  { metricsIntervalMs, metricsRetentionDays }: MetricsKeeping,
  logger: Logger,
): MetricsKeeper {
  if (metricsRetentionDays === 0 || !metrics.isOn) {
    return { sample: async () => undefined, close: async () => undefined };
  }
  const sieve = new SampleSieve(metricsIntervalMs);
  let writing: Promise<void> | null = null;
  const write = async (isWhole: boolean) => {
    try {
      const at = Date.now();
      const samples = sieve.pick(await metrics.samples(), at, isWhole);
      await store.putMetrics({ at, samples, keepFrom: at - metricsRetentionDays * dayMs });
    } catch (error) {
      logger.warn({ part: "metrics", err: error }, "the service's numbers were not kept");
    }
    writing = null;
  };
  const timer = setInterval(() => {
    // While the store is busy a sample is left out.
    writing ??= write(false);
  }, metricsIntervalMs);
  return {
    sample: async () => {
      await writing;
      writing ??= write(true);
      await writing;
    },
    close: async () => {
      clearInterval(timer);
      await writing;
    },
  };
}
