// Whose word counts for who asks: only that of hops which are believed, from the last one back.
import { fastify } from "fastify";
import { expect, it } from "vitest";
import { clientAddress, forwardedHeaders } from "../../src/api/forwarded.ts";

const trusted = ["127.0.0.1", "10.0.0.0/8", "fd00::/8"];

const cases = [
  ["nobody forwarded", "127.0.0.1", undefined, "127.0.0.1"],
  ["one proxy", "127.0.0.1", "203.0.113.7", "203.0.113.7"],
  ["a chain of proxies", "127.0.0.1", "203.0.113.7, 10.1.2.3", "203.0.113.7"],
  ["what the client made up before", "127.0.0.1", "1.1.1.1, 203.0.113.7", "203.0.113.7"],
  ["a client that calls itself a proxy", "127.0.0.1", "10.9.9.9, 203.0.113.7", "203.0.113.7"],
  ["nobody believed says so", "203.0.113.9", "198.51.100.1", "203.0.113.9"],
  ["proxies alone", "127.0.0.1", "10.0.0.5", "10.0.0.5"],
  ["an IPv4 address within IPv6", "::ffff:127.0.0.1", "203.0.113.7", "203.0.113.7"],
  ["IPv6", "fd00::1", "2001:db8::7", "2001:db8::7"],
] as const;

it.each(cases)("%s", async (_what, peer, forwardedFor, client) => {
  expect(clientAddress(trusted)(peer, forwardedFor)).toBe(client);
  expect(clientAddress([])(peer, forwardedFor)).toBe(peer);
  const app = fastify({ trustProxy: trusted });
  app.get("/", async (request) => ({ ip: request.ip, told: forwardedHeaders(request) }));
  const headers = forwardedFor === undefined ? {} : { "x-forwarded-for": forwardedFor };
  const reply = await app.inject({ url: "/", remoteAddress: peer, headers });
  const seen = reply.json() as { ip: string; told: Record<string, string> };
  expect(seen.ip).toBe(client);
  // The client first, then the proxies up to the one that has connected.
  const hops = seen.told["x-forwarded-for"]!.split(", ");
  expect([hops[0], hops.at(-1)]).toEqual([client, peer]);
});
