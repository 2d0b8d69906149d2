/** The span of each request that is traced: of what is asked for, not of pages and health. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { TraceSpan, Tracing } from "../telemetry-tracing.ts";
import { onceOver } from "./hang-up.ts";
import { sentStatus } from "./http-metrics.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Null: it is not traced. */
    span: TraceSpan | null;
  }
}

/** Asked all the time, or open as long as somebody looks. */
const untracedRoutes: ReadonlySet<string> = new Set([
  "/health/live",
  "/health/ready",
  "/metrics",
  "/status",
  "/openapi.json",
  "/changes",
  "/live",
  "/live/events",
  "/tail",
]);

/** What every span of a request says at its end. */
export function endRequestSpan(
  span: TraceSpan,
  route: string,
  method: string,
  id: string,
  reply: { status: number; code?: string | undefined },
): void {
  const { status, code } = reply;
  span.set({
    "http.request.method": method,
    "http.route": route,
    "http.response.status_code": status,
    "rankstream.request.id": id,
    ...(code !== undefined && { "error.type": code }),
  });
  // What was wrong with the request is no failure of the service.
  if (status >= 500) span.end(new Error(`${status}`));
  else span.end();
}

function isTraced(is404: boolean, { url, config }: FastifyRequest["routeOptions"]): boolean {
  return !is404 && config.doc !== undefined && url !== undefined && !untracedRoutes.has(url);
}

/** Until the request is over; what is not to be traced is forgotten with its span. */
function follow(request: FastifyRequest, reply: FastifyReply, span: TraceSpan): void {
  const { method, id, is404, routeOptions } = request;
  if (!isTraced(is404, routeOptions)) return;
  const { url: route = "" } = routeOptions;
  span.rename(`${method} ${route}`);
  request.span = span;
  onceOver(reply.raw, () => {
    const status = sentStatus(request, reply.raw);
    endRequestSpan(span, route, method, id, { status, code: reply.problem?.code });
  });
}

/**
 * Adds the hooks; nothing but an empty field of each request where nothing is traced. After those
 * of access: whoever is not let in takes no one's place among the requests traced in a second.
 */
export function addRequestTrace(app: FastifyInstance, tracing: Tracing): void {
  app.decorateRequest("span", null);
  if (!tracing.isOn) return;
  app.addHook("onRequest", (request, reply, done) => {
    const traceparent = request.headers["traceparent"];
    const isOne = typeof traceparent === "string";
    // Chosen first: what route it is costs more to ask for.
    const span = tracing.begin(request.method, isOne ? traceparent : undefined);
    if (span !== null) follow(request, reply, span);
    done();
  });
}
