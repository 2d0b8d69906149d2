/**
 * Cross-origin resource sharing: lets pages of the origins named send events and ask.
 * What changes anything else stays to the service's own pages (origin.ts); no cookie is heeded.
 */
import type { FastifyInstance } from "fastify";

/** What is added to the replies to pages of `origin`; nothing where they may not read them. */
export type CorsHeaders = (origin: string | undefined) => Readonly<Record<string, string>>;

const methods = "GET, HEAD, POST";
/** Beside those that any page may send. */
const sentHeaders =
  "authorization, content-encoding, content-type, idempotency-key, if-none-match, " +
  "last-event-id, prefer, traceparent, tracestate, x-request-id";
/** Beside those that any page may read. */
const readHeaders =
  "cache-status, etag, idempotency-replayed, link, location, ratelimit, ratelimit-policy, " +
  "retry-after, x-next-cursor, x-request-id";
/** How long a browser need not ask again; Chromium takes no more. */
const preflightSeconds = 7200;

const none = Object.freeze({});

/** For the origins named, all of them for `*`; with none, nothing is ever added. */
export function corsHeaders(origins: readonly string[]): CorsHeaders {
  const isForAll = origins.includes("*");
  return (origin) => {
    if (origin === undefined || !(isForAll || origins.includes(origin))) return none;
    return {
      "access-control-allow-origin": isForAll ? "*" : origin,
      "access-control-expose-headers": readHeaders,
    };
  };
}

/** A reply to one origin must not be kept for another. */
function withOrigin(vary: unknown): string {
  const before = typeof vary === "string" && vary !== "" ? `${vary}, ` : "";
  return `${before}origin`;
}

/** Adds the headers to all replies, and answers what browsers ask before they send. */
export function addCors(app: FastifyInstance, origins: readonly string[]): void {
  if (origins.length === 0) return;
  const headersFor = corsHeaders(origins);
  app.addHook("onRequest", async (request, reply) => {
    const { origin } = request.headers;
    const headers = headersFor(origin);
    reply.headers(headers);
    const isPreflight =
      request.method === "OPTIONS" &&
      request.headers["access-control-request-method"] !== undefined;
    if (!isPreflight || headers === none) return;
    return reply
      .code(204)
      .headers({
        "access-control-allow-methods": methods,
        "access-control-allow-headers": sentHeaders,
        "access-control-max-age": String(preflightSeconds),
      })
      .send();
  });
  if (origins.includes("*")) return;
  app.addHook("onSend", async (_request, reply) => {
    reply.header("vary", withOrigin(reply.getHeader("vary")));
  });
}
