/** Hands a request on to the upstream, and its reply back, byte by byte. */
import type { IncomingHttpHeaders } from "node:http";
import type { Readable } from "node:stream";
import { RankstreamError } from "../errors.ts";
import { type Upstream, unavailable } from "./upstream.ts";

export interface ProxyRequest extends Readable {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
}

interface ProxyReply {
  code(status: number): ProxyReply;
  headers(headers: Record<string, string | string[] | undefined>): ProxyReply;
  send(body: Readable): unknown;
}

/** RFC 9110, 7.6.1: of one connection alone. */
const hopByHop = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "expect",
  "host",
]);
/** Said by each node itself: who is behind it may believe the node, and not its clients. */
const ownNames = new Set([
  "forwarded",
  "x-forwarded-host",
  "x-forwarded-port",
  "x-real-ip",
  "strict-transport-security",
  "ratelimit",
  "ratelimit-policy",
]);
const hopsMax = 4;

function kept(headers: IncomingHttpHeaders): Record<string, string | string[] | undefined> {
  const named = String(headers.connection ?? "")
    .split(",")
    .map((name) => name.trim().toLowerCase());
  return Object.fromEntries(
    Object.entries(headers).filter(
      ([name]) => !hopByHop.has(name) && !ownNames.has(name) && !named.includes(name),
    ),
  );
}

export interface Proxying {
  /** The host asked for, by the Host header or a proxy that is believed. */
  host: string;
  /** In place of the client's: who asked, how, and what they may do; X-Request-Id. */
  forwarded: Readonly<Record<string, string | undefined>>;
  /** Aborted once the client has left. */
  gone?: AbortSignal;
}

/** Throws `upstream_unavailable`, `upstream_loop`. */
export async function proxied(
  upstream: Pick<Upstream, "request" | "url">,
  request: ProxyRequest,
  reply: ProxyReply,
  { host, forwarded, gone }: Proxying,
): Promise<unknown> {
  const hops = String(request.headers.via ?? "")
    .split(",")
    .filter((hop) => hop.includes("rankstream"));
  if (hops.length >= hopsMax) {
    const detail = `the request came through ${hops.length} nodes: is one its own upstream?`;
    throw new RankstreamError("upstream_loop", detail);
  }
  const via = [request.headers.via, "1.1 rankstream"].filter((hop) => hop !== undefined);
  const hasBody = request.method !== "GET" && request.method !== "HEAD";
  const origin = request.headers.origin;
  // To the upstream the page is of its own origin where it is of this node's.
  const isOwn = origin !== undefined && URL.canParse(origin);
  const own = isOwn && new URL(origin).host === host.toLowerCase();
  try {
    const isLong = /^\/(?:export|tail)\b/.test(request.url);
    const answer = await upstream.request({
      method: request.method as "GET",
      path: request.url,
      headers: {
        ...kept(request.headers),
        ...forwarded,
        ...(own && { origin: new URL(upstream.url).origin }),
        via: via.join(", "),
      },
      body: hasBody ? request : null,
      // These may pause for long, also before their first byte; whoever asked ends them.
      ...(isLong && { headersTimeout: 0, bodyTimeout: 0, signal: gone }),
    });
    return reply
      .code(answer.statusCode)
      .headers({ ...kept(answer.headers as IncomingHttpHeaders), via: "1.1 rankstream" })
      .send(answer.body);
  } catch (cause) {
    throw unavailable(upstream.url, cause);
  }
}
