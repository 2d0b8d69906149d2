/** All who are sent boards as they change, by WebSocket or as event streams, and their feeds. */
import type { ServerResponse } from "node:http";
import type { WebSocket } from "@fastify/websocket";
import { RankstreamError } from "../errors.ts";
import type { Principal } from "../model-access.ts";
import type { LiveQuery } from "../model-live.ts";
import type { Logger } from "../telemetry.ts";
import type { Metrics } from "../telemetry-metrics.ts";
import {
  type LeaderboardRequest,
  leaderboardParameters,
  readLeaderboardRequest,
} from "./leaderboard.ts";
import { LiveClient } from "./live-client.ts";
import { type FeedBounds, LiveFeeds } from "./live-feeds.ts";
import { type ClientBounds, clientBounds, type LivePeer } from "./live-peer.ts";
import { LiveStream } from "./live-stream.ts";
import { checkNames, type ParameterTable, type RawQuery } from "./parameters.ts";

export interface LiveOptions extends Partial<FeedBounds>, Partial<ClientBounds> {
  /** Sockets and event streams together. */
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
  metrics: Metrics;
  logger: Logger;
  options: LiveOptions;
}

const socketsMaxDefault = 5000;
const heartbeatMsDefault = 15_000;
const dismissMsDefault = 500;

/** Of a page, a table or a job there is nothing to push. */
const { cursor, format, async: asJob, ...boardParameters } = leaderboardParameters;

/** The parameters of GET /leaderboard that say which board it is. */
export const liveParameters: ParameterTable = Object.freeze(boardParameters);

/** Throws RankstreamError (400) unless it is a board that can be pushed. */
export function readLive(query: RawQuery, now: number): LeaderboardRequest {
  checkNames(query, liveParameters);
  return readLeaderboardRequest(query, now);
}

export class LiveHub {
  readonly #peers = new Set<LivePeer>();
  readonly #feeds: LiveFeeds;
  readonly #deps: LiveDeps;
  readonly #bounds: ClientBounds;
  readonly #beating: NodeJS.Timeout;
  #whenEmpty: (() => void) | null = null;
  #isClosed = false;

  constructor(deps: LiveDeps) {
    const { options, logger, metrics } = deps;
    this.#deps = deps;
    this.#bounds = { ...clientBounds, ...options };
    this.#feeds = new LiveFeeds({
      read: (query, now) => readLive(query as RawQuery, now),
      leaderboard: deps.leaderboard,
      logger,
      bounds: options,
    });
    this.#beating = setInterval(() => {
      for (const peer of this.#peers) peer.beat();
    }, options.heartbeatMs ?? heartbeatMsDefault);
    this.#beating.unref();
    const gauge = (name: string, help: string, read: () => number) =>
      metrics.readGauge(`rankstream_live_${name}`, help, read);
    gauge("clients", "Live sockets and event streams.", () => this.#peers.size);
    gauge("boards", "Different boards watched, or kept a while after.", () => this.#feeds.size);
    gauge("unsent_bytes", "Bytes that live clients have yet to read, in all.", () =>
      this.#unsent().reduce((sum, bytes) => sum + bytes, 0),
    );
    gauge("unsent_max_bytes", "Bytes that one live client has yet to read, at most.", () =>
      this.#unsent().reduce((most, bytes) => Math.max(most, bytes), 0),
    );
  }

  /** Throws `too_many_subscriptions` when there is no room for one more. */
  checkRoom(): void {
    const { socketsMax = socketsMaxDefault } = this.#deps.options;
    if (this.#peers.size < socketsMax) return;
    const detail = `${socketsMax} live sockets and streams are open`;
    throw new RankstreamError("too_many_subscriptions", detail, { retryAfterSeconds: 10 });
  }

  /** Null: it was shaken hands with while the service began to stop, and is closed. */
  addSocket(socket: WebSocket, principal: Principal): LivePeer | null {
    // Nobody would close it later.
    if (this.#isClosed) {
      socket.terminate();
      return null;
    }
    const { logger } = this.#deps;
    const client = new LiveClient(socket, principal, this.#feeds, logger, this.#bounds);
    this.#peers.add(client);
    socket.once("close", () => this.#remove(client));
    return client;
  }

  /**
   * Streams the board of `query`, from version `seq` on where that is known. `begin` is called
   * once nothing can be refused any more, to take the response over. Throws RankstreamError.
   */
  addStream(
    response: ServerResponse,
    query: LiveQuery,
    seq: number | null,
    begin: () => void,
  ): LivePeer {
    this.checkRoom();
    if (this.#isClosed) throw new RankstreamError("shutting_down", "the service is stopping");
    const stream = new LiveStream(response, this.#feeds, query, this.#bounds);
    begin();
    this.#peers.add(stream);
    stream.start(seq, () => this.#remove(stream));
    return stream;
  }

  /** Asks all to go, and cuts off those still there a moment later. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#beating);
    this.#feeds.close();
    if (this.#peers.size === 0) return;
    const gone = new Promise<void>((resolve) => {
      this.#whenEmpty = resolve;
    });
    for (const peer of this.#peers) peer.dismiss();
    const cut = setTimeout(() => {
      for (const peer of this.#peers) peer.cut();
    }, this.#deps.options.dismissMs ?? dismissMsDefault);
    await gone;
    clearTimeout(cut);
  }

  #unsent(): number[] {
    return [...this.#peers].map(({ unsentBytes }) => unsentBytes);
  }

  #remove(peer: LivePeer): void {
    this.#peers.delete(peer);
    if (this.#peers.size === 0) this.#whenEmpty?.();
  }
}
