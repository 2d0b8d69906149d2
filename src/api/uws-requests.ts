/**
 * The requests under way on the uWebSockets.js side: how many there are, which bodies still come,
 * and which must be cut when time is up.
 */
import { STATUS_CODES } from "node:http";
import { type ErrorReply, RankstreamError } from "../errors.ts";
import { securityHeaders, tlsSecurityHeaders } from "./security-headers.ts";
import type { UwsResponse } from "./uws.ts";

/** One request that is not answered yet. */
export interface UwsPending {
  readonly response: UwsResponse;
  /** Its body is still coming since then, by performance.now(). */
  uploadSince: number | null;
  /** Nothing is read of it now. */
  isPaused: boolean;
  /** Told when the body has taken too long; nothing where someone else looks after that. */
  onLate?(): void;
}

export interface UwsRequestsOptions {
  /** Requests under way at once. */
  pendingMax: number;
  /** How long a body may take to arrive. */
  uploadMsMax: number;
  /** Clients connect over TLS. */
  isEncrypted: boolean;
}

const sweepMsMax = 1000;

/** `202 Accepted`. */
export function statusLine(status: number): string {
  return `${status} ${STATUS_CODES[status] ?? "Unknown"}`;
}

/** When clients should use a connection again at the latest: after 8 to 12 s it is closed. */
export const keepAliveHint = "timeout=7";

export class UwsRequests {
  readonly #pending = new Set<UwsPending>();
  readonly #pendingMax: number;
  readonly #uploadMsMax: number;
  readonly #sweeping: NodeJS.Timeout;
  readonly #headersOfAll: [name: string, value: string][];
  #whenIdle: (() => void) | null = null;
  isClosing = false;

  constructor({ pendingMax, uploadMsMax, isEncrypted }: UwsRequestsOptions) {
    this.#pendingMax = pendingMax;
    this.#uploadMsMax = uploadMsMax;
    this.#headersOfAll = Object.entries(isEncrypted ? tlsSecurityHeaders : securityHeaders);
    const sweepMs = Math.min(sweepMsMax, Math.ceil(uploadMsMax / 4));
    this.#sweeping = setInterval(() => this.#sweep(), sweepMs);
    this.#sweeping.unref();
  }

  get count(): number {
    return this.#pending.size;
  }

  /** Answers; the response must not be used any more. */
  send(response: UwsResponse, reply: ErrorReply, isLast = false): void {
    response.cork(() => {
      response.writeStatus(statusLine(reply.status));
      for (const [name, value] of this.#headersOfAll) response.writeHeader(name, value);
      for (const name of Object.keys(reply.headers)) {
        response.writeHeader(name, reply.headers[name] as string);
      }
      if (!isLast) response.writeHeader("keep-alive", keepAliveHint);
      response.end(reply.body, isLast);
    });
  }

  /** Why no more can be taken now; null when it can. */
  refusal(): RankstreamError | null {
    if (this.isClosing) {
      const retryAfterSeconds = 5;
      const detail = "the service is stopping";
      return new RankstreamError("shutting_down", detail, { retryAfterSeconds });
    }
    if (this.#pending.size < this.#pendingMax) return null;
    const detail = `${this.#pendingMax} requests are under way`;
    return new RankstreamError("overloaded", detail, { retryAfterSeconds: 1 });
  }

  add(pending: UwsPending): void {
    this.#pending.add(pending);
  }

  /** Answered or gone. */
  remove(pending: UwsPending): void {
    this.#pending.delete(pending);
    if (this.#pending.size === 0) this.#whenIdle?.();
  }

  /** Waits until all are answered; what isn't by then is cut. */
  async drain(waitMsMax: number): Promise<void> {
    this.isClosing = true;
    if (this.#pending.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, waitMsMax);
        this.#whenIdle = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    clearInterval(this.#sweeping);
    for (const { response } of [...this.#pending]) response.close();
  }

  /**
   * Refuses bodies that take too long. To the others it gives more of uWebSockets.js's own time,
   * ten seconds for a hundred and sixty kilobytes: a slow client isn't cut before ours is up.
   */
  #sweep(): void {
    const now = performance.now();
    for (const pending of [...this.#pending]) {
      const { uploadSince, isPaused, response } = pending;
      if (uploadSince === null) continue;
      const isLate = now - uploadSince > this.#uploadMsMax;
      if (isLate && pending.onLate !== undefined) pending.onLate();
      else if (!isPaused) {
        response.pause();
        response.resume();
      }
    }
  }
}
