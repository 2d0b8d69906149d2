/** What the HTTP side is given of the configuration, whatever the process does. */
import { fileURLToPath } from "node:url";
import type { ApiDeps } from "./api/app.ts";
import type { Config } from "./config.ts";
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
