/**
 * A line for each request at level debug; for one that took long, or that changes or deletes what
 * is kept, at info; for one that was not served, by a fault or for lack of room, at warn.
 * docs/logs.md has the fields.
 */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { everybody, type Principal } from "../model-access.ts";
import type { Logger, LogLevel } from "../telemetry.ts";
import type { RequestNote } from "../telemetry-log.ts";
import type { AtEnd } from "./http-metrics.ts";
import { noteOf, shownPath, shownQuestion } from "./request-note.ts";

declare module "fastify" {
  interface FastifyReply {
    /** What the reply is a problem document of, where it is one. */
    problem: { code: string; message?: string } | null;
  }
}

export interface RequestLogDeps {
  logger: Logger;
  /** Requests that take longer are slow; 0: none is. */
  slowRequestMs: number;
  /** Whether lines name the client's address. */
  hasAddresses: boolean;
}

/** One request that was answered. */
export interface AnsweredRequest {
  method: string;
  /** As it may be written. */
  path: string;
  status: number;
  durationMs: number;
  /** Whether it was to change or delete something. */
  isChange?: boolean;
  address: string | undefined;
  /** Of a problem document. */
  problem?: { code: string; message?: string } | null | undefined;
  question?: Record<string, string> | undefined;
  /** Of the API key, where it came with one. */
  key?: string | undefined;
}

const nanosPerMs = 1e6;
/** What takes long by its nature: streams, long polls, sockets. */
const longRoutes: ReadonlySet<string> = new Set([
  "/changes",
  "/export",
  "/live",
  "/live/events",
  "/tail",
]);
const texts: Partial<Record<LogLevel, string>> = {
  debug: "a request was answered",
  info: "a request took long",
  warn: "a request was not served",
};
const changeText = "a change was asked for";
/** Who did what has a line: but for those who came without a good key, whom anybody may be. */
const unknownStatus = 401;

export class RequestLog {
  readonly #deps: RequestLogDeps;

  constructor(deps: RequestLogDeps) {
    this.#deps = deps;
  }

  /** The level of the line there is to write; null for none. */
  levelOf(
    status: number,
    durationMs: number,
    { isLong = false, isChange = false } = {},
  ): LogLevel | null {
    const { logger, slowRequestMs } = this.#deps;
    const isSlow = slowRequestMs > 0 && durationMs > slowRequestMs && !isLong;
    const level = status >= 500 ? "warn" : isSlow || isChange ? "info" : "debug";
    return logger.isOn(level) ? level : null;
  }

  /** Writes the line of `levelOf`; the route is in its words, so that routes repeat apart. */
  write(level: LogLevel, route: string, request: RequestNote, answered: AnsweredRequest): void {
    const { logger, hasAddresses } = this.#deps;
    const { method, path, status, durationMs, address, problem, question, key } = answered;
    const text = level === "info" && answered.isChange ? changeText : texts[level];
    const fields = {
      part: "http",
      request,
      "http.request.method": method,
      "url.path": path,
      "http.response.status_code": status,
      "event.duration": Math.round(durationMs * nanosPerMs),
      "event.outcome": status >= 500 ? "failure" : "success",
      ...(hasAddresses && address !== undefined && { "client.ip": address }),
      ...(problem && { code: problem.code }),
      // What is wrong with a request its client was told; the words hold parts of it.
      ...(problem && status >= 500 && { reason: problem.message }),
      ...(question !== undefined && { question }),
      ...(key !== undefined && { key }),
    };
    logger[level](fields, `${text}: ${method} ${route}`);
  }
}

/**
 * The key's id, of a node's caller both; of who has none nothing, a token's subject may be a user.
 */
export function keyOf(principal: Principal | null): string | undefined {
  const { id } = principal ?? everybody;
  return id === everybody.id || !/^[\w-]+(?:\/[\w-]+)*$/.test(id) ? undefined : id;
}

/** Whether it was to change or delete something: what keys need the scope admin for. */
function isChange(request: FastifyRequest, status: number): boolean {
  const { method, url } = request;
  // Asked of every request: most are of these.
  if (method === "GET" || url.startsWith("/events") || status === unknownStatus) return false;
  return method !== "HEAD" && request.routeOptions.config.access?.scope === "admin";
}

/**
 * Writes lines of all requests, also of those whose client left before it was answered: to be
 * called at each one's end.
 */
export function logRequests(app: FastifyInstance, log: RequestLog): AtEnd {
  app.decorateReply("problem", null);
  return (request, { problem }, status, durationMs) => {
    const kind = { isChange: isChange(request, status) };
    // Of most requests nothing is written: the route, which costs to ask for, is asked for last.
    if (log.levelOf(status, durationMs, kind) === null) return;
    const { url: route = "" } = request.routeOptions;
    const level = log.levelOf(status, durationMs, { ...kind, isLong: longRoutes.has(route) });
    if (level === null) return;
    log.write(level, request.is404 ? "***" : route, noteOf(request), {
      method: request.method,
      path: shownPath(request),
      status,
      durationMs,
      ...kind,
      address: request.ip,
      problem,
      question: shownQuestion(request),
      key: keyOf(request.principal),
    });
  };
}
