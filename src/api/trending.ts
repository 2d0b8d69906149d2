/** GET /trending: its parameters, and how a request is read from them. */
import type { FastifyInstance } from "fastify";
import { previousRange } from "../query/previous-range.ts";
import type { TrendingRequest } from "../query/trending.ts";
import {
  type AnswerPorts,
  answerOrJob,
  asyncParameters,
  questionOtherReplies,
  questionReply,
} from "./jobs.ts";
import { eventTypesOf, kParameter, leaderboardParameters, readK } from "./leaderboard.ts";
import type { RouteDoc } from "./openapi.ts";
import { checkNames, numberOf, type ParameterTable, type RawQuery, single } from "./parameters.ts";
import { rangeParameters, readRange } from "./range-parameters.ts";
import { readRegions, regionParameters } from "./region-parameter.ts";
import { ref } from "./schema.ts";
import { readSelection, selectionParameters } from "./selection.ts";

const minScoreDefault = 4;
const minScoreMax = 1000;
const minCountDefault = 5;
const minCountMax = 1_000_000_000;

const trendingParameters = Object.freeze({
  eventType: leaderboardParameters.eventType,
  k: kParameter,
  ...rangeParameters,
  minScore: {
    description:
      "Items with a lower score are left out. A score is a signed root of a log-likelihood " +
      "ratio, about a standard normal where only chance is at work.",
    schema: { type: "number", minimum: 0, maximum: minScoreMax, default: minScoreDefault },
  },
  minCount: {
    description: "Items with a lower count are left out.",
    schema: { type: "integer", minimum: 1, maximum: minCountMax, default: minCountDefault },
  },
  ...selectionParameters,
  ...regionParameters,
  ...asyncParameters,
}) satisfies ParameterTable;

/** Reads a request; `now` is epoch ms. Throws RankstreamError (400). */
export function readTrendingRequest(query: RawQuery, now: number): TrendingRequest {
  checkNames(query, trendingParameters);
  const selection = readSelection(query);
  const range = readRange(query, now);
  const [timeRange, timeZone] = [single(query, "timeRange"), single(query, "timeZone")];
  return {
    eventTypes: eventTypesOf(query),
    k: readK(query),
    range,
    previous: previousRange({ timeRange, timeZone }, range),
    minScore: numberOf(query, "minScore", trendingParameters.minScore),
    minCount: numberOf(query, "minCount", trendingParameters.minCount),
    ...readRegions(query),
    ...(selection !== undefined && { selection }),
  };
}

const trendingDoc: RouteDoc = {
  summary: "What grew beyond what chance explains",
  description: "Against the period before, which is that of a leaderboard's compare=previous.",
  parameters: trendingParameters,
  reply: {
    ...questionReply,
    description: "The items by score, the greatest first.",
    schema: ref("Trending"),
  },
  otherReplies: questionOtherReplies,
};

export function addTrending(app: FastifyInstance, ports: AnswerPorts): void {
  app.get("/trending", { config: { doc: trendingDoc } }, async (request, reply) => {
    const asked = readTrendingRequest(request.query as RawQuery, Date.now());
    return answerOrJob(ports, "trending", asked, request, reply);
  });
}
