/** GET and PUT /event-types: what is known of event types, and how long their events are kept. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { ByteBudget } from "../edge/byte-budget.ts";
import { eventBounds } from "../model.ts";
import { mayUseType } from "../model-access.ts";
import { aggregationWindows, type TypeChange } from "../query/registry.ts";
import { addJsonRoutes, parseJson, refuse } from "./json-body.ts";
import { namesInPath } from "./names.ts";
import type { RouteDoc } from "./openapi.ts";
import { checkName, checkNames, type RawQuery } from "./parameters.ts";
import { count, orNull, ref, text } from "./schema.ts";

export interface EventTypePort {
  list(): Promise<{ name: string }[]>;
  get(name: string): Promise<object>;
  put(name: string, change: TypeChange): Promise<object>;
}

const bodyBytesMax = 64 * 1024;
const descriptionLengthMax = 2000;
export const retentionDaysMax = 36_500;

const path = { name: namesInPath.eventType };

const docs = Object.freeze({
  list: {
    summary: "The event types there are",
    reply: {
      status: 200,
      description: "All that have events or settings.",
      schema: ref("EventTypes"),
    },
  },
  get: {
    summary: "One event type",
    path,
    reply: { status: 200, description: "The type.", schema: ref("EventType") },
    problems: [404],
  },
  put: {
    summary: "Describe an event type, and say how long its events are kept, and which windows",
    description: "Fields that are left out stay as they are; null clears one.",
    path,
    requestBody: {
      required: true,
      content: {
        "application/json": {
          schema: {
            type: "object",
            additionalProperties: false,
            properties: {
              description: orNull(text("What it is.", { maxLength: descriptionLengthMax })),
              retentionDays: orNull(
                count("How long its events are kept; null: for ever.", {
                  minimum: 1,
                  maximum: retentionDaysMax,
                }),
              ),
              aggregationWindow: count("Seconds of the finest windows that are kept.", {
                enum: aggregationWindows,
              }),
            },
          },
        },
      },
    },
    reply: { status: 200, description: "The type as it is now.", schema: ref("EventType") },
    problems: [403, 422],
  },
}) satisfies Record<string, RouteDoc>;

type Reader = (value: unknown) => Partial<TypeChange>;

const readers: Readonly<Record<string, Reader>> = Object.freeze({
  description: (value) => {
    const isText = typeof value === "string" && value.length <= descriptionLengthMax;
    if (value === null || isText) return { description: value };
    throw refuse("description", `text of at most ${descriptionLengthMax} characters`, value);
  },
  retentionDays: (value) => {
    const isDays = Number.isInteger(value) && (value as number) >= 1;
    if (value === null || (isDays && (value as number) <= retentionDaysMax)) {
      return { retentionDays: value as number | null };
    }
    throw refuse("retentionDays", `an integer 1..${retentionDaysMax}, or null`, value);
  },
  aggregationWindow: (value) => {
    if (aggregationWindows.includes(value as number))
      return { aggregationWindow: value as number };
    throw refuse("aggregationWindow", "60, 3600 or 86400 (seconds)", value);
  },
});

/** Reads the body of a PUT. Throws RankstreamError (400) that names the field. */
export function readTypeChange(body: Buffer): TypeChange {
  const given = parseJson(body, '{"description": …, "retentionDays": …}');
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw refuse("body", "an object", given);
  }
  let change: TypeChange = {};
  for (const [field, value] of Object.entries(given)) {
    const read = Object.hasOwn(readers, field) ? readers[field] : undefined;
    if (read === undefined)
      throw refuse(field, `one of ${Object.keys(readers).join(", ")}`, field);
    change = { ...change, ...read(value) };
  }
  return change;
}

function nameOf(request: FastifyRequest): string {
  const { name } = request.params as { name: string };
  return checkName("eventType", name, eventBounds.eventTypeBytesMax);
}

/** Adds the routes. Bodies count in `budget`. */
export function addEventTypes(
  app: FastifyInstance,
  port: EventTypePort,
  budget: ByteBudget,
): void {
  app.get("/event-types", { config: { doc: docs.list } }, async (request) => {
    checkNames(request.query as RawQuery, {});
    const types = await port.list();
    const { principal } = request;
    return { eventTypes: types.filter(({ name }) => mayUseType(principal, name)) };
  });
  app.get("/event-types/:name", { config: { doc: docs.get } }, async (request) => {
    checkNames(request.query as RawQuery, {});
    return port.get(nameOf(request));
  });
  addJsonRoutes(app, bodyBytesMax, budget, (scope, useBody) => {
    scope.put("/event-types/:name", { config: { doc: docs.put } }, (request) =>
      useBody(request, (body) => port.put(nameOf(request), readTypeChange(body))),
    );
  });
}
