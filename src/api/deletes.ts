/** DELETE: event types, ranges of them, items. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { RankstreamError } from "../errors.ts";
import { eventBounds } from "../model.ts";
import type { AskControl } from "../query/ask.ts";
import type { DeleteRequest } from "../query/deletes.ts";
import { hangUpSignal } from "./hang-up.ts";
import { nameParameters, namesInPath } from "./names.ts";
import type { RouteDoc } from "./openapi.ts";
import { checkOrigin } from "./origin.ts";
import {
  checkName,
  checkNames,
  flagOf,
  type ParameterTable,
  type RawQuery,
  single,
} from "./parameters.ts";
import { rangeParameters, readRange } from "./range-parameters.ts";
import { ref } from "./schema.ts";

export type DeletePort = (request: DeleteRequest, control?: AskControl) => Promise<object>;

const dryRunParameter = Object.freeze({
  dryRun: {
    description: "Delete nothing, only say what would go.",
    schema: { type: "boolean", default: false },
  },
}) satisfies ParameterTable;
const rangeTable: ParameterTable = Object.freeze({ ...dryRunParameter, ...rangeParameters });
const reply: RouteDoc["reply"] = {
  status: 200,
  description: "What went, or of a dry run what would go.",
  schema: ref("DeleteReply"),
};
const problems = [403];

const docs = {
  type: {
    summary: "Delete an event type with all of its events",
    description: "Everything acknowledged before the call goes; events that come later count.",
    path: { name: namesInPath.eventType },
    parameters: dryRunParameter,
    reply,
    problems,
  },
  events: {
    summary: "Delete the events of a type in a range",
    description: "A range must be given, by `timeRange` or by `from` and `to`.",
    path: { name: namesInPath.eventType },
    parameters: rangeTable,
    reply,
    problems,
  },
  item: {
    summary: "Delete an item's events, all or those of a range",
    path: namesInPath,
    parameters: rangeTable,
    reply,
    problems,
  },
  itemByQuery: {
    summary: "Delete an item's events, the item named by parameters",
    description: 'For ids that most clients can\'t write into an address, "." and "..".',
    parameters: { ...nameParameters, ...rangeTable },
    reply,
    problems,
  },
} satisfies Record<string, RouteDoc>;

const rangeNames = ["timeRange", "from", "to"];

function rangeOf(query: RawQuery, now: number): DeleteRequest["range"] {
  if (rangeNames.every((name) => query[name] === undefined)) {
    // A zone alone means that a range was meant.
    if (query["timeZone"] === undefined) return null;
    throw new RankstreamError("invalid_time_range", "timeZone came without timeRange");
  }
  const { effectiveFrom, effectiveTo } = readRange(query, now);
  return { from: effectiveFrom, to: effectiveTo };
}

interface Address {
  eventType?: string | undefined;
  eventId?: string | undefined;
}

/**
 * Reads a request; `now` is epoch ms. Throws RankstreamError (400) that names the parameter, what
 * was expected and what came.
 */
export function readDeleteRequest(
  { eventType, eventId }: Address,
  query: RawQuery,
  now: number,
): DeleteRequest {
  return {
    eventType: checkName("eventType", eventType, eventBounds.eventTypeBytesMax),
    eventId:
      eventId === undefined ? null : checkName("eventId", eventId, eventBounds.eventIdBytesMax),
    range: rangeOf(query, now),
    isDryRun: flagOf(query, "dryRun", dryRunParameter.dryRun),
  };
}

/** Adds the routes. */
export function addDeletes(app: FastifyInstance, deleteEvents: DeletePort): void {
  const answer = (reply: FastifyReply, address: Address, query: RawQuery) =>
    deleteEvents(readDeleteRequest(address, query, Date.now()), { signal: hangUpSignal(reply) });
  app.register(async (scope) => {
    scope.addHook("onRequest", async (request) => checkOrigin(request));
    scope.delete("/event-types/:name", { config: { doc: docs.type } }, async (request, reply) => {
      const query = request.query as RawQuery;
      checkNames(query, dryRunParameter);
      return answer(reply, { eventType: nameOf(request) }, query);
    });
    scope.delete(
      "/event-types/:name/events",
      { config: { doc: docs.events } },
      async (request, reply) => {
        const query = request.query as RawQuery;
        checkNames(query, rangeTable);
        if (rangeOf(query, Date.now()) === null) {
          const detail =
            "expected timeRange, or from and to, got none; " +
            "DELETE /event-types/{name} deletes all events of a type";
          throw new RankstreamError("invalid_time_range", detail);
        }
        return answer(reply, { eventType: nameOf(request) }, query);
      },
    );
    scope.delete(
      "/items/:eventType/:eventId",
      { config: { doc: docs.item } },
      async (request, reply) => {
        const query = request.query as RawQuery;
        checkNames(query, rangeTable);
        return answer(reply, request.params as Address, query);
      },
    );
    scope.delete("/items", { config: { doc: docs.itemByQuery } }, async (request, reply) => {
      const query = request.query as RawQuery;
      checkNames(query, docs.itemByQuery.parameters);
      const eventId = single(query, "eventId") ?? "";
      return answer(reply, { eventType: single(query, "eventType"), eventId }, query);
    });
  });
}

function nameOf(request: FastifyRequest): string {
  return (request.params as { name: string }).name;
}
