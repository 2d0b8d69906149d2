/**
 * Composes a node without a store: an edge that appends to Kafka or hands batches on, and answers
 * kept of the service behind it; what it doesn't answer itself is handed on, or refused where
 * there is nobody behind it.
 */

import type { FastifyReply, FastifyRequest } from "fastify";
import { buildApi } from "./api/app.ts";
import { forwardedHeaders } from "./api/forwarded.ts";
import { hangUpSignal } from "./api/hang-up.ts";
import { listen } from "./api/listen.ts";
import { requestIdHeader } from "./api/request-id.ts";
import { type Config, rolesOf } from "./config.ts";
import { ByteBudget } from "./edge/byte-budget.ts";
import { Edge } from "./edge/edge.ts";
import { ForwardEdge } from "./edge/forward-edge.ts";
import { RankstreamError } from "./errors.ts";
import { IdempotencyLedger } from "./log/idempotency.ts";
import type { Principal } from "./model-access.ts";
import { AnswerCache } from "./query/answer-cache.ts";
import type { ChangesView } from "./query/change-feed.ts";
import { measured } from "./query/measured.ts";
import { MemoryLevel } from "./query/memory-level.ts";
import { type ProxyRequest, proxied } from "./query/proxy.ts";
import { remoteAsker } from "./query/remote-asker.ts";
import { RemoteChanges } from "./query/remote-changes.ts";
import type { Upstream } from "./query/upstream.ts";
import { callerHeaders, openAccessOf } from "./service-access.ts";
import { makeForwardScanner, makeScanner, sharedLedger, takesNoEvents } from "./service-edge.ts";
import { httpOptions, openUws } from "./service-http.ts";
import { openLimits } from "./service-limits.ts";
import { describeLog, openKafka } from "./service-log.ts";
import { describeCache, describeRedis, describeUpstream, openMetrics } from "./service-metrics.ts";
import { openRedis } from "./service-redis.ts";
import { StatusDesk } from "./service-status.ts";
import { openTls } from "./service-tls.ts";
import { describeTracing, openTracing } from "./service-tracing.ts";
import type { Logger } from "./telemetry.ts";
import type { Metrics } from "./telemetry-metrics.ts";

const portWaitMsMax = 5000;

function follow(upstream: Upstream, logger: Logger): RemoteChanges {
  const changes = new RemoteChanges({
    read: async ({ since, waitMs, settle }, signal) => {
      const path = `/changes?since=${since}&waitMs=${waitMs}&settle=${settle}`;
      return (await upstream.json(path, signal)) as ChangesView;
    },
    logger,
  });
  changes.start();
  return changes;
}

const isHandedOn = async (): Promise<never> => {
  throw new Error("handed on to the upstream");
};

/** Of routes that the node hands on: they are there, so that addresses and methods are known. */
const handedOn = Object.freeze({
  changes: { read: isHandedOn },
  jobs: { submit: isHandedOn, get: isHandedOn, list: isHandedOn, cancel: isHandedOn },
  page: isHandedOn,
  eventTypes: { list: isHandedOn, get: isHandedOn, put: isHandedOn },
  labels: { put: isHandedOn },
  exports: { open: isHandedOn },
  snapshots: { take: isHandedOn, list: isHandedOn, drop: isHandedOn },
  backups: { take: isHandedOn, list: isHandedOn, find: isHandedOn, cancel: isHandedOn },
  deleteEvents: isHandedOn,
  users: { erase: isHandedOn },
  metricsHistory: isHandedOn,
});

const given = (path: string) => (path === "none" ? undefined : path);

/** Answers are kept here, and made by the service behind. */
async function openQuery(config: Config, metrics: Metrics, logger: Logger) {
  const tls = {
    ca: given(config.upstreamCa),
    cert: given(config.upstreamClientCert),
    key: given(config.upstreamClientKey),
  };
  const { Upstream } = await import("./query/upstream.ts");
  const upstream = new Upstream(config.upstream, tls, given(config.upstreamKey) ?? null);
  const changes = follow(upstream, logger);
  const redis = await openRedis(config, () => changes.dataId, logger);
  const memory = new MemoryLevel(config.cacheBytesMax);
  const cache = new AnswerCache(
    {
      asker: measured(remoteAsker(upstream), metrics),
      changes: changes.map,
      // What is acknowledged is known by asking the upstream, before each question.
      isRemote: true,
      pending: { touch: () => false },
      settled: () => changes.settled(),
      // Rankings are at the upstream, and so is whatever reads a cursor.
      pages: { touch: () => true, promise: () => undefined },
      clip: (_eventTypes, range) => range,
      levels: redis === null ? [] : [redis],
      cacheFarMsMin: config.cacheFarMsMin,
    },
    memory,
  );
  describeCache(metrics, { cache, memory });
  describeUpstream(metrics, upstream, () => changes.isFollowing);
  if (redis !== null) describeRedis(metrics, redis);
  return {
    upstream,
    cache,
    proxy: (request: FastifyRequest, reply: FastifyReply) =>
      proxied(upstream, request.raw as ProxyRequest, reply, {
        host: request.host,
        forwarded: {
          ...forwardedHeaders(request),
          ...callerHeaders(request.principal),
          [requestIdHeader]: request.id,
          ...(request.span && { traceparent: request.span.traceparent }),
        },
        gone: hangUpSignal(reply),
      }),
    notReady: () => (changes.isFollowing ? [] : ["upstream"]),
    close: async () => {
      await changes.stop();
      await Promise.all([redis?.close(), upstream.close()]);
    },
  };
}

const isNotServed = async (): Promise<never> => {
  throw new RankstreamError("not_served_here", "this node only takes events: POST /events");
};

/** Of a node that has nobody behind it to answer. */
const noQuery = Object.freeze({
  upstream: null,
  cache: { ask: isNotServed, invalidate: isNotServed, keep: isNotServed },
  proxy: isNotServed,
  notReady: () => [],
  close: async () => undefined,
});

/** Appends to Kafka; null where the configuration has no log of its own. */
async function openKafkaEdge(
  config: Config,
  budget: ByteBudget,
  metrics: Metrics,
  logger: Logger,
) {
  if (config.log !== "kafka" || !rolesOf(config).edge) return null;
  const log = await openKafka(config, logger);
  describeLog(metrics, { group: log });
  const { scanner, types } = await makeScanner(config, new Set());
  types.limit(config.eventTypesMax);
  const edge = new Edge({
    scanner,
    log,
    // What is forgotten here is appended again, and counted once by the workers.
    ledger: new IdempotencyLedger(sharedLedger),
    makesKeys: true,
    hasRegions: config.region !== "none",
    budget,
    metrics,
    logger,
    unpackedBytesMax: config.unpackedBytesMax,
  });
  return { edge, log };
}

async function openForwardEdge(
  upstream: Upstream,
  config: Config,
  budget: ByteBudget,
  logger: Logger,
): Promise<ForwardEdge> {
  const scanner = await makeForwardScanner(config);
  const send = async (given: Record<string, string>, body: Uint8Array, sender: Principal) => {
    const headers = { ...given, ...callerHeaders(sender) };
    return upstream.call({ method: "POST", path: "/events", headers, body });
  };
  const { unpackedBytesMax } = config;
  return new ForwardEdge({ scanner, send, budget, logger, unpackedBytesMax });
}

/**
 * Starts a node and resolves once it listens; it is ready once what it leans on answers. Throws
 * RankstreamError `port_in_use`, `http_server_unavailable`, `log_unavailable`, `topic_unusable`,
 * `keys_unusable`, `tls_unusable`.
 */
export async function startNode(config: Config, logger: Logger, version: string) {
  const uws = openUws(config);
  const { access, reload, close } = await openAccessOf(config, logger);
  const metrics = openMetrics(config, version);
  const tls = openTls(config, metrics, logger);
  const limits = await openLimits(config, access, metrics, logger);
  const budget = new ByteBudget(config.ingestBytesMax);
  const tracing = await openTracing(config, version, logger);
  describeTracing(metrics, tracing);
  const own = await openKafkaEdge(config, budget, metrics, logger);
  const query = config.upstream === "none" ? noQuery : await openQuery(config, metrics, logger);
  const { upstream, cache, proxy } = query;
  const isEdge = rolesOf(config).edge;
  const isForwarding = own === null && isEdge && upstream !== null;
  const forward = isForwarding ? await openForwardEdge(upstream, config, budget, logger) : null;
  const edge = own?.edge ?? forward ?? takesNoEvents;
  let isStopping = false;
  const notReady = () => [
    ...query.notReady(),
    ...(own?.log.failure ? ["log"] : []),
    ...(isStopping ? ["stopping"] : []),
  ];
  const hasLog = own !== null;
  const parts = { config, version, metrics, notReady, counting: null, upstream, hasLog };
  const status = new StatusDesk(parts);
  const app = await buildApi({
    edge,
    cache,
    ...handedOn,
    proxy,
    budget,
    metrics,
    logger,
    notReady,
    status: (withUpstream) => status.read(withUpstream),
    version,
    ...httpOptions(config),
    uws,
    ...limits.asking,
    tls,
    tracing,
  });
  const stop = async () => {
    status.close();
    close();
    tls?.close();
    await app.close();
    await Promise.all([query.close(), own?.log.close(), limits.close()]);
    await tracing.close();
  };
  try {
    const address = await listen(app, config, portWaitMsMax);
    const failed = new Promise<string>(() => undefined);
    const drain = () => {
      isStopping = true;
    };
    // Without a store nothing holds the process.
    const abandon = async () => undefined;
    return { ...address, failed, reload, drain, stop, abandon };
  } catch (error) {
    await stop().catch(() => undefined);
    throw error;
  }
}
