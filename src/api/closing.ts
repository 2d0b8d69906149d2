/** How the HTTP side ends: nothing new is taken, and what is under way has a while. */
import type { FastifyInstance } from "fastify";
import { RankstreamError } from "../errors.ts";

const idleSweepMs = 20;
const shutdownRetryAfterSeconds = 5;

/** Refuses new work once closing has begun, and cuts what is still open when time is up. */
export function boundClosing(app: FastifyInstance, closeMsMax: number): void {
  let closing = false;
  let timer: NodeJS.Timeout | undefined;
  let sweeper: NodeJS.Timeout | undefined;
  app.addHook("onRequest", async (_request, reply) => {
    if (!closing) return;
    reply.header("connection", "close");
    throw new RankstreamError("shutting_down", "the service is stopping", {
      retryAfterSeconds: shutdownRetryAfterSeconds,
    });
  });
  app.addHook("preClose", async () => {
    closing = true;
    app.uwsServer?.stopListening();
    if (!app.server.listening) return;
    timer = setTimeout(() => app.server.closeAllConnections(), closeMsMax);
    // A connection whose last request was under way becomes idle only now.
    sweeper = setInterval(() => app.server.closeIdleConnections(), idleSweepMs);
  });
  app.server.once("close", () => {
    clearTimeout(timer);
    clearInterval(sweeper);
  });
}
