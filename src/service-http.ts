/** What the HTTP side is given of the configuration, whatever the process does. */
import { fileURLToPath } from "node:url";
import type { ApiDeps } from "./api/app.ts";
import { loadUws, type Uws } from "./api/uws.ts";
import { type Config, nativeBuild } from "./config.ts";
import { networkOf } from "./config-network.ts";
import { originsOf } from "./config-origins.ts";

type HttpOptions = Pick<
  ApiDeps,
  | "bodyBytesMax"
  | "connectionsMax"
  | "connectionsPerAddressMax"
  | "requestTimeoutMs"
  | "slowRequestMs"
  | "hasAddresses"
  | "closeMsMax"
  | "webFolder"
> &
  ReturnType<typeof originsOf> &
  ReturnType<typeof networkOf>;

/** Bounds, origins, and where the pages are. */
export function httpOptions(config: Config): HttpOptions {
  return {
    bodyBytesMax: config.bodyBytesMax,
    connectionsMax: config.connectionsMax,
    connectionsPerAddressMax: config.connectionsPerAddressMax,
    requestTimeoutMs: config.requestTimeoutMs,
    slowRequestMs: config.slowRequestMs,
    hasAddresses: config.logClientAddresses === "on",
    closeMsMax: Math.floor(config.shutdownMsMax / 2),
    ...originsOf(config),
    ...networkOf(config),
    webFolder: fileURLToPath(new URL("./web/", import.meta.url)),
  };
}

/** The HTTP server that the configuration asks for in Fastify's place; null for none. */
export function openUws({ httpServer }: Config): Uws | null {
  return httpServer === "uws" ? loadUws(nativeBuild()) : null;
}
