/** What /openapi.json says of POST /events. */
import { eventBounds } from "../model.ts";
import type { RouteDoc } from "./openapi.ts";

const text = (maxLength: number, description: string) => ({
  type: "string",
  minLength: 1,
  maxLength,
  description,
});

const eventSchema = {
  type: "object",
  required: ["eventId", "eventType"],
  additionalProperties: false,
  properties: {
    eventId: text(eventBounds.eventIdBytesMax, "What is counted. Length in UTF-8 bytes."),
    eventType: text(eventBounds.eventTypeBytesMax, "The list it counts in."),
    timestamp: {
      description: "RFC 3339 with zone, or epoch milliseconds; missing = time of receipt.",
      oneOf: [{ type: "string" }, { type: "integer", minimum: 1e11 }],
    },
    userId: { type: "string", maxLength: eventBounds.userIdBytesMax },
    sessionId: { type: "string", maxLength: eventBounds.sessionIdBytesMax },
    metadata: {
      type: "object",
      maxProperties: eventBounds.metadataKeysMax,
      additionalProperties: { type: "string" },
    },
    weight: { type: "integer", minimum: 1, maximum: eventBounds.weightMax, default: 1 },
  },
};

const replySchema = {
  type: "object",
  required: ["accepted", "rejected", "errors"],
  properties: {
    accepted: { type: "integer" },
    rejected: { type: "integer" },
    errors: {
      type: "array",
      maxItems: 100,
      items: {
        type: "object",
        required: ["line", "code", "message"],
        properties: {
          line: { type: "integer", minimum: 1 },
          field: { type: "string" },
          code: { type: "string" },
          message: { type: "string" },
        },
      },
    },
  },
};

const lines = { schema: { type: "string", description: "One event a line." } };

export const eventsDoc: RouteDoc = {
  summary: "Takes events",
  description:
    "One event, an array, or NDJSON; gzip by Content-Encoding. Answered when the accepted " +
    "events are durable. Bad lines are named and left out.",
  headers: {
    "Idempotency-Key": {
      description: "1..256 bytes of text, or producer/sequence: the batch counts once.",
      schema: { type: "string" },
    },
  },
  requestBody: {
    required: true,
    content: {
      "application/json": {
        schema: { oneOf: [eventSchema, { type: "array", minItems: 1, items: eventSchema }] },
      },
      "application/x-ndjson": lines,
      "application/jsonl": lines,
    },
  },
  reply: { status: 202, description: "The accepted events are durable.", schema: replySchema },
  problems: [408, 413, 415, 422, 429, 503],
};
