// Log lines: one JSON object each, under the names of the Elastic Common Schema.
import { expect, it } from "vitest";
import { RankstreamError } from "../src/errors.ts";
import { createLogger, type LogOptions } from "../src/telemetry-log.ts";
import { type ThreadLine, threadLogger, writeThreadLine } from "../src/telemetry-thread.ts";

function makeLogger(options: Partial<LogOptions> = {}) {
  const written: string[] = [];
  const logger = createLogger({
    level: "trace",
    version: "1.2.3",
    nodeName: "node-7",
    write: (line) => void written.push(line),
    ...options,
  });
  const lines = () => written.map((line) => JSON.parse(line) as Record<string, unknown>);
  return { logger, written, lines };
}

it("names time, level, message, and who speaks", () => {
  const { logger, written, lines } = makeLogger();
  const before = Date.now();
  logger.warn({ part: "ingest", partition: 3, code: "log_corrupt", reason: "why" }, "a\nb");
  const [{ "@timestamp": at, ...line } = {}] = lines();
  expect(written[0]).toMatch(/^\{.*\}\n$/);
  expect(Date.parse(String(at))).toBeGreaterThanOrEqual(before);
  expect(line).toEqual({
    "log.level": "warn",
    message: "a\nb",
    "ecs.version": "8.11.0",
    "service.name": "rankstream",
    "service.version": "1.2.3",
    "service.node.name": "node-7",
    "event.dataset": "rankstream.ingest",
    "error.code": "log_corrupt",
    "error.message": "why",
    "rankstream.partition": 3,
  });
});

it("takes errors apart, with what caused them", () => {
  const { logger, lines } = makeLogger();
  const cause = new TypeError("no such thing");
  logger.error({ err: new RankstreamError("log_failed", "it failed", { cause }) }, "oh");
  logger.error({ err: "only a text" }, "oh");
  const [first, second] = lines();
  expect(first).toMatchObject({
    "error.type": "RankstreamError",
    "error.code": "log_failed",
    "error.message": "it failed",
  });
  expect(first!["error.stack_trace"]).toMatch(/it failed[\s\S]*Caused by: TypeError: no such/);
  expect(second).toMatchObject({ "error.message": "only a text" });
});

it("names the request, its trace, and nothing of its secrets", () => {
  const { logger, written, lines } = makeLogger({ secrets: ["hunter2"] });
  const request = {
    id: "r-1",
    traceId: "a".repeat(32),
    spanId: "b".repeat(16),
    secrets: ["alice"],
  };
  const err = new Error("no rows for alice, as hunter2");
  const more = { userId: "carol", list: [{ password: "x", text: "alice" }], secrets: ["bob"] };
  logger.info({ request, err, ...more }, "asked by alice and bob");
  expect(lines()[0]).toMatchObject({
    message: "asked by *** and ***",
    "http.request.id": "r-1",
    "trace.id": request.traceId,
    "span.id": request.spanId,
    "error.message": "no rows for ***, as ***",
    "rankstream.userId": "***",
    "rankstream.list": [{ password: "***", text: "***" }],
  });
  expect(written.join("")).not.toMatch(/alice|bob|carol|hunter2/);
});

it("writes what can be written of whatever it is given", () => {
  const { logger, lines } = makeLogger();
  const circle: Record<string, unknown> = {
    n: 10n,
    at: new Date(0),
    none: null,
    err: new Error("e"),
  };
  circle["self"] = circle;
  logger.info({ circle, many: Array.from({ length: 1000 }, (_, i) => i) }, "odd");
  const [line] = lines();
  expect(line!["rankstream.circle"]).toMatchObject({
    n: "10",
    at: "1970-01-01T00:00:00.000Z",
    none: null,
    err: "e",
  });
  expect(line!["rankstream.many"]).toHaveLength(50);
});

it("keeps to its level", () => {
  const { logger, lines } = makeLogger({ level: "warn" });
  expect(["debug", "info", "warn", "fatal"].map((level) => logger.isOn(level as "info"))).toEqual([
    false,
    false,
    true,
    true,
  ]);
  logger.info({}, "no");
  logger.error({}, "yes");
  expect(lines().map(({ message }) => message)).toEqual(["yes"]);
  expect(makeLogger({ level: "silent" }).logger.isOn("fatal")).toBe(false);
});

it("writes what repeats a few times, then how many were left out", () => {
  const { logger, lines } = makeLogger({ repeats: { linesMax: 2 } });
  for (let i = 0; i < 7; i++) logger.warn({ part: "log", i }, "away");
  for (let i = 0; i < 3; i++) logger.warn({ part: "store" }, "away");
  for (let i = 0; i < 4; i++) logger.debug({ part: "log" }, "away");
  const shown = () =>
    lines().map((line) => [
      line["log.level"],
      line["event.dataset"],
      line["rankstream.i"],
      line["rankstream.leftOut"],
    ]);
  const debug = ["debug", "rankstream.log", undefined, undefined];
  const written = [
    ["warn", "rankstream.log", 0, undefined],
    ["warn", "rankstream.log", 1, undefined],
    ["warn", "rankstream.store", undefined, undefined],
    ["warn", "rankstream.store", undefined, undefined],
    ...Array.from({ length: 4 }, () => debug),
  ];
  expect(shown()).toEqual(written);
  logger.flush();
  expect(shown()).toEqual([
    ...written,
    ["warn", "rankstream.log", undefined, 5],
    ["warn", "rankstream.store", undefined, 1],
  ]);
});

it("writes all where repeats are not bounded, and before the last line what was left out", () => {
  const all = makeLogger({ repeats: { linesMax: 0 } });
  for (let i = 0; i < 50; i++) all.logger.warn({}, "away");
  expect(all.lines()).toHaveLength(50);
  const few = makeLogger({ repeats: { linesMax: 1 } });
  for (let i = 0; i < 3; i++) few.logger.error({}, "away");
  few.logger.fatal({}, "the end");
  expect(few.lines().map((line) => [line["message"], line["rankstream.leftOut"]])).toEqual([
    ["away", undefined],
    ["away", 2],
    ["the end", undefined],
  ]);
});

it("writes lines of threads under their names, codes of errors kept", () => {
  const { logger, lines } = makeLogger();
  const sent: ThreadLine[] = [];
  const inThread = threadLogger((line) => sent.push(structuredClone(line)));
  const err = new RankstreamError("log_unavailable", "no broker");
  inThread.error({ part: "log", err }, "records could not be sent");
  writeThreadLine(logger, "ingest-1", sent[0]!);
  expect(lines()[0]).toMatchObject({
    "process.thread.name": "ingest-1",
    "event.dataset": "rankstream.log",
    "error.code": "log_unavailable",
    "error.message": "no broker",
  });
});
