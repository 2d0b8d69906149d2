/** Who asks may go before the answer comes: then nobody needs it any more. */
import type { ServerResponse } from "node:http";
import type { FastifyReply } from "fastify";

/**
 * Calls `act` once, when the response has been sent or can't be any more. One that waits behind
 * others of its connection hears nothing of that connection's end: Node tells only the first.
 */
export function onceOver(response: ServerResponse, act: () => void): void {
  // A client may send any number of requests without waiting for the first reply.
  const socket = response.socket === null ? response.req.socket.setMaxListeners(0) : null;
  const end = () => {
    response.off("close", end);
    socket?.off("close", end);
    act();
  };
  response.once("close", end);
  socket?.once("close", end);
}

/** Closes the response's connection at once, also where others of it come first. */
export function cutOff(response: ServerResponse): void {
  if (response.socket === null && !response.destroyed) response.req.socket.destroy();
  response.destroy();
}

/** Aborted should the connection close before the reply has been sent. */
export function hangUpSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  onceOver(reply.raw, () => {
    if (!reply.raw.writableFinished) gone.abort();
  });
  return gone.signal;
}
