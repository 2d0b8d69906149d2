/**
 * POST /events over uWebSockets.js: what src/api/app.ts does over Fastify, with the same replies.
 */
import type { Access } from "../access/access.ts";
import { callerHeader } from "../access/caller.ts";
import type { ByteBudget } from "../edge/byte-budget.ts";
import { bodyFormat } from "../edge/content.ts";
import type { Edge } from "../edge/edge.ts";
import { type ErrorReply, problemReply, RankstreamError } from "../errors.ts";
import type { Caller, Limiter } from "../limits/limiter.ts";
import type { Principal } from "../model-access.ts";
import { parseTraceparent } from "../model-trace.ts";
import type { TraceSpan, Tracing } from "../telemetry-tracing.ts";
import { checkScope } from "./access-hook.ts";
import type { HostCheck } from "./allowed-hosts.ts";
import { joinChunks, overloaded, tooLarge } from "./body.ts";
import type { CorsHeaders } from "./cors.ts";
import type { ClientAddress } from "./forwarded.ts";
import { clientGoneStatus, type HttpMetrics, type RouteMetrics } from "./http-metrics.ts";
import { callerOf } from "./limits-hook.ts";
import { requestIdHeader, requestIdOf, withRequestId } from "./request-id.ts";
import { keyOf, type RequestLog } from "./request-log.ts";
import { endRequestSpan } from "./request-trace.ts";
import type { UwsRequest, UwsResponse } from "./uws.ts";
import { addressOf } from "./uws-relay.ts";
import type { UwsPending, UwsRequests } from "./uws-requests.ts";

export interface UwsEventsDeps {
  edge: Pick<Edge, "ingest">;
  budget: ByteBudget;
  bodyBytesMax: number;
  headerBytesMax: number;
  requests: UwsRequests;
  cors: CorsHeaders;
  access: Access;
  http: HttpMetrics;
  /** Null: nothing is measured. */
  measured: RouteMetrics | null;
  checkHost: HostCheck;
  requestLog: RequestLog;
  tracing: Tracing;
  clientOf: ClientAddress;
  limiter: Limiter | null;
}

interface Head {
  contentType: string | undefined;
  contentEncoding: string | undefined;
  idempotencyKeys: string[];
  origin: string | undefined;
  authorization: string | undefined;
  caller: string | undefined;
  host: string | undefined;
  forwardedFor: string | undefined;
  requestId: string | undefined;
  traceparent: string | undefined;
  /** As announced; 0 where it isn't. */
  lengths: string[];
  bytes: number;
  /** Who pays; null where nothing is limited, or nobody is known yet. */
  limited: Caller | null;
}

/** ": " and the line's end. */
const headerLineBytes = 4;

/** Several of a header make one. */
function joined(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before}, ${value}`;
}

/** What matters of the request's headers; which of several counts is as with Node. */
function readHead(request: UwsRequest): Head {
  const head: Head = {
    contentType: undefined,
    contentEncoding: undefined,
    idempotencyKeys: [],
    origin: undefined,
    authorization: undefined,
    caller: undefined,
    host: undefined,
    forwardedFor: undefined,
    requestId: undefined,
    traceparent: undefined,
    lengths: [],
    bytes: 0,
    limited: null,
  };
  request.forEach((name, value) => {
    head.bytes += name.length + value.length + headerLineBytes;
    if (name === "content-type") head.contentType ??= value;
    else if (name === "content-length") head.lengths.push(value);
    else if (name === "host") head.host ??= value;
    else if (name === "origin") head.origin ??= value;
    else if (name === "x-forwarded-for") head.forwardedFor = joined(head.forwardedFor, value);
    else if (name === "authorization") head.authorization ??= value;
    else if (name === callerHeader) head.caller = joined(head.caller, value);
    else if (name === requestIdHeader) head.requestId ??= value;
    else if (name === "traceparent") head.traceparent ??= value;
    else if (name === "idempotency-key") head.idempotencyKeys.push(value);
    else if (name === "content-encoding") {
      head.contentEncoding = joined(head.contentEncoding, value);
    }
  });
  return head;
}

/** Throws what is wrong with a request by its head alone. */
function checkHead(head: Head, deps: UwsEventsDeps): void {
  const { bodyBytesMax, headerBytesMax, checkHost } = deps;
  checkHost(head.host);
  if (head.bytes > headerBytesMax) {
    const detail = `the headers are larger than ${headerBytesMax / 1024} KiB`;
    throw new RankstreamError("headers_too_large", detail);
  }
  if (head.lengths.length > 1) {
    const detail = `expected one Content-Length, got ${head.lengths.length}`;
    throw new RankstreamError("bad_request", detail);
  }
  bodyFormat(head.contentType);
  const declared = Number(head.lengths[0] ?? 0);
  if (declared > bodyBytesMax) throw tooLarge(bodyBytesMax, `${declared}`);
  const keys = head.idempotencyKeys.length;
  if (keys > 1) throw new RankstreamError("invalid_idempotency_key", `expected one, got ${keys}`);
}

/** After these the connection is closed, as Node does it. */
const closesAfter = new Set(["headers_too_large", "bad_request", "request_timeout"]);

/** One batch: its body as it comes, then its reply. */
class EventsRequest implements UwsPending {
  readonly response: UwsResponse;
  uploadSince: number | null;
  /** Nothing is read while somebody else is asked who asks. */
  isPaused = false;
  readonly #deps: UwsEventsDeps;
  readonly #asked: Asked;
  #chunks: Buffer[] = [];
  /** Bytes reserved in the budget. */
  #length = 0;
  /** Answered or gone: the response must not be touched. */
  #isOver = false;
  /** Null until it is known who asks. */
  #principal: Principal | null = null;
  /** Everything has come. */
  #isWhole = false;

  constructor(
    response: UwsResponse,
    asked: Asked,
    deps: UwsEventsDeps,
    asking: Principal | Promise<Principal>,
  ) {
    this.response = response;
    this.uploadSince = asked.since;
    this.#asked = asked;
    this.#deps = deps;
    deps.requests.add(this);
    if (deps.measured !== null) deps.http.inFlight.add();
    response.onAborted(() => this.#onAborted());
    response.onData((chunk, isLast) => this.#onData(chunk, isLast));
    if (asking instanceof Promise) this.#await(asking);
    else this.#principal = asking;
  }

  /** Takes the body once it is known who sends it. */
  #await(asking: Promise<Principal>): void {
    this.response.pause();
    this.isPaused = true;
    asking.then(
      (principal) => {
        if (this.#isOver) return;
        this.isPaused = false;
        this.response.resume();
        try {
          admit(principal, this.#asked, this.#deps);
        } catch (error) {
          this.#refuse(error as RankstreamError);
          return;
        }
        this.#principal = principal;
        if (this.#isWhole) void this.#ingest(principal);
      },
      (error: unknown) => {
        if (this.#isOver) return;
        this.isPaused = false;
        this.response.resume();
        const isOwn = error instanceof RankstreamError;
        const unknown = () => new RankstreamError("internal_error", "the request failed");
        this.#refuse(isOwn ? error : unknown());
      },
    );
  }

  onLate(): void {
    const detail = "the request did not arrive in time";
    this.#refuse(new RankstreamError("request_timeout", detail));
  }

  #onData(chunk: ArrayBuffer, isLast: boolean): void {
    if (this.#isOver) return;
    const { bodyBytesMax, budget } = this.#deps;
    const { byteLength } = chunk;
    if (this.#length + byteLength > bodyBytesMax) {
      this.#refuse(tooLarge(bodyBytesMax, "more"));
      return;
    }
    if (byteLength > 0) {
      if (!budget.reserve(byteLength)) {
        this.#refuse(overloaded());
        return;
      }
      this.#length += byteLength;
      // A copy: the chunk is emptied on return.
      this.#chunks.push(Buffer.from(new Uint8Array(chunk)));
    }
    if (!isLast) return;
    this.uploadSince = null;
    this.#isWhole = true;
    if (this.#principal !== null) void this.#ingest(this.#principal);
  }

  async #ingest(principal: Principal): Promise<void> {
    const body = joinChunks(this.#chunks, this.#length);
    const { head, id: requestId, span } = this.#asked;
    const { contentType, contentEncoding, idempotencyKeys } = head;
    const reply = await this.#deps.edge.ingest({
      body,
      isOwn: true,
      contentType,
      contentEncoding,
      idempotencyKey: idempotencyKeys[0],
      principal,
      requestId,
      span,
      ...(this.#asked.head.limited !== null && { charge: this.#asked.head.limited }),
    });
    this.#release();
    if (this.#isOver) return;
    this.#end(reply.status);
    this.#send(reply, this.#deps.requests.isClosing);
  }

  /** What still comes of the body is read and dropped, so that the client reads the refusal. */
  #refuse(error: RankstreamError): void {
    this.#release();
    this.#end(error.status);
    const isLast = closesAfter.has(error.code) || this.#deps.requests.isClosing;
    this.#send(problemReply(error), isLast);
  }

  #send(reply: ErrorReply, isLast: boolean): void {
    this.#deps.http.failed(reply.code);
    answer(this.response, reply, this.#asked, isLast, this.#deps);
  }

  #onAborted(): void {
    if (this.#isOver) return;
    // A batch that has arrived whole is stored all the same; its bytes are held until then.
    if (this.uploadSince !== null) this.#release();
    this.#end(clientGoneStatus);
    endSpan(this.#asked, { status: clientGoneStatus });
  }

  #release(): void {
    this.#deps.budget.release(this.#length);
    this.#length = 0;
    this.#chunks = [];
  }

  #end(status: number): void {
    this.#isOver = true;
    this.uploadSince = null;
    const { requests, measured, http } = this.#deps;
    requests.remove(this);
    if (measured === null) return;
    http.inFlight.add(-1);
    measured.done(status, (performance.now() - this.#asked.since) / 1000);
  }
}

/** Throws where the caller's limits are reached. */
function charge(principal: Principal, { head, address }: Asked, { limiter }: UwsEventsDeps): void {
  const caller = callerOf(limiter, principal, address);
  head.limited = caller;
  caller?.request(true);
}

/** The reply with what is left to the caller, and what lets the page that asked read it. */
function readable(given: ErrorReply, head: Head, { cors }: UwsEventsDeps): ErrorReply {
  const { limited } = head;
  const left = limited === null ? given.headers : { ...given.headers, ...limited.headers(true) };
  const reply = { ...given, headers: left };
  const added = cors(head.origin);
  const readers = added["access-control-allow-origin"];
  if (readers === undefined) return reply;
  const vary: Record<string, string> = readers === "*" ? {} : { vary: "origin" };
  return { ...reply, headers: { ...reply.headers, ...added, ...vary } };
}

/** A request as far as its reply needs it. */
interface Asked {
  head: Head;
  id: string;
  /** By performance.now(). */
  since: number;
  span: TraceSpan | null;
  /** Of the API key, once it is known. */
  key: string | undefined;
  /** The client's address. */
  address: () => string;
}

function endSpan({ span, id }: Asked, reply: { status: number; code?: string }): void {
  if (span !== null) endRequestSpan(span, "/events", "POST", id, reply);
}

/** Sends the reply, and writes a line of it where there is one to write. */
function answer(
  response: UwsResponse,
  reply: ErrorReply,
  asked: Asked,
  isLast: boolean,
  deps: UwsEventsDeps,
): void {
  const { head, id, since, span } = asked;
  const durationMs = performance.now() - since;
  const { status, code } = reply;
  const { requestLog } = deps;
  const level = requestLog.levelOf(status, durationMs);
  if (level !== null) {
    const [address, key] = [asked.address(), asked.key];
    const problem = code === undefined ? null : { code };
    const of = { method: "POST", path: "/events", status, durationMs, address, problem, key };
    const { traceId, spanId } = span?.context ?? parseTraceparent(head.traceparent) ?? {};
    requestLog.write(level, "/events", { id, traceId, spanId }, of);
  }
  endSpan(asked, reply);
  deps.requests.send(response, readable(withRequestId(reply, id), head, deps), isLast);
}

/** The client's address; read at once where it may be asked for after the client has gone. */
function addressGetter(
  response: UwsResponse,
  head: Head,
  { access, clientOf }: UwsEventsDeps,
): () => string {
  const read = () => clientOf(addressOf(response), head.forwardedFor);
  if (access.isOpen) return read;
  const address = read();
  return () => address;
}

/** Throws what keeps the caller out; from then on the request may be traced. */
function admit(principal: Principal, asked: Asked, deps: UwsEventsDeps): void {
  asked.key = keyOf(principal);
  checkScope(principal, "ingest");
  charge(principal, asked, deps);
  const { tracing } = deps;
  if (tracing.isOn) asked.span = tracing.begin("POST /events", asked.head.traceparent);
}

/** Takes one POST /events. */
export function takeEvents(response: UwsResponse, request: UwsRequest, deps: UwsEventsDeps): void {
  const head = readHead(request);
  const { requests } = deps;
  const id = requestIdOf(head.requestId);
  const address = addressGetter(response, head, deps);
  const asked: Asked = { head, id, since: performance.now(), span: null, key: undefined, address };
  try {
    const refusal = requests.refusal();
    if (refusal !== null) throw refusal;
    const { authorization, caller } = head;
    const { address } = asked;
    const asking = deps.access.authenticate({ authorization, caller, address });
    if (!(asking instanceof Promise)) admit(asking, asked, deps);
    checkHead(head, deps);
    new EventsRequest(response, asked, deps, asking);
  } catch (error) {
    if (!(error instanceof RankstreamError)) throw error;
    response.onAborted(() => undefined);
    const isLast = closesAfter.has(error.code) || requests.isClosing;
    deps.http.failed(error.code);
    deps.measured?.done(error.status, 0);
    answer(response, problemReply(error), asked, isLast, deps);
  }
}
