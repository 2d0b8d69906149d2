// What becomes of spans by way of OpenTelemetry: the form they are sent in, the bounds on what
// waits, and a collector that is away, refuses, or says nothing.
import { afterEach, expect, it } from "vitest";
import { RankstreamError } from "../src/errors.ts";
import { createLogger } from "../src/telemetry-log.ts";
import { type OtelOptions, OtelTracing } from "../src/telemetry-otel.ts";
import { freePort } from "./support/free-port.ts";
import { TraceCollector } from "./support/trace-collector.ts";

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function startCollector(): Promise<TraceCollector> {
  const collector = await TraceCollector.start();
  closers.push(() => collector.close());
  return collector;
}

function makeTracing(url: string, bounds: OtelOptions["bounds"] = {}) {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string) => void lines.push(JSON.parse(line));
  const tracing = new OtelTracing({
    url,
    headers: {},
    sampling: { ratio: 1, perSecondMax: 1000 },
    version: "1.2.3",
    nodeName: "node-7",
    logger: createLogger({ level: "info", write }),
    bounds: { delayMs: 1, sendMsMax: 300, closeMsMax: 300, ...bounds },
  });
  closers.unshift(() => tracing.close());
  return { tracing, lines };
}

const messages = (lines: Record<string, unknown>[]) => lines.map(({ message }) => message);

it("are sent with their process, parents and attributes, errors without words", async () => {
  const collector = await startCollector();
  const { tracing } = makeTracing(`${collector.url}/`);
  const root = tracing.begin("GET /x", undefined)!;
  const step = root.child("step", "client");
  step.set({ text: "a", count: 3, flag: true });
  step.end(new RankstreamError("log_full", "words of alice"));
  root.end(new TypeError("words of alice"));
  await expect.poll(() => collector.spans.length).toBe(2);
  const [child, parent] = ["step", "GET /x"].map(
    (name) => collector.spans.find((span) => span.name === name)!,
  );
  expect(child).toMatchObject({
    traceId: parent!.traceId,
    parentId: parent!.spanId,
    kind: 3,
    hasFailed: true,
    attributes: { text: "a", count: 3, flag: true, "error.type": "log_full" },
  });
  expect(parent).toMatchObject({ parentId: "", kind: 2, hasFailed: true });
  expect(parent!.attributes).toEqual({ "error.type": "TypeError" });
  expect(step.traceparent).toBe(`00-${child!.traceId}-${child!.spanId}-01`);
  expect(child!.resource).toEqual({
    "service.name": "rankstream",
    "service.version": "1.2.3",
    "service.instance.id": "node-7",
  });
  expect(collector.bodies.join("")).not.toContain("alice");
  const totals = { sent: 2, dropped: 0, failed: 0, limited: 0 };
  await expect.poll(() => tracing.totals).toEqual(totals);
});

it("are made of what threads have noted, under the ids that these gave", async () => {
  const collector = await startCollector();
  const { tracing } = makeTracing(collector.url);
  const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
  const outer = {
    parent: `00-${traceId}-00f067aa0ba902b7-01`,
    spanId: "aaaaaaaaaaaaaaaa",
    name: "ingest.count",
    startMs: 1_780_000_000_000.25,
    endMs: 1_780_000_000_001.5,
    attributes: { "rankstream.partition": 2 },
  };
  const inner = {
    ...outer,
    parent: `00-${traceId}-${outer.spanId}-01`,
    spanId: "bbbbbbbbbbbbbbbb",
  };
  tracing.record([outer, inner, { ...outer, parent: "nonsense" }]);
  // The ids given were for these alone.
  tracing.begin("later", undefined)!.end();
  await expect.poll(() => collector.spans.length).toBe(3);
  expect(collector.spans[0]).toMatchObject({
    traceId,
    parentId: "00f067aa0ba902b7",
    spanId: outer.spanId,
    startNanos: 1_780_000_000_000_250_000n,
    endNanos: 1_780_000_000_001_500_000n,
    attributes: { "rankstream.partition": 2 },
  });
  expect(collector.spans[1]).toMatchObject({
    traceId,
    parentId: outer.spanId,
    spanId: inner.spanId,
  });
  expect([outer.spanId, inner.spanId]).not.toContain(collector.spans[2]!.spanId);
});

it("wait in a bounded number: beyond it they are dropped and counted", async () => {
  const collector = await startCollector();
  collector.status = null;
  const { tracing } = makeTracing(collector.url, {
    queuedSpansMax: 10,
    batchSpansMax: 4,
    sendMsMax: 5000,
  });
  for (let i = 0; i < 50; i++) tracing.begin("x", undefined)!.end();
  expect(tracing.waiting).toBe(10);
  expect(tracing.totals.dropped).toBe(40);
});

it("are told, and tried again, where the collector refuses; then that they go again", async () => {
  const collector = await startCollector();
  collector.status = 400;
  const { tracing, lines } = makeTracing(collector.url);
  tracing.begin("x", undefined)!.end();
  await expect.poll(() => tracing.totals.failed).toBe(1);
  expect(tracing.waiting).toBe(0);
  collector.status = 200;
  tracing.begin("y", undefined)!.end();
  await expect.poll(() => tracing.totals.sent).toBe(1);
  expect(messages(lines)).toEqual(["spans could not be sent", "spans can be sent again"]);
  expect(lines[0]).toMatchObject({ "log.level": "warn", "event.dataset": "rankstream.traces" });
});

it("are given up where the collector is away, and its lines are no flood", async () => {
  const { tracing, lines } = makeTracing(`http://127.0.0.1:${await freePort()}`);
  for (let i = 0; i < 30; i++) {
    tracing.begin("x", undefined)!.end();
    await expect.poll(() => tracing.totals.failed, { timeout: 20_000 }).toBe(i + 1);
  }
  expect(lines.length).toBeLessThanOrEqual(10);
});

it("keep nobody from stopping for long", async () => {
  const collector = await startCollector();
  collector.status = null;
  const { tracing } = makeTracing(collector.url, { sendMsMax: 60_000 });
  tracing.begin("x", undefined)!.end();
  const started = performance.now();
  await tracing.close();
  expect(performance.now() - started).toBeLessThan(20_000);
  expect(tracing.totals.sent).toBe(0);
});
