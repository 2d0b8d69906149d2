// What a client that leaves means for the upstream that is asked on its behalf.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { afterEach, expect, it } from "vitest";
import { type ProxyRequest, proxied } from "../../src/query/proxy.ts";
import { Upstream } from "../../src/query/upstream.ts";

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

it("gives up an export whose client leaves before its first byte", async () => {
  const gone = new AbortController();
  const left = new Promise<void>((resolve) => {
    const server = createServer((_request, response) => {
      response.once("close", resolve);
      gone.abort();
    });
    server.listen(0, "127.0.0.1");
    closers.push(() => server.close());
    server.once("listening", () => {
      const upstream = new Upstream(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
      closers.push(() => upstream.close());
      const asked = { method: "GET", url: "/export?eventType=a", headers: {} };
      const request = Object.assign(Readable.from([]), asked) as unknown as ProxyRequest;
      const reply = { code: () => reply, headers: () => reply, send: () => undefined };
      const proxying = { host: "node", forwarded: {}, gone: gone.signal };
      proxied(upstream, request, reply, proxying).catch(() => undefined);
    });
  });
  await left;
  expect(gone.signal.aborted).toBe(true);
});
