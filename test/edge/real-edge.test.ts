// The edge over the real scanner, log and ledger: what a client is told, and what is on disk.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, it } from "vitest";
import { ByteBudget } from "../../src/edge/byte-budget.ts";
import { Edge } from "../../src/edge/edge.ts";
import { nodeFiles } from "../../src/files.ts";
import { Kernel } from "../../src/kernel/kernel.ts";
import { loadKernelModule } from "../../src/kernel/module.ts";
import { EventScanner } from "../../src/kernel/scanner.ts";
import { EmbeddedLog } from "../../src/log/embedded-log.ts";
import { EmbeddedLogReader } from "../../src/log/embedded-log-reader.ts";
import { IdempotencyLedger } from "../../src/log/idempotency.ts";
import { regionTypeName } from "../../src/model-regions.ts";
import { silentLogger } from "../../src/telemetry.ts";
import { Metrics } from "../../src/telemetry-metrics.ts";

const partitionCount = 4;
const bounds = { bodyBytesMax: 4 << 20, errorsMax: 100, futureMsMax: 300_000 };
const startMs = Date.UTC(2026, 10, 24, 10, 30);
const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "rankstream-edge-"));
  closers.push(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** Everything in the log, as text by partition, with the batches' keys. */
async function readLog(log: EmbeddedLog, folder: string) {
  const starts = Array.from({ length: partitionCount }, (_, partition) => ({
    partition,
    offset: 0,
  }));
  const reader = await EmbeddedLogReader.open(nodeFiles, folder, { starts });
  reader.advance(log.durableEnd());
  const events: { eventId: string; partition: number; key: string | null }[] = [];
  const ledger = new IdempotencyLedger();
  for (let records = await reader.next(); records.length > 0; records = await reader.next()) {
    for (const record of records) {
      ledger.record(record);
      for (const line of Buffer.from(record.value).toString().split("\n").filter(Boolean)) {
        const { eventId } = JSON.parse(line);
        events.push({ eventId, partition: record.partition, key: record.key });
      }
    }
  }
  await reader.close();
  return { events, ledger };
}

/** Opens what a service opens, in `folder`; the ledger is read back from the log. */
async function open(folder: string, clock: { now: number }, hasRegions = false) {
  const log = await EmbeddedLog.open(nodeFiles, folder, { partitionCount });
  closers.push(() => log.close().catch(() => {}));
  const { ledger } = await readLog(log, folder);
  const kernel = await Kernel.load(await loadKernelModule(), EventScanner.memoryBytes(bounds));
  const budget = new ByteBudget(64 << 20);
  const edge = new Edge({
    scanner: new EventScanner(kernel, bounds),
    log,
    ledger,
    budget,
    metrics: new Metrics(),
    logger: silentLogger,
    unpackedBytesMax: bounds.bodyBytesMax,
    hasRegions,
    now: () => clock.now,
  });
  const post = async (
    body: string | Uint8Array,
    more: { key?: string; type?: string; isOfRegion?: boolean } = {},
  ) => {
    const reply = await edge.ingest({
      body: typeof body === "string" ? Buffer.from(body) : body,
      contentType: more.type ?? "application/json",
      contentEncoding: typeof body === "string" ? undefined : "gzip",
      idempotencyKey: more.key,
      isOfRegion: more.isOfRegion === true,
    });
    return { ...reply, body: JSON.parse(reply.body) };
  };
  return { log, post, budget };
}

const event = (eventId: string, more = {}) => ({ eventId, eventType: "t", ...more });

describe("an edge over the real parts", () => {
  it("stores each accepted event once, in its partition", async () => {
    const folder = temporaryFolder();
    const { log, post } = await open(folder, { now: startMs });
    const ids = Array.from({ length: 200 }, (_, i) => `item ${i} "ü" \n`);
    const array = await post(
      JSON.stringify(
        ids.map((id) => event(id)),
        null,
        2,
      ),
    );
    expect([array.status, array.body]).toEqual([202, { accepted: 200, rejected: 0, errors: [] }]);
    const lines = `\uFEFF\r\n${ids.map((id) => JSON.stringify(event(id))).join("\r\n")}`;
    expect((await post(lines, { type: "application/x-ndjson" })).body.accepted).toBe(200);
    const packed = gzipSync(JSON.stringify(event("packed")));
    expect((await post(packed)).body.accepted).toBe(1);
    const { events } = await readLog(log, folder);
    const counts = new Map<string, number>();
    for (const { eventId } of events) counts.set(eventId, (counts.get(eventId) ?? 0) + 1);
    expect(counts).toEqual(new Map([...ids.map((id) => [id, 2] as const), ["packed", 1]]));
    const homes = new Set(events.map(({ eventId, partition }) => `${partition} ${eventId}`));
    expect(homes.size).toBe(201);
    expect(new Set(events.map(({ partition }) => partition)).size).toBe(partitionCount);
  });

  it("takes types of other regions from no user where there are regions", async () => {
    const kept = event("a", { eventType: regionTypeName("eu", "x".repeat(128)) });
    const lines = `${JSON.stringify(kept)}\n${JSON.stringify(event("b"))}`;
    const type = "application/x-ndjson";
    const { post } = await open(temporaryFolder(), { now: startMs }, true);
    const { body } = await post(lines, { type });
    expect(body).toMatchObject({ accepted: 1, rejected: 1 });
    expect(body.errors[0]).toMatchObject({ line: 1, code: "forbidden_event_type" });
    expect(body.errors[0].message).toContain("names that begin with U+001F are of other regions");
    expect((await post(lines, { type, isOfRegion: true })).body.accepted).toBe(2);
    const alone = await open(temporaryFolder(), { now: startMs });
    expect((await alone.post(lines, { type })).body.accepted).toBe(2);
  });

  it("counts a key once across a restart, and says what it said", async () => {
    const folder = temporaryFolder();
    const clock = { now: startMs };
    const first = await open(folder, clock);
    const late = startMs + 300_001;
    const body = JSON.stringify([event("a"), event("b", { timestamp: late }), { eventId: "c" }]);
    const replies = [];
    for (const key of ["free key", "producer/7"]) replies.push(await first.post(body, { key }));
    expect(replies[0]!.body).toMatchObject({
      accepted: 1,
      rejected: 2,
      errors: [
        { line: 2, field: "timestamp", code: "future_timestamp" },
        { line: 3, field: "eventType", code: "missing_field" },
      ],
    });
    await first.log.close();
    clock.now += 60_000;
    const second = await open(folder, clock);
    for (const [i, key] of ["free key", "producer/7"].entries()) {
      const again = await second.post(body, { key });
      expect(again.headers["idempotency-replayed"]).toBe("true");
      expect([again.status, again.body]).toEqual([202, replies[i]!.body]);
      const other = await second.post(JSON.stringify(event("z")), { key });
      expect([other.status, other.body.code]).toEqual([422, "idempotency_key_reused"]);
    }
    const { events } = await readLog(second.log, folder);
    expect(events.map(({ eventId, key }) => [eventId, key])).toEqual([
      ["a", "free key"],
      ["a", "producer/7"],
    ]);
  });

  it("stores once what many send at the same time under one key", async () => {
    const folder = temporaryFolder();
    const { log, post } = await open(folder, { now: startMs });
    const replies = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        post(JSON.stringify(event("a")), { key: `p/${i % 5}` }),
      ),
    );
    expect(replies.every(({ status }) => status === 202)).toBe(true);
    const replayed = replies.filter(({ headers }) => headers["idempotency-replayed"] === "true");
    expect(replayed).toHaveLength(45);
    expect((await readLog(log, folder)).events).toHaveLength(5);
  });

  const id = (bytes: number) => "x".repeat(bytes);
  it.each([
    ["not JSON", "hello", "invalid_json"],
    ["cut off", '[{"eventId":"a","eventType":"t"}', "invalid_json"],
    ["a trailing comma", '[{"eventId":"a","eventType":"t"},]', "invalid_json"],
    ["bad UTF-8", Buffer.from('{"eventId":"\xff","eventType":"t"}', "latin1"), "invalid_utf8"],
    ["nothing", "", "empty_body"],
    ["white space", " \r\n\t", "empty_body"],
    ["an empty array", "[]", "empty_body"],
  ])("refuses a body that is %s", async (_what, body, code) => {
    const { post, log, budget } = await open(temporaryFolder(), { now: startMs });
    const reply = await post(typeof body === "string" ? body : gzipSync(body));
    expect([reply.status, reply.body.code]).toEqual([400, code]);
    expect(reply.body.accepted).toBe(0);
    expect(log.endOffsets()).toEqual([0, 0, 0, 0]);
    expect(budget.bytesHeld).toBe(0);
  });

  it.each([
    ["a missing field", { eventType: "t" }, "missing_field", "eventId"],
    ["a number as id", event("a", { eventId: 7 }), "wrong_type", "eventId"],
    ["an unknown field", event("a", { evntId: "b" }), "unknown_field", "evntId"],
    ["an id of 1 MiB", event(id(1 << 20)), "too_long", "eventId"],
    ["30 February", event("a", { timestamp: "2026-02-30T00:00:00Z" }), "invalid_timestamp"],
    ["seconds", event("a", { timestamp: 1_763_980_200 }), "invalid_timestamp"],
    ["a time without zone", event("a", { timestamp: "2026-11-24T10:30:00" }), "invalid_timestamp"],
  ])("refuses an event with %s", async (_what, body, code, field = "timestamp") => {
    const { post, log } = await open(temporaryFolder(), { now: startMs });
    const reply = await post(JSON.stringify(body));
    expect([reply.status, reply.body.code]).toEqual([400, "no_valid_events"]);
    expect(reply.body).toMatchObject({
      accepted: 0,
      rejected: 1,
      errors: [{ line: 1, code, field }],
    });
    expect(reply.body.errors[0].message.length).toBeGreaterThan(5);
    expect(log.endOffsets()).toEqual([0, 0, 0, 0]);
  });

  it("lists a hundred errors and counts them all", async () => {
    const { post } = await open(temporaryFolder(), { now: startMs });
    const lines = `${"{}\n".repeat(250)}${JSON.stringify(event("a"))}\n`;
    const reply = await post(lines, { type: "application/jsonl" });
    expect(reply.body).toMatchObject({ accepted: 1, rejected: 250 });
    expect(reply.body.errors).toHaveLength(100);
  });
});
