/** Charges each request to whoever answers for it, before anything of it is read. */
import type { FastifyInstance } from "fastify";
import type { Caller, Limiter } from "../limits/limiter.ts";
import { accountable, subjectOf } from "../limits/subject.ts";
import type { Principal } from "../model-access.ts";
import { onceOver } from "./hang-up.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Who is charged; null where nothing is limited. */
    limited: Caller | null;
  }
}

/** Replies that stay open. */
const streamRoutes = new Set(["/live", "/live/events", "/tail", "/export"]);

/** Whom a request of this principal is charged to; null where nothing is limited. */
export function callerOf(
  limiter: Limiter | null,
  principal: Principal,
  address: () => string,
): Caller | null {
  if (limiter === null) return null;
  const answering = accountable(principal);
  return limiter.of(subjectOf(answering, address), answering.limits);
}

/** Adds the hook, to be called once it is known who asks; what is open to all is not charged. */
export function addLimits(app: FastifyInstance, limiter: Limiter | null): void {
  app.decorateRequest("limited", null);
  if (limiter === null) return;
  app.addHook("onRequest", async (request, reply) => {
    const { config, url = "" } = request.routeOptions;
    if (request.is404 || config.access === undefined || config.access.scope === null) return;
    const caller = callerOf(limiter, request.principal, () => request.ip);
    if (caller === null) return;
    request.limited = caller;
    const hasEvents = url === "/events" && request.method === "POST";
    try {
      caller.request(hasEvents);
      if (streamRoutes.has(url)) onceOver(reply.raw, caller.connect());
    } finally {
      reply.headers(caller.headers(hasEvents));
    }
  });
}
