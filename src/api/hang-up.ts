/** Who asks may go before the answer comes: then nobody needs it any more. */
import type { FastifyReply } from "fastify";

/** Aborted should the connection close before the reply has been sent. */
export function hangUpSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once("close", () => {
    if (!reply.raw.writableFinished) gone.abort();
  });
  return gone.signal;
}
