/** /users/{userId}: what is kept of a user, and its erasure. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { RankstreamError } from "../errors.ts";
import { eventBounds } from "../model.ts";
import type { Principal } from "../model-access.ts";
import type { AskControl } from "../query/ask.ts";
import type { EraseReply, EraseRequest } from "../query/erasures.ts";
import { checkHttpVersion, type ExportPort, sendExport } from "./exports.ts";
import { hangUpSignal } from "./hang-up.ts";
import { asyncParameters, sendJob, wantsJob } from "./jobs.ts";
import type { RouteDoc } from "./openapi.ts";
import { checkOrigin } from "./origin.ts";
import {
  checkNames,
  flagOf,
  manyOf,
  type ParameterTable,
  type RawQuery,
  single,
} from "./parameters.ts";
import { readRange } from "./range-parameters.ts";
import { ref, text } from "./schema.ts";

export interface UserPort {
  erase(request: EraseRequest, control: AskControl, asker: Principal): Promise<EraseReply>;
}

const { userIdBytesMax, metadataKeysMax } = eventBounds;

const idSchema = text(`The user: 1 to ${userIdBytesMax} bytes of UTF-8.`, {
  minLength: 1,
  maxLength: userIdBytesMax,
  pattern: "^[^\\u0000]*$",
});
const path = { userId: { description: "The user, percent-encoded.", schema: idSchema } };
/** Never quoted in a message: whoever reads logs must not learn it. */
const byQuery = {
  userId: { description: "The user.", schema: idSchema, required: true, isReadElsewhere: true },
};

const eraseParameters = Object.freeze({
  metadata: {
    description:
      "Keys of metadata to be removed as well, by comma or repetition, beside those of " +
      "`personalMetadataKeys`; `*`: all.",
    schema: { type: "string", minLength: 1, maxLength: eventBounds.metadataBytesMax },
    repeats: true,
  },
  dropSnapshots: {
    description: "Remove snapshots that hold events of the user, too.",
    schema: { type: "boolean", default: false },
  },
  dryRun: {
    description: "Erase nothing, only say what would go.",
    schema: { type: "boolean", default: false },
  },
  ...asyncParameters,
}) satisfies ParameterTable;

const eraseReply = {
  reply: {
    status: 200,
    description: "What was erased; of a dry run what would be.",
    schema: ref("ErasureReply"),
  },
  otherReplies: [
    {
      status: 202,
      description: "It is decided, nothing undoes it, and a job goes on with it.",
      schema: ref("AcceptedErasure"),
      headers: { Location: "The job.", "Retry-After": "When to look again, seconds." },
    },
  ],
  problems: [403],
} satisfies Partial<RouteDoc>;

const eraseDescription =
  "Of every event accepted before, user, session and the keys of metadata named are removed; " +
  "the events stay, and so do all counts of them. What comes later is kept.";

const events = {
  status: 200,
  description: "A line an event, as POST /events takes it.",
  mediaType: "application/x-ndjson",
  schema: text("NDJSON."),
  headers: { "Content-Disposition": "A name for the file." },
};

const docs = {
  erase: {
    summary: "Erase a user",
    description: eraseDescription,
    path,
    parameters: eraseParameters,
    ...eraseReply,
  },
  eraseByQuery: {
    summary: "Erase a user, named by a parameter",
    description: `For ids that clients can't write into an address. ${eraseDescription}`,
    parameters: { ...byQuery, ...eraseParameters },
    ...eraseReply,
  },
  events: {
    summary: "All events of a user",
    description: "Of one moment, with everything acknowledged before; in the order of their time.",
    path,
    reply: events,
    problems: [429, 505],
  },
  eventsByQuery: {
    summary: "All events of a user, named by a parameter",
    parameters: byQuery,
    reply: events,
    problems: [429, 505],
  },
} satisfies Record<string, RouteDoc>;

/** Throws `invalid_parameter`, which says nothing of what came but its length. */
function checkUser(userId: string | undefined): string {
  const bytes = userId === undefined ? 0 : Buffer.byteLength(userId);
  if (bytes >= 1 && bytes <= userIdBytesMax && !userId!.includes("\0")) return userId!;
  const got = userId?.includes("\0") ? "NUL in it" : `${bytes} bytes`;
  const detail = `userId: expected 1..${userIdBytesMax} bytes without NUL, got ${got}`;
  throw new RankstreamError("invalid_parameter", detail, { extensions: { parameter: "userId" } });
}

/** The path of an address without a user's id, which stands in no message. */
export function withoutUser(path: string): string {
  return path.replace(/^(\/users\/)[^/]+/, "$1{userId}");
}

function keysOf(query: RawQuery): string[] {
  const keys = manyOf(query, "metadata").flatMap((value) => value.split(","));
  const named = [...new Set(keys.filter((key) => key !== ""))];
  if (named.length <= metadataKeysMax) return named;
  const detail = `metadata: expected at most ${metadataKeysMax} keys, got ${named.length}`;
  throw new RankstreamError("invalid_parameter", detail, {
    extensions: { parameter: "metadata" },
  });
}

/** Reads a request. Throws RankstreamError (400) that names the parameter. */
export function readEraseRequest(userId: string | undefined, query: RawQuery): EraseRequest {
  return {
    userId: checkUser(userId),
    metadataKeys: keysOf(query),
    dropsSnapshots: flagOf(query, "dropSnapshots", eraseParameters.dropSnapshots),
    isDryRun: flagOf(query, "dryRun", eraseParameters.dryRun),
    isAsync: false,
  };
}

function userInPath(request: FastifyRequest): string {
  return (request.params as { userId: string }).userId;
}

/** Adds the routes. */
export function addUsers(app: FastifyInstance, users: UserPort, exports: ExportPort): void {
  const erase = async (request: FastifyRequest, reply: FastifyReply, userId?: string) => {
    checkOrigin(request);
    const query = request.query as RawQuery;
    const asked = readEraseRequest(userId, query);
    const control = { signal: hangUpSignal(reply) };
    const isAsync = wantsJob(request);
    const erased = await users.erase({ ...asked, isAsync }, control, request.principal);
    return erased.isDone ? erased.result : sendJob(reply, erased.job);
  };
  const send = async (request: FastifyRequest, reply: FastifyReply, userId?: string) => {
    checkHttpVersion(request);
    const asked = {
      eventTypes: null,
      range: readRange({ timeRange: "all" }, Date.now()),
      format: "ndjson" as const,
      selection: { userIds: [checkUser(userId)] },
    };
    return sendExport(reply, asked, await exports.open(asked, { signal: hangUpSignal(reply) }));
  };
  app.delete("/users/:userId", { config: { doc: docs.erase } }, (request, reply) => {
    checkNames(request.query as RawQuery, eraseParameters);
    return erase(request, reply, userInPath(request));
  });
  app.delete("/users", { config: { doc: docs.eraseByQuery } }, (request, reply) => {
    const query = request.query as RawQuery;
    checkNames(query, docs.eraseByQuery.parameters);
    return erase(request, reply, single(query, "userId"));
  });
  const options = (doc: RouteDoc) => ({ config: { doc }, exposeHeadRoute: false });
  app.get("/users/:userId/events", options(docs.events), (request, reply) => {
    checkNames(request.query as RawQuery, {});
    return send(request, reply, userInPath(request));
  });
  app.get("/users/events", options(docs.eventsByQuery), (request, reply) => {
    const query = request.query as RawQuery;
    checkNames(query, byQuery);
    return send(request, reply, single(query, "userId"));
  });
}
