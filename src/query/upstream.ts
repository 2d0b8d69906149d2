/** The service that a stateless node stands in front of: calls, and replies as they are. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { buildConnector, type Dispatcher, Pool } from "undici";
import { RankstreamError } from "../errors.ts";
import { Histogram, requestBuckets } from "../telemetry-histogram.ts";
import { Counter } from "../telemetry-series.ts";
import { RelayedReply } from "./relayed-reply.ts";

/** Headers by lower-case name. */
export type UpstreamRequest = Omit<Dispatcher.RequestOptions, "origin" | "headers"> & {
  headers?: Readonly<Record<string, string | string[] | undefined>>;
};

export interface UpstreamCall {
  method: "GET" | "POST";
  path: string;
  headers?: Readonly<Record<string, string | undefined>>;
  body?: Uint8Array;
  signal?: AbortSignal | undefined;
}

const connectionsMax = 64;
/** A long poll and an exact answer both take their time. */
const replyMsMax = 120_000;
const connectMsMax = 2000;
const attemptsMax = 4;
const firstWaitMs = 50;
/** Of headers that say something of the reply itself, not of the connection. */
const relayedHeaders = [
  "content-type",
  "retry-after",
  "location",
  "idempotency-replayed",
  "accept-encoding",
];

/** PEM files; each undefined where the runtime's own trust, or no certificate, will do. */
export interface UpstreamTls {
  /** Of who signed the upstream's certificate. */
  ca?: string | undefined;
  /** This node's own. */
  cert?: string | undefined;
  key?: string | undefined;
}

const read = (path: string | undefined) => path && readFileSync(path, "utf8");

/** Reads the files anew for each connection: they may be replaced while the node runs. */
function connectorOf({ ca, cert, key }: UpstreamTls): buildConnector.connector {
  return (options, done) => {
    try {
      const own = { ca: read(ca), cert: read(cert), key: read(key) };
      const given = Object.entries(own).filter(([, text]) => text !== undefined);
      buildConnector({ timeout: connectMsMax, ...Object.fromEntries(given) })(options, done);
    } catch (error) {
      done(error as Error, null);
    }
  };
}

export class Upstream {
  readonly url: string;
  readonly #pool: Pool;
  readonly #key: string | null;
  readonly #base: string;
  /** From a request to the head of its reply. */
  readonly seconds = new Histogram(requestBuckets);
  /** Requests without a reply, those given up by who asked among them. */
  readonly failures = new Counter();

  /**
   * `url`: `http://host:port`, with a path before the service's own where it has one. Names and
   * passwords in it are dropped: they would stand in messages, and are not sent. `key`: what this
   * process says who it is by, where the service asks.
   */
  constructor(url: string, tls: UpstreamTls = {}, key: string | null = null) {
    const { origin, pathname } = new URL(url);
    this.url = `${origin}${pathname}`.replace(/\/$/, "");
    this.#key = key;
    this.#base = pathname.replace(/\/$/, "");
    this.#pool = new Pool(new URL(this.url).origin, {
      connections: connectionsMax,
      connect: connectorOf(tls),
      headersTimeout: replyMsMax,
      bodyTimeout: replyMsMax,
    });
  }

  /** As undici has it, for bodies that stream. `path` is the service's own. */
  async request(options: UpstreamRequest): Promise<Dispatcher.ResponseData> {
    const own = this.#key !== null && { authorization: `Bearer ${this.#key}` };
    const headers = { ...options.headers, ...own };
    const path = `${this.#base}${options.path}`;
    const begun = performance.now();
    try {
      const reply = await this.#pool.request({ ...options, headers, path });
      this.seconds.observe((performance.now() - begun) / 1000);
      return reply;
    } catch (error) {
      this.failures.add();
      throw error;
    }
  }

  /**
   * Calls until there is a reply, a few times: only for what may be said twice. Throws
   * `upstream_unavailable`, or the signal's reason.
   */
  async call({ method, path, headers = {}, body, signal }: UpstreamCall): Promise<RelayedReply> {
    for (let attempt = 1; ; attempt++) {
      try {
        const reply = await this.request({ method, path, headers, body: body ?? null, signal });
        const kept: Record<string, string> = {};
        for (const name of relayedHeaders) {
          const value = reply.headers[name];
          if (value !== undefined) kept[name] = [value].flat().join(", ");
        }
        return new RelayedReply(reply.statusCode, kept, await reply.body.text());
      } catch (cause) {
        if (signal?.aborted === true) throw signal.reason;
        if (attempt === attemptsMax) throw unavailable(this.url, cause);
        const waitMs = firstWaitMs * 4 ** (attempt - 1);
        await sleep(waitMs / 2 + (Math.random() * waitMs) / 2);
      }
    }
  }

  /** The reply's JSON. Throws RelayedReply where that is not 200, and as `call`. */
  async json(
    path: string,
    signal?: AbortSignal,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<unknown> {
    const reply = await this.call({ method: "GET", path, signal, headers });
    if (reply.status !== 200) throw reply;
    return JSON.parse(reply.body);
  }

  close(): Promise<void> {
    return this.#pool.destroy();
  }
}

/** `upstream_unavailable`: nobody answered. */
export function unavailable(url: string, cause: unknown): RankstreamError {
  const { code, message } = cause as { code?: string; message?: string };
  const detail = `${url} does not answer: ${code ?? message}`;
  return new RankstreamError("upstream_unavailable", detail, { cause, retryAfterSeconds: 1 });
}
