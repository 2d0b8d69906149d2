/** Composes the service: log, store, ingest workers, edge, query engine, HTTP. */
import type { Access } from "./access/access.ts";
import { buildApi } from "./api/app.ts";
import { listen } from "./api/listen.ts";
import { type Config, hasStore, rolesOf } from "./config.ts";
import { ByteBudget } from "./edge/byte-budget.ts";
import { Edge, type EdgeDeps } from "./edge/edge.ts";
import { AppliedClock } from "./ingest/applied-clock.ts";
import { IngestPool } from "./ingest/ingest-pool.ts";
import { LagWatch, waitingRecords } from "./ingest/lag-watch.ts";
import { Answers } from "./query/answers.ts";
import type { FreshnessDeps } from "./query/freshness.ts";
import { metricsHistory } from "./query/metrics-history.ts";
import { openAccessOf } from "./service-access.ts";
import { backupPort, describeBackups, openBackups } from "./service-backup.ts";
import {
  answersNothing,
  catchUpEdgeState,
  knownTypes,
  loadEdgeState,
  noAnswers,
  takesNoEvents,
} from "./service-edge.ts";
import { logTraceOf, namesIn } from "./service-erasure.ts";
import { httpOptions, openUws } from "./service-http.ts";
import { openLimits } from "./service-limits.ts";
import { describeLog, type OpenLog } from "./service-log.ts";
import {
  describeCache,
  describeErasures,
  describeIngest,
  describeJobs,
  describeRedis,
  describeStatus,
  describeStore,
  openMetrics,
} from "./service-metrics.ts";
import { openRedis } from "./service-redis.ts";
import { openRegions } from "./service-regions.ts";
import { keepMetrics, processName } from "./service-samples.ts";
import { StatusDesk } from "./service-status.ts";
import { Closers, openStorage, packageVersion } from "./service-storage.ts";
import { openTls } from "./service-tls.ts";
import { describeTracing, openTracing } from "./service-tracing.ts";
import type { LocalStore } from "./store/local-store.ts";
import type { Logger } from "./telemetry.ts";
import type { Metrics } from "./telemetry-metrics.ts";
import type { Tracing } from "./telemetry-tracing.ts";

export interface Service {
  readonly host: string;
  readonly port: number;
  /** Resolves with what went wrong if the service can't go on. */
  readonly failed: Promise<string>;
  /** Reads again what may change without a restart: the file of keys. */
  reload(): Promise<void>;
  /** From now on it says that it isn't ready, and does its work as before. */
  drain(): void;
  /** Takes no more, counts and commits what was acknowledged, closes everything. */
  stop(): Promise<void>;
  /** Gives up what the store is at; resolves once nothing there holds the process. */
  abandon(): Promise<void>;
}

const portWaitMsMax = 5000;

async function describeMetrics(metrics: Metrics, parts: Pipeline): Promise<void> {
  const { ingest, types, lag, store, ...rest } = parts;
  describeLog(metrics, rest);
  const lagHelp = "Records of the log not counted yet.";
  metrics.readGauge("rankstream_log_lag_records", lagHelp, () => lag.lag);
  const typesHelp = "Distinct event types known.";
  metrics.readGauge("rankstream_event_types", typesHelp, () => types?.size ?? 0);
  describeIngest(metrics, ingest);
  describeBackups(metrics, parts.backups);
  await describeStore(metrics, store);
}

type Pipeline = Awaited<ReturnType<typeof openPipeline>>;

/** Tells the store now and then how far everything is counted, and sees what stands still. */
function followLog(
  config: Config,
  { log }: OpenLog,
  store: LocalStore,
  ingest: IngestPool,
  logger: Logger,
) {
  const clock = new AppliedClock();
  const lag = new LagWatch(config.kafkaStallMsMax);
  let isAsking = false;
  const tick = async () => {
    const now = Date.now();
    const ends = await log.ends();
    store.tick(clock.tick(now, ends, store.committedOffsets()));
    const stalled = lag
      .note(performance.now(), ends, store.committedOffsets())
      .filter((partition) => !ingest.isStopped(partition));
    if (stalled.length === 0 || config.log === "embedded" || store.failure !== null) return;
    logger.warn({ part: "ingest", partitions: stalled }, "partitions stand still");
    ingest.restartReaders(stalled);
  };
  const ticking = setInterval(() => {
    if (isAsking) return;
    isAsking = true;
    const noted = (error: unknown) =>
      logger.debug({ part: "log", err: error }, "the log's ends are not known");
    void tick()
      .catch(noted)
      .finally(() => {
        isAsking = false;
      });
  }, config.sealIntervalMs);
  return { clock, lag, stop: async () => clearInterval(ticking) };
}

/** The parts that count: the log, the store and the workers between them. */
async function openPipeline(
  config: Config,
  logger: Logger,
  tracing: Tracing,
  closers: Closers,
  onFailure: (why: string) => void,
) {
  const { store, opened } = await openStorage(config, logger, tracing, closers);
  const { log, embedded, group, source } = opened;
  const backups = openBackups(config, { store, opened, version: packageVersion(), logger });
  if (backups !== null) closers.add(() => backups.close());
  const isEmbedded = source.kind === "embedded" && embedded !== null;
  const early = isEmbedded ? await loadEdgeState(config, embedded, store, source.folder) : null;
  const known = early?.types.size ?? (await knownTypes(store)).size;
  const ingest = await IngestPool.start(store, {
    workers: rolesOf(config).ingest ? Math.min(config.workers, log.partitionCount) : 0,
    source,
    ...(group !== null && { groupLog: group }),
    // Of the embedded log a worker meets no type that the edge does not know.
    typesMax: Math.max(config.eventTypesMax, known),
    checkpointMs: config.checkpointMs,
    checkpointBytesMax: config.checkpointBytesMax,
    candidatesMax: config.candidatesMax,
    openMinuteEventsMin: config.openMinuteEventsMin,
    logger,
    tracing,
    onFailure,
  });
  closers.add(() => ingest.stop());
  if (embedded !== null) {
    ingest.advance(embedded.durableEnd());
    embedded.onAppend(() => ingest.advance(embedded.durableEnd()));
  }
  store.onCommit((offsets) => {
    log
      .trim(offsets)
      .catch((error) => logger.warn({ part: "log", err: error }, "the log was not trimmed"));
  });
  const { clock, lag, stop } = followLog(config, opened, store, ingest, logger);
  closers.add(stop);
  const isLate = group !== null && rolesOf(config).edge;
  const edge = isLate ? await catchUpEdgeState(config, group, store, ingest) : early;
  const types = edge?.types ?? null;
  /** Told to those who ask whether it is ready. */
  const stopping = { isAnnounced: false };
  const parts = { edge, types, log, embedded, group, store, backups, ingest, clock, lag };
  return { ...parts, tracing, stopping };
}

function openEdge(
  config: Config,
  { edge, log, group }: Pipeline,
  budget: ByteBudget,
  metrics: Metrics,
  logger: Logger,
  onAppend: EdgeDeps["onAppend"],
): Pick<Edge, "ingest"> & Partial<Pick<Edge, "tap">> {
  if (edge === null) return takesNoEvents;
  return new Edge({
    ...(onAppend !== undefined && { onAppend }),
    scanner: edge.scanner,
    log,
    ledger: edge.ledger,
    // A batch in Kafka is several records.
    makesKeys: group !== null,
    hasRegions: config.region !== "none",
    budget,
    metrics,
    logger,
    unpackedBytesMax: config.unpackedBytesMax,
  });
}

/** Says how the process is, from what its parts know. */
function openStatus(config: Config, pipeline: Pipeline, metrics: Metrics): StatusDesk {
  const { store, ingest, clock, lag, embedded, edge } = pipeline;
  return new StatusDesk({
    config,
    version: packageVersion(),
    metrics,
    notReady: () => failing(pipeline),
    upstream: null,
    hasLog: edge !== null,
    counting: {
      counted: () => ingest.totals().events,
      checkpoints: () => ingest.totals().checkpoints,
      onCommit: (listener) => store.onCommit(listener),
      waitingRecords: () =>
        embedded === null
          ? lag.lag
          : waitingRecords(embedded.endOffsets(), store.committedOffsets()),
      countedThrough: () => clock.appliedThrough,
      logBytes: () => embedded?.stats().bytes ?? null,
      storeBytes: () => store.bytesElsewhere(),
    },
  });
}

/** Names of the parts that do not work. */
function failing({ store, ingest, log, stopping }: Pipeline): string[] {
  const parts = { store: store.failure, ingest: ingest.failure, log: log.failure };
  const missing = Object.entries(parts)
    .filter(([, failure]) => failure !== null)
    .map(([name]) => name);
  return stopping.isAnnounced ? [...missing, "stopping"] : missing;
}

/** What answers wait for, to say what was acknowledged before them. */
function freshnessOf(config: Config, { log, ingest, clock }: Pipeline): FreshnessDeps {
  return {
    acknowledged: () => log.endOffsets(),
    ends: () => log.ends(),
    committed: (offsets, waitMsMax, signal) => ingest.committed(offsets, waitMsMax, signal),
    blocked: (offsets) => ingest.blocked(offsets),
    committedThrough: () => clock.appliedThrough,
    exactTimeoutMs: config.exactTimeoutMs,
    freshnessWaitMsMax: config.freshnessWaitMsMax,
  };
}

/** What answers questions; its numbers are told, and now and then kept in the store. */
async function openAnswers(
  config: Config,
  logger: Logger,
  pipeline: Pipeline,
  metrics: Metrics,
  closers: Closers,
) {
  const { log, store, ingest, tracing } = pipeline;
  describeTracing(metrics, tracing);
  const redis = await openRedis(config, () => log.id, logger);
  if (redis !== null) {
    closers.add(() => redis.close());
    describeRedis(metrics, redis);
  }
  const freshness = freshnessOf(config, pipeline);
  const regions = await openRegions(config, pipeline, { freshness, metrics, logger, closers });
  const answers = await Answers.open({
    ...config,
    dataId: log.id,
    isShared: pipeline.group !== null,
    redis,
    regions: regions.desk,
    store,
    freshness,
    asked: () => ingest.asked(),
    metrics,
    log: logTraceOf(pipeline, config),
    personalMetadataKeys: namesIn(config.personalMetadataKeys),
    onRetention: (name, retentionMs, floor) =>
      pipeline.types?.setRetention(name, retentionMs, floor) ?? true,
    logger,
  });
  closers.add(() => answers.close());
  describeJobs(metrics, answers.jobs);
  describeErasures(metrics, store.erasures);
  describeCache(metrics, answers);
  const keeper = keepMetrics(
    metrics,
    store,
    { ...config, ofProcess: processName(config) },
    logger,
  );
  closers.add(() => keeper.close());
  answers.snapshots.beforeTake = () => keeper.sample();
  return { answers, regions };
}

/** The parts that answer, over those that count. */
async function openApi(
  config: Config,
  logger: Logger,
  pipeline: Pipeline,
  access: Access,
  closers: Closers,
) {
  const metrics = openMetrics(config, packageVersion());
  const tls = openTls(config, metrics, logger, closers);
  const limits = await openLimits(config, access, metrics, logger);
  closers.add(() => limits.close());
  await describeMetrics(metrics, pipeline);
  const budget = new ByteBudget(config.ingestBytesMax);
  const { answers, regions } = await openAnswers(config, logger, pipeline, metrics, closers);
  const status = openStatus(config, pipeline, metrics);
  describeStatus(metrics, status);
  closers.add(async () => status.close());
  const noteAppend = (first: number, last: number) => answers.noteAppend(first, last);
  const edge = openEdge(config, pipeline, budget, metrics, logger, noteAppend);
  await regions.begin(pipeline.edge === null ? null : edge);
  const isAsked = rolesOf(config).query;
  return buildApi({
    edge,
    cache: isAsked ? answers.cache : noAnswers,
    changes: answers.feed,
    jobs: answers.jobBoard,
    page: (request) => answers.page(request),
    eventTypes: answers.eventTypes,
    labels: answers.labels,
    snapshots: answers.snapshots,
    backups: backupPort(pipeline.backups),
    exports: answers.exports,
    regions: regions.port,
    deleteEvents: async (request, control) => {
      if (request.isDryRun) return answers.deleteEvents(request, control);
      const work = () => answers.deleteEvents(request, control);
      return regions.duringDelete(request.eventType, request.range?.from ?? 0, work);
    },
    users: answers.erasures,
    metricsHistory: (request) =>
      metricsHistory(
        { ...config, store: pipeline.store, ofProcess: processName(config) },
        request,
      ),
    budget,
    metrics,
    logger,
    notReady: () => failing(pipeline),
    status: (withUpstream) => status.read(withUpstream),
    version: packageVersion(),
    ...httpOptions(config),
    uws: openUws(config),
    ...limits.asking,
    // Else its copy of the store shows only what it needs itself.
    ...(!isAsked && { proxy: answersNothing }),
    tls,
    tracing: pipeline.tracing,
  });
}

/**
 * Starts the service and resolves once it takes events and answers queries. Throws
 * RankstreamError: `data_folder_in_use`, `data_folder_mismatch`, `log_corrupt`, `port_in_use`,
 * `http_server_unavailable`, `keys_unusable`, `tls_unusable`; then nothing is left open.
 */
export async function startService(config: Config, logger: Logger): Promise<Service> {
  if (!hasStore(config)) {
    const { startNode } = await import("./service-node.ts");
    return startNode(config, logger, packageVersion());
  }
  let fail: (why: string) => void = () => undefined;
  const failed = new Promise<string>((resolve) => {
    fail = resolve;
  });
  const closers = new Closers();
  try {
    const { access, reload, close } = await openAccessOf(config, logger);
    closers.add(async () => close());
    const tracing = await openTracing(config, packageVersion(), logger);
    closers.add(() => tracing.close());
    const pipeline = await openPipeline(config, logger, tracing, closers, (why) => fail(why));
    const app = await openApi(config, logger, pipeline, access, closers);
    closers.add(() => app.close());
    const address = await listen(app, config, portWaitMsMax);
    const drain = () => {
      pipeline.stopping.isAnnounced = true;
    };
    const abandon = () => pipeline.store.abandon();
    return { ...address, failed, reload, drain, stop: () => closers.close(), abandon };
  } catch (error) {
    await closers.close().catch((second) => logger.warn({ err: second }, "closing failed"));
    throw error;
  }
}
