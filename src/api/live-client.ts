/** One client of GET /live: its subscriptions, and what it may hold up. */
import type { WebSocket } from "@fastify/websocket";
import { problemReply, RankstreamError } from "../errors.ts";
import type { Principal } from "../model-access.ts";
import type { LiveRequest } from "../model-live.ts";
import type { Logger } from "../telemetry.ts";
import { checkTypes } from "./access-hook.ts";
import { keyEndedCode, keyEndedReason } from "./key-watch.ts";
import { eventTypesOf } from "./leaderboard.ts";
import type { Feed, LiveFeeds, Watcher } from "./live-feeds.ts";
import {
  errorMessage,
  heartbeatMessage,
  idOf,
  parseMessage,
  readMessage,
  updateMessage,
} from "./live-messages.ts";
import type { ClientBounds, LivePeer } from "./live-peer.ts";
import type { RawQuery } from "./parameters.ts";
import { toRankstreamError } from "./problems.ts";

/** Close codes of RFC 6455. */
const closeCodes = { goingAway: 1001, policy: 1008 };

interface Subscription extends Watcher {
  feed: Feed;
  /** Of the last version sent; null before the first. */
  sentSeq: number | null;
}

export class LiveClient implements LivePeer {
  readonly #socket: WebSocket;
  readonly #feeds: LiveFeeds;
  readonly #logger: Logger;
  readonly #bounds: ClientBounds;
  readonly #principal: Principal;
  readonly #subscriptions = new Map<string, Subscription>();
  /** Ids of subscriptions of which something was held back. */
  readonly #behind = new Set<string>();
  #isAlive = true;
  #messages = 0;

  constructor(
    socket: WebSocket,
    principal: Principal,
    feeds: LiveFeeds,
    logger: Logger,
    bounds: ClientBounds,
  ) {
    this.#socket = socket;
    this.#principal = principal;
    this.#feeds = feeds;
    this.#logger = logger;
    this.#bounds = bounds;
    socket.on("message", (data, isBinary) => this.#onMessage(String(data), isBinary));
    socket.on("pong", () => {
      this.#isAlive = true;
    });
    socket.once("close", () => this.#onClose());
  }

  get unsentBytes(): number {
    return this.#socket.bufferedAmount;
  }

  /** Asks whether it is there; cuts it off when it has not answered since the last time. */
  beat(): void {
    if (!this.#isAlive) {
      this.cut();
      return;
    }
    this.#isAlive = false;
    this.#messages = 0;
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#socket.ping();
    if (this.#socket.bufferedAmount === 0) this.#send(heartbeatMessage);
  }

  expel(): void {
    this.#socket.close(keyEndedCode, keyEndedReason);
    for (const id of [...this.#subscriptions.keys()]) this.#unsubscribe(id);
  }

  /** Asks it to go because the service stops. */
  dismiss(): void {
    this.#socket.close(closeCodes.goingAway, "the service is stopping");
  }

  cut(): void {
    this.#socket.terminate();
  }

  #onMessage(text: string, isBinary: boolean): void {
    this.#isAlive = true;
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (++this.#messages > this.#bounds.messagesMax) {
      this.#socket.close(closeCodes.policy, "too many messages");
      return;
    }
    let message: unknown = null;
    try {
      if (isBinary) throw new RankstreamError("invalid_message", "expected text, got binary");
      message = parseMessage(text);
      this.#obey(readMessage(message));
    } catch (error) {
      const id = idOf(message);
      const { body } = problemReply(toRankstreamError(error, this.#logger));
      this.#send(errorMessage(id, body, id === null || !this.#subscriptions.has(id)));
    }
  }

  #obey(request: LiveRequest): void {
    this.#unsubscribe(request.id);
    if (request.type === "unsubscribe") return;
    const { id, query, seq } = request;
    const { subscriptionsMax } = this.#bounds;
    if (this.#subscriptions.size >= subscriptionsMax) {
      const detail = `a socket has at most ${subscriptionsMax} subscriptions`;
      throw new RankstreamError("too_many_subscriptions", detail);
    }
    const watcher: Watcher = {
      onVersion: () => this.#update(id),
      onProblem: (problem) => this.#report(id, problem),
    };
    checkTypes(this.#principal, eventTypesOf(query as RawQuery));
    const feed = this.#feeds.watch(query, watcher);
    const subscription = Object.assign(watcher, { feed, sentSeq: seq ?? null });
    this.#subscriptions.set(id, subscription);
    if (feed.problem !== null) watcher.onProblem(feed.problem);
    else if (feed.seq !== null) this.#answer(id, subscription);
  }

  /** A new subscription is answered even where nothing is newer than what it has. */
  #answer(id: string, subscription: Subscription): void {
    const { feed, sentSeq } = subscription;
    const update = sentSeq === feed.seq ? feed.updateFrom(sentSeq) : null;
    if (update === null) this.#update(id);
    else this.#send(updateMessage(id, update));
  }

  #unsubscribe(id: string): void {
    const subscription = this.#subscriptions.get(id);
    if (subscription === undefined) return;
    this.#subscriptions.delete(id);
    this.#behind.delete(id);
    this.#feeds.unwatch(subscription.feed, subscription);
  }

  /** Sends what brings the subscription up to date, unless the client is behind. */
  #update(id: string): void {
    const subscription = this.#subscriptions.get(id);
    if (subscription === undefined || this.#mustWait(id)) return;
    const update = subscription.feed.updateFrom(subscription.sentSeq);
    if (update === null || update.seq === subscription.sentSeq) return;
    subscription.sentSeq = update.seq;
    this.#send(updateMessage(id, update));
  }

  #report(id: string, problem: string): void {
    if (!this.#mustWait(id)) this.#send(errorMessage(id, problem, false));
  }

  #mustWait(id: string): boolean {
    const isFull = this.unsentBytes > this.#bounds.unsentBytesSoft;
    if (isFull) this.#behind.add(id);
    return isFull;
  }

  #send(text: string | Buffer): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#socket.send(text, { binary: false }, (error) => {
      if (!error && this.#behind.size > 0) this.#catchUp();
    });
    if (this.unsentBytes > this.#bounds.unsentBytesMax) this.cut();
  }

  /** Something is with the system: there may be room now for what was held back. */
  #catchUp(): void {
    for (const id of this.#behind) {
      if (this.unsentBytes > this.#bounds.unsentBytesSoft) return;
      this.#behind.delete(id);
      const problem = this.#subscriptions.get(id)?.feed.problem ?? null;
      if (problem === null) this.#update(id);
      else this.#report(id, problem);
    }
  }

  #onClose(): void {
    for (const id of [...this.#subscriptions.keys()]) this.#unsubscribe(id);
  }
}
