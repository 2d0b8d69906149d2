/** Composes a stateless node: no log, no store; validates, keeps answers, hands on the rest. */
import { fileURLToPath } from "node:url";
import type { FastifyReply, FastifyRequest } from "fastify";
import { buildApi } from "./api/app.ts";
import { listen } from "./api/listen.ts";
import { loadUws, type Uws } from "./api/uws.ts";
import { type Config, nativeBuild, otherOrigins } from "./config.ts";
import { ByteBudget } from "./edge/byte-budget.ts";
import { ForwardEdge } from "./edge/forward-edge.ts";
import { Kernel } from "./kernel/kernel.ts";
import { loadKernelModule } from "./kernel/module.ts";
import { EventScanner } from "./kernel/scanner.ts";
import { eventBounds } from "./model.ts";
import { AnswerCache } from "./query/answer-cache.ts";
import type { ChangesView } from "./query/change-feed.ts";
import { MemoryLevel } from "./query/memory-level.ts";
import { type ProxyRequest, proxied } from "./query/proxy.ts";
import { RedisLevel } from "./query/redis-level.ts";
import { remoteAsker } from "./query/remote-asker.ts";
import { RemoteChanges } from "./query/remote-changes.ts";
import { Upstream } from "./query/upstream.ts";
import { describeCache, describeRedis } from "./service-metrics.ts";
import { Counters, type Logger } from "./telemetry.ts";

const portWaitMsMax = 5000;
const errorsListedMax = 100;

async function makeScanner(config: Config): Promise<EventScanner> {
  const bounds = {
    bodyBytesMax: config.unpackedBytesMax,
    errorsMax: errorsListedMax,
    futureMsMax: eventBounds.futureMsMax,
  };
  const memoryBytes = EventScanner.memoryBytes(bounds) + 65_536;
  return new EventScanner(await Kernel.load(await loadKernelModule(), memoryBytes), bounds);
}

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
  jobs: { submit: isHandedOn, get: isHandedOn, list: () => [], cancel: isHandedOn },
  page: isHandedOn,
  eventTypes: { list: isHandedOn, get: isHandedOn, put: isHandedOn },
  labels: { put: isHandedOn },
  snapshots: { take: isHandedOn, list: isHandedOn, drop: isHandedOn },
  deleteEvents: isHandedOn,
});

/** L2, where there is one. */
export function openRedis(
  config: Config,
  dataId: () => string,
  logger: Logger,
): RedisLevel | null {
  const { redisUrl: url, redisTimeoutMs: timeoutMs } = config;
  return url === "none" ? null : new RedisLevel({ url, dataId, timeoutMs, logger });
}

/** The HTTP server that the configuration asks for in Fastify's place; null for none. */
export function openUws({ httpServer }: Config): Uws | null {
  return httpServer === "uws" ? loadUws(nativeBuild()) : null;
}

/**
 * Starts a node and resolves once it listens; it is ready once the upstream answers. Throws
 * RankstreamError `port_in_use`, `http_server_unavailable`.
 */
export async function startNode(config: Config, logger: Logger, version: string) {
  const uws = openUws(config);
  const upstream = new Upstream(config.upstream);
  const changes = follow(upstream, logger);
  const redis = openRedis(config, () => changes.dataId, logger);
  const counters = new Counters();
  const memory = new MemoryLevel(config.cacheBytesMax);
  const cache = new AnswerCache(
    {
      asker: remoteAsker(upstream),
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
  describeCache(counters, { cache, memory });
  if (redis !== null) describeRedis(counters, redis);
  const budget = new ByteBudget(config.ingestBytesMax);
  const send = async (headers: Record<string, string>, body: Uint8Array) =>
    upstream.call({ method: "POST", path: "/events", headers, body });
  const edge = new ForwardEdge({
    scanner: await makeScanner(config),
    send,
    budget,
    logger,
    unpackedBytesMax: config.unpackedBytesMax,
  });
  const app = await buildApi({
    edge,
    cache,
    ...handedOn,
    proxy: (request: FastifyRequest, reply: FastifyReply) =>
      proxied(upstream, request.raw as ProxyRequest, reply),
    budget,
    counters,
    logger,
    notReady: () => (changes.isFollowing ? [] : ["upstream"]),
    version,
    bodyBytesMax: config.bodyBytesMax,
    connectionsMax: config.connectionsMax,
    requestTimeoutMs: config.requestTimeoutMs,
    closeMsMax: Math.floor(config.shutdownMsMax / 2),
    live: { origins: otherOrigins(config) },
    uws,
    webFolder: fileURLToPath(new URL("./web/", import.meta.url)),
  });
  const stop = async () => {
    await app.close();
    await changes.stop();
    await Promise.all([redis?.close(), upstream.close()]);
  };
  try {
    const address = await listen(app, config, portWaitMsMax);
    return { ...address, failed: new Promise<string>(() => undefined), stop };
  } catch (error) {
    await stop().catch(() => undefined);
    throw error;
  }
}
