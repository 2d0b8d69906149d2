/**
 * The service over uWebSockets.js: it has the public port and takes POST /events itself; all else,
 * WebSockets too, it hands to Fastify within the process.
 */
import type { FastifyInstance } from "fastify";
import type { Logger } from "../telemetry.ts";
import type { Metrics } from "../telemetry-metrics.ts";
import type { Address } from "./listen.ts";
import type { TlsPort } from "./tls.ts";
import type { Uws, UwsApp, UwsListenSocket, UwsResponse } from "./uws.ts";
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
  tls?: TlsPort | undefined;
}

/** Of earlier certificates whose connections are still open; beyond, the oldest are closed. */
const earlierAppsMax = 2;

export class UwsServer {
  readonly #uws: Uws;
  readonly #fastify: FastifyInstance;
  readonly #deps: UwsServerDeps;
  readonly #requests: UwsRequests;
  /** The last one listens. */
  readonly #apps: UwsApp[] = [];
  #listening: UwsListenSocket | null = null;
  #address: Address | null = null;

  constructor(uws: Uws, fastify: FastifyInstance, deps: UwsServerDeps) {
    const { connectionsMax, requestTimeoutMs, tls } = deps;
    this.#uws = uws;
    this.#fastify = fastify;
    this.#deps = deps;
    // One request a connection is under way: so this bounds those that do anything.
    this.#requests = new UwsRequests({
      pendingMax: connectionsMax,
      uploadMsMax: requestTimeoutMs,
      isEncrypted: tls !== undefined,
    });
    this.#apps.push(this.#makeApp());
    tls?.onChange(() => this.#renew());
  }

  /** Listens, and returns the port; throws an error with a code when the address can't be had. */
  listen({ host, port }: Address): number {
    const app = this.#apps.at(-1)!;
    let socket = this.#listenWith(app, { host, port });
    if (socket !== null && port === 0 && this.#deps.tls !== undefined) {
      // Of a free port it doesn't share it with a successor, of a named one it does.
      const free = this.#uws.us_socket_local_port(socket);
      this.#uws.us_listen_socket_close(socket);
      socket = this.#listenWith(app, { host, port: free });
    }
    // It doesn't say why; that the address could be had was seen before.
    if (socket === null) {
      throw Object.assign(new Error("uWebSockets.js can't listen"), { code: "EADDRINUSE" });
    }
    this.#listening = socket;
    const taken = this.#uws.us_socket_local_port(socket);
    this.#address = { host, port: taken };
    return taken;
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
    await this.#requests.drain(this.#deps.closeMsMax);
    for (const app of this.#apps) app.close();
  }

  #makeApp(): UwsApp {
    const { tls, logger, http, metrics } = this.#deps;
    const requests = this.#requests;
    const measured = metrics.isOn ? http.of("/events", "POST") : null;
    const events = { ...this.#deps, requests, measured };
    const isEncrypted = tls !== undefined;
    const relaying = { server: this.#fastify.server, requests, isEncrypted, logger, http };
    const app =
      tls === undefined
        ? this.#uws.App()
        : this.#uws.SSLApp({ key_file_name: tls.files.key, cert_file_name: tls.files.cert });
    const live = liveBehavior(relaying);
    const { upgrade } = live;
    live.upgrade = (response, request, context) => {
      this.#guard(response, () => upgrade(response, request, context));
    };
    return app
      .ws("/live", live)
      .post("/events", (response, request) => {
        this.#guard(response, () => {
          if (request.getQuery() === undefined) takeEvents(response, request, events);
          else relay(response, request, relaying);
        });
      })
      .any("/*", (response, request) => {
        this.#guard(response, () => relay(response, request, relaying));
      });
  }

  /** What a handler throws would end the process: it costs only the connection. */
  #guard(response: UwsResponse, handle: () => void): void {
    try {
      handle();
    } catch (error) {
      this.#deps.logger.error({ part: "http", err: error }, "a request failed");
      try {
        response.close();
      } catch {
        // It was answered, or has gone.
      }
    }
  }

  #listenWith(app: UwsApp, { host, port }: Address): UwsListenSocket | null {
    // A successor with another certificate has to listen before this one stops.
    const { LIBUS_LISTEN_EXCLUSIVE_PORT: exclusive } = this.#uws;
    let listening: UwsListenSocket | null = null;
    app.listen(host, port, this.#deps.tls === undefined ? exclusive : 0, (socket) => {
      listening = socket === false ? null : socket;
    });
    return listening;
  }

  /** An app keeps its certificate for good: another takes the port, and all new connections. */
  #renew(): void {
    if (this.#listening === null || this.#address === null) return;
    let app: UwsApp;
    try {
      app = this.#makeApp();
    } catch (error) {
      this.#deps.logger.error({ err: error }, "uWebSockets.js does not take the certificate");
      return;
    }
    const socket = this.#listenWith(app, this.#address);
    if (socket === null) {
      this.#deps.logger.error({ ...this.#address }, "the new certificate could not take the port");
      app.close();
      return;
    }
    this.#uws.us_listen_socket_close(this.#listening);
    this.#listening = socket;
    this.#apps.push(app);
    while (this.#apps.length > 1 + earlierAppsMax) this.#apps.shift()!.close();
  }
}
