/**
 * Hands requests that uWebSockets.js has received to Node's server, and so to Fastify, as
 * connections within the process; bodies and replies stream, and hanging up reaches the handler.
 */
import {
  type ClientRequest,
  request as httpRequest,
  type IncomingMessage,
  type Server,
} from "node:http";
import type { Duplex } from "node:stream";
import { problemReply, RankstreamError } from "../errors.ts";
import type { Logger } from "../telemetry.ts";
import type { HttpMetrics } from "./http-metrics.ts";
import { requestIdHeader, requestIdOf, withRequestId } from "./request-id.ts";
import { streamPair } from "./stream-pair.ts";
import type { UwsRequest, UwsResponse } from "./uws.ts";
import { keepAliveHint, statusLine, type UwsPending, type UwsRequests } from "./uws-requests.ts";

export interface UwsRelayDeps {
  server: Server;
  requests: UwsRequests;
  /** Clients connect over TLS. */
  isEncrypted: boolean;
  logger: Logger;
  http: Pick<HttpMetrics, "failed">;
}

/** Of the connection alone; what uWebSockets.js itself has answered or writes. */
const droppedOfRequest = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "upgrade",
  "http2-settings",
  "expect",
]);
const droppedOfReply = new Set([
  "connection",
  "keep-alive",
  "transfer-encoding",
  "content-length",
  "date",
]);

/** How long a client may take to read what an event stream said last. */
const lastWordsMs = 500;

/** uWebSockets.js decodes UTF-8, where Node takes a character a byte. */
function latin1(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

export interface RelayedHead {
  method: string;
  path: string;
  /** Names and values in turn. */
  headers: string[];
  hasBody: boolean;
}

/** What Node's server is to be told of the request. */
export function relayedHead(request: UwsRequest): RelayedHead {
  const headers: string[] = [];
  let hasBody = false;
  request.forEach((name, value) => {
    if (droppedOfRequest.has(name)) return;
    if (name === "content-length" || name === "transfer-encoding") hasBody = true;
    headers.push(name, latin1(value));
  });
  const query = request.getQuery();
  const url = request.getUrl() + (query === undefined ? "" : `?${query}`);
  return { method: request.getCaseSensitiveMethod(), path: latin1(url), headers, hasBody };
}

/** The client's address. */
export function addressOf(response: UwsResponse): string {
  return Buffer.from(response.getRemoteAddressAsText()).toString("latin1");
}

/** Writes a reply's status and headers; inside `cork`. */
function writeHead(response: UwsResponse, reply: IncomingMessage): void {
  response.writeStatus(statusLine(reply.statusCode ?? 500));
  const { rawHeaders } = reply;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (droppedOfReply.has(name.toLowerCase())) continue;
    response.writeHeader(name, Buffer.from(rawHeaders[i + 1] as string, "latin1"));
  }
  response.writeHeader("keep-alive", keepAliveHint);
}

class RelayedRequest implements UwsPending {
  readonly response: UwsResponse;
  uploadSince: number | null = null;
  isPaused = false;
  readonly #deps: UwsRelayDeps;
  readonly #outgoing: ClientRequest;
  readonly #server: Duplex;
  #isOver = false;

  constructor(response: UwsResponse, head: RelayedHead, deps: UwsRelayDeps) {
    this.response = response;
    this.#deps = deps;
    const { client, server } = streamPair(addressOf(response), deps.isEncrypted);
    this.#server = server;
    const { method, path, headers, hasBody } = head;
    this.#outgoing = httpRequest({ method, path, headers, createConnection: () => client });
    deps.server.emit("connection", server);
    deps.requests.add(this);
    response.onAborted(() => {
      this.#end();
      client.destroy();
    });
    this.#outgoing.on("error", (error) => this.#fail(error));
    this.#outgoing.once("response", (reply) => {
      this.#answer(reply).catch((error) => this.#fail(error));
    });
    if (hasBody) response.onData((chunk, isLast) => this.#onData(chunk, isLast));
    else this.#outgoing.end();
    if (hasBody) this.uploadSince = performance.now();
  }

  #onData(chunk: ArrayBuffer, isLast: boolean): void {
    if (this.#isOver) return;
    const hasRoom = this.#outgoing.write(Buffer.from(new Uint8Array(chunk)));
    if (isLast) {
      this.uploadSince = null;
      this.#outgoing.end();
    } else if (!hasRoom && !this.isPaused) {
      this.isPaused = true;
      this.response.pause();
      this.#outgoing.once("drain", () => this.#resume());
    }
  }

  #resume(): void {
    if (this.isPaused && !this.#isOver) this.response.resume();
    this.isPaused = false;
  }

  /** Sends what has its length as one, anything else as it comes. */
  async #answer(reply: IncomingMessage): Promise<void> {
    const { response } = this;
    const length = reply.headers["content-length"];
    const hasNoBody = this.#outgoing.method === "HEAD" || reply.statusCode === 304;
    if (hasNoBody) {
      const reported = length === undefined ? undefined : Number(length);
      this.#finish(reply, () => response.endWithoutBody(reported));
      reply.resume();
      return;
    }
    if (length === undefined && reply.headers["transfer-encoding"] !== undefined) {
      await this.#stream(reply);
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of reply) chunks.push(chunk as Buffer);
    const isLast = this.#deps.requests.isClosing || reply.statusCode === 408;
    const body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
    this.#finish(reply, () => response.end(body, isLast));
  }

  #finish(reply: IncomingMessage, end: () => void): void {
    if (this.#isOver) return;
    this.#resume();
    this.#end();
    this.response.cork(() => {
      writeHead(this.response, reply);
      end();
    });
  }

  async #stream(reply: IncomingMessage): Promise<void> {
    const { response } = this;
    if (this.#isOver) return;
    this.#resume();
    // One without end is over soon after it is closed, whatever its client has yet to read.
    if (reply.headers["content-type"] === "text/event-stream") {
      const fail = () => this.#fail(new Error("the stream is closed"));
      this.#server.once("close", () => setTimeout(fail, lastWordsMs).unref());
    }
    response.cork(() => writeHead(response, reply));
    let makeRoom: (() => void) | null = null;
    response.onWritable(() => {
      makeRoom?.();
      return true;
    });
    for await (const chunk of reply) {
      if (this.#isOver) return;
      let hasRoom = true;
      response.cork(() => {
        hasRoom = response.write(chunk as Buffer);
      });
      if (hasRoom) continue;
      await new Promise<void>((resolve) => {
        makeRoom = resolve;
        this.#whenOver = resolve;
      });
    }
    if (this.#isOver) return;
    this.#end();
    response.cork(() => response.end());
  }

  #whenOver: () => void = () => undefined;

  #end(): void {
    this.#isOver = true;
    this.uploadSince = null;
    this.#deps.requests.remove(this);
    this.#whenOver();
  }

  /** Node's server hung up, or broke off its reply. */
  #fail(error: Error): void {
    if (this.#isOver) return;
    this.#deps.logger.debug({ part: "http", err: error }, "a request was not answered");
    this.response.close();
  }
}

/** Hands on one request of any kind but WebSockets. */
export function relay(response: UwsResponse, request: UwsRequest, deps: UwsRelayDeps): void {
  const id = requestIdOf(request.getHeader(requestIdHeader));
  try {
    const refusal = deps.requests.refusal();
    if (refusal !== null) throw refusal;
    new RelayedRequest(response, relayedHead(request), deps);
  } catch (error) {
    response.onAborted(() => undefined);
    const isKnown = error instanceof RankstreamError;
    // Node refuses to write what is no path.
    const detail = `not valid HTTP: ${(error as Error).message}`;
    const problem = isKnown ? error : new RankstreamError("bad_request", detail);
    deps.http.failed(problem.code);
    deps.requests.send(response, withRequestId(problemReply(problem), id), true);
  }
}
