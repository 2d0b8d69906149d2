// Secrets, user ids and session ids thrown at every route, in every place that takes text, at log
// level trace: none of them is in anything that the service writes.
import { randomBytes } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { freePort } from "../support/free-port.ts";
import { httpServers } from "../support/http-servers.ts";
import { type RankstreamProcess, startRankstream } from "../support/service.ts";

const secret = (kind: string) => `${kind}-${randomBytes(9).toString("hex")}`;
const user = secret("user");
const session = secret("session");
const filtered = `${secret("value")} ü/"`;
const password = secret("password");
const key = `rsk_${randomBytes(16).toString("base64url")}`;
const cookie = secret("cookie");
const long = `${secret("long")}${"x".repeat(600)}`;
/** What must not be seen; of those that have to be escaped and cut, the part that need not. */
const hidden = [user, session, filtered.split(" ")[0]!, password, key.slice(4), cookie];
const hiddenAll = [...hidden, long.slice(0, 20)];

/** All that it writes to stderr, also what RankstreamProcess forgets. */
function recordOf(service: RankstreamProcess): () => string {
  let text = service.stderr;
  service.child.stderr?.on("data", (more: string) => {
    text += more;
  });
  return () => text;
}

const query = new URLSearchParams({ userId: user, sessionId: session, "filter.plan": filtered });
const headers = {
  authorization: `Bearer ${key}`,
  cookie: `session=${cookie}`,
  "x-api-key": key,
};
const event = {
  eventId: "e",
  eventType: "play",
  userId: user,
  sessionId: session,
  metadata: { plan: filtered },
};
const bodies: [type: string, body: string][] = [
  ["application/json", JSON.stringify(event)],
  ["application/json", JSON.stringify({ ...event, userId: long })],
  ["application/json", JSON.stringify(event).slice(0, -2)],
  ["application/x-ndjson", `${JSON.stringify({ ...event, [user]: 1 })}\n{"userId":"${user}"`],
  ["text/plain", user],
  [user, JSON.stringify(event)],
];

interface Operation {
  method: string;
  path: string;
}

/** Every operation of the service's own description, its address filled in. */
async function operationsOf(service: RankstreamProcess): Promise<Operation[]> {
  const { body } = await service.get("/openapi.json");
  return Object.entries(body.paths as Record<string, object>).flatMap(([path, methods]) => {
    const isOfUser = path.startsWith("/users/");
    const filled = path.replaceAll(/\{\w+\}/g, isOfUser ? user : "play");
    return Object.keys(methods).map((method) => ({ method: method.toUpperCase(), path: filled }));
  });
}

/** Whether it was answered; what streams without end is left after its head. */
async function ask(url: string, init: RequestInit): Promise<number> {
  const gone = new AbortController();
  const timer = setTimeout(() => gone.abort(), 5000);
  try {
    const reply = await fetch(url, {
      ...init,
      headers: { ...headers, ...init.headers },
      signal: gone.signal,
    });
    const isEndless = /event-stream|ndjson/.test(reply.headers.get("content-type") ?? "");
    if (!isEndless) await reply.text();
    return reply.status;
  } catch {
    return 0;
  } finally {
    clearTimeout(timer);
    gone.abort();
  }
}

async function askEverything(service: RankstreamProcess): Promise<number[]> {
  const { url } = service;
  const statuses: number[] = [];
  for (const { method, path } of await operationsOf(service)) {
    const ownBodies = method === "GET" ? [] : bodies;
    const tries: [string, RequestInit][] = [
      [`${path}?${query}`, { method }],
      [`${path}?eventType=play&timeRange=all&${query}`, { method }],
      [`${path}?userId=${long}&k=${user}`, { method }],
      ...ownBodies.map(([type, body]): [string, RequestInit] => [
        path,
        { method, body, headers: { "content-type": type, "idempotency-key": "a/1" } },
      ]),
    ];
    for (const [address, init] of tries) statuses.push(await ask(`${url}${address}`, init));
  }
  for (const path of [
    `/users/${user}`,
    `/nowhere/${user}`,
    `/events/${user}?${query}`,
    `/%zz${user}`,
  ])
    for (const method of ["GET", "PUT", "DELETE"])
      statuses.push(await ask(`${url}${path}`, { method }));
  return statuses;
}

/** Subscribes to boards of a user, and says what is no message. */
async function liveWith(service: RankstreamProcess): Promise<number> {
  const socket = new WebSocket(`${service.url.replace("http", "ws")}/live?userId=${user}`, {
    headers,
  });
  let messages = 0;
  socket.on("error", () => undefined);
  socket.on("message", () => messages++);
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.once("close", () => undefined);
  const own = new WebSocket(`${service.url.replace("http", "ws")}/live`, { headers });
  own.on("error", () => undefined);
  own.on("message", () => messages++);
  await new Promise((resolve) => own.once("open", resolve));
  const asked = { eventType: "play", userId: user, "filter.plan": filtered };
  own.send(JSON.stringify({ type: "subscribe", id: "a", query: asked }));
  own.send(JSON.stringify({ type: "subscribe", id: "b", query: { ...asked, k: user } }));
  own.send(`{"userId":"${user}"`);
  await expect.poll(() => messages, { timeout: 20_000 }).toBeGreaterThanOrEqual(3);
  own.terminate();
  socket.terminate();
  await closed;
  return messages;
}

function expectNone(text: string): void {
  for (const one of hiddenAll) {
    const at = text.indexOf(one);
    expect(at < 0 ? "" : text.slice(Math.max(0, at - 200), at + 100)).toBe("");
  }
}

const common = ["--log-level", "trace", "--log-repeats-max", "0", "--slow-request-ms", "1"];

describe.each(httpServers)("over %s", (server) => {
  let service: RankstreamProcess;
  let written: () => string;
  beforeAll(async () => {
    const redis = `redis://name:${password}@127.0.0.1:${await freePort()}/0`;
    const args = [...common, "--http-server", server];
    service = await startRankstream({ args, env: { RANKSTREAM_REDIS_URL: redis } });
    written = recordOf(service);
  });

  it("nothing secret is written, whatever is asked", async () => {
    const statuses = await askEverything(service);
    // They were all told something, good and bad.
    expect(statuses.filter((status) => status >= 200 && status < 300).length).toBeGreaterThan(10);
    expect(statuses.filter((status) => status >= 400).length).toBeGreaterThan(50);
    await liveWith(service);
    await service.stop();
    const lines = written().trim().split("\n");
    expect(lines.length).toBeGreaterThan(100);
    for (const line of lines) expect(() => JSON.parse(line), line).not.toThrow();
    expectNone(written());
    expect(service.stdout).not.toContain(password);
  });
});

it("nothing secret is written by a node whose upstream is away", async () => {
  const upstream = `http://name:${password}@127.0.0.1:${await freePort()}`;
  const args = [...common, "--role", "edge,query"];
  const node = await startRankstream({ args, env: { RANKSTREAM_UPSTREAM: upstream } });
  const written = recordOf(node);
  const address = `/leaderboard?eventType=play&timeRange=all&${query}`;
  for (const path of [address, `/items/play/x?${query}`, "/jobs", `/users/${user}`]) {
    const reply = await node.request(path, { headers });
    expect(reply.status).toBeGreaterThanOrEqual(400);
    expect(JSON.stringify(reply.body)).not.toContain(password);
  }
  const reply = await node.post(JSON.stringify(event), { headers });
  expect(reply.body.code).toBe("upstream_unavailable");
  await node.stop();
  expect(written()).toContain('"error.code":"upstream_unavailable"');
  expectNone(written());
});
