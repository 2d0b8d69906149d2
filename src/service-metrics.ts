/** What /metrics says of the parts that keep their own numbers. */
import type { Config } from "./config.ts";
import type { IngestPool } from "./ingest/ingest-pool.ts";
import type { IngestTotals } from "./ingest/messages.ts";
import type { Answers } from "./query/answers.ts";
import type { Jobs } from "./query/jobs.ts";
import type { RedisLevel } from "./query/redis-level.ts";
import type { Upstream } from "./query/upstream.ts";
import type { StatusDesk } from "./service-status.ts";
import type { ErasureInfo, ErasureStore } from "./store/erase-questions.ts";
import type { LocalStore } from "./store/local-store.ts";
import type { ReadLoad, ReadLoadName } from "./store/read-load.ts";
import type { StoreTimes } from "./store/store-times.ts";
import type { TypeFigure } from "./store/type-figures.ts";
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

/** Whether Redis is used, and how often it wasn't there. */
export function describeRedis(metrics: Metrics, redis: RedisLevel): void {
  metrics.readGauge("rankstream_redis_left_out", "1 while Redis is left out.", () =>
    redis.isOpen ? 1 : 0,
  );
  const help = "Commands that Redis did not answer in time, or was not asked.";
  metrics.readCounter("rankstream_redis_failures_total", help, () => redis.failures);
}

/** The service behind a node; `isFollowing`: what changes there is known. */
export function describeUpstream(
  metrics: Metrics,
  { seconds, failures }: Upstream,
  isFollowing: () => boolean,
): void {
  const following = "1 while the upstream tells what changes.";
  metrics.readGauge("rankstream_upstream_up", following, () => (isFollowing() ? 1 : 0));
  const took = "From a request to the upstream to the head of its reply, long polls too.";
  metrics.readHistogram("rankstream_upstream_request_duration_seconds", took, seconds);
  const failed = "Requests to the upstream without a reply, also those given up by who asked.";
  metrics.readCounter("rankstream_upstream_failures_total", failed, () => failures.value);
}

/** How many jobs there are, by status. */
export function describeJobs(metrics: Metrics, jobs: Jobs): void {
  for (const status of ["queued", "running", "done", "failed", "cancelled"] as const) {
    const read = () => jobs.count(status);
    metrics.readGauge("rankstream_jobs", "Jobs known, by status.", read, { status });
  }
}

/** How far erasures of users are. */
export function describeErasures(metrics: Metrics, erasures: Pick<ErasureStore, "list">): void {
  let known: ErasureInfo[] = [];
  metrics.beforeRead(async () => {
    known = await erasures.list();
  });
  for (const status of ["finding", "removing", "done"] as const) {
    const read = () => known.filter((one) => one.status === status).length;
    metrics.readGauge("rankstream_erasures", "Erasures known, by status.", read, { status });
  }
  const open = () => known.filter(({ status }) => status !== "done");
  const failingHelp = "Erasures under way whose last try failed.";
  metrics.readGauge("rankstream_erasures_failing", failingHelp, () => {
    return open().filter(({ error }) => error !== null).length;
  });
  const ageHelp = "How long ago the oldest erasure under way was asked for; 0: there is none.";
  metrics.readGauge("rankstream_erasures_oldest_seconds", ageHelp, () => {
    const now = Date.now();
    return open().reduce((age, { createdAt }) => Math.max(age, (now - createdAt) / 1000), 0);
  });
}

/** How busy the store's readers are, by lane (store/read-lanes.ts says what the lanes are). */
function describeReads(metrics: Metrics, load: ReadLoad): void {
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

/** What counts, from the log's records on. */
export function describeIngest(
  metrics: Metrics,
  ingest: Pick<IngestPool, "stoppedPartitions" | "totals" | "sketchFill" | "waiting">,
): void {
  const gauge = (name: string, help: string, read: () => number) =>
    metrics.readGauge(`rankstream_${name}`, help, read);
  const stoppedHelp = "Partitions that are not counted any further.";
  gauge("ingest_stopped_partitions", stoppedHelp, () => ingest.stoppedPartitions);
  const fillHelp = "Share of cells in use in the fullest sketch of an open minute, some 10 s ago.";
  gauge("ingest_sketch_fill_ratio", fillHelp, () => ingest.sketchFill);
  gauge("ingest_commit_waiters", "Questions that wait for a commit.", () => ingest.waiting);
  const total = (name: string, field: keyof IngestTotals, help: string) =>
    metrics.readCounter(`rankstream_ingest_${name}_total`, help, () => ingest.totals()[field]);
  total("events", "events", "Events counted since the start.");
  total("bytes", "bytes", "Bytes of NDJSON counted since the start.");
  total("batches", "batches", "Batches counted since the start.");
  total("duplicates", "duplicates", "Batches not counted again since the start.");
  total("refused_lines", "refusedLines", "Lines of the log that are no events.");
  total("slow_lines", "slowLines", "Lines that took the scanner's slow path in a worker.");
  total("dead_letters", "deadLetters", "Records or lines put aside, since they are no events.");
  total("adoptions", "adoptions", "Times that a worker took over partitions.");
  const leftOut = "Traced records of which no span, or not their checkpoint's, was made.";
  total("traces_left_out", "tracesLeftOut", leftOut);
  total("checkpoints", "checkpoints", "Checkpoints since the start.");
}

const sealSteps = Object.freeze(["fold", "build"] as const);
const otherTasks = Object.freeze(["flush", "merge", "compact", "clear", "coarsen"] as const);

function describeTimes(metrics: Metrics, times: StoreTimes): void {
  metrics.readHistogram(
    "rankstream_checkpoint_duration_seconds",
    "From when a checkpoint came to the store until it was committed.",
    times.checkpoints,
  );
  const failures = "Commits of a checkpoint that failed; each is tried again.";
  metrics.readCounter(
    "rankstream_checkpoint_failures_total",
    failures,
    () => times.checkpointFailures.value,
  );
  // Left out before the first.
  const lastAt = () => (times.committedAt === 0 ? Number.NaN : times.committedAt / 1000);
  const lastHelp = "When a checkpoint was last committed, seconds since 1970.";
  metrics.readGauge("rankstream_checkpoint_last_timestamp_seconds", lastHelp, lastAt);
  for (const step of sealSteps) {
    const name = "rankstream_seal_duration_seconds";
    const help = "Slices of minutes folded, and larger windows built, as windows seal.";
    metrics.readHistogram(name, help, times.tasks[step], { step });
  }
  for (const task of otherTasks) {
    const name = "rankstream_maintenance_duration_seconds";
    const help = "Steps of the store's other work in the background that had something to do.";
    metrics.readHistogram(name, help, times.tasks[task], { task });
  }
  const taskHelp = "Steps of sealing and other work that failed; each is tried again.";
  metrics.readCounter(
    "rankstream_maintenance_failures_total",
    taskHelp,
    () => times.taskFailures.value,
  );
}

/** Event types told apart; all others are one. */
const eventTypesMax = 50;
/** Distinct items are asked of the store again once they are so old. */
const figuresMsMax = 60_000;
/** What a type beyond the bound is told as, and one of that very name. */
const otherTypes = "other";

/** What comes of which type; those with the most events so far have series of their own. */
async function describeTypes(metrics: Metrics, store: LocalStore): Promise<void> {
  const events = metrics.counterBy(
    "rankstream_event_type_events_total",
    "Events counted since the start, by type; each as many as its weight.",
    ["event_type"],
    eventTypesMax,
  );
  const known = [...(await store.eventTypes())].sort((a, b) => b.total - a.total);
  for (const { name } of known.slice(0, eventTypesMax)) events.with(name);
  store.times.onCounted = (counts) => {
    for (const { name, total } of counts) events.with(name).add(total);
  };
  let figures: TypeFigure[] = [];
  let askedAt = Number.NEGATIVE_INFINITY;
  metrics.beforeRead(async () => {
    if (performance.now() - askedAt < figuresMsMax) return;
    askedAt = performance.now();
    figures = await store.typeFigures();
  });
  metrics.readGauges(
    "rankstream_event_type_distinct_items",
    "Distinct items of a type in the newest minute and hour that are sealed.",
    ["window", "event_type"],
    () =>
      figures.map(({ window, eventType, items }) => [[window, eventType ?? otherTypes], items]),
  );
}

/** The store's work, its size, what it was given. */
export async function describeStore(metrics: Metrics, store: LocalStore): Promise<void> {
  describeTimes(metrics, store.times);
  describeReads(metrics, store.readLoad);
  const pending = "Calls of the store's thread that are not answered yet.";
  metrics.readGauge("rankstream_store_calls_pending", pending, () => store.callsPending);
  await describeTypes(metrics, store);
}

/** Lag and disk, as GET /status has them. */
export function describeStatus(metrics: Metrics, desk: StatusDesk): void {
  const lagHelp = "How old the oldest event is, at most, that is not counted yet.";
  metrics.readGauge("rankstream_log_lag_seconds", lagHelp, () => desk.lagMs / 1000);
  let disk: Awaited<ReturnType<StatusDesk["disk"]>> | null = null;
  metrics.beforeRead(async () => {
    disk = await desk.disk();
  });
  for (const part of ["database", "raw", "other"] as const) {
    const help = "Bytes of the store's files: DuckDB's own, raw events, all else.";
    const read = () => disk?.store[part] ?? Number.NaN;
    metrics.readGauge("rankstream_store_bytes", help, read, { part });
  }
  const free = "Bytes free on the disk of the data folder.";
  metrics.readGauge("rankstream_disk_free_bytes", free, () => disk?.freeBytes ?? Number.NaN);
  const all = "Bytes of that disk.";
  metrics.readGauge("rankstream_disk_size_bytes", all, () => disk?.totalBytes ?? Number.NaN);
}
