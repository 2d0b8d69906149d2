/** Who is believed and under which names: the options that name proxies and hosts. */
import { isIP } from "node:net";
import { quoted } from "./errors.ts";
import { isLoopback } from "./model-address.ts";

interface NetworkOptions {
  host: string;
  trustedProxies: string;
  allowedHosts: string;
  httpServer: string;
  connectionsPerAddressMax: number;
  upstream: string;
  tlsCert: string;
  tlsKey: string;
  tlsClientCa: string;
  upstreamCa: string;
  upstreamClientCert: string;
  upstreamClientKey: string;
}

function namesIn(list: string, nothing: string): string[] {
  return list
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== nothing && name !== "");
}

/** Names of ranges that need no numbers. */
const namedRanges = ["loopback", "linklocal", "uniquelocal"];

/** An address, or a range of them with its prefix: `10.0.0.0/8`. */
function isRange(text: string): boolean {
  if (namedRanges.includes(text)) return true;
  const [address = "", prefix, ...more] = text.split("/");
  const version = isIP(address);
  if (version === 0 || more.length > 0) return false;
  if (prefix === undefined) return true;
  const bits = /^\d{1,3}$/.test(prefix) ? Number(prefix) : 0;
  return bits > 0 && bits <= (version === 4 ? 32 : 128);
}

/** A name as a Host header has it, without port; with a dot before it all names below as well. */
function isHostName(text: string): boolean {
  return /^\.?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/i.test(text);
}

function tlsProblem(options: NetworkOptions): string | undefined {
  const isSet = (name: keyof NetworkOptions) => options[name] !== "none";
  if (options.connectionsPerAddressMax > 0 && options.httpServer === "uws") {
    return "connectionsPerAddressMax: uWebSockets.js doesn't tell of connections: take fastify";
  }
  if (isSet("tlsCert") !== isSet("tlsKey")) return "tlsCert and tlsKey: expected both or none";
  if (isSet("upstreamClientCert") !== isSet("upstreamClientKey")) {
    return "upstreamClientCert and upstreamClientKey: expected both or none";
  }
  if (isSet("tlsClientCa") && !isSet("tlsCert")) return "tlsClientCa: expected tlsCert as well";
  if (isSet("tlsClientCa") && options.httpServer === "uws") {
    return "tlsClientCa: uWebSockets.js can't ask for clients' certificates: take fastify";
  }
  const ofUpstream = (["upstreamCa", "upstreamClientCert"] as const).find(isSet);
  if (ofUpstream !== undefined && !options.upstream.startsWith("https:")) {
    return `${ofUpstream}: expected --upstream https://host:port`;
  }
  return undefined;
}

/** What is wrong with the options: expected and got; undefined where nothing is. */
export function networkProblem(options: NetworkOptions): string | undefined {
  return tlsProblem(options) ?? nameProblem(options);
}

function nameProblem(options: NetworkOptions): string | undefined {
  const proxy = namesIn(options.trustedProxies, "none").find((name) => !isRange(name));
  if (proxy !== undefined) {
    const expected = "expected none, or addresses and ranges such as 10.0.0.0/8 by comma";
    return `trustedProxies: ${expected}, got ${quoted(proxy)}`;
  }
  const { allowedHosts } = options;
  if (["auto", "*"].includes(allowedHosts.trim())) return undefined;
  const name = namesIn(allowedHosts, "").find((each) => !isHostName(each));
  if (name === undefined) return undefined;
  const expected = "expected auto, *, or names such as boards.example.org by comma";
  return `allowedHosts: ${expected}, got ${quoted(name)}`;
}

/** The same for the API. */
export function networkOf({
  host,
  trustedProxies,
  allowedHosts,
}: Pick<NetworkOptions, "host" | "trustedProxies" | "allowedHosts">): {
  /** From whose connections forwarded headers are believed. */
  trustedProxies: string[];
  /** Names that the service is asked under beside localhost; null: any. */
  allowedHosts: string[] | null;
} {
  const hosts = allowedHosts.trim();
  const isAny = hosts === "*" || (hosts === "auto" && !isLoopback(host));
  return {
    trustedProxies: namesIn(trustedProxies, "none"),
    allowedHosts: isAny ? null : namesIn(hosts.toLowerCase(), "auto"),
  };
}
