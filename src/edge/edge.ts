/**
 * Takes batches of events: unpacks, validates (by the kernel's scanner), appends to the log, and
 * answers only when the accepted events are durable there. Counts every Idempotency-Key once.
 */
import { createHash, hash, randomUUID } from "node:crypto";
import { discard } from "../discard.ts";
import { problemReply, RankstreamError } from "../errors.ts";
import { failPoint } from "../fail-point.ts";
import { madeKey, madePartitionCount, parseIdempotencyKey } from "../log/idempotency-key.ts";
import type { Log } from "../log/log.ts";
import type { BatchHeader, LineError, PartitionBlock, SequenceRun } from "../model.ts";
import { everybody, mayUseType, type Principal } from "../model-access.ts";
import { isReservedType } from "../model-regions.ts";
import type { Logger } from "../telemetry.ts";
import { diskBuckets, type Histogram } from "../telemetry-histogram.ts";
import type { RequestNote } from "../telemetry-log.ts";
import type { Counter, Metrics } from "../telemetry-metrics.ts";
import type { TraceSpan } from "../telemetry-tracing.ts";
import type { ByteBudget } from "./byte-budget.ts";
import { acceptedEncodings, type BodyFormat, bodyEncoding, bodyFormat } from "./content.ts";
import { EventTap } from "./event-tap.ts";
import type { Charge, IngestReply, IngestRequest } from "./ingest-request.ts";
import { unpack } from "./unpack.ts";

/** What the scanner found in one batch. */
export interface ScannedBatch {
  accepted: number;
  rejected: number;
  errors: LineError[];
  blocks: PartitionBlock[];
  /** Lines that took the scanner's slow path. */
  slowLines: number;
  /** Of those rejected, how many only for a type that their sender may not send. */
  forbidden?: number;
  /** Set when the body as a whole is refused. */
  malformed?:
    | { code: "invalid_json" | "invalid_utf8" | "empty_body"; message: string }
    | undefined;
  /** Epoch ms of the first and the last event accepted, where the scanner tells. */
  span?: { first: number; last: number } | null;
}

export interface BatchScanner {
  scanBatch(
    body: Uint8Array,
    format: BodyFormat,
    receivedAt: number,
    partitionCount: number,
    /** The batch was taken before, with the same bytes: the same lines are refused. */
    isReplay: boolean,
    /** Which event types the sender may send; null: all. */
    mayUse: ((eventType: string) => boolean) | null,
  ): ScannedBatch;
}

export type KeyState =
  | { state: "new" }
  /** Null: seen so long ago that only this is known. */
  | { state: "seen"; receivedAt: number | null }
  | { state: "mismatch" }
  | { state: "full"; bound: string };

/** Remembers which keys are in the log. */
export interface KeyLedger {
  look(key: string, digest: Uint8Array | null, bodyBytes: number): KeyState;
  /** The run of sequences around this key's that are in the log; null for a free key. */
  seenAround(key: string): SequenceRun | null;
  /** Told of every batch that is durable in the log. */
  record(header: BatchHeader): void;
  /** The newest receipt recorded, epoch ms. */
  readonly newestReceivedAt: number;
}

export interface EdgeDeps {
  scanner: BatchScanner;
  log: Pick<Log, "append" | "partitionCount">;
  ledger: KeyLedger;
  /** Shared with whatever reads the bodies: all bytes held at once. */
  budget: ByteBudget;
  metrics: Metrics;
  logger: Logger;
  unpackedBytesMax: number;
  /** Told of each batch once it is durable: the times of its first and last event, epoch ms. */
  onAppend?: (first: number, last: number) => void;
  /** Set for a log that may store a part of a batch: then every batch is given a key. */
  makesKeys?: boolean;
  /** There are other regions: users send no event type that begins with U+001F. */
  hasRegions?: boolean;
  /** Epoch ms; for tests. */
  now?: () => number;
}

interface Unpacked {
  body: Uint8Array;
  format: BodyFormat;
  isOwn: boolean;
  sender: Principal;
  isOfRegion: boolean;
  span: TraceSpan | null;
  charge: Charge | undefined;
}

const jsonHeaders = Object.freeze({ "content-type": "application/json; charset=utf-8" });
const oneAccepted = '{"accepted":1,"rejected":0,"errors":[]}';
const fullRetryAfterSeconds = 60;
const digestBytes = 16;

export class Edge {
  /** Shows what is accepted to who wants to see it. */
  readonly tap = new EventTap();
  readonly #deps: EdgeDeps;
  readonly #now: () => number;
  /** By key: settles when the batch under way is answered. As many as requests at most. */
  readonly #inFlight = new Map<string, Promise<void>>();
  readonly #name = randomUUID();
  #keysMade = 0;
  #lastReceivedAt = 0;
  readonly #accepted: Counter;
  readonly #rejected: Counter;
  readonly #slowLines: Counter;
  readonly #replayed: Counter;
  readonly #appendSeconds: Histogram;

  constructor(deps: EdgeDeps) {
    this.#deps = deps;
    this.#now = deps.now ?? Date.now;
    const { metrics } = deps;
    const name = "rankstream_events";
    this.#accepted = metrics.counter(`${name}_accepted_total`, "Events stored in the log.");
    this.#rejected = metrics.counter(`${name}_rejected_total`, "Events refused.");
    this.#slowLines = metrics.counter(
      "rankstream_scanner_slow_lines_total",
      "Lines that took the scanner's slow path.",
    );
    this.#appendSeconds = metrics.histogram(
      "rankstream_log_append_duration_seconds",
      "From when a batch is handed to the log until it is durable there.",
      [...diskBuckets, 5, 10],
    );
    this.#replayed = metrics.counter(
      "rankstream_batches_replayed_total",
      "Batches answered again under a known Idempotency-Key.",
    );
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
    const format = bodyFormat(request.contentType);
    const encoding = bodyEncoding(request.contentEncoding);
    const key = request.idempotencyKey;
    if (key !== undefined && request.isOfRegion !== true) parseIdempotencyKey(key);
    const { isOwn = false, principal: sender = everybody, span = null, charge } = request;
    const common = { format, sender, isOfRegion: request.isOfRegion === true, span, charge };
    if (encoding === "identity")
      return await this.#take({ ...common, body: request.body, isOwn }, key);
    const { unpackedBytesMax, budget } = this.#deps;
    const body = await unpack(request.body, encoding, unpackedBytesMax, budget);
    const { length } = body;
    try {
      return await this.#take({ ...common, body, isOwn: true }, key);
    } finally {
      budget.release(length);
    }
  }

  async #take(batch: Unpacked, key: string | undefined): Promise<IngestReply> {
    const { body } = batch;
    if (body.length > this.#deps.unpackedBytesMax) {
      throw new RankstreamError(
        "body_too_large",
        `expected at most ${this.#deps.unpackedBytesMax} bytes, got ${body.length}`,
      );
    }
    if (key !== undefined) return await this.#takeOnce(batch, key);
    if (this.#deps.makesKeys !== true) return await this.#store(batch, null, null);
    this.#keysMade += 1;
    const made = madeKey(this.#name, this.#deps.log.partitionCount, this.#keysMade);
    return await this.#store(batch, made, null);
  }

  /** The first reply again for a known key; else waits for its turn under the key and stores. */
  async #takeOnce(batch: Unpacked, key: string): Promise<IngestReply> {
    const { ledger } = this.#deps;
    const { body, sender } = batch;
    // What an edge made up is known by the key alone (madeKey).
    const digest = madePartitionCount(key) === null ? digestOf(body, sender) : null;
    for (let other = this.#inFlight.get(key); other; other = this.#inFlight.get(key)) await other;
    const known = ledger.look(key, digest, body.length);
    if (known.state === "seen") {
      return this.#replay(batch, known.receivedAt ?? this.#now());
    }
    if (known.state === "mismatch") {
      throw new RankstreamError(
        "idempotency_key_reused",
        "the Idempotency-Key came before with another body, or from a key of other event types",
      );
    }
    if (known.state === "full") {
      const retryAfterSeconds = fullRetryAfterSeconds;
      const detail = `remembering this key would exceed ${known.bound}`;
      throw new RankstreamError("idempotency_full", detail, { retryAfterSeconds });
    }
    const work = this.#store(batch, key, digest);
    const settled = work.then(ignore, ignore);
    this.#inFlight.set(key, settled);
    try {
      return await work;
    } finally {
      this.#inFlight.delete(key);
    }
  }

  #scan(
    { body, format, sender, isOfRegion }: Unpacked,
    receivedAt: number,
    isReplay: boolean,
    parts = this.#deps.log.partitionCount,
  ) {
    const isReserved = this.#deps.hasRegions === true && !isOfRegion;
    const isLimited = sender.eventTypes !== null || isReserved;
    const mayUse = (eventType: string) =>
      mayUseType(sender, eventType) && !(isReserved && isReservedType(eventType));
    const judge = isLimited ? mayUse : null;
    return this.#deps.scanner.scanBatch(body, format, receivedAt, parts, isReplay, judge);
  }

  /** Into how many partitions a batch is split: as often as the first time it was sent. */
  #splitOf(key: string | null): number {
    const { partitionCount } = this.#deps.log;
    const first = key === null ? null : madePartitionCount(key);
    if (first === null) return partitionCount;
    if (first >= 1 && first <= partitionCount) return first;
    const detail = `the key is of a log of ${first} partitions, ${partitionCount} are known here`;
    throw new RankstreamError("log_unavailable", detail, { retryAfterSeconds: 5 });
  }

  /**
   * Epoch ms, never less than any receipt before, also those in the log: a key forgotten here
   * after its hour must be forgotten by each worker that reads this record, whatever the
   * clock did meanwhile.
   */
  #receipt(): number {
    const { newestReceivedAt } = this.#deps.ledger;
    this.#lastReceivedAt = Math.max(this.#now(), newestReceivedAt, this.#lastReceivedAt);
    return this.#lastReceivedAt;
  }

  async #store(
    sent: Unpacked,
    key: string | null,
    digest: Uint8Array | null,
  ): Promise<IngestReply> {
    const receivedAt = this.#receipt();
    const partitionCount = this.#splitOf(key);
    const batch = this.#scan(sent, receivedAt, false, partitionCount);
    if (sent.isOwn) discard(sent.body);
    this.#slowLines.add(batch.slowLines);
    this.#rejected.add(batch.rejected);
    if (batch.accepted === 0) return refusal(batch);
    // Nothing may be waited for from here on: the blocks are views of the scanner's memory.
    sent.charge?.admit(batch.accepted);
    const { ledger } = this.#deps;
    const tapped = this.tap.sample(batch.blocks);
    const seen = key === null ? null : ledger.seenAround(key);
    const header: BatchHeader = { key, digest, receivedAt, partitionCount, seen };
    const begun = performance.now();
    try {
      await this.#append(header, batch, sent.span);
    } catch (error) {
      throw withKey(error, key);
    }
    this.#appendSeconds.observe((performance.now() - begun) / 1000);
    if (tapped !== null) this.tap.show(tapped, receivedAt);
    if (batch.span) this.#deps.onAppend?.(batch.span.first, batch.span.last);
    // Without a key, too: the ledger's time is the records' own.
    ledger.record(header);
    this.#accepted.add(batch.accepted);
    failPoint("edge.before_reply");
    return acceptance(batch);
  }

  /** The record of a batch that is traced says so: what becomes of it later is a part of that. */
  async #append(
    header: BatchHeader,
    { blocks, accepted: events }: ScannedBatch,
    span: TraceSpan | null,
  ): Promise<void> {
    const { log } = this.#deps;
    if (span === null) return log.append(header, blocks);
    const step = span.child("log.append", "producer");
    step.set({ "rankstream.events": events, "rankstream.records": blocks.length });
    try {
      await log.append({ ...header, trace: step.traceparent }, blocks);
      step.end();
    } catch (error) {
      step.end(error);
      throw error;
    }
  }

  /** Scans again as of the first receipt: the same bytes get the same reply. */
  #replay(sent: Unpacked, receivedAt: number): IngestReply {
    this.#replayed.add();
    const batch = this.#scan(sent, receivedAt, true);
    const reply = batch.accepted === 0 ? refusal(batch) : acceptance(batch);
    return { ...reply, headers: { ...reply.headers, "idempotency-replayed": "true" } };
  }

  #failure(error: unknown, request: IngestRequest): IngestReply {
    const fields = { part: "edge", err: error, request: noteOf(request) };
    if (!(error instanceof RankstreamError)) {
      this.#deps.logger.error(fields, "a batch could not be taken");
      return problemReply(
        new RankstreamError("internal_error", "the batch could not be taken; see the log"),
      );
    }
    if (error.status >= 500) this.#deps.logger.warn(fields, "a batch was turned away");
    const reply = problemReply(error);
    if (error.code === "unsupported_encoding")
      reply.headers["accept-encoding"] = acceptedEncodings;
    return reply;
  }
}

function ignore(): void {}

/** What a line of the log says of the request. */
export function noteOf({ requestId: id, span }: IngestRequest): RequestNote {
  const { traceId, spanId } = span?.context ?? {};
  return { ...(id !== undefined && { id }), traceId, spanId };
}

/**
 * First 16 bytes of SHA-256: of the body, and of what its sender is limited to. Of the same bytes
 * another sender's lines may be the ones refused, and the reply of before would be none to them.
 */
function digestOf(body: Uint8Array, { eventTypes }: Principal): Uint8Array {
  const whole = hash("sha256", body, "buffer");
  if (eventTypes === null) return whole.subarray(0, digestBytes);
  const limited = createHash("sha256").update(whole).update(JSON.stringify(eventTypes)).digest();
  return limited.subarray(0, digestBytes);
}

function acceptance({ accepted, rejected, errors }: ScannedBatch): IngestReply {
  const plain = accepted === 1 && rejected === 0;
  const body = plain ? oneAccepted : JSON.stringify({ accepted, rejected, errors });
  return { status: 202, headers: jsonHeaders, body };
}

/** The reply to a batch of which nothing was taken. */
export function refusal({ rejected, errors, malformed, forbidden }: ScannedBatch): IngestReply {
  if (malformed !== undefined) {
    const { code, message } = malformed;
    const lines = code === "empty_body" ? [] : [{ line: 1, code, message }];
    const extensions = { accepted: 0, rejected: lines.length, errors: lines };
    return problemReply(new RankstreamError(code, message, { extensions }));
  }
  if (rejected === 0) {
    const extensions = { accepted: 0, rejected, errors };
    const detail = "expected at least one event, got none";
    return problemReply(new RankstreamError("empty_body", detail, { extensions }));
  }
  const first = errors[0];
  const detail = `no event is valid of ${rejected}; the first: ${first?.message ?? "not listed"}`;
  const extensions = { accepted: 0, rejected, errors };
  if (forbidden === rejected) {
    const why = "the key is not for the event type of any of them";
    return problemReply(new RankstreamError("forbidden_event_type", why, { extensions }));
  }
  return problemReply(new RankstreamError("no_valid_events", detail, { extensions }));
}

/** Where it isn't known what became of the batch, names the key to retry with. */
function withKey(error: unknown, key: string | null): unknown {
  if (!(error instanceof RankstreamError)) return error;
  const isInDoubt = error.extensions?.["outcome"] === "unknown";
  if (error.code !== "partial_append" && error.code !== "log_failed" && !isInDoubt) return error;
  return new RankstreamError(error.code, error.message, {
    cause: error,
    retryAfterSeconds: error.retryAfterSeconds ?? 5,
    extensions: { ...error.extensions, outcome: "unknown", idempotencyKey: key },
  });
}
