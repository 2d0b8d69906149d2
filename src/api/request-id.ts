/**
 * Each request has an id, which its reply (`X-Request-Id`), its problem document and its log
 * lines name: the one that its client or a proxy gave it, else one made here.
 */
import { randomBytes } from "node:crypto";
import type { FastifyInstance } from "fastify";
import type { ErrorReply } from "../errors.ts";

export const requestIdHeader = "x-request-id";
/** Others would have to be escaped somewhere: in headers, in JSON, in a shell. */
const given = /^[\w.:/+=-]{1,128}$/;
/** Tells ids of this process from those of others. */
const processName = randomBytes(9).toString("base64url");
let idsMade = 0;

/** The id in the header's value where that can be one, else a new one. */
export function requestIdOf(header: string | string[] | undefined): string {
  if (typeof header === "string" && given.test(header)) return header;
  idsMade++;
  return `${processName}.${idsMade.toString(36)}`;
}

/** The reply with the request's id: in its headers, and where it is a problem document in that. */
export function withRequestId(reply: ErrorReply, id: string): ErrorReply {
  const headers = { ...reply.headers, [requestIdHeader]: id };
  // That of an upstream has it; a quote within a text would be escaped.
  const isNamed = reply.body.includes(',"requestId":"');
  if (isNamed || reply.headers["content-type"] !== "application/problem+json") {
    return { ...reply, headers };
  }
  // Ids hold nothing that JSON would escape.
  return { ...reply, headers, body: `${reply.body.slice(0, -1)},"requestId":"${id}"}` };
}

/** Gives every reply its request's id; the app makes ids by `requestIdOf`. */
export function addRequestId(app: FastifyInstance): void {
  // Not async, as a hook of each request: a promise more costs as much as all that is done here.
  app.addHook("onRequest", (request, reply, done) => {
    reply.header(requestIdHeader, request.id);
    done();
  });
}
