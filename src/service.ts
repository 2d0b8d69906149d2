/** Composes the service: log, store, ingest workers, edge, query engine, HTTP. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildApi } from "./api/app.ts";
import { listen } from "./api/listen.ts";
import { type Config, otherOrigins } from "./config.ts";
import { ByteBudget } from "./edge/byte-budget.ts";
import { Edge } from "./edge/edge.ts";
import { RankstreamError } from "./errors.ts";
import { nodeFiles } from "./files.ts";
import { AppliedClock } from "./ingest/applied-clock.ts";
import { IngestPool } from "./ingest/ingest-pool.ts";
import type { IngestTotals } from "./ingest/messages.ts";
import { Kernel } from "./kernel/kernel.ts";
import { loadKernelModule } from "./kernel/module.ts";
import { EventScanner } from "./kernel/scanner.ts";
import { TypeDictionary } from "./kernel/type-dictionary.ts";
import { EmbeddedLog } from "./log/embedded-log.ts";
import { EmbeddedLogReader } from "./log/embedded-log-reader.ts";
import { IdempotencyLedger, unionOfStates } from "./log/idempotency.ts";
import { eventBounds } from "./model.ts";
import { Answers } from "./query/answers.ts";
import type { FreshnessDeps } from "./query/freshness.ts";
import {
  describeCache,
  describeJobs,
  describeReads,
  describeRedis,
  keepMetrics,
} from "./service-metrics.ts";
import { openRedis, openUws, startNode } from "./service-node.ts";
import { LocalStore } from "./store/local-store.ts";
import { Counters, type Logger } from "./telemetry.ts";

export interface Service {
  readonly host: string;
  readonly port: number;
  /** Resolves with what went wrong if the service can't go on. */
  readonly failed: Promise<string>;
  /** Takes no more, counts and commits what was acknowledged, closes everything. */
  stop(): Promise<void>;
}

const portWaitMsMax = 5000;
const errorsListedMax = 100;
/** Room beyond the bound, for types taken before it was lowered. */
const typesSlack = 1024;

/** The edge's scanner, which knows the store's event types. */
async function makeScanner(config: Config, store: LocalStore) {
  const bounds = {
    bodyBytesMax: config.unpackedBytesMax,
    errorsMax: errorsListedMax,
    futureMsMax: eventBounds.futureMsMax,
  };
  const named = [...(await store.eventTypes()), ...(await store.loadTypeSettings())];
  const known = new Set(named.map(({ name }) => name));
  const room = Math.max(config.eventTypesMax, known.size) + typesSlack;
  const memoryBytes = EventScanner.memoryBytes(bounds) + TypeDictionary.memoryBytes(room) + 65_536;
  const kernel = await Kernel.load(await loadKernelModule(), memoryBytes);
  const types = new TypeDictionary(kernel, room);
  for (const name of known) types.indexOf(name);
  return { scanner: new EventScanner(kernel, bounds, types), types };
}

function packageVersion(): string {
  const manifest = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}

/**
 * What the edge must know of everything acknowledged before: keys and event types, those the
 * store counted and those the log holds beyond that.
 */
async function loadEdgeState(config: Config, log: EmbeddedLog, store: LocalStore, folder: string) {
  const { scanner, types } = await makeScanner(config, store);
  const ledger = new IdempotencyLedger();
  ledger.load(unionOfStates(await store.loadSeen()));
  const starts = store.committedOffsets().map((offset, partition) => ({ partition, offset }));
  const reader = await EmbeddedLogReader.open(nodeFiles, folder, { starts });
  try {
    reader.advance(log.durableEnd());
    for (let records = await reader.next(); records.length > 0; records = await reader.next()) {
      for (const record of records) {
        ledger.record(record);
        scanner.learnTypes(record.value, record.receivedAt);
      }
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const detail = `the log holds ${error.message}: it was filled with a greater eventTypesMax`;
    throw new RankstreamError("data_folder_mismatch", detail, { cause: error });
  } finally {
    await reader.close();
  }
  types.limit(config.eventTypesMax);
  return { ledger, scanner, types };
}

function describeMetrics(counters: Counters, { log, ingest, types }: Pipeline): void {
  const gauge = (name: string, help: string, read: () => number) =>
    counters.gauge(`rankstream_${name}`, help, read);
  gauge("log_bytes", "Bytes of the log on disk.", () => log.stats().bytes);
  gauge(
    "log_queue_bytes",
    "Bytes waiting to be written to the log.",
    () => log.stats().queueBytes,
  );
  gauge("event_types", "Distinct event types known.", () => types.size);
  const total = (name: string, field: keyof IngestTotals, help: string) =>
    counters.gauge(
      `rankstream_ingest_${name}_total`,
      help,
      () => ingest.totals()[field],
      "counter",
    );
  total("events", "events", "Events counted since the start.");
  total("bytes", "bytes", "Bytes of NDJSON counted since the start.");
  total("batches", "batches", "Batches counted since the start.");
  total("duplicates", "duplicates", "Batches not counted again since the start.");
  total("refused_lines", "refusedLines", "Lines of the log that are no events.");
  total("slow_lines", "slowLines", "Lines that took the scanner's slow path in a worker.");
  total("checkpoints", "checkpoints", "Checkpoints since the start.");
}

/** What was opened, to be closed in reverse order. */
class Closers {
  readonly #closers: (() => Promise<unknown>)[] = [];

  add(close: () => Promise<unknown>): void {
    this.#closers.unshift(close);
  }

  /** Closes everything, also when a part of it fails; then throws the first failure. */
  async close(): Promise<void> {
    let failure: { error: unknown } | null = null;
    for (const close of this.#closers.splice(0)) {
      try {
        await close();
      } catch (error) {
        failure ??= { error };
      }
    }
    if (failure !== null) throw failure.error;
  }
}

type Pipeline = Awaited<ReturnType<typeof openPipeline>>;

/** Opens log and store; the store's folder lock guards both. */
async function openStorage(config: Config, logFolder: string, logger: Logger, closers: Closers) {
  const openLog = async () => {
    const log = await EmbeddedLog.open(nodeFiles, logFolder, {
      partitionCount: config.partitions,
      segmentBytesMax: config.logSegmentBytes,
      queueBytesMax: config.logQueueBytesMax,
      logBytesMax: config.logBytesMax,
    });
    closers.add(() => log.close());
    return log;
  };
  const storeOptions = {
    folder: config.dataDir,
    memoryBytesMax: config.storeMemoryBytesMax,
    candidatesMax: config.candidatesMax,
    exactTimeoutMs: config.exactTimeoutMs,
    exactQueueMax: config.exactQueueMax,
    sealQuietMs: config.sealQuietMs,
    coarsenAfterMs: config.coarsenAfterMs,
    sealedSketches: config.sealedSketches === "on",
    keptAnswers: { bytesMax: config.cacheStoreBytesMax, madeBy: packageVersion() },
    logger,
  };
  const opened = await LocalStore.open(storeOptions, openLog);
  closers.add(() => opened.store.close());
  return opened;
}

/** The parts that count: the log, the store and the workers between them. */
async function openPipeline(
  config: Config,
  logger: Logger,
  closers: Closers,
  onFailure: (why: string) => void,
) {
  const logFolder = join(config.dataDir, "log");
  const { store, log } = await openStorage(config, logFolder, logger, closers);
  const edgeState = await loadEdgeState(config, log, store, logFolder);
  const ingest = await IngestPool.start(store, {
    workers: Math.min(config.workers, config.partitions),
    partitionCount: config.partitions,
    logFolder,
    // A worker meets no type that the edge does not know.
    typesMax: Math.max(config.eventTypesMax, edgeState.types.size),
    checkpointMs: config.checkpointMs,
    checkpointBytesMax: config.checkpointBytesMax,
    candidatesMax: config.candidatesMax,
    openMinuteEventsMin: config.openMinuteEventsMin,
    logger,
    onFailure,
  });
  closers.add(() => ingest.stop());
  ingest.advance(log.durableEnd());
  log.onAppend(() => ingest.advance(log.durableEnd()));
  store.onCommit((offsets) => {
    log.trim(offsets).catch((error) => logger.warn({ err: error }, "the log was not trimmed"));
  });
  const clock = new AppliedClock();
  const ticking = setInterval(() => {
    store.tick(clock.tick(Date.now(), log.endOffsets(), store.committedOffsets()));
  }, config.sealIntervalMs);
  closers.add(async () => clearInterval(ticking));
  return { ...edgeState, log, store, ingest, clock };
}

/** The parts that answer, over those that count. */
async function openApi(config: Config, logger: Logger, pipeline: Pipeline, closers: Closers) {
  const { log, store, ingest } = pipeline;
  const counters = new Counters();
  describeMetrics(counters, pipeline);
  describeReads(counters, store.readLoad);
  const budget = new ByteBudget(config.ingestBytesMax);
  const freshness: FreshnessDeps = {
    acknowledged: () => log.endOffsets(),
    committed: (offsets, waitMsMax, signal) => ingest.committed(offsets, waitMsMax, signal),
    committedThrough: () => pipeline.clock.appliedThrough,
    exactTimeoutMs: config.exactTimeoutMs,
    freshnessWaitMsMax: config.freshnessWaitMsMax,
  };
  const redis = openRedis(config, () => log.id, logger);
  if (redis !== null) {
    closers.add(() => redis.close());
    describeRedis(counters, redis);
  }
  const answers = await Answers.open({
    ...config,
    dataId: log.id,
    redis,
    store,
    freshness,
    asked: () => ingest.asked(),
    onRetention: (name, retentionMs, floor) =>
      pipeline.types.setRetention(name, retentionMs, floor),
    logger,
  });
  closers.add(() => answers.close());
  describeJobs(counters, answers.jobs);
  describeCache(counters, answers);
  const metrics = keepMetrics(counters, store, config, logger);
  closers.add(() => metrics.close());
  answers.snapshots.beforeTake = () => metrics.sample();
  const edge = new Edge({
    onAppend: (first, last) => answers.noteAppend(first, last),
    scanner: pipeline.scanner,
    log,
    ledger: pipeline.ledger,
    budget,
    counters,
    logger,
    unpackedBytesMax: config.unpackedBytesMax,
  });
  return buildApi({
    edge,
    cache: answers.cache,
    changes: answers.feed,
    jobs: answers.jobs,
    page: (request) => answers.page(request),
    eventTypes: answers.eventTypes,
    labels: answers.labels,
    snapshots: answers.snapshots,
    deleteEvents: (request, control) => answers.deleteEvents(request, control),
    budget,
    counters,
    logger,
    notReady: () => (store.failure === null ? [] : ["store"]),
    version: packageVersion(),
    bodyBytesMax: config.bodyBytesMax,
    connectionsMax: config.connectionsMax,
    requestTimeoutMs: config.requestTimeoutMs,
    closeMsMax: Math.floor(config.shutdownMsMax / 2),
    live: { origins: otherOrigins(config) },
    uws: openUws(config),
    webFolder: fileURLToPath(new URL("./web/", import.meta.url)),
  });
}

/**
 * Starts the service and resolves once it takes events and answers queries. Throws
 * RankstreamError: `data_folder_in_use`, `data_folder_mismatch`, `log_corrupt`, `port_in_use`,
 * `http_server_unavailable`;
 * then nothing is left open.
 */
export async function startService(config: Config, logger: Logger): Promise<Service> {
  if (config.role !== "all") return startNode(config, logger, packageVersion());
  let fail: (why: string) => void = () => undefined;
  const failed = new Promise<string>((resolve) => {
    fail = resolve;
  });
  const closers = new Closers();
  try {
    const pipeline = await openPipeline(config, logger, closers, (why) => fail(why));
    const app = await openApi(config, logger, pipeline, closers);
    closers.add(() => app.close());
    const address = await listen(app, config, portWaitMsMax);
    return { ...address, failed, stop: () => closers.close() };
  } catch (error) {
    await closers.close().catch((second) => logger.warn({ err: second }, "closing failed"));
    throw error;
  }
}
