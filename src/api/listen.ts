/** Begins to listen, waiting a little for a port that a predecessor is still giving up. */
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import { RankstreamError } from "../errors.ts";

const retryMs = 100;

export interface Address {
  host: string;
  port: number;
}

/** Null when the address could be listened on, else the system's error code. */
function probe({ host, port }: Address): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ host, port }, () => server.close(() => resolve(null)));
  });
}

function refusal(code: string, { host, port }: Address): RankstreamError {
  if (code === "EADDRINUSE") {
    return new RankstreamError("port_in_use", `port ${port} of ${host} is taken`);
  }
  return new RankstreamError("address_unavailable", `${host}:${port} can not be used (${code})`);
}

async function open(app: FastifyInstance, address: Address): Promise<number> {
  if (app.uwsServer !== null) return app.uwsServer.listen(address);
  await app.listen(address);
  const bound = app.server.address();
  return typeof bound === "object" && bound !== null ? bound.port : address.port;
}

/**
 * Listens and returns the address with the port taken (for port 0). Throws `port_in_use` when
 * the port stays taken for `waitMsMax`, `address_unavailable` when it can't be had at all.
 */
export async function listen(
  app: FastifyInstance,
  wanted: Address,
  waitMsMax: number,
): Promise<Address> {
  // For "localhost" Fastify would open a second server, which the bounds on closing don't reach.
  const host = wanted.host === "localhost" ? "127.0.0.1" : wanted.host;
  const address = { host, port: wanted.port };
  const end = Date.now() + waitMsMax;
  // A Fastify app can not listen a second time after a failure, so a bare server tries first.
  for (let code = await probe(address); code !== null; code = await probe(address)) {
    if (code !== "EADDRINUSE" || Date.now() >= end) throw refusal(code, address);
    await sleep(retryMs);
  }
  try {
    return { host, port: await open(app, address) };
  } catch (error) {
    throw refusal((error as NodeJS.ErrnoException).code ?? String(error), address);
  }
}
