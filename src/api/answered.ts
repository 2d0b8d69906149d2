/** Replies of kept answers: entity tags, ages, and what caches in between may do with them. */
import type { FastifyReply, FastifyRequest } from "fastify";
import { everybody } from "../model-access.ts";
import type { Answered } from "../query/answer-cache.ts";
import type { QuestionKind, Questions } from "../query/questions.ts";
import { sendText } from "./problems.ts";

/** How long a browser or a CDN may show an answer about the past without asking again. */
const pastMaxAgeSeconds = 10;

/** RFC 9110: whether one of the tags of If-None-Match is this one; weak ones compare equal. */
function isKnown(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  const tags = header.split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  return tags.includes(etag) || tags.includes("*");
}

function ageSeconds({ ageMs }: Answered): number {
  return Math.floor(ageMs / 1000);
}

/**
 * A kept answer was held against the data just now: caches count its age, so it is added. One
 * that a key was needed for is its holder's alone.
 */
function cacheControl(
  asked: Questions[QuestionKind],
  answered: Answered,
  isForAll: boolean,
): string {
  const isExact = "mode" in asked && asked.mode === "exact";
  if (isExact || answered.isStale || !answered.isPast) return "no-cache";
  const who = isForAll ? "" : "private, ";
  return `${who}max-age=${pastMaxAgeSeconds + ageSeconds(answered)}`;
}

/** `cache-status` of RFC 9211: which level had it. */
function cacheStatus({ level, isStale }: Answered): string {
  if (level === null) return "rankstream; fwd=miss";
  return `rankstream-${level}; hit${isStale ? "; fwd=stale" : ""}`;
}

/** Sends the answer; 304 without it where the client has it already. */
export function sendAnswered(
  request: FastifyRequest,
  reply: FastifyReply,
  asked: Questions[QuestionKind],
  answered: Answered,
): FastifyReply {
  const headers = {
    etag: answered.etag,
    "cache-control": cacheControl(asked, answered, request.principal === everybody),
    age: String(ageSeconds(answered)),
    "cache-status": cacheStatus(answered),
    // The same address gives other formats to whoever accepts them.
    vary: request.principal === everybody ? "accept" : "accept, authorization",
  };
  const isRead = request.method === "GET" || request.method === "HEAD";
  if (isRead && isKnown(request.headers["if-none-match"], answered.etag)) {
    return reply.code(304).headers(headers).send();
  }
  const type = { "content-type": "application/json; charset=utf-8" };
  return sendText(reply, 200, { ...headers, ...type }, answered.text);
}
