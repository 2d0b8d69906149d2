/** What /metrics says of the parts that keep their own numbers. */
import type { Config } from "./config.ts";
import type { Answers } from "./query/answers.ts";
import type { Jobs } from "./query/jobs.ts";
import type { RedisLevel } from "./query/redis-level.ts";
import type { ReadLoad, ReadLoadName } from "./store/read-load.ts";
import type { Store } from "./store/store.ts";
import type { Logger } from "./telemetry.ts";
import { Metrics } from "./telemetry-metrics.ts";

/** A process's numbers: of its own at first, and what it is. */
export function openMetrics(config: Config, version: string): Metrics {
  const metrics = new Metrics({ isOn: config.metrics === "on" });
  metrics.addProcess();
  const { role, log, httpServer: http_server } = config;
  const help = "1; the labels say what this process is.";
  metrics.readGauge("rankstream_build_info", help, () => 1, { version, role, log, http_server });
  return metrics;
}

/** How questions ended that a kept answer may serve, and what is kept. */
export function describeCache(
  metrics: Metrics,
  { cache, memory }: Pick<Answers, "cache" | "memory">,
): void {
  const { totals } = cache;
  for (const level of Object.keys(totals.hits)) {
    const read = () => totals.hits[level]!;
    const help = "Answers that were kept, by level.";
    metrics.readCounter("rankstream_cache_hits_total", help, read, { level });
  }
  const total = (name: string, help: string, read: () => number) =>
    metrics.readCounter(`rankstream_cache_${name}`, help, read);
  total("misses_total", "Answers that were made.", () => totals.misses);
  total("joined_total", "Questions that shared an answer being made.", () => totals.joined);
  total("stale_total", "Answers given that were out of date, marked so.", () => totals.stale);
  total("evictions_total", "Answers dropped for lack of room.", () => memory.evictions);
  metrics.readGauge("rankstream_cache_entries", "Answers kept in memory.", () => memory.size);
  metrics.readGauge("rankstream_cache_bytes", "Bytes they take, about.", () => memory.bytes);
}

export interface MetricsKeeping {
  metricsIntervalMs: number;
  metricsRetentionDays: number;
}

const dayMs = 86_400_000;

/** What keeps the service's numbers in the store. */
export interface MetricsKeeper {
  /** Keeps one more sample now; waits for one under way. */
  sample(): Promise<void>;
  close(): Promise<void>;
}

/** Keeps every number in the store now and then. */
export function keepMetrics(
  metrics: Metrics,
  store: Pick<Store, "putMetrics">,
  { metricsIntervalMs, metricsRetentionDays }: MetricsKeeping,
  logger: Logger,
): MetricsKeeper {
  if (metricsRetentionDays === 0 || !metrics.isOn) {
    return { sample: async () => undefined, close: async () => undefined };
  }
  let writing: Promise<void> | null = null;
  const write = async () => {
    const at = Date.now();
    try {
      const samples = await metrics.samples();
      await store.putMetrics({ at, samples, keepFrom: at - metricsRetentionDays * dayMs });
    } catch (error) {
      logger.warn({ part: "metrics", err: error }, "the service's numbers were not kept");
    }
    writing = null;
  };
  const timer = setInterval(() => {
    // While the store is busy a sample is left out.
    writing ??= write();
  }, metricsIntervalMs);
  return {
    sample: async () => {
      await writing;
      writing ??= write();
      await writing;
    },
    close: async () => {
      clearInterval(timer);
      await writing;
    },
  };
}

/** Whether Redis is used, and how often it wasn't there. */
export function describeRedis(metrics: Metrics, redis: RedisLevel): void {
  metrics.readGauge("rankstream_redis_left_out", "1 while Redis is left out.", () =>
    redis.isOpen ? 1 : 0,
  );
  const help = "Commands that Redis did not answer in time, or was not asked.";
  metrics.readCounter("rankstream_redis_failures_total", help, () => redis.failures);
}

/** How many jobs there are, by status. */
export function describeJobs(metrics: Metrics, jobs: Jobs): void {
  for (const status of ["queued", "running", "done", "failed", "cancelled"] as const) {
    const read = () => jobs.count(status);
    metrics.readGauge("rankstream_jobs", "Jobs known, by status.", read, { status });
  }
}

/** How busy the store's readers are, by lane (store/read-lanes.ts says what the lanes are). */
export function describeReads(metrics: Metrics, load: ReadLoad): void {
  const gauge = (name: string, help: string, lane: string, from: ReadLoadName) =>
    metrics.readGauge(`rankstream_reads_${name}`, help, () => load.get(from), { lane });
  for (const lane of ["quick", "slow", "apart"] as const) {
    gauge("running", "Reads of the store under way.", lane, `${lane}Running`);
    gauge("waiting", "Reads waiting for their turn.", lane, `${lane}Waiting`);
  }
  const failures = {
    timed_out: "timedOut",
    cancelled: "cancelled",
    out_of_memory: "outOfMemory",
    refused: "refused",
  } as const;
  for (const [why, name] of Object.entries(failures)) {
    const help = "Reads that ended without answer.";
    metrics.readCounter("rankstream_reads_failed_total", help, () => load.get(name), { why });
  }
}
