// The API over a scripted edge and query engine, injected or on a real socket.
import { connect, type Socket } from "node:net";
import { request } from "undici";
import { afterEach, beforeAll, describe } from "vitest";
import { type ApiDeps, buildApi } from "../../src/api/app.ts";
import type { LeaderboardRequest } from "../../src/api/leaderboard.ts";
import { type Address, listen } from "../../src/api/listen.ts";
import type { EdgeDeps } from "../../src/edge/edge.ts";
import { AnswerCache } from "../../src/query/answer-cache.ts";
import { MemoryLevel } from "../../src/query/memory-level.ts";
import type { Asker } from "../../src/query/questions.ts";
import { silentLogger } from "../../src/telemetry.ts";
import { makeEdge } from "../edge/edge-fixture.ts";
import { type HttpServerName, httpServers, uws } from "../support/http-servers.ts";

type App = Awaited<ReturnType<typeof buildApi>>;

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()));
});

let httpServer: HttpServerName = "fastify";

/** The tests once for each HTTP server: `makeApi` and `onSocket` make and open that one. */
export function describeOverEach(title: string, tests: (server: HttpServerName) => void): void {
  describe.each(httpServers)(`${title}, over %s,`, (server) => {
    beforeAll(() => {
      httpServer = server;
    });
    tests(server);
  });
}

async function unscripted(): Promise<never> {
  throw new Error("a question that the test has no answer to");
}

/** Asks anew each time. */
function keepingNothing(asker: Asker): AnswerCache {
  return new AnswerCache(
    {
      asker,
      changes: { version: 0, changedSince: () => true, undoneSince: () => true },
      pending: { touch: () => false },
      settled: async () => true,
      clip: (_names, range) => range,
      pages: { touch: () => true, promise: () => undefined },
      levels: [],
      cacheFarMsMin: 20,
    },
    new MemoryLevel(0),
  );
}

/** `query` holds the answers scripted; other questions fail. */
export async function makeApi(
  { query = {}, ...overrides }: Omit<Partial<ApiDeps>, "query"> & { query?: Partial<Asker> } = {},
  edgeOverrides: Partial<EdgeDeps> = {},
) {
  const parts = makeEdge(edgeOverrides);
  const asked: LeaderboardRequest[] = [];
  const asker: Asker = {
    async leaderboard(request) {
      asked.push(request);
      return { results: [], total: 0 };
    },
    item: unscripted,
    items: unscripted,
    series: unscripted,
    trending: unscripted,
    ...query,
  };
  const app = await buildApi({
    edge: parts.edge,
    cache: keepingNothing(asker),
    changes: { read: unscripted },
    jobs: { submit: unscripted, get: unscripted, cancel: unscripted, list: async () => [] },
    page: unscripted,
    eventTypes: { list: async () => [], get: unscripted, put: unscripted },
    labels: { put: unscripted },
    exports: { open: unscripted },
    users: { erase: unscripted },
    snapshots: { take: unscripted, list: async () => [], drop: unscripted },
    backups: { take: unscripted, list: unscripted, find: unscripted, cancel: unscripted },
    deleteEvents: unscripted,
    metricsHistory: unscripted,
    budget: edgeOverrides.budget ?? parts.budget,
    metrics: parts.metrics,
    logger: silentLogger,
    notReady: () => [],
    status: unscripted,
    version: "1.2.3",
    bodyBytesMax: 100_000,
    connectionsMax: 100,
    requestTimeoutMs: 5000,
    slowRequestMs: 0,
    hasAddresses: false,
    closeMsMax: 2000,
    uws: httpServer === "uws" ? uws : null,
    ...overrides,
  });
  closers.push(() => app.close());
  return { app, asked, ...parts };
}

/** Listens on a free port of this machine. */
export function onSocket(app: App): Promise<Address> {
  return listen(app, { host: "127.0.0.1", port: 0 }, 0);
}

export interface Sent {
  method: "GET" | "POST" | "DELETE";
  url: string;
  headers?: Record<string, string>;
  payload?: string | Uint8Array;
}

/** Sends a request through the HTTP server under test. */
export async function send(app: App, { method, url, headers, payload }: Sent) {
  if (httpServer === "fastify") {
    const injected = typeof payload === "string" ? payload : payload && Buffer.from(payload);
    const made = { method, url, headers: headers ?? {}, ...(injected && { payload: injected }) };
    const reply = await app.inject(made);
    return { statusCode: reply.statusCode, headers: reply.headers, body: reply.body };
  }
  const { host, port } = await onSocket(app);
  const target = `http://${host}:${port}${url}`;
  const reply = await request(target, { method, headers: headers ?? {}, body: payload ?? null });
  return { statusCode: reply.statusCode, headers: reply.headers, body: await reply.body.text() };
}

/** A plain connection: what it is sent, and all it has received once it has ended. */
export function rawConnection({ host, port }: Address): {
  socket: Socket;
  ended: Promise<string>;
} {
  const socket = connect({ host, port });
  const chunks: Buffer[] = [];
  const ended = new Promise<string>((resolve) => {
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.on("error", () => {});
    socket.on("close", () => resolve(Buffer.concat(chunks).toString()));
  });
  closers.push(async () => socket.destroy());
  return { socket, ended };
}
