/** GET /metrics/history: the service's own numbers over time, without any other system. */
import type { FastifyInstance } from "fastify";
import {
  type HistoryRequest,
  historyBounds,
  type MetricsHistoryReply,
} from "../query/metrics-history.ts";
import type { RouteDoc } from "./openapi.ts";
import {
  checkNames,
  choiceOf,
  invalidParameter,
  manyOf,
  type ParameterTable,
  type RawQuery,
  single,
} from "./parameters.ts";
import { rangeParameters, readRange } from "./range-parameters.ts";
import { ref } from "./schema.ts";

export type MetricsHistoryPort = (request: HistoryRequest) => Promise<MetricsHistoryReply>;

const { namesMax, seriesMax, stepsMax, stepSecondsMax } = historyBounds;
const forms = ["auto", "rate", "value"] as const;
const labelPrefix = "label.";
const labelPattern = /^[a-z_]{1,40}$/;

const parameters = Object.freeze({
  name: {
    description:
      `A metric's name; repeated, several, at most ${namesMax}. Of a histogram: its own name ` +
      "with the label quantile 0.5 or 0.99, or with _count or _sum.",
    schema: { type: "string", pattern: "^[a-z_][a-z0-9_]{0,99}$" },
    expected: "a metric's name",
    required: true,
    repeats: true,
  },
  "label.*": {
    description: "label.<name>=<value>: only series with this value of the label.",
    schema: { type: "string", maxLength: 200 },
  },
  ...rangeParameters,
  step: {
    description:
      `Seconds of a step, so that there are at most ${stepsMax}. Default: the shortest round ` +
      "one that makes about 240.",
    schema: { type: "integer", minimum: 1, maximum: stepSecondsMax },
  },
  as: {
    description: "auto: how fast counters grow, a second, and the values of all else.",
    schema: { type: "string", enum: forms, default: forms[0] },
  },
}) satisfies ParameterTable;

function labelsOf(query: RawQuery): Record<string, string> {
  const given = Object.keys(query).filter((name) => name.startsWith(labelPrefix));
  return Object.fromEntries(
    given.map((parameter) => {
      const label = parameter.slice(labelPrefix.length);
      if (!labelPattern.test(label)) {
        throw invalidParameter(parameter, "label. and a label's name", `"${parameter}"`);
      }
      return [label, single(query, parameter)!];
    }),
  );
}

/** Reads a request; `now` is epoch ms. Throws RankstreamError (400). */
export function readHistoryRequest(query: RawQuery, now: number): HistoryRequest {
  checkNames(query, parameters);
  const names = [...new Set(manyOf(query, "name"))];
  if (names.length === 0) throw invalidParameter("name", "a metric's name", "none");
  if (names.length > namesMax) {
    throw invalidParameter("name", `at most ${namesMax} names`, `${names.length}`);
  }
  const step = single(query, "step");
  return {
    names,
    labels: labelsOf(query),
    range: readRange(query, now),
    stepSeconds: step === undefined ? undefined : Number(step),
    as: choiceOf(query, "as", parameters.as),
  };
}

const doc: RouteDoc = {
  summary: "How the service's own numbers went",
  description:
    "From the samples kept in the store, one in metricsIntervalMs for metricsRetentionDays. A " +
    "step has the mean of its samples, of quantiles the greatest; or how fast a counter grew, a " +
    "restart taken as a start from 0. null: nothing is known of the step, since the service did " +
    `not run or nothing was measured. At most ${seriesMax} series.`,
  parameters,
  reply: { status: 200, description: "In even steps.", schema: ref("MetricsHistory") },
};

/** Adds the route. */
export function addMetricsHistory(app: FastifyInstance, read: MetricsHistoryPort): void {
  app.get("/metrics/history", { config: { doc } }, async (request, reply) => {
    const asked = readHistoryRequest(request.query as RawQuery, Date.now());
    reply.header("cache-control", "no-store");
    return read(asked);
  });
}
