/** One batch on its way in, and who pays for it. */
import type { ErrorReply } from "../errors.ts";
import type { Principal } from "../model-access.ts";
import type { TraceSpan } from "../telemetry-tracing.ts";

export interface IngestRequest {
  /** As received, still packed. */
  body: Uint8Array;
  /** Nobody else uses `body`: its memory may be given back once it is read. */
  isOwn?: boolean;
  contentType: string | undefined;
  contentEncoding?: string | undefined;
  idempotencyKey?: string | undefined;
  /** Who sends it; left out: somebody who may send everything. */
  principal?: Principal;
  /** It is of another region, whose types alone begin with U+001F (model-regions.ts). */
  isOfRegion?: boolean;
  /** Left out: nobody pays. */
  charge?: Charge;
  /** Of the HTTP request: what the log says of the batch names it. */
  requestId?: string;
  /** Where the request is traced. */
  span?: TraceSpan | null;
}

/** Who pays for events. */
export interface Charge {
  /** Takes so many, or throws a RankstreamError: then nothing of the batch is stored. */
  admit(events: number): void;
  /** Takes so many that are stored already. */
  spend(events: number): void;
}

export type IngestReply = ErrorReply;
