/** Fastify with this service's bounds, and one form for every error. */
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from "fastify";
import type { RankstreamError } from "../errors.ts";
import { RelayedReply } from "../query/relayed-reply.ts";
import type { Logger } from "../telemetry.ts";
import { boundAddresses } from "./address-connections.ts";
import { trustOf } from "./forwarded.ts";
import type { HttpMetrics } from "./http-metrics.ts";
import { closeRefused } from "./live-upgrade.ts";
import { answerSocketError, sendProblem, sendText, toRankstreamError } from "./problems.ts";
import { requestIdHeader, requestIdOf } from "./request-id.ts";
import { noteOf } from "./request-note.ts";
import { securityHeaders, tlsSecurityHeaders } from "./security-headers.ts";
import { followTls, type TlsPort, tlsOptions } from "./tls.ts";

export interface HttpAppOptions {
  bodyBytesMax: number;
  connectionsMax: number;
  /** How long headers and body together may take to arrive. */
  requestTimeoutMs: number;
  /** From whose connections forwarded headers are believed; none by default. */
  trustedProxies?: readonly string[];
  /** Held at once of one address that is no trusted proxy; 0, the default: any number. */
  connectionsPerAddressMax?: number;
  /** Of a server that listens itself; undefined: it speaks plain HTTP. */
  tls?: TlsPort | undefined;
  logger: Logger;
}

/** Of a request's head, the address included. */
export const headerBytesMax = 16 * 1024;
const keepAliveMs = 72_000;
/** 512 bytes of id, each percent-encoded, twice over. */
const paramLengthMax = 4096;

/** Counts a problem document, and sends it. */
export type Refuse = (reply: FastifyReply, error: RankstreamError) => FastifyReply;

/** Refuses, and tells `http`. */
export function refusing(http: HttpMetrics): Refuse {
  return (reply, error) => {
    http.failed(error.code);
    return sendProblem(reply, error);
  };
}

function fastifyOptions(options: HttpAppOptions, http: HttpMetrics, refuse: Refuse) {
  const { requestTimeoutMs, trustedProxies = [], logger } = options;
  return {
    logger: false,
    genReqId: (request: IncomingMessage) => requestIdOf(request.headers[requestIdHeader]),
    forceCloseConnections: "idle",
    return503OnClosing: false,
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: keepAliveMs,
    bodyLimit: options.bodyBytesMax,
    exposeHeadRoutes: true,
    trustProxy: trustedProxies.length > 0 ? [...trustedProxies] : false,
    routerOptions: { maxParamLength: paramLengthMax },
    clientErrorHandler: (error: Error, socket: Socket) =>
      http.failed(answerSocketError(error, socket)),
    frameworkErrors: (error: Error, request: FastifyRequest, reply: unknown) => {
      const own = reply as FastifyReply;
      // No hook has run.
      own.headers(request.protocol === "https" ? tlsSecurityHeaders : securityHeaders);
      own.raw.once("finish", () => closeRefused(request.raw));
      refuse(
        own,
        toRankstreamError(error, logger, () => ({ id: request.id })),
      );
    },
  } as const;
}

/** An app without routes; `http` is told of refusals. */
export function makeFastify(options: HttpAppOptions, http: HttpMetrics): FastifyInstance {
  const { requestTimeoutMs, tls, logger } = options;
  const server = {
    maxHeaderSize: headerBytesMax,
    headersTimeout: requestTimeoutMs,
    connectionsCheckingInterval: Math.min(1000, Math.ceil(requestTimeoutMs / 4)),
  };
  const refuse = refusing(http);
  const own = fastifyOptions(options, http, refuse);
  const https = tls && { ...server, ...tlsOptions(tls), handshakeTimeout: requestTimeoutMs };
  const app = (https === undefined
    ? fastify({ ...own, http: server })
    : fastify({ ...own, https })) as unknown as FastifyInstance;
  if (tls !== undefined) followTls(app.server, tls);
  app.addHook("onResponse", async ({ raw }) => closeRefused(raw));
  app.server.maxConnections = options.connectionsMax;
  const { connectionsPerAddressMax: connectionsMax = 0, trustedProxies = [] } = options;
  if (connectionsMax > 0) {
    const isTrusted = trustOf(trustedProxies);
    boundAddresses(app.server, { connectionsMax, isTrusted, isEncrypted: tls !== undefined });
  }
  // Every parameter is checked by hand: the messages say what was expected and what came.
  app.setValidatorCompiler(() => () => true);
  app.removeAllContentTypeParsers();
  app.setErrorHandler((error, request, reply) => {
    if (error instanceof RelayedReply) {
      return sendText(reply, error.status, error.headers, error.body);
    }
    const own = toRankstreamError(error, logger, () => noteOf(request));
    return refuse(reply, own);
  });
  return app;
}
