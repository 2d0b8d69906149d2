/** Operations: whether the process runs and is ready, its numbers, the API's description. */
import type { FastifyInstance } from "fastify";
import type { Access } from "../access/access.ts";
import { RankstreamError } from "../errors.ts";
import type { Metrics } from "../telemetry-metrics.ts";
import { type DocumentedRoute, openApiDocument, type RouteDoc } from "./openapi.ts";
import { listOf, object, ref, text } from "./schema.ts";

export interface OperationsDeps {
  /** Names of the parts that are not ready; empty once events are taken and queries answered. */
  notReady: () => readonly string[];
  metrics: Metrics;
  version: string;
  /** Whether nobody needs a key; default: so. */
  access?: Pick<Access, "isOpen">;
}

const metricsSchema = text("A line a number.");
const openApiSchema = object({
  openapi: text("3.1.0"),
  info: object({}, [], "Title, version, licence."),
  servers: listOf(object({}, [], "Where it is."), "The service itself."),
  tags: listOf(object({ name: text("A heading.") }), "In their order."),
  paths: object({}, [], "By address."),
  components: object({}, [], "Schemas and replies that several operations share."),
});

/** Adds the routes; `routes` are described once all are known. */
export function addOperations(
  app: FastifyInstance,
  deps: OperationsDeps,
  routes: readonly DocumentedRoute[],
): void {
  const status = ref("Status");
  const liveDoc: RouteDoc = {
    summary: "Whether the process runs",
    reply: { status: 200, description: "It does.", schema: status },
  };
  app.get("/health/live", { config: { doc: liveDoc } }, async () => ({ status: "live" }));
  const readyDoc: RouteDoc = {
    summary: "Whether events are taken and queries answered",
    reply: { status: 200, description: "They are.", schema: status },
  };
  app.get("/health/ready", { config: { doc: readyDoc } }, async () => {
    const parts = deps.notReady();
    if (parts.length === 0) return { status: "ready" };
    const detail = `not ready: ${parts.join(", ")}`;
    throw new RankstreamError("not_ready", detail, { extensions: { parts } });
  });
  const metricsDoc: RouteDoc = {
    summary: "The process's numbers in Prometheus text format",
    reply: {
      status: 200,
      description: "All of them.",
      mediaType: "text/plain",
      schema: metricsSchema,
    },
    problems: [404],
  };
  app.get("/metrics", { config: { doc: metricsDoc } }, async (_request, reply) => {
    const { metrics } = deps;
    if (!metrics.isOn) throw new RankstreamError("not_found", "metrics are switched off here");
    return reply.type(metrics.contentType).send(await metrics.text());
  });
  const openApiDoc: RouteDoc = {
    summary: "This description",
    reply: { status: 200, description: "OpenAPI 3.1.", schema: openApiSchema },
  };
  let document: object | undefined;
  app.get("/openapi.json", { config: { doc: openApiDoc } }, async () => {
    document ??= openApiDocument(routes, deps.version, deps.access?.isOpen);
    return document;
  });
}
