// Which names the service may be asked under, and whose word counts for that.
import { request } from "undici";
import { describe, expect, it } from "vitest";
import { hostCheck } from "../../src/api/allowed-hosts.ts";
import { networkOf } from "../../src/config-network.ts";
import { describeOverEach, makeApi, onSocket } from "./api-fixture.ts";

const json = { "content-type": "application/json" };
const names = ["boards.example.org", ".inner.example"];

function passes(host: string | undefined, allowed: readonly string[] | null = names): boolean {
  try {
    hostCheck(allowed)(host);
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: "host_not_allowed", status: 421 });
    return false;
  }
}

describe("a host", () => {
  it.each([
    undefined,
    "localhost",
    "LOCALHOST:8080",
    "a.localhost:8080",
    "127.0.0.1:8080",
    "10.1.2.3",
    "[::1]:8080",
    "[2001:db8::1]",
    "boards.example.org",
    "Boards.Example.org.:443",
    "a.inner.example",
    "a.b.inner.example:1",
    "inner.example",
  ])("passes that is an address or named: %s", (host) => {
    expect(passes(host)).toBe(true);
  });

  it.each([
    "evil.example",
    "localhost.evil.example",
    "evil.example:127.0.0.1",
    "127.0.0.1.evil.example",
    "xboards.example.org",
    "ainner.example",
    "[::1].evil.example",
    "[::1",
    "1",
    "localhost@evil.example",
    "evil.example/localhost",
  ])("is refused that is neither: %s", (host) => {
    expect(passes(host)).toBe(false);
    expect(passes(host, [])).toBe(false);
    expect(passes(host, null)).toBe(true);
  });

  it("may be any by default only where others than this machine reach the service", () => {
    const allowed = (host: string, allowedHosts = "auto") =>
      networkOf({ host, allowedHosts, trustedProxies: "none" }).allowedHosts;
    for (const host of ["127.0.0.1", "127.9.9.9", "::1", "localhost"]) {
      expect(allowed(host), host).toEqual([]);
      expect(allowed(host, "*"), host).toBe(null);
    }
    expect(allowed("0.0.0.0")).toBe(null);
    expect(allowed("::")).toBe(null);
    expect(allowed("0.0.0.0", "A.example, .b.example")).toEqual(["a.example", ".b.example"]);
  });
});

describeOverEach("a request under a foreign name", () => {
  it("is refused whatever it asks for, and changes nothing", async () => {
    const { app, log } = await makeApi({ allowedHosts: names });
    const { host, port } = await onSocket(app);
    const ask = async (name: string, method: "GET" | "POST", path: string) => {
      const headers = { ...json, host: name };
      const body = method === "POST" ? '{"eventId":"a"}' : null;
      const reply = await request(`http://${host}:${port}${path}`, { method, headers, body });
      const text = await reply.body.text();
      return [reply.statusCode, reply.statusCode === 421 ? JSON.parse(text).code : ""];
    };
    for (const path of ["/", "/leaderboard?eventType=a", "/health/live", "/nowhere", "/metrics"]) {
      expect(await ask("evil.example", "GET", path), path).toEqual([421, "host_not_allowed"]);
    }
    expect(await ask("evil.example", "POST", "/events")).toEqual([421, "host_not_allowed"]);
    expect(log.appended).toHaveLength(0);
    expect(await ask("boards.example.org", "POST", "/events")).toEqual([202, ""]);
    expect(await ask(`localhost:${port}`, "GET", "/health/live")).toEqual([200, ""]);
  });

  it("is known by a proxy's word, where the proxy is believed", async () => {
    const forwarded = { "x-forwarded-host": "evil.example" };
    const statusOf = async (trustedProxies: string[]) => {
      const { app } = await makeApi({ allowedHosts: names, trustedProxies });
      const { host, port } = await onSocket(app);
      const reply = await request(`http://${host}:${port}/health/live`, { headers: forwarded });
      await reply.body.dump();
      return reply.statusCode;
    };
    expect(await statusOf(["127.0.0.1"])).toBe(421);
    expect(await statusOf(["10.0.0.0/8"])).toBe(200);
    expect(await statusOf([])).toBe(200);
  });
});
