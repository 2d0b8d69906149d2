/** Routes about single items: their addresses and parameters, and how a request is read. */
import type { FastifyInstance } from "fastify";
import type { ByteBudget } from "../edge/byte-budget.ts";
import { quoted } from "../errors.ts";
import { eventBounds } from "../model.ts";
import {
  historyCountsMax,
  type ItemRequest,
  type ItemsRequest,
  rankedStepsMax,
} from "../query/items.ts";
import { stepNames } from "../query/steps.ts";
import { bodyReader } from "./body.ts";
import {
  type AnswerPorts,
  answerOrJob,
  asyncParameters,
  questionOtherReplies,
  questionReply,
} from "./jobs.ts";
import { checkJsonContent, parseJson } from "./json-body.ts";
import { nameParameters, nameSchemas, namesInPath } from "./names.ts";
import type { RouteDoc } from "./openapi.ts";
import {
  checkName,
  checkNames,
  checkValue,
  choiceOf,
  flagOf,
  invalidParameter,
  numberOf,
  type ParameterTable,
  type RawQuery,
  single,
} from "./parameters.ts";
import { modeParameter, rangeParameters, readMode, readRange } from "./range-parameters.ts";
import { readRegions, regionParameters } from "./region-parameter.ts";
import { listOf, ref } from "./schema.ts";

const neighboursDefault = 2;
const historyChoices = ["false", "true", "only"] as const;
const neighboursMax = 50;
export const batchItemsMax = 1000;
/** 1000 ids of 512 bytes, each byte an escape of six. */
const batchBytesMax = 4 * 1024 * 1024;

const itemsParameters: ParameterTable = Object.freeze({
  ...rangeParameters,
  mode: modeParameter,
  ...regionParameters,
  ...asyncParameters,
});

export const stepParameter: ParameterTable[string] = Object.freeze({
  description:
    "How long a point is; days, weeks (from Monday) and months are those of `timeZone`. " +
    "Default: the finest that makes at most 100 points.",
  schema: { type: "string", enum: stepNames },
});

const itemParameters = Object.freeze({
  ...itemsParameters,
  neighbours: {
    description: "How many items to show above it and below it, each.",
    schema: { type: "integer", minimum: 0, maximum: neighboursMax, default: neighboursDefault },
  },
  step: stepParameter,
  ranks: {
    description:
      "Whether the history says the item's rank in each step; " +
      `at most ${rankedStepsMax} steps.`,
    schema: { type: "boolean", default: false },
  },
}) satisfies ParameterTable;

const batchParameters = Object.freeze({
  ...itemsParameters,
  history: {
    description:
      "Whether to say each item's history, beside where it stands, or `only` that: quicker. " +
      `At most ${historyCountsMax} counts, items times steps.`,
    schema: { type: "string", enum: historyChoices, default: historyChoices[0] },
  },
  step: { ...stepParameter, description: `With \`history\`. ${stepParameter.description}` },
}) satisfies ParameterTable;

const itemReply: RouteDoc["reply"] = {
  ...questionReply,
  description: "The item; one that never was has count 0 and no rank.",
  schema: ref("Item"),
};

const itemDoc: RouteDoc = {
  summary: "Where one item stands",
  description:
    "Count and rank in a range, the items next to it, its history, when it was first and last " +
    "seen.",
  path: namesInPath,
  parameters: itemParameters,
  reply: itemReply,
  otherReplies: questionOtherReplies,
};

const itemByQueryDoc: RouteDoc = {
  summary: "Where one item stands, named by parameters",
  description: 'For ids that most clients can\'t write into an address, "." and "..".',
  parameters: { ...nameParameters, ...itemParameters },
  reply: itemReply,
  otherReplies: questionOtherReplies,
};

const batchDoc: RouteDoc = {
  summary: "Where many items stand",
  path: { eventType: namesInPath.eventType },
  parameters: batchParameters,
  requestBody: {
    required: true,
    content: {
      "application/json": {
        schema: {
          type: "object",
          required: ["eventIds"],
          additionalProperties: false,
          properties: {
            eventIds: listOf(nameSchemas.eventId, "The items, in the order of the answer.", {
              minItems: 1,
              maxItems: batchItemsMax,
            }),
          },
        },
      },
    },
  },
  reply: {
    ...questionReply,
    description: "The items in the order asked; with history=only the shorter form.",
    schema: { anyOf: [ref("Items"), ref("ItemHistories")] },
  },
  otherReplies: questionOtherReplies.filter(({ status }) => status !== 304),
};

function typeOf(value: string | undefined): string {
  return checkName("eventType", value, eventBounds.eventTypeBytesMax);
}

function rangeOf(query: RawQuery, now: number): Pick<ItemsRequest, "mode" | "range" | "regions"> {
  return { mode: readMode(query), range: readRange(query, now), ...readRegions(query) };
}

/** The step asked for; undefined where it did not come. */
export function readStep(query: RawQuery): ItemRequest["step"] {
  const given = single(query, "step");
  if (given !== undefined) checkValue("step", given, stepParameter);
  return given as ItemRequest["step"];
}

/**
 * Reads a request for one item from its address and query; `now` is epoch ms. Throws
 * RankstreamError (400) that names the parameter, what was expected and what came.
 */
export function readItemRequest(
  address: { eventType?: string | undefined; eventId?: string | undefined },
  query: RawQuery,
  now: number,
): ItemRequest {
  checkNames(query, itemParameters);
  return {
    eventType: typeOf(address.eventType),
    eventId: checkName("eventId", address.eventId, eventBounds.eventIdBytesMax),
    ...rangeOf(query, now),
    neighbours: numberOf(query, "neighbours", itemParameters.neighbours),
    step: readStep(query),
    hasRanks: flagOf(query, "ranks", itemParameters.ranks),
    timeZone: single(query, "timeZone") ?? "UTC",
  };
}

/** The ids of a batch's body, in order, possibly repeated. */
function idsOf(body: Buffer): string[] {
  const parsed = parseJson(body, '{"eventIds": […]}');
  const expected = `{"eventIds": [1..${batchItemsMax} texts]} and nothing else`;
  const refuse = (got: string) => invalidParameter("eventIds", expected, got);
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw refuse(quoted(JSON.stringify(parsed)));
  }
  const { eventIds, ...rest } = parsed as Record<string, unknown>;
  const [other] = Object.keys(rest);
  if (other !== undefined) throw refuse(`${quoted(other)} too`);
  if (!Array.isArray(eventIds)) throw refuse(quoted(JSON.stringify(eventIds) ?? "none"));
  if (eventIds.length === 0 || eventIds.length > batchItemsMax) {
    throw refuse(`${eventIds.length}`);
  }
  for (const [i, id] of eventIds.entries()) {
    const name = `eventIds[${i}]`;
    if (typeof id !== "string") throw invalidParameter(name, "text", quoted(JSON.stringify(id)));
    checkName(name, id, eventBounds.eventIdBytesMax);
    // It would be read as another id, with U+FFFD in that place.
    if (/\p{Surrogate}/u.test(id)) throw invalidParameter(name, "Unicode text", "half a pair");
  }
  return eventIds;
}

/** What a request for many items says of their histories; nothing where it wants none. */
function historyOf(query: RawQuery): Pick<ItemsRequest, "history" | "step" | "timeZone"> {
  const history = choiceOf(query, "history", batchParameters.history);
  const step = readStep(query);
  if (history !== "false") return { history, step, timeZone: single(query, "timeZone") ?? "UTC" };
  if (step === undefined) return {};
  throw invalidParameter("step", "history=true or history=only beside it", quoted(step));
}

/** Reads a request for many items; `now` is epoch ms. Throws RankstreamError (400). */
export function readItemsRequest(
  eventType: string | undefined,
  query: RawQuery,
  body: Buffer,
  now: number,
): ItemsRequest {
  checkNames(query, batchParameters);
  const own = { eventType: typeOf(eventType), eventIds: idsOf(body), ...rangeOf(query, now) };
  return { ...own, ...historyOf(query) };
}

/** Adds the routes. Bodies count in `budget`. */
export function addItems(app: FastifyInstance, ports: AnswerPorts, budget: ByteBudget): void {
  app.get("/items/:eventType/:eventId", { config: { doc: itemDoc } }, async (request, reply) => {
    const address = request.params as { eventType: string; eventId: string };
    const asked = readItemRequest(address, request.query as RawQuery, Date.now());
    return answerOrJob(ports, "item", asked, request, reply);
  });
  app.get("/items", { config: { doc: itemByQueryDoc } }, async (request, reply) => {
    const given = request.query as RawQuery;
    checkNames(given, { ...nameParameters, ...itemParameters });
    const { eventType, eventId, ...rest } = given;
    const address = { eventType: single(given, "eventType"), eventId: single(given, "eventId") };
    const asked = readItemRequest(address, rest, Date.now());
    return answerOrJob(ports, "item", asked, request, reply);
  });
  app.register(async (scope) => {
    scope.addContentTypeParser("*", bodyReader(batchBytesMax, budget));
    scope.addHook("onRequest", async (request) => {
      checkNames(request.query as RawQuery, batchParameters);
      checkJsonContent(request.headers);
    });
    scope.post(
      "/items/:eventType/batch",
      { config: { doc: batchDoc } },
      async (request, reply) => {
        const body = (request.body as Buffer | undefined) ?? Buffer.alloc(0);
        const { eventType } = request.params as { eventType: string };
        let asked: ItemsRequest;
        try {
          asked = readItemsRequest(eventType, request.query as RawQuery, body, Date.now());
        } finally {
          budget.release(body.length);
        }
        return answerOrJob(ports, "items", asked, request, reply);
      },
    );
  });
}
