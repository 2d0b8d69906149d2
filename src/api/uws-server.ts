/**
 * The service over uWebSockets.js: it has the public port and takes POST /events itself; all else,
 * WebSockets too, it hands to Fastify within the process.
 */
import type { FastifyInstance } from "fastify";
import type { Logger } from "../telemetry.ts";
import type { Metrics } from "../telemetry-metrics.ts";
import type { Address } from "./listen.ts";
import type { Uws, UwsApp, UwsListenSocket } from "./uws.ts";
import { takeEvents, type UwsEventsDeps } from "./uws-events.ts";
import { liveBehavior } from "./uws-live.ts";
import { relay } from "./uws-relay.ts";
import { UwsRequests } from "./uws-requests.ts";

export interface UwsServerDeps extends Omit<UwsEventsDeps, "requests" | "measured"> {
  logger: Logger;
  metrics: Metrics;
  connectionsMax: number;
  requestTimeoutMs: number;
  closeMsMax: number;
}

export class UwsServer {
  readonly #uws: Uws;
  readonly #app: UwsApp;
  readonly #requests: UwsRequests;
  readonly #closeMsMax: number;
  #listening: UwsListenSocket | null = null;

  constructor(uws: Uws, fastify: FastifyInstance, deps: UwsServerDeps) {
    const { connectionsMax, requestTimeoutMs, logger } = deps;
    // One request a connection is under way: so this bounds those that do anything.
    const requests = new UwsRequests(connectionsMax, requestTimeoutMs);
    const { http, metrics } = deps;
    const measured = metrics.isOn ? http.of("/events", "POST") : null;
    const events = { ...deps, requests, measured };
    const relaying = { server: fastify.server, requests, logger, http };
    this.#uws = uws;
    this.#requests = requests;
    this.#closeMsMax = deps.closeMsMax;
    this.#app = uws
      .App()
      .ws("/live", liveBehavior(relaying))
      .post("/events", (response, request) => {
        if (request.getQuery() === undefined) takeEvents(response, request, events);
        else relay(response, request, relaying);
      })
      .any("/*", (response, request) => relay(response, request, relaying));
  }

  /** Listens, and returns the port; throws an error with a code when the address can't be had. */
  listen({ host, port }: Address): number {
    const { LIBUS_LISTEN_EXCLUSIVE_PORT: exclusive } = this.#uws;
    this.#app.listen(host, port, exclusive, (socket) => {
      this.#listening = socket === false ? null : socket;
    });
    if (this.#listening !== null) return this.#uws.us_socket_local_port(this.#listening);
    // It doesn't say why; that the address could be had was seen before.
    throw Object.assign(new Error("uWebSockets.js can't listen"), { code: "EADDRINUSE" });
  }

  /** Takes no new connection, and no new request on those there are. */
  stopListening(): void {
    this.#requests.isClosing = true;
    if (this.#listening !== null) this.#uws.us_listen_socket_close(this.#listening);
    this.#listening = null;
  }

  /** Answers what is under way, as long as that may take, then closes all connections. */
  async drain(): Promise<void> {
    this.stopListening();
    await this.#requests.drain(this.#closeMsMax);
    this.#app.close();
  }
}
