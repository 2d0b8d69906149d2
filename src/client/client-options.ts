/** What the client is made with, and what its calls may be told. */
import type { TrackerOptions } from "./tracker-options.ts";
import type { TransportOptions } from "./transport.ts";

export interface ClientOptions extends TransportOptions {
  /** Longest time to wait for an answer that has become a job. Default 10 minutes. */
  jobMsMax?: number;
  /** Of `track()`. */
  tracking?: TrackerOptions;
  /** For `subscribe()`. Default: the global one, in Node 20 that of the package `undici`. */
  WebSocket?: typeof WebSocket;
}

export interface BatchOptions {
  /** `Idempotency-Key`; without one a random key is made, so that a retry counts nothing twice. */
  key?: string;
  /** Default `application/x-ndjson`. */
  contentType?: string;
  /** Packs the body. */
  gzip?: boolean;
  /** Ends the call, between attempts and within one. */
  signal?: AbortSignal;
}

export interface DeleteOptions {
  /** Delete nothing, only say what would go. */
  dryRun?: boolean;
  signal?: AbortSignal;
}
