import type { ServerResponse } from "node:http";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { ProblemError, RankstreamClient, UnreachableError } from "../../src/client/client.ts";
import { cut, json, scriptedService as service } from "./scripted-service.ts";

const accepted = json(202, { accepted: 1, rejected: 0, errors: [] });

describe("the client", () => {
  it("asks about items, series and trends by their addresses", async () => {
    const { url, seen } = await service([json(200, {})]);
    const client = new RankstreamClient({ url });
    await client.item("a/b", "..", { timeRange: "today" });
    await client.items("a/b", ["x", ".."], { from: 1, to: 2 });
    await client.items("a/b", ["x"], { history: "only", step: "day" });
    await client.series("a/b", { step: "hour", distinct: true });
    await client.trending({ eventType: ["a", "b"], minScore: 3, filter: { country: "DE" } });
    expect(seen.map(({ method, url: path }) => `${method} ${path}`)).toEqual([
      "GET /items?eventType=a%2Fb&eventId=..&timeRange=today",
      "POST /items/a%2Fb/batch?from=1&to=2",
      "POST /items/a%2Fb/batch?history=only&step=day",
      "GET /event-types/a%2Fb/series?step=hour&distinct=true",
      "GET /trending?eventType=a&eventType=b&minScore=3&filter.country=DE",
    ]);
    expect(JSON.parse(seen[1]!.body.toString())).toEqual({ eventIds: ["x", ".."] });
    expect(seen[1]!.headers["content-type"]).toBe("application/json");
  });

  it("posts a batch under its key", async () => {
    const { url, seen } = await service([accepted]);
    const client = new RankstreamClient({ url });
    const reply = await client.postBatch('{"a":1}\n', { key: "me/7" });
    expect(reply).toEqual({ accepted: 1, rejected: 0, errors: [], replayed: false });
    expect(seen[0]).toMatchObject({
      method: "POST",
      url: "/events",
      body: Buffer.from('{"a":1}\n'),
    });
    expect(seen[0]!.headers).toMatchObject({
      "content-type": "application/x-ndjson",
      "idempotency-key": "me/7",
    });
  });

  it("packs when asked, and says when a reply is a replay", async () => {
    const replay = json(
      202,
      { accepted: 2, rejected: 0, errors: [] },
      {
        "idempotency-replayed": "true",
      },
    );
    const { url, seen } = await service([replay]);
    const client = new RankstreamClient({ url: `${url}/` });
    const body = Buffer.from("[]".repeat(1000));
    const reply = await client.postBatch(body, { contentType: "application/json", gzip: true });
    expect(reply.replayed).toBe(true);
    expect(seen[0]!.headers).toMatchObject({
      "content-encoding": "gzip",
      "content-type": "application/json",
    });
    expect(gunzipSync(seen[0]!.body)).toEqual(body);
  });

  it("retries with the same key when busy, full or cut off", async () => {
    const busy = json(503, { code: "overloaded" }, { "retry-after": "1" });
    const { url, seen } = await service([busy, cut, json(429, {}), accepted]);
    const started = Date.now();
    const reply = await new RankstreamClient({ url }).postBatch("x");
    expect(reply.accepted).toBe(1);
    expect(Date.now() - started).toBeGreaterThan(1000);
    const keys = new Set(seen.map(({ headers }) => headers["idempotency-key"]));
    expect([seen.length, keys.size]).toEqual([4, 1]);
    expect([...keys][0]).toMatch(/^[0-9a-f-]{36}$/);
  });

  it("does not retry what can't get better, and hands the problem on", async () => {
    const problem = { code: "wrong", detail: "it is wrong", hint: "make it right", errors: [1] };
    const { url, seen } = await service([json(400, problem)]);
    const failure = await new RankstreamClient({ url }).postBatch("x").catch((error) => error);
    expect(failure).toBeInstanceOf(ProblemError);
    expect(failure).toMatchObject({
      status: 400,
      code: "wrong",
      message: "it is wrong",
      hint: "make it right",
      problem,
    });
    expect(seen.length).toBe(1);
  });

  it("gives up when the wait asked for is longer than it may retry", async () => {
    const full = json(503, { code: "log_full" }, { "retry-after": "60" });
    const { url, seen } = await service([full]);
    const client = new RankstreamClient({ url, retryMsMax: 2000 });
    await expect(client.postBatch("x")).rejects.toMatchObject({ code: "log_full" });
    expect(seen.length).toBe(1);
  });

  it("says which service it could not reach, after retrying for its time", async () => {
    const client = new RankstreamClient({ url: "http://127.0.0.1:1", retryMsMax: 300 });
    const failure = await client.eventTypes().catch((error) => error);
    expect(failure).toBeInstanceOf(UnreachableError);
    expect(failure.message).toMatch(/^no service answers at http:\/\/127\.0\.0\.1:1 \(.+\)$/);
  });

  it("gives up on an answer that never comes", async () => {
    const { url } = await service([() => {}]);
    const client = new RankstreamClient({ url, requestMsMax: 100, retryMsMax: 0 });
    await expect(client.health()).rejects.toThrow("no answer in 100 ms");
  });

  it("stops retrying when it is told to", async () => {
    const { url, seen } = await service([json(503, {}, { "retry-after": "5" })]);
    const stop = new AbortController();
    const call = new RankstreamClient({ url }).postBatch("x", { signal: stop.signal });
    setTimeout(() => stop.abort(new Error("enough")), 100);
    await expect(call).rejects.toThrow("enough");
    expect(seen.length).toBe(1);
  });

  it("takes an answer that is no problem document", async () => {
    const page = (response: ServerResponse) => response.writeHead(404).end("<html>");
    const { url } = await service([page]);
    const call = new RankstreamClient({ url }).eventTypes();
    await expect(call).rejects.toMatchObject({ status: 404, code: "unknown", hint: "" });
  });

  it("asks for boards, types and health", async () => {
    const answers = [json(200, { total: 3 }), json(200, { eventTypes: [{ name: "a" }] })];
    const { url, seen } = await service([...answers, json(200, {}), json(503, {}), ...answers]);
    const client = new RankstreamClient({ url: `${url}/under/` });
    const query = { eventType: ["a b", "c"], timeRange: "today", k: 3, timeZone: "Europe/Berlin" };
    expect(await client.leaderboard(query)).toEqual({ total: 3 });
    expect(await client.eventTypes()).toEqual([{ name: "a" }]);
    expect(await client.health()).toEqual({ ready: true, status: 200 });
    expect(await client.health()).toEqual({ ready: false, status: 503 });
    await client.leaderboard({
      eventType: "a",
      by: "users",
      filter: { "a.b": ["1", "2"], "": "x" },
      filterNot: { "&": "=" },
      userId: [],
      include: "i",
    });
    expect(seen.map((request) => request.url)).toEqual([
      "/under/leaderboard?eventType=a+b&eventType=c&timeRange=today&k=3&timeZone=Europe%2FBerlin",
      "/under/event-types",
      "/under/health/ready",
      "/under/health/ready",
      "/under/leaderboard?eventType=a&by=users&filter.a.b=1&filter.a.b=2&filter.=x" +
        "&filterNot.%26=%3D&include=i",
    ]);
  });

  it("deletes once, and says what went", async () => {
    const reply = { dryRun: false, events: 2 };
    const { url, seen } = await service([json(200, reply)]);
    const client = new RankstreamClient({ url });
    expect(await client.deleteEventType("song/play", { dryRun: true })).toEqual(reply);
    await client.deleteRange("play", { from: 1, to: "2026-11-24T10:00:00Z" });
    await client.deleteItem("play", "..");
    await client.deleteItem("play", "a&b", { range: { timeRange: "yesterday" } });
    expect(seen.map(({ method }) => method)).toEqual(Array(4).fill("DELETE"));
    expect(seen.map((request) => request.url)).toEqual([
      "/event-types/song%2Fplay?dryRun=true",
      "/event-types/play/events?from=1&to=2026-11-24T10%3A00%3A00Z&dryRun=false",
      "/items?eventType=play&eventId=..&dryRun=false",
      "/items?eventType=play&eventId=a%26b&timeRange=yesterday&dryRun=false",
    ]);
  });

  it("does not delete a second time when the answer does not come", async () => {
    const { url, seen } = await service([cut, json(200, {})]);
    const client = new RankstreamClient({ url });
    await expect(client.deleteEventType("play")).rejects.toThrow(UnreachableError);
    const busy = await service([json(503, { code: "too_many_deletes" }), json(200, {})]);
    const other = new RankstreamClient({ url: busy.url });
    await expect(other.deleteItem("t", "a")).rejects.toMatchObject({ code: "too_many_deletes" });
    expect([seen.length, busy.seen.length]).toEqual([1, 1]);
  });
});
