// Traces as a collector gets them: one event's way from POST to the checkpoint, questions, nodes,
// what is chosen, what is left out, and what becomes of spans that nobody takes.
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { httpServers } from "../support/http-servers.ts";
import { type RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";
import { type CollectedSpan, TraceCollector, treeOf } from "../support/trace-collector.ts";

let collector: TraceCollector;
beforeAll(async () => {
  collector = await TraceCollector.start();
});
afterAll(() => collector.close());

const all = ["--trace-sample-ratio", "1"];
const to = () => ["--trace-exporter-url", collector.url];

function newTrace(isSampled = true) {
  const [traceId, spanId] = [randomBytes(16).toString("hex"), randomBytes(8).toString("hex")];
  const traceparent = `00-${traceId}-${spanId}-${isSampled ? "01" : "00"}`;
  return { traceId, spanId, headers: { traceparent } };
}

const hasAll =
  (...names: string[]) =>
  (spans: CollectedSpan[]) =>
    names.every((name) => spans.some((span) => span.name === name));

const requestSpan = (id: string) => (span: CollectedSpan) =>
  span.attributes["rankstream.request.id"] === id;

/** Each span lies within the one it is a part of, but for what happens later from the log. */
function expectInOrder(spans: CollectedSpan[]): void {
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  for (const span of spans) {
    expect(span.endNanos).toBeGreaterThanOrEqual(span.startNanos);
    const parent = byId.get(span.parentId);
    if (parent === undefined) continue;
    expect(span.startNanos, `${span.name} in ${parent.name}`).toBeGreaterThanOrEqual(
      parent.startNanos,
    );
    const isLater = /^(?:ingest|store\.checkpoint)/.test(span.name);
    if (!isLater) expect(span.endNanos, span.name).toBeLessThanOrEqual(parent.endNanos);
  }
}

const eventTree = `POST /events
  log.append
    ingest.count
      store.checkpoint
        store.commit`;

describe.each(httpServers)("over %s", (server) => {
  let service: RankstreamProcess;
  beforeAll(async () => {
    const args = [...to(), ...all, "--http-server", server, "--node-name", `of-${server}`];
    const env = { RANKSTREAM_TRACE_HEADERS: "x-vendor=a%20key,x-other=2" };
    service = await startRankstream({ args, env });
  });

  it("one event's way is one trace, from POST to the checkpoint", async () => {
    const event = { eventId: "song-secret", eventType: "play", userId: "alice", sessionId: "s-1" };
    const headers = { "x-request-id": `tree-${server}` };
    const reply = await service.post(event, { headers });
    expect(reply.status).toBe(202);
    const spans = await collector.trace(requestSpan(`tree-${server}`), hasAll("store.commit"));
    expect(treeOf(spans)).toBe(eventTree);
    expectInOrder(spans);
    const [post, append, count] = ["POST /events", "log.append", "ingest.count"].map(
      (name) => spans.find((span) => span.name === name)!,
    );
    expect(post!.attributes).toMatchObject({
      "http.request.method": "POST",
      "http.route": "/events",
      "http.response.status_code": 202,
    });
    expect([post!.kind, append!.kind, post!.hasFailed]).toEqual([2, 4, false]);
    expect(append!.attributes).toMatchObject({ "rankstream.events": 1, "rankstream.records": 1 });
    expect(count!.attributes).toMatchObject({ "rankstream.events": 1, "rankstream.offset": 0 });
    expect(post!.resource).toMatchObject({
      "service.name": "rankstream",
      "service.instance.id": `of-${server}`,
    });
  });

  it("a question's way names the level that had the answer", async () => {
    const ask = async (id: string) => {
      await service.request("/leaderboard?eventType=play&timeRange=all", {
        headers: { "x-request-id": `${id}-${server}` },
      });
      return collector.trace(requestSpan(`${id}-${server}`), hasAll("GET /leaderboard"));
    };
    const first = await ask("first");
    expect(treeOf(first)).toBe(`GET /leaderboard
  cache.ask
    query.answer
      query.wait
      store.read`);
    expectInOrder(first);
    const [cache, answer, read] = ["cache.ask", "query.answer", "store.read"].map(
      (name) => first.find((span) => span.name === name)!,
    );
    expect(cache!.attributes).toMatchObject({ "rankstream.cache.level": "none" });
    expect(answer!.attributes).toMatchObject({ "rankstream.certified": true });
    expect(read!.attributes).toMatchObject({ "rankstream.store.call": "approx" });
    const second = await ask("second");
    expect(treeOf(second)).toBe("GET /leaderboard\n  cache.ask");
    const again = second.find(({ name }) => name === "cache.ask")!;
    expect(again.attributes).toMatchObject({ "rankstream.cache.level": "l1" });
  });

  it("goes on with the trace that a request brings", async () => {
    const { traceId, spanId, headers } = newTrace();
    const wrong = { ...headers, "x-request-id": `brought-${server}` };
    expect((await service.post("[", { headers: wrong })).status).toBe(400);
    const [post, ...more] = await collector.trace(
      (span) => span.traceId === traceId,
      hasAll("POST /events"),
    );
    expect(more).toEqual([]);
    expect(post).toMatchObject({ parentId: spanId, hasFailed: false });
    expect(post!.attributes).toMatchObject({
      "http.response.status_code": 400,
      "error.type": "no_valid_events",
    });
  });

  it("is not traced where the caller decided so, nor what is asked all the time", async () => {
    const { traceId, headers } = newTrace(false);
    for (const path of ["/event-types", "/health/live", "/metrics", "/status", "/"]) {
      await service.request(path, { headers: path === "/event-types" ? headers : {} });
    }
    const marked = newTrace();
    await service.request("/event-types", { headers: marked.headers });
    await collector.trace((span) => span.traceId === marked.traceId, hasAll("GET /event-types"));
    const ours = collector.spans.filter(
      (span) => span.resource["service.instance.id"] === `of-${server}`,
    );
    expect(ours.filter((span) => span.traceId === traceId)).toEqual([]);
    expect(ours.filter(({ name }) => /health|metrics|status|GET \/$/.test(name))).toEqual([]);
  });

  it("is sent before the service has stopped", async () => {
    const { traceId, headers } = newTrace();
    const last = { eventId: "a", eventType: "play" };
    expect((await service.post(last, { headers })).status).toBe(202);
    await service.stop();
    const spans = collector.spans.filter((span) => span.traceId === traceId);
    expect(treeOf(spans)).toBe(eventTree);
  });

  it("sends the headers it was given, and nothing of users or events", () => {
    expect(new Set(collector.paths)).toEqual(new Set(["/v1/traces"]));
    expect(collector.headers.at(-1)).toMatchObject({ "x-vendor": "a key", "x-other": "2" });
    expect(collector.bodies.join("\n")).not.toMatch(/alice|s-1\b|song-secret/);
  });
});

it("goes on after a crash: the log has kept the trace", async () => {
  const dataDir = temporaryFolder();
  const args = [...to(), ...all, "--checkpoint-ms", "100"];
  const dying = await startRankstream({ dataDir, args, failPoint: "store.before_commit" });
  const { traceId, headers } = newTrace();
  expect((await dying.post({ eventId: "kept", eventType: "play" }, { headers })).status).toBe(202);
  await dying.exited;
  const later = await startRankstream({ dataDir, args });
  const mine = (span: CollectedSpan) => span.traceId === traceId;
  const spans = await collector.trace(mine, hasAll("ingest.count", "store.commit"));
  // What the first process counted may have been told, but it was not committed.
  const tree = treeOf(spans.filter(({ name }) => !/POST|append/.test(name)));
  expect(tree).toMatch(
    /^(?:ingest\.count\n)*ingest\.count\n {2}store\.checkpoint\n {4}store\.commit$/,
  );
  const exact = { eventType: "play", timeRange: "all", mode: "exact" };
  expect((await later.get("/leaderboard", exact)).body.total).toBe(1);
  await later.stop();
});

it("follows a request through a node to the service behind it", async () => {
  const store = await startRankstream({ args: [...to(), ...all, "--node-name", "behind"] });
  const role = ["--role", "edge,query", "--upstream", store.url, "--node-name", "before"];
  const node = await startRankstream({ args: [...to(), ...all, ...role] });
  await expect.poll(async () => (await node.get("/health/ready")).status).toBe(200);
  const trace = async (id: string, wanted: string, path: string, init: RequestInit = {}) => {
    const traced = newTrace();
    const headers = { ...init.headers, ...traced.headers, "x-request-id": id };
    await node.request(path, { ...init, headers });
    const mine = (span: CollectedSpan) => span.traceId === traced.traceId;
    // Spans of one process may come after those of the other.
    const spans = await collector.trace(mine, (found) => treeOf(found) === wanted);
    const ids = spans.map(({ attributes }) => attributes["rankstream.request.id"]);
    // Both know the request by the same id.
    expect(ids.filter((one) => one !== undefined)).toEqual([id, id]);
    const names = spans.map(({ resource }) => resource["service.instance.id"]);
    expect(new Set(names)).toEqual(new Set(["before", "behind"]));
  };
  const behind = eventTree.replaceAll("\n", "\n    ");
  await trace("n-post", `POST /events\n  upstream.send\n    ${behind}`, "/events", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"eventId":"a","eventType":"play"}',
  });
  const asked = `GET /leaderboard
  cache.ask
    query.answer
      upstream.ask
        GET /leaderboard
          cache.ask
            query.answer
              query.wait
              store.read`;
  await trace("n-ask", asked, "/leaderboard?eventType=play&timeRange=all");
  await trace("n-pass", "GET /event-types\n  GET /event-types", "/event-types");
  await node.stop();
  await store.stop();
});

it("is of no more requests in a second than may be, whoever asks for it", async () => {
  const few = ["--trace-sample-ratio", "0", "--traces-per-second-max", "5"];
  const service = await startRankstream({ args: [...to(), ...few, "--node-name", "few"] });
  const traced = Array.from({ length: 40 }, () => newTrace());
  await Promise.all(traced.map(({ headers }) => service.request("/event-types", { headers })));
  // Nor by chance, where the share is none.
  for (let i = 0; i < 40; i++) await service.get("/event-types");
  const { body } = await service.get("/metrics");
  await service.stop();
  const limited = Number(/^rankstream_trace_requests_limited_total (\d+)$/m.exec(body)?.[1]);
  const own = collector.spans.filter(({ resource }) => resource["service.instance.id"] === "few");
  const roots = own.filter(({ name }) => name === "GET /event-types");
  expect(roots.length).toBeGreaterThanOrEqual(5);
  expect(roots.length + limited).toBe(40);
  const ids = new Set(traced.map(({ traceId }) => traceId));
  expect(roots.every(({ traceId }) => ids.has(traceId))).toBe(true);
});
