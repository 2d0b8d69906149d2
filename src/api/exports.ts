/** GET /export: raw events, or their sums, as a stream. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { RankstreamError } from "../errors.ts";
import { eventBounds } from "../model.ts";
import { type CountStep, countSteps, exportFormats } from "../model-export.ts";
import type { AskControl } from "../query/ask.ts";
import type { ExportRequest, ExportStream } from "../query/exports.ts";
import { hangUpSignal } from "./hang-up.ts";
import { leaderboardParameters } from "./leaderboard.ts";
import type { RouteDoc } from "./openapi.ts";
import {
  checkName,
  checkNames,
  choiceOf,
  manyOf,
  type ParameterTable,
  type RawQuery,
} from "./parameters.ts";
import { rangeParameters, readRange } from "./range-parameters.ts";
import { text } from "./schema.ts";
import { readSelection, selectionParameters } from "./selection.ts";

export interface ExportPort {
  open(request: ExportRequest, control?: AskControl): Promise<ExportStream>;
}

const steps = ["none", ...(Object.keys(countSteps) as CountStep[])] as const;
const { by: _by, ...selection } = selectionParameters;

export const exportParameters = Object.freeze({
  eventType: {
    ...leaderboardParameters.eventType,
    description: "The event type; several by comma or repetition. Default: all.",
    required: false,
  },
  ...rangeParameters,
  format: {
    description: "Form of the file.",
    schema: { type: "string", enum: exportFormats, default: exportFormats[0] },
  },
  counts: {
    description: "Instead of events: sums by item and minute, hour or day (UTC).",
    schema: { type: "string", enum: steps, default: steps[0] },
  },
  ...selection,
}) satisfies ParameterTable;

const mediaTypes = Object.freeze({
  ndjson: "application/x-ndjson",
  csv: "text/csv; charset=utf-8; header=present",
  parquet: "application/vnd.apache.parquet",
});

const doc: RouteDoc = {
  summary: "Raw events as a file",
  description:
    "Of one moment, with everything acknowledged before. X-Rankstream-Events says how many " +
    "events come; a reply that breaks off ends without its last chunk.",
  parameters: exportParameters,
  reply: {
    status: 200,
    description: "The file.",
    mediaType: mediaTypes.ndjson,
    schema: text("A line an event, or a sum."),
    otherTypes: {
      "text/csv": text("RFC 4180, with a line of names first."),
      [mediaTypes.parquet]: { description: "Apache Parquet.", format: "binary" },
    },
    headers: { "Content-Disposition": "A name for the file." },
  },
  problems: [429, 505],
};

function readRequest(query: RawQuery, now: number): ExportRequest {
  checkNames(query, exportParameters);
  const names = manyOf(query, "eventType").flatMap((value) => value.split(","));
  for (const name of names) checkName("eventType", name, eventBounds.eventTypeBytesMax);
  const counts = choiceOf(query, "counts", exportParameters.counts);
  return {
    eventTypes: names.length === 0 ? null : [...new Set(names)],
    range: readRange(query, now),
    format: choiceOf(query, "format", exportParameters.format),
    counts: counts === "none" ? undefined : counts,
    selection: readSelection(query),
  };
}

/**
 * By HTTP/1.0 a reply ends where its connection does: one that broke off would look whole. Throws
 * `http_version_too_old`.
 */
export function checkHttpVersion({ raw }: FastifyRequest): void {
  if (raw.httpVersionMajor > 1 || raw.httpVersionMinor > 0) return;
  const detail = `an export needs HTTP/1.1, got HTTP/${raw.httpVersion}`;
  throw new RankstreamError("http_version_too_old", detail);
}

/** Sends what was opened. */
export function sendExport(
  reply: FastifyReply,
  { counts, format }: Pick<ExportRequest, "counts" | "format">,
  { events, body }: ExportStream,
) {
  const name = counts === undefined ? "events" : "counts";
  return reply
    .type(mediaTypes[format])
    .headers({
      "cache-control": "no-store",
      "content-disposition": `attachment; filename="${name}.${format}"`,
      ...(events !== null && { "x-rankstream-events": String(events) }),
    })
    .send(body);
}

/** Adds the route. */
export function addExports(app: FastifyInstance, port: ExportPort): void {
  const options = { config: { doc }, exposeHeadRoute: false };
  app.get("/export", options, async (request, reply) => {
    checkHttpVersion(request);
    const asked = readRequest(request.query as RawQuery, Date.now());
    return sendExport(reply, asked, await port.open(asked, { signal: hangUpSignal(reply) }));
  });
}
