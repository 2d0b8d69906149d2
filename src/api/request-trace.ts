/** The span of each request that is traced: of what is asked for, not of pages and health. */
import type { FastifyInstance, FastifyRequest } from "fastify";
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

function isTraced({ is404, routeOptions: { url, config } }: FastifyRequest): boolean {
  return !is404 && config.doc !== undefined && url !== undefined && !untracedRoutes.has(url);
}

/**
 * Adds the hooks; nothing but an empty field of each request where nothing is traced. After those
 * of access: whoever is not let in takes no one's place among the requests traced in a second.
 */
export function addRequestTrace(app: FastifyInstance, tracing: Tracing): void {
  app.decorateRequest("span", null);
  if (!tracing.isOn) return;
  app.addHook("onRequest", async (request, reply) => {
    if (!isTraced(request)) return;
    const { headers, method, id, routeOptions } = request;
    const { url: route = "" } = routeOptions;
    const traceparent = [headers["traceparent"]].flat().join(", ");
    const span = tracing.begin(`${method} ${route}`, headers["traceparent"] && traceparent);
    if (span === null) return;
    request.span = span;
    onceOver(reply.raw, () => {
      const status = sentStatus(request, reply.raw);
      endRequestSpan(span, route, method, id, { status, code: reply.problem?.code });
    });
  });
}
