/** POST /events over Fastify; uws-events.ts does the same over uWebSockets.js. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { ByteBudget } from "../edge/byte-budget.ts";
import { bodyFormat } from "../edge/content.ts";
import type { Edge } from "../edge/edge.ts";
import { RankstreamError } from "../errors.ts";
import { bodyReader } from "./body.ts";
import { eventsDoc } from "./event-docs.ts";
import type { HttpMetrics } from "./http-metrics.ts";
import { checkNames, type RawQuery } from "./parameters.ts";
import { sendEdgeReply } from "./problems.ts";

export interface EventsDeps {
  edge: Pick<Edge, "ingest">;
  budget: ByteBudget;
  bodyBytesMax: number;
}

/** HTTP gives headers as Latin-1; keys are UTF-8. */
function idempotencyKeyOf(request: FastifyRequest): string | undefined {
  const header = request.headers["idempotency-key"];
  if (header === undefined) return undefined;
  const all = request.raw.headersDistinct?.["idempotency-key"] ?? [header].flat();
  if (all.length > 1) {
    throw new RankstreamError("invalid_idempotency_key", `expected one, got ${all.length}`);
  }
  return Buffer.from(all[0] as string, "latin1").toString("utf8");
}

/** Adds the route. */
export function addEvents(
  app: FastifyInstance,
  deps: EventsDeps,
  http: Pick<HttpMetrics, "failed">,
): void {
  const { edge, budget, bodyBytesMax } = deps;
  app.register(async (scope) => {
    scope.addContentTypeParser("*", bodyReader(bodyBytesMax, budget));
    // Refused before the body is read, so that the wrong type costs nothing.
    scope.addHook("onRequest", async (request) => {
      if (request.method !== "POST") return;
      checkNames(request.query as RawQuery, {});
      bodyFormat(request.headers["content-type"]);
    });
    scope.post("/events", { config: { doc: eventsDoc } }, async (request, reply) => {
      const body = (request.body as Buffer | undefined) ?? Buffer.alloc(0);
      const { length } = body;
      try {
        const answer = await edge.ingest({
          body,
          isOwn: true,
          contentType: request.headers["content-type"],
          contentEncoding: request.headers["content-encoding"],
          idempotencyKey: idempotencyKeyOf(request),
          principal: request.principal,
          requestId: request.id,
          span: request.span,
          ...(request.limited !== null && { charge: request.limited }),
        });
        if (request.limited !== null) reply.headers(request.limited.headers(true));
        http.failed(answer.code);
        return sendEdgeReply(reply, answer);
      } finally {
        budget.release(length);
      }
    });
  });
}
