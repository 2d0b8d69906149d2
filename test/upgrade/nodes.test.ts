// A node whose upstream is of a later version: replies say more than this version knows.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { RankstreamClient } from "../../src/client/client.ts";
import { type RankstreamProcess, startRankstream } from "../support/service.ts";

const waitMsMax = 20_000;

/** Every object gets a member that no version of today knows. */
function withMore(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withMore);
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).map(([name, member]) => [name, withMore(member)]);
  return { ofLaterVersion: { since: "9.0.0" }, ...Object.fromEntries(members) };
}

/** Answers as the service at `url` does, and says more. */
function laterVersionOf(url: string): Server {
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { host: _, connection: __, "transfer-encoding": ___, ...headers } = request.headers;
    const reply = await fetch(`${url}${request.url}`, {
      method: request.method!,
      headers: headers as Record<string, string>,
      ...(chunks.length > 0 && { body: Buffer.concat(chunks) }),
    });
    const text = await reply.text();
    const type = reply.headers.get("content-type") ?? "";
    const isJson = /^application\/(?:problem\+)?json/.test(type);
    response.statusCode = reply.status;
    response.setHeader("content-type", type);
    response.setHeader("x-of-later-version", "1");
    for (const name of ["etag", "cache-control", "location", "idempotency-replayed"]) {
      const value = reply.headers.get(name);
      if (value !== null) response.setHeader(name, value);
    }
    response.end(isJson ? JSON.stringify(withMore(JSON.parse(text))) : text);
  };
  return createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
}

let store: RankstreamProcess;
let later: Server;
let node: RankstreamProcess;
let laterUrl: string;

beforeAll(async () => {
  store = await startRankstream();
  later = laterVersionOf(store.url).listen(0, "127.0.0.1");
  await new Promise((resolve) => later.once("listening", resolve));
  laterUrl = `http://127.0.0.1:${(later.address() as AddressInfo).port}`;
  node = await startRankstream({ args: ["--role", "edge,query", "--upstream", laterUrl] });
});
afterAll(async () => {
  await node.stop();
  later.closeAllConnections();
  later.close();
  await store.stop();
});

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + waitMsMax;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error("it does not come to be so");
    await sleep(50);
  }
}

it("works with it: events, kept answers that follow changes, items", async () => {
  await until(async () => (await node.get("/health/ready")).status === 200);
  const heard = { eventType: "play", eventId: "a", userId: "u" };
  const key = "later/1";
  expect((await node.post([heard, heard], { key })).body).toMatchObject({ accepted: 2 });
  const again = await node.post([heard, heard], { key });
  expect(again.headers.get("idempotency-replayed")).toBe("true");
  const board = () => node.get("/leaderboard?eventType=play&timeRange=today&mode=exact");
  const first = await board();
  expect(first.body).toMatchObject({ total: 2, results: [{ eventId: "a", count: 2 }] });
  // What is not known is passed on.
  expect(first.body.ofLaterVersion).toEqual({ since: "9.0.0" });
  // Behind the node's back: /changes tells it that its answer is out of date.
  expect((await store.post(heard)).status).toBe(202);
  await until(async () => (await board()).body.total === 3);
  expect((await node.get("/items/play/a?timeRange=today")).body).toMatchObject({ count: 3 });
  const problem = await node.get("/leaderboard?eventType=play&noSuch=1");
  expect(problem).toMatchObject({ status: 400, body: { code: "unknown_parameter" } });
});

it("the client does, too", async () => {
  const client = new RankstreamClient({ url: laterUrl });
  expect(client.track({ eventType: "seen", eventId: "b" })).toBe(true);
  await client.close();
  const board = await client.leaderboard({ eventType: "seen", timeRange: "today", mode: "exact" });
  expect(board).toMatchObject({ total: 1, results: [{ eventId: "b", count: 1 }] });
});
