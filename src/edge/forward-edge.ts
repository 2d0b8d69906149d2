/**
 * Takes batches of events where there is no log: refuses those without a valid event, sends the
 * others on as they came, and answers only when the upstream has. Every batch has a key, the
 * client's or one made up here, so that one sent again because a connection broke is counted
 * once; as it came, since whoever sends it again under that key sends the same bytes.
 */
import { randomUUID } from "node:crypto";
import { problemReply, RankstreamError } from "../errors.ts";
import { parseIdempotencyKey } from "../log/idempotency-key.ts";
import { everybody, type Principal } from "../model-access.ts";
import type { Logger } from "../telemetry.ts";
import { inSpan, type TraceSpan } from "../telemetry-tracing.ts";
import type { ByteBudget } from "./byte-budget.ts";
import {
  acceptedEncodings,
  type BodyEncoding,
  type BodyFormat,
  bodyEncoding,
  bodyFormat,
} from "./content.ts";
import { type BatchScanner, noteOf, refusal } from "./edge.ts";
import type { IngestReply, IngestRequest } from "./ingest-request.ts";
import { unpack } from "./unpack.ts";

export interface ForwardEdgeDeps {
  scanner: BatchScanner;
  /**
   * Sends a batch to the upstream in the sender's place, again where the connection breaks. Throws
   * when it is away.
   */
  send: (
    headers: Readonly<Record<string, string>>,
    body: Uint8Array,
    sender: Principal,
  ) => Promise<IngestReply>;
  budget: ByteBudget;
  logger: Logger;
  unpackedBytesMax: number;
  now?: () => number;
}

export class ForwardEdge {
  readonly #deps: ForwardEdgeDeps;
  readonly #name = `node-${randomUUID()}`;
  #keysMade = 0;

  constructor(deps: ForwardEdgeDeps) {
    this.#deps = deps;
  }

  /** Takes one batch; never rejects: what went wrong is a problem document in the reply. */
  async ingest(request: IngestRequest): Promise<IngestReply> {
    try {
      return await this.#ingest(request);
    } catch (error) {
      return this.#failure(error, request);
    }
  }

  async #ingest(request: IngestRequest): Promise<IngestReply> {
    const { contentType, contentEncoding, idempotencyKey, body, requestId, span } = request;
    const { principal: sender = everybody } = request;
    const format = bodyFormat(contentType);
    const encoding = bodyEncoding(contentEncoding);
    if (idempotencyKey !== undefined) parseIdempotencyKey(idempotencyKey);
    const refused = idempotencyKey === undefined && (await this.#refused(body, format, encoding));
    if (refused) return refused;
    const key = idempotencyKey ?? `${this.#name}/${++this.#keysMade}`;
    const headers = {
      "content-type": contentType!,
      ...(contentEncoding !== undefined && { "content-encoding": contentEncoding }),
      // HTTP gives headers as Latin-1; keys are UTF-8.
      "idempotency-key": Buffer.from(key).toString("latin1"),
      ...(requestId !== undefined && { "x-request-id": requestId }),
    };
    const send = async (step: TraceSpan | null) => {
      const traced = step === null ? {} : { traceparent: step.traceparent };
      return this.#deps.send({ ...headers, ...traced }, body, sender).catch((error) => {
        throw withKey(error, key);
      });
    };
    const reply = await inSpan(span, "upstream.send", send, "client");
    if (reply.headers["idempotency-replayed"] === undefined) {
      request.charge?.spend(acceptedOf(reply));
    }
    return reply;
  }

  /** The reply to a batch without any valid event; null where there are some. */
  async #refused(
    body: Uint8Array,
    format: BodyFormat,
    encoding: BodyEncoding,
  ): Promise<IngestReply | null> {
    const { scanner, unpackedBytesMax, budget, now = Date.now } = this.#deps;
    const isPacked = encoding !== "identity";
    const text = isPacked ? await unpack(body, encoding, unpackedBytesMax, budget) : body;
    try {
      if (text.length > unpackedBytesMax) {
        const detail = `expected at most ${unpackedBytesMax} bytes, got ${text.length}`;
        throw new RankstreamError("body_too_large", detail);
      }
      const batch = scanner.scanBatch(text, format, now(), 1, false, null);
      return batch.accepted === 0 ? refusal(batch) : null;
    } finally {
      if (isPacked) budget.release(text.length);
    }
  }

  #failure(error: unknown, request: IngestRequest): IngestReply {
    const fields = { part: "edge", err: error, request: noteOf(request) };
    if (!(error instanceof RankstreamError)) {
      this.#deps.logger.error(fields, "a batch could not be taken");
      const detail = "the batch could not be taken; see the log";
      return problemReply(new RankstreamError("internal_error", detail));
    }
    if (error.status >= 500) this.#deps.logger.warn(fields, "a batch was turned away");
    const reply = problemReply(error);
    if (error.code === "unsupported_encoding") {
      reply.headers["accept-encoding"] = acceptedEncodings;
    }
    return reply;
  }
}

/** How many events the upstream has stored by its own word. */
function acceptedOf({ status, body }: IngestReply): number {
  if (status !== 202) return 0;
  return Number(/"accepted":(\d{1,10})\b/.exec(body.slice(0, 64))?.[1] ?? 0);
}

/** Names the key to retry with: it isn't known what became of the batch. */
function withKey(error: unknown, key: string): unknown {
  if (!(error instanceof RankstreamError)) return error;
  return new RankstreamError(error.code, error.message, {
    cause: error,
    retryAfterSeconds: error.retryAfterSeconds ?? 1,
    extensions: { ...error.extensions, outcome: "unknown", idempotencyKey: key },
  });
}
