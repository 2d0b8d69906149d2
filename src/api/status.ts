/** GET /status: how a process is, at a glance. */
import type { FastifyInstance } from "fastify";
import type { Status } from "../model-status.ts";
import type { RouteDoc } from "./openapi.ts";
import { checkNames, flagOf, type ParameterTable, type RawQuery } from "./parameters.ts";
import { object, orNull } from "./schema.ts";

/** Says how the process is; with the upstream's word where that is wanted. */
export type StatusPort = (withUpstream: boolean) => Promise<Status>;

const statusParameters = Object.freeze({
  upstream: {
    description: "Whether a node without a store says what the service behind it says, too.",
    schema: { type: "boolean", default: true },
  },
}) satisfies ParameterTable;

const number = { type: "number", minimum: 0 };
const integer = { type: "integer", minimum: 0 };
const time = { type: "string", format: "date-time" };

const rate = {
  total: integer,
  perSecond: { ...number, description: "Over the last 10 seconds." },
  perSecondLastMinute: number,
};

const properties = {
  status: { type: "string", enum: ["ready", "not_ready"] },
  notReady: { type: "array", items: { type: "string" }, description: "Parts that are missing." },
  roles: { type: "array", items: { type: "string", enum: ["edge", "ingest", "query"] } },
  version: { type: "string" },
  now: time,
  startedAt: time,
  uptimeSeconds: integer,
  accepted: { ...orNull(object(rate)), description: "Events this process took into the log." },
  counted: { ...orNull(object(rate)), description: "Events it counted." },
  lag: {
    ...orNull(
      object({
        ms: number,
        records: { ...integer, description: "Records of the log that wait." },
        asOf: {
          type: ["string", "null"],
          format: "date-time",
          description: "Everything acknowledged up to here is counted.",
        },
      }),
    ),
    description: "How old the oldest event is, at most, that is acknowledged and not counted.",
  },
  checkpoints: orNull(
    object({
      count: integer,
      lastAt: { type: ["string", "null"], format: "date-time" },
      ageMs: { type: ["number", "null"], minimum: 0 },
    }),
  ),
  disk: orNull(
    object({
      storeBytes: integer,
      logBytes: { type: ["integer", "null"], minimum: 0 },
      freeBytes: integer,
      totalBytes: integer,
    }),
  ),
  live: object({ clients: integer, boards: integer }),
  memory: object({ rssBytes: integer, heapBytes: integer, bufferBytes: integer }),
};

const upstreamDoc = {
  ...orNull(
    object({
      reachable: { type: "boolean" },
      status: orNull(object({ ...properties, upstream: { type: "null" } })),
    }),
  ),
  description: "What the service behind a node says; null where there is none.",
};

const statusDoc: RouteDoc = {
  summary: "How this process is, at a glance",
  description:
    "Rates, lag, checkpoints, disk, memory, what is not ready. Cheap: nothing is asked of the " +
    "store. 200 also while a part is not ready; GET /health/ready says that by its status.",
  parameters: statusParameters,
  reply: {
    status: 200,
    description: "As of now.",
    schema: object({ ...properties, upstream: upstreamDoc }),
  },
};

/** Adds the route. */
export function addStatus(app: FastifyInstance, read: StatusPort): void {
  app.get("/status", { config: { doc: statusDoc } }, async (request, reply) => {
    const query = request.query as RawQuery;
    checkNames(query, statusParameters);
    reply.header("cache-control", "no-store");
    return read(flagOf(query, "upstream", statusParameters.upstream));
  });
}
