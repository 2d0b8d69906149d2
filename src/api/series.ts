/** GET /event-types/{name}/series: its parameters, and how a request is read from them. */
import type { FastifyInstance } from "fastify";
import { eventBounds } from "../model.ts";
import type { SeriesRequest } from "../query/series.ts";
import { readStep, stepParameter } from "./items.ts";
import {
  type AnswerPorts,
  answerOrJob,
  asyncParameters,
  questionOtherReplies,
  questionReply,
} from "./jobs.ts";
import { namesInPath } from "./names.ts";
import type { RouteDoc } from "./openapi.ts";
import {
  checkName,
  checkNames,
  flagOf,
  type ParameterTable,
  type RawQuery,
  single,
} from "./parameters.ts";
import { rangeParameters, readRange } from "./range-parameters.ts";
import { readRegions, regionParameters } from "./region-parameter.ts";
import { ref } from "./schema.ts";

const seriesParameters = Object.freeze({
  ...rangeParameters,
  step: stepParameter,
  distinct: {
    description: "Whether to count the distinct items of each step: takes longer.",
    schema: { type: "boolean", default: false },
  },
  ...regionParameters,
  ...asyncParameters,
}) satisfies ParameterTable;

/** Reads a request; `now` is epoch ms. Throws RankstreamError (400). */
export function readSeriesRequest(
  name: string | undefined,
  query: RawQuery,
  now: number,
): SeriesRequest {
  checkNames(query, seriesParameters);
  return {
    eventType: checkName("eventType", name, eventBounds.eventTypeBytesMax),
    range: readRange(query, now),
    step: readStep(query),
    timeZone: single(query, "timeZone") ?? "UTC",
    ...readRegions(query),
    hasDistinct: flagOf(query, "distinct", seriesParameters.distinct),
  };
}

const seriesDoc: RouteDoc = {
  summary: "How many events a type had, step by step",
  path: { name: namesInPath.eventType },
  parameters: seriesParameters,
  reply: {
    ...questionReply,
    description: "A point for each step, also where nothing was.",
    schema: ref("Series"),
  },
  otherReplies: questionOtherReplies,
};

export function addSeries(app: FastifyInstance, ports: AnswerPorts): void {
  app.get("/event-types/:name/series", { config: { doc: seriesDoc } }, async (request, reply) => {
    const { name } = request.params as { name: string };
    const asked = readSeriesRequest(name, request.query as RawQuery, Date.now());
    return answerOrJob(ports, "series", asked, request, reply);
  });
}
