/** One board as server-sent events: what the client may hold up is bounded as a socket's is. */
import type { ServerResponse } from "node:http";
import { problemReply, RankstreamError } from "../errors.ts";
import type { LiveQuery } from "../model-live.ts";
import { endEventStream } from "./event-stream.ts";
import { cutOff, onceOver } from "./hang-up.ts";
import { keyEndedReason } from "./key-watch.ts";
import type { Feed, LiveFeeds, Watcher } from "./live-feeds.ts";
import { heartbeatEvent, problemEvent, streamHead, updateEvent } from "./live-messages.ts";
import type { ClientBounds, LivePeer } from "./live-peer.ts";

const keyEndedProblem = problemReply(new RankstreamError("key_expired", keyEndedReason)).body;

export class LiveStream implements LivePeer, Watcher {
  readonly #response: ServerResponse;
  readonly #feeds: LiveFeeds;
  readonly #feed: Feed;
  readonly #bounds: ClientBounds;
  /** Of the last version sent; null before the first. */
  #sentSeq: number | null = null;
  /** Something was held back: it is sent once there is room. */
  #isBehind = false;
  /** The connection has taken all of something since the last heartbeat. */
  #hasTaken = true;

  /** Watches the board. Throws RankstreamError, as LiveFeeds.watch. */
  constructor(response: ServerResponse, feeds: LiveFeeds, query: LiveQuery, bounds: ClientBounds) {
    this.#response = response;
    this.#feeds = feeds;
    this.#bounds = bounds;
    this.#feed = feeds.watch(query, this);
  }

  /** Sends what is known already; `onGone` is called once the connection is closed. */
  start(seq: number | null, onGone: () => void): void {
    const end = () => {
      this.#feeds.unwatch(this.#feed, this);
      onGone();
    };
    // Its client has gone while it was being read: nobody tells of that again.
    if (this.#response.destroyed) {
      end();
      return;
    }
    onceOver(this.#response, end);
    this.#response.on("error", () => this.cut());
    this.#sentSeq = seq;
    this.#send(streamHead);
    if (this.#feed.problem !== null) this.onProblem(this.#feed.problem);
    else if (this.#feed.seq !== null) this.#answer();
  }

  get unsentBytes(): number {
    return this.#response.writableLength;
  }

  onVersion(): void {
    if (this.#mustWait()) return;
    const update = this.#feed.updateFrom(this.#sentSeq);
    if (update === null || update.seq === this.#sentSeq) return;
    this.#sentSeq = update.seq;
    this.#send(updateEvent(update));
  }

  onProblem(problem: string): void {
    if (!this.#mustWait()) this.#send(problemEvent(problem));
  }

  /** One that has taken nothing of what waits since the last time is cut off. */
  beat(): void {
    if (this.unsentBytes === 0) this.#send(heartbeatEvent);
    else if (!this.#hasTaken) this.cut();
    this.#hasTaken = false;
  }

  expel(): void {
    // Not cut off right after: what was sent last would be lost on its way.
    if (!this.#response.writableEnded) this.#response.end(problemEvent(keyEndedProblem));
  }

  dismiss(): void {
    endEventStream(this.#response);
  }

  cut(): void {
    cutOff(this.#response);
  }

  /** A new stream is answered even where nothing is newer than what it has. */
  #answer(): void {
    const update = this.#sentSeq === this.#feed.seq ? this.#feed.updateFrom(this.#sentSeq) : null;
    if (update === null) this.onVersion();
    else this.#send(updateEvent(update));
  }

  #mustWait(): boolean {
    this.#isBehind ||= this.unsentBytes > this.#bounds.unsentBytesSoft;
    return this.#isBehind;
  }

  #send(event: Buffer): void {
    if (this.#response.destroyed || this.#response.writableEnded) return;
    this.#response.write(event, (error) => {
      if (!error) this.#onTaken();
    });
    if (this.unsentBytes > this.#bounds.unsentBytesMax) this.cut();
  }

  /** There may be room now for what was held back. */
  #onTaken(): void {
    this.#hasTaken = true;
    if (!this.#isBehind || this.unsentBytes > this.#bounds.unsentBytesSoft) return;
    this.#isBehind = false;
    if (this.#feed.problem !== null) this.onProblem(this.#feed.problem);
    else this.onVersion();
  }
}
