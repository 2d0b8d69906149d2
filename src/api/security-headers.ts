/**
 * What browsers are told about every reply, whichever server sends it. A table in place of a
 * library: uWebSockets.js, refusals of broken HTTP and Fastify all send the same, and what pages
 * may load is said page by page (pages.ts).
 */
import type { FastifyInstance } from "fastify";

export type ReplyHeaders = Readonly<Record<string, string>>;

/** Of data: it is no page, nothing is loaded for it, nobody frames it or reads it unasked. */
export const securityHeaders: ReplyHeaders = Object.freeze({
  "x-content-type-options": "nosniff",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
});

/** The same where the client's connection is encrypted: for a year by nothing else. */
export const tlsSecurityHeaders: ReplyHeaders = Object.freeze({
  ...securityHeaders,
  "strict-transport-security": "max-age=31536000",
});

/** Features that no page here uses; they say nothing of what isn't a page. */
const features = ["camera", "geolocation", "microphone", "payment", "usb", "bluetooth", "serial"];

/** Of a page, beside its own content security policy. */
export const pageHeaders: ReplyHeaders = Object.freeze({
  "cross-origin-opener-policy": "same-origin",
  "permissions-policy": features.map((name) => `${name}=()`).join(", "),
});

/** Adds them to all replies; what isn't told otherwise is not kept, either. */
export function addSecurityHeaders(app: FastifyInstance): void {
  // What doesn't say how long it may be kept is not: some caches keep refusals for minutes.
  const plain = { ...securityHeaders, "cache-control": "no-store" };
  const encrypted = { ...tlsSecurityHeaders, "cache-control": "no-store" };
  app.addHook("onRequest", async (request, reply) => {
    reply.headers(request.protocol === "https" ? encrypted : plain);
  });
}
