/** Jobs: how a question becomes one, and GET and DELETE /jobs/{id}. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { RankstreamError } from "../errors.ts";
import type { ErrorCode } from "../errors-table.ts";
import type { Principal } from "../model-access.ts";
import type { Answered } from "../query/answer-cache.ts";
import type { Invalidation } from "../query/answer-level.ts";
import type { AskControl } from "../query/ask.ts";
import type { JobView } from "../query/job-views.ts";
import type { QuestionKind, Questions } from "../query/questions.ts";
import { sendAnswered } from "./answered.ts";
import { askTraced } from "./ask-traced.ts";
import { hangUpSignal } from "./hang-up.ts";
import type { ReplyDoc, RouteDoc } from "./openapi.ts";
import { checkOrigin } from "./origin.ts";
import { checkNames, flagOf, type ParameterTable, type RawQuery } from "./parameters.ts";
import { ref } from "./schema.ts";

export interface JobPort {
  submit<Kind extends QuestionKind>(
    kind: Kind,
    request: Questions[Kind],
    asker: Principal,
  ): Promise<JobView>;
  get(id: string, asker: Principal): Promise<JobView>;
  list(asker: Principal): Promise<JobView[]>;
  cancel(id: string, asker: Principal): Promise<JobView>;
}

/** Answers at once, from what is kept or anew. */
export interface CachePort {
  ask<Kind extends QuestionKind>(
    kind: Kind,
    asked: Questions[Kind],
    control?: AskControl,
  ): Promise<Answered>;
  invalidate(which: Invalidation): Promise<number>;
}

/** What answers, now or later. */
export interface AnswerPorts {
  cache: CachePort;
  jobs: JobPort;
}

export const asyncParameters = Object.freeze({
  async: {
    description: "true: answer with a job at once, as `Prefer: respond-async` does.",
    schema: { type: "boolean", default: false },
  },
}) satisfies ParameterTable;

/** What the answer to a question has for headers. */
export const questionReply = Object.freeze({
  status: 200,
  headers: {
    ETag: "Tells this answer from others at the same address.",
    "Cache-Control": "How long it may be shown without asking again.",
    "Cache-Status": "RFC 9211: which level had it, or none.",
  },
});

/** What a question may be answered with instead. */
export const questionOtherReplies: readonly ReplyDoc[] = Object.freeze([
  {
    status: 202,
    description: "It is answered later, as a job: asked for, or for lack of time.",
    schema: ref("AcceptedJob"),
    headers: { Location: "The job.", "Retry-After": "When to look again, seconds." },
  },
  { status: 304, description: "The answer is that of If-None-Match." },
]);

const pollAfterSeconds = 1;
/** The whole answer failed for lack of time: as a job it may take longer. */
const jobCodes: readonly ErrorCode[] = ["query_timeout", "too_many_queries"];

/** Whether the answer is to be a job: by `async`, or `Prefer: respond-async`. */
export function wantsJob(request: FastifyRequest): boolean {
  const query = request.query as RawQuery;
  if (flagOf(query, "async", asyncParameters.async)) return true;
  const prefer = String(request.headers["prefer"] ?? "");
  return prefer.split(/[,;]/).some((part) => part.trim().toLowerCase() === "respond-async");
}

/** The reply that a job goes on. */
export function sendJob(reply: FastifyReply, job: JobView): { job: JobView } {
  const retryAfter = String(pollAfterSeconds);
  reply.code(202).headers({ location: `/jobs/${job.id}`, "retry-after": retryAfter });
  return { job };
}

/** Whether a job may stand in for the answer: an approximate one is wanted now or never. */
function mayBecomeJob(asked: Questions[QuestionKind]): boolean {
  return !("mode" in asked) || asked.mode !== "approx";
}

/** What the lists say of the question at once; undefined where they can't. */
async function approximateOf(
  cache: CachePort,
  kind: QuestionKind,
  asked: Questions[QuestionKind],
  signal: AbortSignal,
): Promise<object | undefined> {
  if (kind !== "leaderboard") return undefined;
  const request = asked as Questions["leaderboard"];
  if (request.selection !== undefined || request.previous !== undefined) return undefined;
  try {
    const answered = await cache.ask("leaderboard", { ...request, mode: "approx" }, { signal });
    return JSON.parse(answered.text) as object;
  } catch (error) {
    if (error instanceof RankstreamError) return undefined;
    throw error;
  }
}

/**
 * The answer to a question; or 202 with a job, where that is asked for, or where the answer takes
 * longer than a question may.
 */
export async function answerOrJob<Kind extends QuestionKind>(
  { cache, jobs }: AnswerPorts,
  kind: Kind,
  asked: Questions[Kind],
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<object> {
  const signal = hangUpSignal(reply);
  const submit = async () => {
    const job = await jobs.submit(kind, asked, request.principal);
    const approximate = await approximateOf(cache, kind, asked, signal);
    return { ...sendJob(reply, job), ...(approximate !== undefined && { approximate }) };
  };
  if (wantsJob(request)) return submit();
  try {
    return sendAnswered(
      request,
      reply,
      asked,
      await askTraced(cache, kind, asked, {
        signal,
        address: request.url,
        requestId: request.id,
        span: request.span,
      }),
    );
  } catch (error) {
    const isLate = error instanceof RankstreamError && jobCodes.includes(error.code);
    if (!isLate || !mayBecomeJob(asked)) throw error;
    return await submit().catch(() => {
      throw error;
    });
  }
}

const path = { id: { description: "The job.", schema: { type: "string", minLength: 1 } } };

const docs = Object.freeze({
  get: {
    summary: "How far a job is, and its result",
    path,
    reply: { status: 200, description: "The job.", schema: ref("Job") },
    problems: [404],
  },
  cancel: {
    summary: "Stop a job, or forget one that has ended",
    path,
    reply: { status: 200, description: "What it is now.", schema: ref("Job") },
    problems: [403, 404, 409],
  },
  list: {
    summary: "The asker's jobs, without results",
    reply: { status: 200, description: "In the order of their making.", schema: ref("Jobs") },
  },
}) satisfies Record<string, RouteDoc>;

export function addJobs(app: FastifyInstance, jobs: JobPort): void {
  app.get("/jobs", { config: { doc: docs.list } }, async (request) => {
    checkNames(request.query as RawQuery, {});
    return { jobs: await jobs.list(request.principal) };
  });
  app.get("/jobs/:id", { config: { doc: docs.get } }, async (request, reply) => {
    checkNames(request.query as RawQuery, {});
    const job = await jobs.get((request.params as { id: string }).id, request.principal);
    if (job.finishedAt === null) reply.header("retry-after", String(pollAfterSeconds));
    return job;
  });
  app.delete("/jobs/:id", { config: { doc: docs.cancel } }, async (request) => {
    checkOrigin(request);
    checkNames(request.query as RawQuery, {});
    return jobs.cancel((request.params as { id: string }).id, request.principal);
  });
}
