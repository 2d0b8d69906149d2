/** /regions: how fresh each region is, and what regions ask each other (model-region-wire.ts). */
import type { Readable } from "node:stream";
import { createGzip } from "node:zlib";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { ByteBudget } from "../edge/byte-budget.ts";
import { RankstreamError } from "../errors.ts";
import { eventBounds } from "../model.ts";
import {
  cellMinutes,
  isRegionTypeName,
  minuteMax,
  type RegionCountsRequest,
  type RegionHorizon,
  type RegionLevel,
  type RegionSpan,
  type RegionTotalsReply,
  type RegionTotalsRequest,
  regionCellsMax,
  regionHorizonsMax,
  regionItemsMax,
  regionLevels,
  regionSpansMax,
} from "../model-region-wire.ts";
import type { AskControl } from "../query/ask.ts";
import { parseTimestamp } from "../query/timestamp.ts";
import { hangUpSignal } from "./hang-up.ts";
import { addJsonRoutes, parseJson, refuse } from "./json-body.ts";
import type { RouteDoc } from "./openapi.ts";
import { checkOrigin } from "./origin.ts";
import { checkNames, type ParameterTable, type RawQuery, single } from "./parameters.ts";
import { listOf, object, orNull, ref, text } from "./schema.ts";

/** Each throws `regions_off` where the service is of no region. */
export interface RegionPort {
  /** As GET /regions tells. */
  list(): Promise<object>;
  totals(request: RegionTotalsRequest, control: AskControl): Promise<RegionTotalsReply>;
  counts(request: RegionCountsRequest, control: AskControl): Promise<Readable>;
  /** Throws `region_not_found`. `range` is epoch ms, `to` exclusive; null: all times. */
  resync(name: string, range: { from: number; to: number } | null): Promise<object>;
}

const isOff = async (): Promise<never> => {
  throw new RankstreamError("regions_off", "this service is of no region");
};

/** Of a service that is of no region. */
export const noRegions: RegionPort = Object.freeze({
  list: isOff,
  totals: isOff,
  counts: isOff,
  resync: isOff,
});

const bodyBytesMax = 4 * 1024 * 1024;
/** Speed matters more here than the last tenth of size. */
const gzipLevel = 3;

const minute = (description: string) => ({
  type: "integer",
  minimum: 0,
  maximum: minuteMax,
  description: `${description} Minutes since 1970.`,
});
const span = {
  level: text("Size of the cells.", { enum: regionLevels }),
  from: minute("Cells begin from here on."),
  to: minute("And before this."),
};
const horizons = listOf(
  object({
    eventType: text("The event type.", { minLength: 1 }),
    minute: minute("Nothing of it before is compared."),
  }),
  "Where retention cuts event types off.",
  { maxItems: regionHorizonsMax },
);
const bodyOf = (properties: Parameters<typeof object>[0]) => ({
  required: true,
  content: {
    "application/json": { schema: { ...object(properties), additionalProperties: false } },
  },
});

const rangeParameters: ParameterTable = {
  from: {
    description: "From when on; with `to`. Default: all times.",
    schema: { type: "string" },
  },
  to: { description: "Until when, exclusive.", schema: { type: "string" } },
};

const docs = Object.freeze({
  list: {
    summary: "How fresh each region is",
    reply: { status: 200, description: "This region and the others.", schema: ref("Regions") },
    problems: [409],
  },
  totals: {
    summary: "What this region counted, by cells of time",
    description: "Asked by other regions. Sums over all event types, of this region alone.",
    requestBody: bodyOf({
      spans: listOf(object(span), "Which cells.", { minItems: 1, maxItems: regionSpansMax }),
      horizons,
    }),
    reply: { status: 200, description: "The sums.", schema: ref("RegionTotals") },
    problems: [403, 409],
  },
  counts: {
    summary: "What this region counted, by item",
    description:
      "Asked by other regions. A line a count, `[minute, eventType, eventId, count]`; the last " +
      'line is `{"rows": n}`.',
    requestBody: bodyOf({
      ...span,
      horizons,
      itemsMax: orNull({
        type: "integer",
        minimum: 1,
        maximum: regionItemsMax,
        description: "So many greatest items of a cell and type; null: all.",
      }),
    }),
    reply: {
      status: 200,
      description: "The counts.",
      schema: { type: "string" },
      mediaType: "application/x-ndjson",
    },
    problems: [403, 409],
  },
  resync: {
    summary: "Copy another region's counts anew",
    description:
      "Deletes what is kept of it here, of the range or of all times, and copies it again. For " +
      "a region in which events were deleted, or that was restored to an earlier state.",
    path: { name: { description: "The region.", schema: { type: "string", minLength: 1 } } },
    parameters: rangeParameters,
    reply: { status: 200, description: "What was deleted.", schema: ref("RegionResync") },
    problems: [403, 404, 409],
  },
}) satisfies Record<string, RouteDoc>;

type Given = Record<string, unknown>;

function asObject(field: string, value: unknown, names: readonly string[]): Given {
  const expected = `an object of ${names.join(", ")}`;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw refuse(field, expected, value);
  }
  for (const name of [...names, ...Object.keys(value)]) {
    if (!names.includes(name) || !Object.hasOwn(value, name)) throw refuse(field, expected, value);
  }
  return value as Given;
}

function asList(field: string, value: unknown, min: number, max: number): unknown[] {
  if (Array.isArray(value) && value.length >= min && value.length <= max) return value;
  throw refuse(field, `a list of ${min}..${max}`, value);
}

function asInteger(field: string, value: unknown, min: number, max: number): number {
  const isWhole = Number.isSafeInteger(value);
  if (isWhole && (value as number) >= min && (value as number) <= max) return value as number;
  throw refuse(field, `an integer ${min}..${max}`, value);
}

function readSpan(given: Given): RegionSpan {
  const { level } = given;
  if (!regionLevels.some((name) => name === level)) {
    throw refuse("level", `one of ${regionLevels.join(", ")}`, level);
  }
  const size = cellMinutes[level as RegionLevel];
  const [from, to] = ["from", "to"].map((name) => {
    const value = asInteger(name, given[name], 0, minuteMax);
    if (value % size !== 0) throw refuse(name, `the first minute of a ${String(level)}`, value);
    return value;
  });
  return { level: level as RegionLevel, from: from!, to: to! };
}

function readHorizons(value: unknown): RegionHorizon[] {
  return asList("horizons", value, 0, regionHorizonsMax).map((one) => {
    const { eventType, minute: at } = asObject("horizons", one, ["eventType", "minute"]);
    if (!isRegionTypeName(eventType)) {
      throw refuse("eventType", `a name of 1..${eventBounds.eventTypeBytesMax} bytes`, eventType);
    }
    return { eventType, minute: asInteger("minute", at, 0, minuteMax) };
  });
}

/** Throws RankstreamError (400) that names the field. */
export function readTotalsRequest(body: Buffer): RegionTotalsRequest {
  const given = asObject("body", parseJson(body, "spans and horizons"), ["spans", "horizons"]);
  const spans = asList("spans", given["spans"], 1, regionSpansMax);
  return {
    spans: spans.map((one) => readSpan(asObject("spans", one, ["level", "from", "to"]))),
    horizons: readHorizons(given["horizons"]),
  };
}

/** Throws RankstreamError (400) that names the field. */
export function readCountsRequest(body: Buffer): RegionCountsRequest {
  const names = ["level", "from", "to", "horizons", "itemsMax"];
  const given = asObject("body", parseJson(body, names.join(", ")), names);
  const own = readSpan(given);
  const cells = (own.to - own.from) / cellMinutes[own.level];
  if (cells < 0 || cells > regionCellsMax) {
    throw refuse("to", `at most ${regionCellsMax} cells from ${own.from} on`, own.to);
  }
  const { itemsMax } = given;
  return {
    ...own,
    horizons: readHorizons(given["horizons"]),
    itemsMax: itemsMax === null ? null : asInteger("itemsMax", itemsMax, 1, regionItemsMax),
  };
}

function readRange(query: RawQuery): { from: number; to: number } | null {
  const [from, to] = [single(query, "from"), single(query, "to")];
  if (from === undefined && to === undefined) return null;
  if (from === undefined || to === undefined) throw refuse("from and to", "both or none", query);
  const range = { from: parseTimestamp(from, "from"), to: parseTimestamp(to, "to") };
  if (range.from >= range.to) throw refuse("to", "a time after from", to);
  return range;
}

/** Packed, where who asks can unpack it. */
function sendLines(request: FastifyRequest, reply: FastifyReply, lines: Readable) {
  reply.type("application/x-ndjson").header("cache-control", "no-store");
  if (!/\bgzip\b/.test(String(request.headers["accept-encoding"] ?? ""))) return reply.send(lines);
  const packed = createGzip({ level: gzipLevel });
  // An error on either side ends both: the reply is then cut off, not ended.
  lines.once("error", (error) => packed.destroy(error));
  packed.once("close", () => lines.destroy());
  return reply.header("content-encoding", "gzip").send(lines.pipe(packed));
}

/** Adds the routes. Bodies count in `budget`. */
export function addRegions(app: FastifyInstance, port: RegionPort, budget: ByteBudget): void {
  app.get("/regions", { config: { doc: docs.list } }, async (request) => {
    checkNames(request.query as RawQuery, {});
    return port.list();
  });
  const resync = { config: { doc: docs.resync } };
  app.post("/admin/regions/:name/resync", resync, async (request) => {
    checkOrigin(request);
    const query = request.query as RawQuery;
    checkNames(query, rangeParameters);
    return port.resync((request.params as { name: string }).name, readRange(query));
  });
  addJsonRoutes(app, bodyBytesMax, budget, (scope, useBody) => {
    scope.post("/regions/totals", { config: { doc: docs.totals } }, async (request, reply) => {
      const asked = await useBody(request, readTotalsRequest);
      return port.totals(asked, { signal: hangUpSignal(reply) });
    });
    scope.post("/regions/counts", { config: { doc: docs.counts } }, async (request, reply) => {
      const asked = await useBody(request, readCountsRequest);
      const lines = await port.counts(asked, { signal: hangUpSignal(reply) });
      return sendLines(request, reply, lines);
    });
  });
}
