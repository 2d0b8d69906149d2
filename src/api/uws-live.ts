/**
 * WebSockets that uWebSockets.js has received, handed to Node's server: shaken hands with there
 * first, so that its refusals are the client's, then message by message in both directions.
 */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocket } from "ws";
import { problemReply, RankstreamError } from "../errors.ts";
import { knownProtocols } from "./live-protocol.ts";
import { requestIdHeader, requestIdOf, withRequestId } from "./request-id.ts";
import { streamPair } from "./stream-pair.ts";
import type {
  UwsBehavior,
  UwsRequest,
  UwsResponse,
  UwsSocketContext,
  UwsText,
  UwsWebSocket,
} from "./uws.ts";
import { addressOf, type RelayedHead, relayedHead, type UwsRelayDeps } from "./uws-relay.ts";

/** Node's server refuses shorter ones already, with a close code; past this a client is cut. */
const messageBytesMax = 64 * 1024;
/** With more than this unsent, nothing more is taken from Node's server, which sees it wait. */
const unsentBytesSoft = 64 * 1024;
/** Node's server has cut a client long before. */
const unsentBytesMax = 64 * 1024 * 1024;
const abnormal = 1006;
/** Codes that a close frame may carry. */
const isSendable = (code: number) => code >= 1000 && code !== 1005 && code !== abnormal;

interface Bridge {
  inner: WebSocket;
  outer: UwsWebSocket<Bridge> | null;
}

function headersOf({ headers }: RelayedHead): Record<string, string> {
  const kept: Record<string, string> = {};
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] as string;
    if (!name.startsWith("sec-websocket-")) kept[name] = headers[i + 1] as string;
  }
  return kept;
}

/** Node's server's end of the bridge, once it is open. */
function fromInner(bridge: Bridge): void {
  const { inner } = bridge;
  const send = (write: (outer: UwsWebSocket<Bridge>) => void) => {
    const { outer } = bridge;
    if (outer === null) return;
    write(outer);
    if (outer.getBufferedAmount() > unsentBytesSoft) inner.pause();
  };
  inner.on("message", (data, isBinary) => send((outer) => outer.send(data as Buffer, isBinary)));
  inner.on("ping", (data) => send((outer) => outer.ping(data)));
  inner.once("close", (code, reason) => {
    const { outer } = bridge;
    bridge.outer = null;
    if (code === abnormal) outer?.close();
    else outer?.end(isSendable(code) ? code : 1000, reason as UwsText);
  });
}

function toInner(): Pick<UwsBehavior<Bridge>, "open" | "message" | "pong" | "drain" | "close"> {
  return {
    open: (outer) => {
      const bridge = outer.getUserData();
      bridge.outer = outer;
      fromInner(bridge);
      bridge.inner.resume();
    },
    // Copies: what comes is emptied on return.
    message: (outer, message, isBinary) => {
      const text = Buffer.from(new Uint8Array(message));
      outer.getUserData().inner.send(text, { binary: isBinary });
    },
    pong: (outer, message) => {
      outer.getUserData().inner.pong(Buffer.from(new Uint8Array(message)));
    },
    drain: (outer) => {
      const { inner } = outer.getUserData();
      if (outer.getBufferedAmount() <= unsentBytesSoft) inner.resume();
    },
    close: (outer, code, reason) => {
      const bridge = outer.getUserData();
      bridge.outer = null;
      if (isSendable(code)) bridge.inner.close(code, Buffer.from(new Uint8Array(reason)));
      else bridge.inner.terminate();
    },
  };
}

/** Answers what Node's server refused to shake hands with. */
async function relayRefusal(
  { requests }: UwsRelayDeps,
  response: UwsResponse,
  refusal: IncomingMessage,
  isGone: () => boolean,
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of refusal) chunks.push(chunk as Buffer);
  if (isGone()) return;
  const headers: Record<string, string> = {};
  const kept = ["content-type", "retry-after", "www-authenticate", requestIdHeader];
  for (const name of kept) {
    const value = refusal.headers[name];
    if (typeof value === "string") headers[name] = value;
  }
  const body = Buffer.concat(chunks).toString();
  requests.send(response, { status: refusal.statusCode ?? 500, headers, body }, true);
}

/** A connection to Node's server that asks for what the client has asked for. */
function ask(request: UwsRequest, head: RelayedHead, client: Duplex): WebSocket {
  const protocols = knownProtocols(request.getHeader("sec-websocket-protocol"));
  try {
    return new WebSocket(`ws://localhost${head.path}`, protocols, {
      createConnection: () => client as never,
      headers: headersOf(head),
      autoPong: false,
      perMessageDeflate: false,
    });
  } catch (error) {
    // What uWebSockets.js takes, but Node's own client does not write.
    const detail = `not valid HTTP: ${(error as Error).message}`;
    throw new RankstreamError("bad_request", detail, { cause: error });
  }
}

function refuse(
  { requests, http }: UwsRelayDeps,
  response: UwsResponse,
  request: UwsRequest,
  refusal: RankstreamError,
): void {
  http.failed(refusal.code);
  const id = requestIdOf(request.getHeader(requestIdHeader));
  requests.send(response, withRequestId(problemReply(refusal), id), true);
}

function shakeHands(
  deps: UwsRelayDeps,
  response: UwsResponse,
  request: UwsRequest,
  context: UwsSocketContext,
): void {
  const refusal = deps.requests.refusal();
  if (refusal !== null) {
    refuse(deps, response, request, refusal);
    return;
  }
  const key = request.getHeader("sec-websocket-key");
  const head = relayedHead(request);
  const { client, server } = streamPair(addressOf(response), deps.isEncrypted);
  let inner: WebSocket;
  try {
    inner = ask(request, head, client);
  } catch (error) {
    client.destroy();
    refuse(deps, response, request, error as RankstreamError);
    return;
  }
  let isOver = false;
  response.onAborted(() => {
    isOver = true;
    inner.terminate();
  });
  inner.on("error", (error) => {
    deps.logger.debug({ part: "live", err: error }, "a live socket failed");
    if (!isOver) response.close();
  });
  deps.server.emit("connection", server);
  inner.once("unexpected-response", (_request, reply) => {
    const close = () => !isOver && response.close();
    relayRefusal(deps, response, reply, () => isOver).then(() => (isOver = true), close);
  });
  inner.once("open", () => {
    if (isOver) return;
    isOver = true;
    // Read or not: one that is paused would not see it.
    server.once("close", () => inner.terminate());
    // Until there is somebody to hand it to.
    inner.pause();
    response.cork(() => {
      response.upgrade({ inner, outer: null }, key, inner.protocol, "", context);
    });
  });
}

/** For the route of the live socket. */
export function liveBehavior(deps: UwsRelayDeps): UwsBehavior<Bridge> {
  return {
    maxPayloadLength: messageBytesMax,
    maxBackpressure: unsentBytesMax,
    // Node's server looks after who is there still.
    idleTimeout: 0,
    sendPingsAutomatically: false,
    upgrade: (response, request, context) => shakeHands(deps, response, request, context),
    ...toInner(),
  };
}
