/** GET /live: boards that are sent again as they change, over WebSocket. */
import websocket, { type WebSocket } from "@fastify/websocket";
import type { FastifyInstance } from "fastify";
import { RankstreamError } from "../errors.ts";
import type { Counters, Logger } from "../telemetry.ts";
import { type LeaderboardRequest, readLeaderboardRequest } from "./leaderboard.ts";
import { type ClientBounds, clientBounds, LiveClient } from "./live-client.ts";
import { type FeedBounds, LiveFeeds } from "./live-feeds.ts";
import { webSocketUpgrades } from "./live-upgrade.ts";
import type { RouteDoc } from "./openapi.ts";
import { checkOrigin } from "./origin.ts";
import { checkNames, type RawQuery } from "./parameters.ts";

export interface LiveOptions extends Partial<FeedBounds>, Partial<ClientBounds> {
  socketsMax?: number;
  /** From one heartbeat to the next; a client that hasn't answered by then is cut off. */
  heartbeatMs?: number;
  /** How long clients have to go when the service stops. */
  dismissMs?: number;
  /** Origins beside the service's own whose pages may open it: `https://example.org`. */
  origins?: readonly string[];
}

export interface LiveDeps {
  leaderboard(request: LeaderboardRequest, address: string): Promise<object>;
  counters: Counters;
  logger: Logger;
  options: LiveOptions;
}

const socketsMaxDefault = 5000;
const heartbeatMsDefault = 15_000;
const dismissMsDefault = 500;
const messageBytesMax = 16 * 1024;

const liveDoc: RouteDoc = {
  summary: "Boards as they change (WebSocket)",
  description:
    'Send {"type":"subscribe","id","query"} with the parameters of GET /leaderboard as text; a ' +
    '"board" message comes, then "diff" messages: `changes` to the board of `since`, the last ' +
    'sent. {"type":"subscribe","id","query","seq"} goes on from a board already seen; ' +
    '{"type":"unsubscribe","id"} ends it. What is refused comes back as an "error" message ' +
    "with the problem document.",
  reply: { status: 101, description: "The connection is a WebSocket from now on." },
  problems: [403, 426, 429, 503],
};

class LiveHub {
  readonly #clients = new Map<WebSocket, LiveClient>();
  readonly #feeds: LiveFeeds;
  readonly #deps: LiveDeps;
  readonly #bounds: ClientBounds;
  readonly #beating: NodeJS.Timeout;
  #isClosed = false;

  constructor(deps: LiveDeps) {
    const { options, logger } = deps;
    this.#deps = deps;
    this.#bounds = { ...clientBounds, ...options };
    this.#feeds = new LiveFeeds({
      read: (query, now) => readLeaderboardRequest(query as RawQuery, now),
      leaderboard: deps.leaderboard,
      logger,
      bounds: options,
    });
    this.#beating = setInterval(() => {
      for (const client of this.#clients.values()) client.beat();
    }, options.heartbeatMs ?? heartbeatMsDefault);
    this.#beating.unref();
    const gauge = (name: string, help: string, read: () => number) =>
      deps.counters.gauge(`rankstream_live_${name}`, help, read);
    gauge("clients", "Clients of the live socket.", () => this.#clients.size);
    gauge("boards", "Different boards watched, or kept a while after.", () => this.#feeds.size);
  }

  /** Throws `too_many_subscriptions` when there is no room for one more. */
  checkRoom(): void {
    const { socketsMax = socketsMaxDefault } = this.#deps.options;
    if (this.#clients.size < socketsMax) return;
    const detail = `${socketsMax} live sockets are open`;
    throw new RankstreamError("too_many_subscriptions", detail, { retryAfterSeconds: 10 });
  }

  add(socket: WebSocket): void {
    // Shaken hands with while the service began to stop: nobody would close it later.
    if (this.#isClosed) {
      socket.terminate();
      return;
    }
    const client = new LiveClient(socket, this.#feeds, this.#deps.logger, this.#bounds);
    this.#clients.set(socket, client);
    socket.once("close", () => this.#clients.delete(socket));
  }

  /** Asks all clients to go, and cuts off those still there a moment later. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#beating);
    this.#feeds.close();
    const sockets = [...this.#clients.keys()];
    const gone = sockets.map((socket) => new Promise((resolve) => socket.once("close", resolve)));
    for (const client of this.#clients.values()) client.dismiss();
    const cut = setTimeout(() => {
      for (const socket of sockets) socket.terminate();
    }, this.#deps.options.dismissMs ?? dismissMsDefault);
    await Promise.all(gone);
    clearTimeout(cut);
  }
}

/** Adds the route; call it before any other route, so that none takes a WebSocket unawares. */
export async function addLive(app: FastifyInstance, deps: LiveDeps): Promise<void> {
  const hub = new LiveHub(deps);
  await app.register(websocket, {
    options: {
      server: webSocketUpgrades(app.server),
      maxPayload: messageBytesMax,
      perMessageDeflate: false,
    },
    preClose: () => hub.close(),
    errorHandler: (error, socket) => {
      deps.logger.debug({ err: error }, "a live socket failed");
      socket.terminate();
    },
  });
  app.route({
    method: "GET",
    url: "/live",
    config: { doc: liveDoc },
    preHandler: async (request) => {
      checkNames(request.query as RawQuery, {});
      if (!request.ws) throw new RankstreamError("upgrade_required", "expected a WebSocket");
      checkOrigin(request, deps.options.origins ?? []);
      hub.checkRoom();
    },
    handler: async () => undefined,
    wsHandler: (socket: WebSocket) => hub.add(socket),
  });
}
