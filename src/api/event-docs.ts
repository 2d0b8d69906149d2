/** What /openapi.json says of POST /events. */
import { eventBounds } from "../model.ts";
import { momentTextPattern as textPattern } from "../query/timestamp.ts";
import { nameSchemas } from "./names.ts";
import type { RouteDoc } from "./openapi.ts";
import { noControls, ref } from "./schema.ts";

/** As the edge has it. */
const keyBytesMax = 256;
/** The kernel's bounds: a smaller number is seconds, most likely; the year 10000 is none. */
const epochMsMin = 100_000_000_000;
const epochMsMax = 253_402_300_799_999;

const eventSchema = {
  type: "object",
  required: ["eventId", "eventType"],
  additionalProperties: false,
  properties: {
    ...nameSchemas,
    timestamp: {
      description: "RFC 3339 with zone, or epoch milliseconds; missing = time of receipt.",
      oneOf: [
        { type: "string", pattern: textPattern },
        { type: "integer", minimum: epochMsMin, maximum: epochMsMax },
      ],
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

const lines = { schema: { type: "string", description: "One event a line." } };

export const eventsDoc: RouteDoc = {
  summary: "Takes events",
  description:
    "One event, an array, or NDJSON; gzip by Content-Encoding. Answered when the accepted " +
    "events are durable. Bad lines are named and left out.",
  headers: {
    "Idempotency-Key": {
      description: "1..256 bytes of text, or producer/sequence: the batch counts once.",
      schema: { type: "string", minLength: 1, maxLength: keyBytesMax, pattern: noControls },
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
  reply: {
    status: 202,
    description: "The accepted events are durable.",
    schema: ref("BatchReply"),
  },
  problems: [422, 429],
};
