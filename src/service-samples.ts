/** Keeps the service's numbers in the store, for those who have nobody to scrape them. */
import { createHash } from "node:crypto";
import { resolve } from "node:path";
import { isInLake } from "./config-lake.ts";
import { nodeNameOf } from "./config-tracing.ts";
import type { Store } from "./store/store.ts";
import { type MetricSample, processLabel } from "./store/system-metrics.ts";
import type { Logger } from "./telemetry.ts";
import type { Metrics } from "./telemetry-metrics.ts";

export interface MetricsKeeping {
  metricsIntervalMs: number;
  metricsRetentionDays: number;
  /** Default: no other process keeps any. */
  ofProcess?: string | undefined;
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

/** What this process's numbers bear as label `process`; undefined where no other has its store. */
export function processName(
  options: Record<"store" | "nodeName" | "dataDir", string>,
): string | undefined {
  if (!isInLake(options)) return undefined;
  // Of one host there may be several, each with a folder of its own.
  const folder = createHash("sha256").update(resolve(options.dataDir)).digest("hex").slice(0, 8);
  return `${nodeNameOf(options)}-${folder}`;
}

/**
 * Keeps the numbers now and then: what changed, and all of them when asked to; as this process's,
 * where others keep theirs in the same store.
 */
export function keepMetrics(
  metrics: Metrics,
  store: Pick<Store, "putMetrics">,
  { metricsIntervalMs, metricsRetentionDays, ofProcess }: MetricsKeeping,
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
      const picked = sieve.pick(await metrics.samples(), at, isWhole);
      const own = ofProcess === undefined ? {} : { [processLabel]: ofProcess };
      const samples = picked.map((one) => ({ ...one, labels: { ...one.labels, ...own } }));
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
