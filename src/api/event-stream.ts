/** Server-sent events: how a reply begins to be a stream of them, and how it ends. */
import type { ServerResponse } from "node:http";
import type { FastifyReply } from "fastify";

const headers = Object.freeze({
  "content-type": "text/event-stream",
  "cache-control": "no-store",
  // Else nginx would hold events back until it has enough of them.
  "x-accel-buffering": "no",
});

/** What `/openapi.json` says of the reply. */
export const eventStreamReply = Object.freeze({
  status: 200,
  description: "The events, without end.",
  schema: { type: "string" },
  mediaType: headers["content-type"],
});

/** Takes the response over and sends its head; what follows is the caller's. */
export function beginEventStream(reply: FastifyReply): void {
  reply.headers(headers).hijack();
  reply.raw.writeHead(200, reply.getHeaders() as Record<string, string>);
}

/** Ends it: the client comes back by itself, and the connection is of no more use. */
export function endEventStream(response: ServerResponse): void {
  response.end(() => response.destroy());
}
