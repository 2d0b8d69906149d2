/** GET /changes: what changed since a version, for nodes that keep answers. */
import type { FastifyInstance } from "fastify";
import type { ChangeQuestion, ChangesView } from "../query/change-feed.ts";
import { hangUpSignal } from "./hang-up.ts";
import type { RouteDoc } from "./openapi.ts";
import {
  checkNames,
  choiceParameter,
  integerParameter,
  type ParameterTable,
  type RawQuery,
} from "./parameters.ts";

export interface ChangePort {
  read(question: ChangeQuestion, signal?: AbortSignal): Promise<ChangesView>;
}

const waitMsMax = 30_000;

const parameters: ParameterTable = Object.freeze({
  since: {
    description: "The version up to which all is known; 0 knows nothing.",
    schema: { type: "integer", minimum: 0, default: 0 },
  },
  waitMs: {
    description: "How long to wait for a change where there is none yet.",
    schema: { type: "integer", minimum: 0, maximum: waitMsMax, default: 0 },
  },
  settle: {
    description: "Whether to wait a little until everything acknowledged before is counted.",
    schema: { type: "boolean", default: false },
  },
});

const doc: RouteDoc = {
  summary: "What changed since a version of the data",
  description:
    "For nodes that keep answers: an answer of a version holds while nothing of its types and " +
    "its range changed later. `reset`: what changed is not known any more, nothing kept holds.",
  parameters,
  reply: {
    status: 200,
    description: "Stretches of event types' time, epoch ms, `to` exclusive; the oldest first.",
    schema: {
      type: "object",
      required: ["version", "reset", "settled", "changes"],
      properties: {
        version: { type: "integer" },
        reset: { type: "boolean" },
        settled: { type: ["boolean", "null"] },
        dataId: { type: "string" },
        changes: {
          type: "array",
          items: {
            type: "object",
            properties: {
              eventType: { type: "string" },
              from: { type: "integer" },
              to: { type: "integer" },
              version: { type: "integer" },
            },
          },
        },
      },
    },
  },
};

/** Reads a question. Throws RankstreamError (400) that names the parameter. */
export function readChangeQuestion(query: RawQuery): ChangeQuestion {
  checkNames(query, parameters);
  return {
    since: integerParameter(query, "since", 0, Number.MAX_SAFE_INTEGER, 0),
    waitMs: integerParameter(query, "waitMs", 0, waitMsMax, 0),
    mustSettle: choiceParameter(query, "settle", ["false", "true"]) === "true",
  };
}

export function addChanges(app: FastifyInstance, changes: ChangePort): void {
  const closing = new AbortController();
  app.addHook("preClose", async () => closing.abort());
  app.get("/changes", { config: { doc } }, async (request, reply) => {
    const question = readChangeQuestion(request.query as RawQuery);
    reply.header("cache-control", "no-store");
    return changes.read(question, AbortSignal.any([hangUpSignal(reply), closing.signal]));
  });
}
