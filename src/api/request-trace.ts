/** The span of each request that is traced: of what is asked for, not of pages and health. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { TraceSpan, Tracing } from "../telemetry-tracing.ts";

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

/** Adds the hooks; nothing but an empty field of each request where nothing is traced. */
export function addRequestTrace(app: FastifyInstance, tracing: Tracing): void {
  app.decorateRequest("span", null);
  if (!tracing.isOn) return;
  app.addHook("onRequest", async (request) => {
    if (!isTraced(request)) return;
    const { traceparent } = request.headers;
    const name = `${request.method} ${request.routeOptions.url}`;
    request.span = tracing.begin(name, traceparent === undefined ? traceparent : `${traceparent}`);
  });
  app.addHook("onResponse", async (request, reply) => {
    const { span, method, id, routeOptions } = request;
    if (span === null) return;
    const answered = { status: reply.statusCode, code: reply.problem?.code };
    endRequestSpan(span, routeOptions.url ?? "", method, id, answered);
  });
}
