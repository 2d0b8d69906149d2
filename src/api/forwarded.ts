/** Who asks, where proxies stand in between. */
import type { IncomingMessage } from "node:http";
import proxyAddress from "@fastify/proxy-addr";
import type { FastifyRequest } from "fastify";

/** The client's address; `peer`: who has connected, `forwardedFor`: what its header says. */
export type ClientAddress = (peer: string, forwardedFor: string | undefined) => string;

/** Whether an address is one of those. */
export function trustOf(trusted: readonly string[]): (address: string) => boolean {
  if (trusted.length === 0) return () => false;
  const isTrusted = proxyAddress.compile([...trusted]);
  return (address) => isTrusted(address, 0);
}

/** The rightmost address that is none of `trusted`, as Fastify's `request.ip` has it. */
export function clientAddress(trusted: readonly string[]): ClientAddress {
  if (trusted.length === 0) return (peer) => peer;
  const isTrusted = proxyAddress.compile([...trusted]);
  return (peer, forwardedFor) => {
    // As much of a request as is looked at.
    const request = {
      socket: { remoteAddress: peer },
      headers: { "x-forwarded-for": forwardedFor },
    };
    return proxyAddress(request as unknown as IncomingMessage, isTrusted);
  };
}

/** What a node tells the service behind it of who asked: only what it believes itself. */
export function forwardedHeaders(request: FastifyRequest): Record<string, string> {
  const hops = [...(request.ips ?? [request.ip])].reverse();
  return { "x-forwarded-for": hops.join(", "), "x-forwarded-proto": request.protocol };
}
