// Which pages may ask what, over each HTTP server, as a browser sees it.
import { request } from "undici";
import { expect, it } from "vitest";
import { describeOverEach, makeApi, onSocket } from "./api-fixture.ts";

const shop = "https://shop.example";
const event = JSON.stringify({ eventId: "a", eventType: "play" });
const json = { "content-type": "application/json" };

async function makeShared(corsOrigins: string[]) {
  const { app } = await makeApi({ corsOrigins });
  const { host, port } = await onSocket(app);
  const ask = async (
    method: "GET" | "POST" | "OPTIONS" | "PUT",
    path: string,
    headers: Record<string, string> = {},
    body: string | null = null,
  ) => {
    const reply = await request(`http://${host}:${port}${path}`, { method, headers, body });
    await reply.body.dump();
    const read = (name: string) => reply.headers[name];
    return {
      status: reply.statusCode,
      allowed: read("access-control-allow-origin"),
      exposed: read("access-control-expose-headers"),
      vary: read("vary"),
      methods: read("access-control-allow-methods"),
      sent: read("access-control-allow-headers"),
      age: read("access-control-max-age"),
    };
  };
  return { ask };
}

const preflight = (origin: string, method = "POST") => ({
  origin,
  "access-control-request-method": method,
  "access-control-request-headers": "content-type,idempotency-key",
});

describeOverEach("sharing with pages of other origins", () => {
  it("is off by default", async () => {
    const { ask } = await makeShared([]);
    expect(await ask("OPTIONS", "/events", preflight(shop))).toMatchObject({
      status: 405,
      allowed: undefined,
    });
    const posted = await ask("POST", "/events", { origin: shop, ...json }, event);
    expect(posted).toMatchObject({ status: 202, allowed: undefined, vary: undefined });
  });

  it("lets the origins named send events and ask, and read what is answered", async () => {
    const { ask } = await makeShared(["https://other.example", shop]);
    const allowed = await ask("OPTIONS", "/events", preflight(shop));
    expect(allowed).toMatchObject({ status: 204, allowed: shop, age: "7200", vary: "origin" });
    expect(allowed.methods).toBe("GET, HEAD, POST");
    for (const name of ["content-type", "idempotency-key", "content-encoding", "authorization"]) {
      expect(allowed.sent).toContain(name);
    }
    const from = { origin: shop };
    const readable = { allowed: shop, exposed: expect.stringContaining("idempotency-replayed") };
    const posted = await ask("POST", "/events", { ...from, ...json }, event);
    expect(posted).toMatchObject({ status: 202, vary: "origin", ...readable });
    // Refused before and after its body is read, and at no address.
    const bad = await ask("POST", "/events", { ...from, ...json }, "{");
    const wrong = await ask("POST", "/events", { ...from, "content-type": "text/plain" }, event);
    const nowhere = await ask("GET", "/nowhere", from);
    expect([bad, wrong, nowhere].map(({ status }) => status)).toEqual([400, 415, 404]);
    for (const reply of [bad, wrong, nowhere]) expect(reply).toMatchObject(readable);
    const board = await ask("GET", "/leaderboard?eventType=play", from);
    expect(board).toMatchObject({ status: 200, vary: "accept, origin", ...readable });
  });

  it("tells pages of other origins nothing, and caches that it depends on who asks", async () => {
    const { ask } = await makeShared([shop]);
    for (const origin of ["https://evil.example", "null", `${shop}.evil.example`]) {
      expect(await ask("OPTIONS", "/events", preflight(origin))).toMatchObject({
        allowed: undefined,
        methods: undefined,
      });
      const board = await ask("GET", "/leaderboard?eventType=play", { origin });
      expect(board).toMatchObject({ allowed: undefined, vary: "accept, origin" });
    }
    const own = await ask("GET", "/leaderboard?eventType=play");
    expect(own).toMatchObject({ allowed: undefined, vary: "accept, origin" });
  });

  it("may be with all, and never is of what changes settings", async () => {
    const { ask } = await makeShared(["*"]);
    const posted = await ask("POST", "/events", { origin: shop, ...json }, event);
    expect(posted).toMatchObject({ status: 202, allowed: "*", vary: undefined });
    const asked = await ask("OPTIONS", "/event-types/play", preflight(shop, "PUT"));
    expect(asked.methods).not.toContain("PUT");
    const changed = await ask("PUT", "/event-types/play", { origin: shop, ...json }, "{}");
    expect(changed.status).toBe(403);
  });
});
