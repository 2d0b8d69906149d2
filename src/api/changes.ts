/** GET /changes: what changed since a version, for nodes that keep answers. */
import type { FastifyInstance } from "fastify";
import type { ChangeQuestion, ChangesView } from "../query/change-feed.ts";
import { hangUpSignal } from "./hang-up.ts";
import type { RouteDoc } from "./openapi.ts";
import { checkNames, flagOf, numberOf, type ParameterTable, type RawQuery } from "./parameters.ts";
import { ref } from "./schema.ts";

export interface ChangePort {
  read(question: ChangeQuestion, signal?: AbortSignal): Promise<ChangesView>;
}

const waitMsMax = 30_000;
/** Fifteen digits: no version comes near it. */
const versionMax = 999_999_999_999_999;

const parameters = Object.freeze({
  since: {
    description: "The version up to which all is known; 0 knows nothing.",
    schema: { type: "integer", minimum: 0, maximum: versionMax, default: 0 },
  },
  waitMs: {
    description: "How long to wait for a change where there is none yet.",
    schema: { type: "integer", minimum: 0, maximum: waitMsMax, default: 0 },
  },
  settle: {
    description: "Whether to wait a little until everything acknowledged before is counted.",
    schema: { type: "boolean", default: false },
  },
}) satisfies ParameterTable;

const doc: RouteDoc = {
  summary: "What changed since a version of the data",
  description:
    "For nodes that keep answers: an answer of a version holds while nothing of its types and " +
    "its range changed later. `reset`: what changed is not known any more, nothing kept holds.",
  parameters,
  reply: {
    status: 200,
    description: "Stretches of event types' time, epoch ms, `to` exclusive; the oldest first.",
    schema: ref("Changes"),
  },
};

/** Reads a question. Throws RankstreamError (400) that names the parameter. */
export function readChangeQuestion(query: RawQuery): ChangeQuestion {
  checkNames(query, parameters);
  return {
    since: numberOf(query, "since", parameters.since),
    waitMs: numberOf(query, "waitMs", parameters.waitMs),
    mustSettle: flagOf(query, "settle", parameters.settle),
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
