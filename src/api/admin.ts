/** POST /admin/cache/invalidate: kept answers are dropped by hand. */
import type { FastifyInstance } from "fastify";
import type { ByteBudget } from "../edge/byte-budget.ts";
import { quoted } from "../errors.ts";
import { eventBounds } from "../model.ts";
import type { Invalidation } from "../query/answer-level.ts";
import { epochMsMax, momentTextPattern, parseTimestamp } from "../query/timestamp.ts";
import type { CachePort } from "./jobs.ts";
import { addJsonRoutes, parseJson } from "./json-body.ts";
import { nameSchemas } from "./names.ts";
import type { RouteDoc } from "./openapi.ts";
import { checkName, invalidParameter } from "./parameters.ts";
import { ref } from "./schema.ts";

const bodyBytesMax = 16 * 1024;
const expected = '{"eventType"?, "eventId"?, "from"?, "to"?} or {"all": true}';

/** Reads the body. Throws RankstreamError (400) that names the field. */
export function readInvalidation(body: Buffer): Invalidation {
  const given = parseJson(body, expected);
  const refuse = (got: string) => invalidParameter("body", expected, got);
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw refuse(quoted(JSON.stringify(given)));
  }
  const { all, eventType, eventId, from, to, ...rest } = given as Record<string, unknown>;
  const [other] = Object.keys(rest);
  if (other !== undefined) throw refuse(`${quoted(other)} too`);
  const isNarrow = [eventType, eventId, from, to].some((value) => value !== undefined);
  // Nothing at all is more often a mistake than meant.
  if ((all !== true && all !== undefined) || isNarrow === (all === true)) {
    throw refuse(quoted(JSON.stringify(given)));
  }
  const nameOf = (name: string, value: unknown, bytesMax: number) => {
    if (value === undefined) return null;
    if (typeof value === "string") return checkName(name, value, bytesMax);
    throw invalidParameter(name, "a text", quoted(JSON.stringify(value)));
  };
  const time = (name: string, value: unknown) =>
    value === undefined ? null : parseTimestamp(value as string | number, name);
  return {
    eventType: nameOf("eventType", eventType, eventBounds.eventTypeBytesMax),
    eventId: nameOf("eventId", eventId, eventBounds.eventIdBytesMax),
    from: time("from", from),
    to: time("to", to),
  };
}

/** RFC 3339 or epoch ms. */
const moment = (description: string) => ({
  description: `${description} RFC 3339 with zone, or epoch ms.`,
  anyOf: [
    { type: "string", pattern: momentTextPattern },
    { type: "integer", minimum: -epochMsMax, maximum: epochMsMax },
  ],
});

const doc: RouteDoc = {
  summary: "Drop kept answers",
  description:
    "Those that speak of the event type and of any part of the range, and that name the item; " +
    "or all.",
  requestBody: {
    required: true,
    content: {
      "application/json": {
        schema: {
          type: "object",
          additionalProperties: false,
          minProperties: 1,
          properties: {
            ...nameSchemas,
            from: moment("From when on."),
            to: moment("Until when, exclusive."),
            all: { type: "boolean", enum: [true], description: "Instead of all others." },
          },
          not: {
            required: ["all"],
            minProperties: 2,
          },
        },
      },
    },
  },
  reply: {
    status: 200,
    description: "How many entries were dropped.",
    schema: ref("Invalidated"),
  },
  problems: [403],
};

/** Adds the route. Bodies count in `budget`. */
export function addAdmin(app: FastifyInstance, cache: CachePort, budget: ByteBudget): void {
  addJsonRoutes(app, bodyBytesMax, budget, (scope, useBody) => {
    scope.post("/admin/cache/invalidate", { config: { doc } }, (request) =>
      useBody(request, async (body) => {
        return { invalidated: await cache.invalidate(readInvalidation(body)) };
      }),
    );
  });
}
