/** GET /status: how a process is, at a glance. */
import type { FastifyInstance } from "fastify";
import type { RouteDoc } from "./openapi.ts";
import { checkNames, flagOf, type ParameterTable, type RawQuery } from "./parameters.ts";

/** Events since the start, and how many a second lately. */
export interface EventRate {
  total: number;
  /** Over the last 10 seconds. */
  perSecond: number;
  perSecondLastMinute: number;
}

export interface DiskStatus {
  storeBytes: number;
  /** Of the log in the data folder; null where the log is elsewhere. */
  logBytes: number | null;
  freeBytes: number;
  totalBytes: number;
}

/** What a service says of itself. Times are ISO 8601 UTC. */
export interface NodeStatus {
  status: "ready" | "not_ready";
  /** The parts that are missing. */
  notReady: string[];
  roles: ("edge" | "ingest" | "query")[];
  version: string;
  now: string;
  startedAt: string;
  uptimeSeconds: number;
  /** What this process took into the log; null where it appends nothing itself. */
  accepted: EventRate | null;
  /** What it counted; null without a store. */
  counted: EventRate | null;
  /** How old the oldest event is, at most, that is acknowledged and not counted. */
  lag: { ms: number; records: number; asOf: string | null } | null;
  checkpoints: { count: number; lastAt: string | null; ageMs: number | null } | null;
  disk: DiskStatus | null;
  live: { clients: number; boards: number };
  memory: { rssBytes: number; heapBytes: number; bufferBytes: number };
  /** The service behind a node; null where there is none, or it was not asked for. */
  upstream: UpstreamStatus | null;
}

export interface UpstreamStatus {
  reachable: boolean;
  status: NodeStatus | null;
}

/** Says how the process is; with the upstream's word where that is wanted. */
export type StatusPort = (withUpstream: boolean) => Promise<NodeStatus>;

const statusParameters = Object.freeze({
  upstream: {
    description: "Whether a node without a store says what the service behind it says, too.",
    schema: { type: "boolean", default: true },
  },
}) satisfies ParameterTable;

const number = { type: "number", minimum: 0 };
const integer = { type: "integer", minimum: 0 };
const time = { type: "string", format: "date-time" };

const isNull = { type: "null" };

function objectOf(properties: Record<string, unknown>) {
  const required = Object.keys(properties);
  return { type: "object", required, properties };
}

const orNull = (properties: Record<string, unknown>) => ({
  anyOf: [objectOf(properties), isNull],
});

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
  accepted: { ...orNull(rate), description: "Events this process took into the log." },
  counted: { ...orNull(rate), description: "Events it counted." },
  lag: {
    ...orNull({
      ms: number,
      records: { ...integer, description: "Records of the log that wait." },
      asOf: {
        type: ["string", "null"],
        format: "date-time",
        description: "Everything acknowledged up to here is counted.",
      },
    }),
    description: "How old the oldest event is, at most, that is acknowledged and not counted.",
  },
  checkpoints: orNull({
    count: integer,
    lastAt: { type: ["string", "null"], format: "date-time" },
    ageMs: { type: ["number", "null"], minimum: 0 },
  }),
  disk: orNull({
    storeBytes: integer,
    logBytes: { type: ["integer", "null"], minimum: 0 },
    freeBytes: integer,
    totalBytes: integer,
  }),
  live: objectOf({ clients: integer, boards: integer }),
  memory: objectOf({ rssBytes: integer, heapBytes: integer, bufferBytes: integer }),
};

const upstreamDoc = {
  ...orNull({
    reachable: { type: "boolean" },
    status: { anyOf: [objectOf({ ...properties, upstream: isNull }), isNull] },
  }),
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
    schema: objectOf({ ...properties, upstream: upstreamDoc }),
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
