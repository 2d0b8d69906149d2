// What every reply tells browsers, whoever sends it; and when they are told to insist on TLS.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { request } from "undici";
import { expect, it } from "vitest";
import { securityHeaders } from "../../src/api/security-headers.ts";
import { temporaryFolder } from "../support/service.ts";
import { describeOverEach, makeApi, onSocket, rawConnection } from "./api-fixture.ts";

const json = { "content-type": "application/json" };
const own = "http://boards.example.org";

describeOverEach("a reply", (server) => {
  it("has them, be it an answer or a refusal", async () => {
    const { app } = await makeApi({ corsOrigins: ["https://a.example"] });
    const { host, port } = await onSocket(app);
    const ask = (path: string, options: Parameters<typeof request>[1]) =>
      request(`http://${host}:${port}${path}`, options);
    const preflight = {
      origin: "https://a.example",
      "access-control-request-method": "POST",
    };
    for (const [path, options, status] of [
      ["/leaderboard?eventType=a", {}, 200],
      ["/health/live", { method: "HEAD" }, 200],
      ["/leaderboard?k=x", {}, 400],
      ["/nowhere", {}, 404],
      ["/events", { method: "OPTIONS", headers: preflight }, 204],
      ["/events", { method: "POST", headers: json, body: '{"eventId":"a"}' }, 202],
      ["/events", { method: "POST", headers: json, body: "{" }, 400],
      ["/events", { method: "POST", headers: { "content-type": "text/x" }, body: "a" }, 415],
      [`/items/a/${"x".repeat(5000)}`, {}, 414],
      ["/live", {}, 426],
    ] as const) {
      const reply = await ask(path, options);
      await reply.body.dump();
      expect([path, reply.statusCode]).toEqual([path, status]);
      expect(reply.headers, path).toMatchObject(securityHeaders);
      expect(reply.headers["strict-transport-security"], path).toBe(undefined);
    }
  });

  if (server === "fastify") {
    it("has them where the request was no HTTP", async () => {
      const { app } = await makeApi();
      const { socket, ended } = rawConnection(await onSocket(app));
      socket.write("nonsense\r\n\r\n");
      expect(await ended).toContain("x-content-type-options: nosniff\r\n");
    });
  }

  it("of a page says what the page may do; its own policy is kept", async () => {
    const webFolder = temporaryFolder();
    writeFileSync(join(webFolder, "index.html"), "<!doctype html>");
    const { app } = await makeApi({ webFolder });
    const { host, port } = await onSocket(app);
    const { headers, body } = await request(`http://${host}:${port}/`);
    await body.dump();
    expect(headers).toMatchObject({
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cross-origin-opener-policy": "same-origin",
    });
    expect(headers["content-security-policy"]).toContain("script-src 'self'");
    expect(headers["permissions-policy"]).toContain("camera=()");
  });

  it("insists on TLS where a proxy that is believed says so, and nowhere else", async () => {
    const forwarded = { "x-forwarded-proto": "https" };
    for (const [trustedProxies, expected] of [
      [["loopback"], "max-age=31536000"],
      [["10.0.0.0/8"], undefined],
      [[], undefined],
    ] as const) {
      const { app } = await makeApi({ trustedProxies });
      const { host, port } = await onSocket(app);
      const { headers, body } = await request(`http://${host}:${port}/health/live`, {
        headers: forwarded,
      });
      await body.dump();
      expect(headers["strict-transport-security"]).toBe(expected);
    }
  });

  it("to the service's own pages behind a proxy: by the name the browser asked for", async () => {
    const statusOf = async (trustedProxies: string[]) => {
      const { app } = await makeApi({
        trustedProxies,
      });
      const { host, port } = await onSocket(app);
      const reply = await request(`http://${host}:${port}/admin/cache/invalidate`, {
        method: "POST",
        headers: { ...json, origin: own, "x-forwarded-host": "boards.example.org" },
        body: "{}",
      });
      await reply.body.dump();
      return reply.statusCode;
    };
    expect(await statusOf(["127.0.0.1"])).not.toBe(403);
    expect(await statusOf([])).toBe(403);
  });
});
