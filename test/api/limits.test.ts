// Limits as clients meet them, over each HTTP server: statuses, headers, whose use it is.
import { request } from "undici";
import { expect, it } from "vitest";
import type { Access } from "../../src/access/access.ts";
import { RankstreamError } from "../../src/errors.ts";
import { FailedAttempts, guarded } from "../../src/limits/failed-attempts.ts";
import { Limiter } from "../../src/limits/limiter.ts";
import { everybody, type KeyLimits, type Principal } from "../../src/model-access.ts";
import { Metrics } from "../../src/telemetry-metrics.ts";
import { describeOverEach, makeApi, onSocket } from "./api-fixture.ts";

const json = { "content-type": "application/json" };
const none = { requestsPerSecond: 0, eventsPerSecond: 0, eventsPerDay: 0, connections: 0 };
const three = '[{"eventId":"a"},{"eventId":"b"},{"eventId":"c"}]';

/** A clock that stands still, so that nothing runs off while a test asks. */
function makeLimiter(everybodys: KeyLimits): Limiter {
  const now = Date.parse("2026-11-24T10:30:00Z");
  const options = { share: null, metrics: new Metrics(), now: () => now };
  return new Limiter({ ...options, everybodys: { ...none, ...everybodys } });
}

/** Each credential is a key of that name; `wrong…` is none, `later…` is known only later. */
function accessOf(limits: Record<string, KeyLimits> = {}): Access {
  const principal = (id: string): Principal => ({ ...everybody, id, limits: limits[id] ?? {} });
  return {
    isOpen: false,
    isCurrent: () => true,
    authenticate({ authorization = "" }) {
      const id = authorization.replace("Bearer ", "");
      if (id.startsWith("wrong")) throw new RankstreamError("key_invalid", "it is none");
      if (id.startsWith("later")) return Promise.resolve().then(() => principal(id));
      return principal(id);
    },
  };
}

async function makeAsking(overrides: Parameters<typeof makeApi>[0]) {
  const { app, log } = await makeApi(overrides);
  const { host, port } = await onSocket(app);
  const url = `http://${host}:${port}`;
  const ask = async (path: string, headers: Record<string, string> = {}, body?: string) => {
    const method = body === undefined ? "GET" : "POST";
    const all = body === undefined ? headers : { ...json, ...headers };
    const reply = await request(`${url}${path}`, { method, headers: all, body: body ?? null });
    const text = await reply.body.text();
    const code = reply.statusCode >= 400 ? JSON.parse(text).code : "";
    return { status: reply.statusCode, code, headers: reply.headers };
  };
  return { ask, log, host, port };
}

const board = "/leaderboard?eventType=a";

describeOverEach("a limited caller", () => {
  it("is told what is left, then to wait, and others go on", async () => {
    const limiter = makeLimiter({ requestsPerSecond: 2 });
    const { ask } = await makeAsking({ limiter, access: accessOf() });
    const shop = { authorization: "Bearer shop" };
    const first = await ask(board, shop);
    expect(first).toMatchObject({
      status: 200,
      headers: { ratelimit: '"requests";r=1;t=1', "ratelimit-policy": '"requests";q=2;w=1' },
    });
    expect((await ask("/events", shop, three)).headers["ratelimit"]).toBe('"requests";r=0;t=1');
    for (const [path, body] of [[board], ["/events", three]] as const) {
      expect(await ask(path, shop, body)).toMatchObject({
        status: 429,
        code: "rate_limited",
        headers: { "retry-after": "1", ratelimit: '"requests";r=0;t=1' },
      });
    }
    expect((await ask(board, { authorization: "Bearer other" })).status).toBe(200);
  });

  it("is never refused what says how the service is", async () => {
    const limiter = makeLimiter({ requestsPerSecond: 1 });
    const { ask } = await makeAsking({ limiter });
    for (let i = 0; i < 5; i++) expect((await ask("/health/ready")).status).toBe(200);
    expect((await ask(board)).status).toBe(200);
    expect((await ask(board)).status).toBe(429);
    expect((await ask("/health/live")).status).toBe(200);
  });

  it("sends no more events a day than it may; nothing of what is refused is stored", async () => {
    const limiter = makeLimiter({ eventsPerDay: 7 });
    const { ask, log } = await makeAsking({ limiter, access: accessOf() });
    for (const id of ["shop", "later"]) {
      const own = { authorization: `Bearer ${id}` };
      const first = await ask("/events", own, three);
      expect([first.status, first.headers["ratelimit"]]).toEqual([202, '"day";r=4;t=48600']);
      // Of those that are none nothing is taken off.
      expect((await ask("/events", own, '[{"no":1}]')).status).toBe(400);
      expect((await ask("/events", own, three)).status).toBe(202);
      const before = log.appended.length;
      expect(await ask("/events", own, three)).toMatchObject({
        status: 429,
        code: "quota_exceeded",
        headers: { "retry-after": "48600" },
      });
      expect(log.appended.length).toBe(before);
      expect((await ask("/events", own, '{"eventId":"a"}')).status).toBe(202);
      expect((await ask("/events", own, '{"eventId":"a"}')).code).toBe("quota_exceeded");
    }
  });

  it("pays once for a batch that it sends again under its key", async () => {
    const limiter = makeLimiter({ eventsPerDay: 4 });
    const { ask } = await makeAsking({ limiter });
    for (let i = 0; i < 3; i++) {
      expect((await ask("/events", { "idempotency-key": "k" }, three)).status).toBe(202);
    }
    expect((await ask("/events", {}, three)).code).toBe("quota_exceeded");
  });

  it("waits after a large batch until its rate has made up for it", async () => {
    const limiter = makeLimiter({ eventsPerSecond: 2 });
    const { ask } = await makeAsking({ limiter });
    expect((await ask("/events", {}, three)).status).toBe(202);
    expect(await ask("/events", {}, three)).toMatchObject({
      status: 429,
      code: "rate_limited",
      headers: { "retry-after": "1" },
    });
    expect((await ask(board)).status).toBe(200);
  });

  it("has so many streams open at once", async () => {
    const limiter = makeLimiter({ connections: 2 });
    const { ask, host, port } = await makeAsking({ limiter });
    const open = async () => {
      const reply = await request(`http://${host}:${port}/live/events?eventType=a`);
      reply.body.on("error", () => undefined);
      return reply;
    };
    const [one, two] = [await open(), await open()];
    expect([one.statusCode, two.statusCode]).toEqual([200, 200]);
    expect(await ask("/live/events?eventType=a")).toMatchObject({
      status: 429,
      code: "too_many_connections",
    });
    expect((await ask(board)).status).toBe(200);
    one.body.destroy();
    let third = await open();
    while (third.statusCode === 429) {
      await third.body.dump();
      third = await open();
    }
    expect(third.statusCode).toBe(200);
  });

  it("is its address where nobody has a key: the one that a trusted proxy names", async () => {
    const limiter = makeLimiter({ requestsPerSecond: 1 });
    const { ask } = await makeAsking({ limiter, trustedProxies: ["127.0.0.1"] });
    const from = (address: string) => ({ "x-forwarded-for": address });
    for (const [path, body] of [[board], ["/events", three]] as const) {
      const own = body === undefined ? "203.0.113" : "198.51.100";
      expect((await ask(path, from(`${own}.1`), body)).status).toBe(body ? 202 : 200);
      expect((await ask(path, from(`${own}.1`), body)).status).toBe(429);
      expect((await ask(path, from(`${own}.2`), body)).status).toBe(body ? 202 : 200);
      // What the client itself has written before the proxy's word changes nothing.
      expect((await ask(path, from(`192.0.2.9, ${own}.1`), body)).status).toBe(429);
      // One of IPv6 has all of its network.
      expect((await ask(path, from(`2001:db8:${own.length}::1`), body)).status).toBeLessThan(300);
      expect((await ask(path, from(`2001:db8:${own.length}::2`), body)).status).toBe(429);
    }
  });

  it("can't take another address by a header that nobody vouches for", async () => {
    const limiter = makeLimiter({ requestsPerSecond: 1 });
    const { ask } = await makeAsking({ limiter });
    expect((await ask(board, { "x-forwarded-for": "203.0.113.1" })).status).toBe(200);
    expect((await ask(board, { "x-forwarded-for": "203.0.113.2" })).status).toBe(429);
    expect((await ask("/events", { "x-forwarded-for": "203.0.113.3" }, three)).status).toBe(429);
  });

  it("is charged for by the node that asks in its place", async () => {
    const node: Principal = { ...everybody, id: "node", limits: { requestsPerSecond: 3 } };
    const authenticate = ({ authorization = "" }) => ({ ...node, id: authorization, via: node });
    const access: Access = { isOpen: false, isCurrent: () => true, authenticate };
    const { ask } = await makeAsking({ limiter: makeLimiter({ requestsPerSecond: 1 }), access });
    const statuses: number[] = [];
    for (let i = 0; i < 4; i++) {
      statuses.push((await ask(board, { authorization: `node/caller${i}` })).status);
    }
    expect(statuses).toEqual([200, 200, 200, 429]);
  });
});

describeOverEach("wrong keys", () => {
  it("are answered by 429 after so many from one address, by each way in", async () => {
    const attempts = new FailedAttempts({ failuresMax: 4, metrics: new Metrics() });
    const access = guarded(accessOf(), attempts);
    const { ask, host, port } = await makeAsking({ access, trustedProxies: ["127.0.0.1"] });
    const from = (address: string, key: string) => ({
      "x-forwarded-for": address,
      authorization: `Bearer ${key}`,
    });
    const evil = from("203.0.113.1", "wrong");
    expect((await ask("/events", from("203.0.113.1", "good"), three)).status).toBe(202);
    for (let i = 0; i < 2; i++) {
      expect((await ask(board, evil)).status).toBe(401);
      expect((await ask("/events", evil, three)).status).toBe(401);
    }
    for (const [path, body] of [[board], ["/events", three], ["/admin/snapshots"]] as const) {
      const refused = await ask(path, evil, body);
      expect(refused).toMatchObject({ status: 429, code: "rate_limited" });
      expect(Number(refused.headers["retry-after"])).toBeGreaterThan(0);
      const guess = await ask(path, from("203.0.113.1", "guessed"), body);
      expect(guess.status, "right, but never seen from there").toBe(429);
    }
    expect((await ask(board, from("203.0.113.1", "good"))).status).toBe(200);
    expect((await ask(board, from("203.0.113.2", "wrong"))).status).toBe(401);
    const live = await request(`http://${host}:${port}/live`, { headers: evil });
    expect(live.statusCode).toBe(429);
    await live.body.dump();
  });
});
