/** Composes the service: log, store, ingest workers, edge, query engine, HTTP. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildApi } from "./api/app.ts";
import { listen } from "./api/listen.ts";
import type { Config } from "./config.ts";
import { ByteBudget } from "./edge/byte-budget.ts";
import { Edge } from "./edge/edge.ts";
import { nodeFiles } from "./files.ts";
import { AppliedClock } from "./ingest/applied-clock.ts";
import { IngestPool } from "./ingest/ingest-pool.ts";
import type { IngestTotals } from "./ingest/messages.ts";
import { Kernel } from "./kernel/kernel.ts";
import { loadKernelModule } from "./kernel/module.ts";
import { EventScanner } from "./kernel/scanner.ts";
import { EmbeddedLog } from "./log/embedded-log.ts";
import { EmbeddedLogReader } from "./log/embedded-log-reader.ts";
import { IdempotencyLedger, unionOfStates } from "./log/idempotency.ts";
import { QueryEngine } from "./query/engine.ts";
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
/** The workers' room beyond the edge's bound: a log may hold types of before a restart. */
const typesSlack = 1024;
/** How often windows are looked at for sealing. */
const tickMs = 1000;
const storeMemoryBytesMax = 768 * 1024 * 1024;

async function makeScanner(config: Config): Promise<EventScanner> {
  const bounds = {
    bodyBytesMax: config.unpackedBytesMax,
    errorsMax: errorsListedMax,
    futureMsMax: 5 * 60_000,
  };
  const memoryBytes = EventScanner.memoryBytes(bounds) + 65_536;
  const kernel = await Kernel.load(await loadKernelModule(), memoryBytes);
  return new EventScanner(kernel, bounds);
}

function packageVersion(): string {
  const manifest = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}

/** The edge's memory of keys: what the store counted, and what the log holds beyond that. */
async function loadLedger(log: EmbeddedLog, store: LocalStore, folder: string) {
  const ledger = new IdempotencyLedger();
  ledger.load(unionOfStates(await store.loadSeen()));
  const starts = store.committedOffsets().map((offset, partition) => ({ partition, offset }));
  const reader = await EmbeddedLogReader.open(nodeFiles, folder, { starts });
  reader.advance(log.durableEnd());
  for (let records = await reader.next(); records.length > 0; records = await reader.next()) {
    for (const record of records) ledger.record(record);
  }
  await reader.close();
  return ledger;
}

function describeMetrics(counters: Counters, log: EmbeddedLog, ingest: IngestPool): void {
  const gauge = (name: string, help: string, read: () => number) =>
    counters.gauge(`rankstream_${name}`, help, read);
  gauge("log_bytes", "Bytes of the log on disk.", () => log.stats().bytes);
  gauge(
    "log_queue_bytes",
    "Bytes waiting to be written to the log.",
    () => log.stats().queueBytes,
  );
  const total = (name: keyof IngestTotals, help: string) =>
    gauge(`ingest_${name}`, help, () => ingest.totals()[name]);
  total("events", "Events counted since the start.");
  total("bytes", "Bytes of NDJSON counted since the start.");
  total("batches", "Batches counted since the start.");
  total("duplicates", "Batches not counted again since the start.");
  total("refusedLines", "Lines of the log that are no events.");
  total("slowLines", "Lines that took the scanner's slow path in a worker.");
  total("checkpoints", "Checkpoints since the start.");
}

/** The parts that count: the log, the store and the workers between them. */
async function openPipeline(config: Config, logger: Logger, onFailure: (why: string) => void) {
  const logFolder = join(config.dataDir, "log");
  const openLog = () =>
    EmbeddedLog.open(nodeFiles, logFolder, {
      partitionCount: config.partitions,
      segmentBytesMax: config.logSegmentBytes,
      queueBytesMax: config.logQueueBytesMax,
      logBytesMax: config.logBytesMax,
    });
  const storeOptions = {
    folder: config.dataDir,
    memoryBytesMax: storeMemoryBytesMax,
    candidatesMax: config.candidatesMax,
    exactTimeoutMs: config.exactTimeoutMs,
    logger,
  };
  const { store, log } = await LocalStore.open(storeOptions, openLog);
  const ledger = await loadLedger(log, store, logFolder);
  const ingest = await IngestPool.start(store, {
    workers: Math.min(config.workers, config.partitions),
    partitionCount: config.partitions,
    logFolder,
    typesMax: config.eventTypesMax + typesSlack,
    checkpointMs: config.checkpointMs,
    checkpointBytesMax: config.checkpointBytesMax,
    logger,
    onFailure,
  });
  ingest.advance(log.durableEnd());
  log.onAppend(() => ingest.advance(log.durableEnd()));
  store.onCommit((offsets) => {
    log.trim(offsets).catch((error) => logger.warn({ err: error }, "the log was not trimmed"));
  });
  const clock = new AppliedClock();
  const ticking = setInterval(() => {
    const now = Date.now();
    store.tick(clock.tick(now, log.endOffsets(), store.committedOffsets()), now);
  }, tickMs);
  return { log, store, ledger, ingest, clock, ticking };
}

/**
 * Starts the service and resolves once it takes events and answers queries. Throws
 * RankstreamError: `data_folder_in_use`, `data_folder_mismatch`, `log_corrupt`, `port_in_use`.
 */
export async function startService(config: Config, logger: Logger): Promise<Service> {
  let fail: (why: string) => void = () => undefined;
  const failed = new Promise<string>((resolve) => {
    fail = resolve;
  });
  const counters = new Counters();
  const pipeline = await openPipeline(config, logger, (why) => fail(why));
  const { log, store, ledger, ingest } = pipeline;
  describeMetrics(counters, log, ingest);
  const budget = new ByteBudget(config.ingestBytesMax);
  const edge = new Edge({
    scanner: await makeScanner(config),
    log,
    ledger,
    budget,
    counters,
    logger,
    unpackedBytesMax: config.unpackedBytesMax,
  });
  const query = new QueryEngine({
    store,
    acknowledged: () => log.endOffsets(),
    committed: (offsets, waitMsMax) => ingest.committed(offsets, waitMsMax),
    committedThrough: () => pipeline.clock.appliedThrough,
    exactTimeoutMs: config.exactTimeoutMs,
    freshnessWaitMsMax: config.freshnessWaitMsMax,
    candidatesMax: config.candidatesMax,
  });
  const app = await buildApi({
    edge,
    query,
    budget,
    counters,
    logger,
    notReady: () => (store.failure === null ? [] : ["store"]),
    version: packageVersion(),
    bodyBytesMax: config.bodyBytesMax,
    connectionsMax: config.connectionsMax,
    requestTimeoutMs: config.requestTimeoutMs,
    closeMsMax: Math.floor(config.shutdownMsMax / 2),
    webFolder: fileURLToPath(new URL("./web/", import.meta.url)),
  });
  const address = await listen(app, config, portWaitMsMax);
  return {
    ...address,
    failed,
    async stop() {
      await app.close();
      clearInterval(pipeline.ticking);
      await ingest.stop();
      await store.close();
      await log.close();
    },
  };
}
