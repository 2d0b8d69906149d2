// Traces over a log in Kafka: from an edge of its own to the process that counts, and from another
// program's producer whose record carries a trace.
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { freshTopic, sharedKafka } from "../support/kafka.ts";
import { type RankstreamProcess, startRankstream } from "../support/service.ts";
import { type CollectedSpan, TraceCollector, treeOf } from "../support/trace-collector.ts";
import { kafkaFlags, kcat, notReady, readTopic, until } from "./kafka-world.ts";

const topic = freshTopic("traces");
let address: string;
let collector: TraceCollector;
let edge: RankstreamProcess;
let counting: RankstreamProcess;

function newTrace() {
  const [traceId, spanId] = [randomBytes(16).toString("hex"), randomBytes(8).toString("hex")];
  return { traceId, spanId, traceparent: `00-${traceId}-${spanId}-01` };
}

const whole = (tree: string) => (spans: CollectedSpan[]) => treeOf(spans) === tree;

beforeAll(async () => {
  ({ address } = await sharedKafka());
  collector = await TraceCollector.start();
  // What is traced is chosen by who asks.
  const traced = ["--trace-exporter-url", collector.url, "--trace-sample-ratio", "0"];
  const args = [...kafkaFlags(address, topic), ...traced];
  counting = await startRankstream({ args: [...args, "--role", "ingest,query"] });
  edge = await startRankstream({ args: [...args, "--role", "edge"] });
  for (const node of [counting, edge]) {
    await until(
      () => notReady(node),
      (text) => text === "",
    );
  }
});
afterAll(async () => {
  await edge.stop();
  await counting.stop();
  await collector.close();
});

it("go from the edge through the topic to the checkpoint of another process", async () => {
  expect((await edge.post({ eventId: "before", eventType: "play" })).status).toBe(202);
  const { traceId, traceparent } = newTrace();
  const headers = { traceparent };
  expect((await edge.post({ eventId: "a", eventType: "play" }, { headers })).status).toBe(202);
  const tree = `POST /events
  log.append
    ingest.count
      store.checkpoint
        store.commit`;
  const spans = await collector.trace((span) => span.traceId === traceId, whole(tree));
  const append = spans.find(({ name }) => name === "log.append")!;
  const carried = (await readTopic(address, topic)).map((record) => record.headers["traceparent"]);
  expect(carried.filter((text) => text !== undefined)).toEqual([
    `00-${traceId}-${append.spanId}-01`,
  ]);
  expect(carried).toHaveLength(2);
  const exact = { eventType: "play", timeRange: "all", mode: "exact" };
  expect((await counting.get("/leaderboard", exact)).body.total).toBe(2);
});

it("begin with another program's producer where its record says so", async () => {
  const { traceId, spanId, traceparent } = newTrace();
  const line = JSON.stringify({ eventId: "b", eventType: "foreign" });
  await kcat(address, ["-P", "-t", topic, "-H", `traceparent=${traceparent}`], line);
  await kcat(address, ["-P", "-t", topic, "-H", "traceparent=nonsense"], line);
  const tree = "ingest.count\n  store.checkpoint\n    store.commit";
  const spans = await collector.trace((span) => span.traceId === traceId, whole(tree));
  const count = spans.find(({ name }) => name === "ingest.count")!;
  expect(count.parentId).toBe(spanId);
  const exact = { eventType: "foreign", timeRange: "all", mode: "exact" };
  expect((await counting.get("/leaderboard", exact)).body.total).toBe(2);
});
