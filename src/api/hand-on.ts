/** On a stateless node: which requests it answers itself; all others go to the upstream. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { formatOf } from "./board-format.ts";
import { checkHttpVersion } from "./exports.ts";
import type { RawQuery } from "./parameters.ts";

export type ProxyPort = (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;

/** About the node itself, and what it takes part in. */
const ownRoutes = new Set([
  "/events",
  "/live",
  "/live/events",
  "/health/live",
  "/health/ready",
  "/metrics",
  "/status",
  "/openapi.json",
  "/admin/cache/invalidate",
]);
/** Questions whose answers are kept here. */
const keptRoutes = new Set([
  "/leaderboard",
  "/trending",
  "/event-types/:name/series",
  "/items/:eventType/:eventId",
  "/items",
]);
/** What isn't answered by one kept text. */
const specialNames = ["async", "cursor"];

function isPlain(request: FastifyRequest): boolean {
  const query = request.query as RawQuery;
  const isSpecial = specialNames.some((name) => query[name] !== undefined);
  const format = query["format"];
  const isTable = format !== undefined ? format !== "json" : formatOf(request) !== "json";
  return !isSpecial && !isTable && request.headers["prefer"] === undefined;
}

function isOwn(request: FastifyRequest, further: readonly string[]): boolean {
  const { url = "", config } = request.routeOptions;
  // Pages, and what is at no address.
  if (request.is404 || config.doc === undefined || ownRoutes.has(url)) return true;
  if (further.includes(url)) return true;
  return request.method === "GET" && keptRoutes.has(url) && isPlain(request);
}

/**
 * Hands on what the node doesn't answer itself, before anything of it is read;
 * `further`: routes that it answers as well.
 */
export function addHandOn(
  app: FastifyInstance,
  proxy: ProxyPort,
  further: readonly string[] = [],
): void {
  app.addHook("onRequest", async (request, reply) => {
    if (isOwn(request, further)) return;
    if (request.routeOptions.url === "/export") checkHttpVersion(request);
    await proxy(request, reply);
    return reply;
  });
}
