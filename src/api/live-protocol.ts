/** Subprotocols that the live socket is opened with: its own, and one that carries a key. */
import type { FastifyRequest } from "fastify";
import { keyProtocolPrefix, liveProtocol } from "../model-live.ts";

/** As keys and tokens are: nothing that a header's list would split. */
const known = new RegExp(`^${liveProtocol}(?:\\.bearer\\.[\\w.-]+)?$`);

/** What of a `Sec-WebSocket-Protocol` header is known here, each once. */
export function knownProtocols(header: string | undefined): string[] {
  const names = (header ?? "").split(",").map((name) => name.trim());
  return [...new Set(names)].filter((name) => known.test(name));
}

/** The protocol to answer with: never the one with the key in it. */
export function answeredProtocol(offered: Set<string>): string | false {
  return offered.has(liveProtocol) ? liveProtocol : false;
}

/** What a page offered of a key, as an `Authorization` header says it; undefined without any. */
export function offeredKey({ headers }: FastifyRequest): string | undefined {
  if (headers.upgrade?.toLowerCase() !== "websocket") return undefined;
  const offered = knownProtocols(headers["sec-websocket-protocol"]);
  const found = offered.find((name) => name.startsWith(keyProtocolPrefix));
  return found === undefined ? undefined : `Bearer ${found.slice(keyProtocolPrefix.length)}`;
}
