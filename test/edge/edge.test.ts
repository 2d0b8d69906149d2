import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { ByteBudget } from "../../src/edge/byte-budget.ts";
import type { Edge } from "../../src/edge/edge.ts";
import { RankstreamError } from "../../src/errors.ts";
import { makeEdge } from "./edge-fixture.ts";

const json = "application/json";
const one = '{"eventId":"a"}';

interface Post {
  type?: string | undefined;
  encoding?: string;
  key?: string;
}

async function post(
  edge: Edge,
  body: string | Uint8Array,
  { type = json, encoding, key }: Post = {},
) {
  const reply = await edge.ingest({
    body: typeof body === "string" ? Buffer.from(body) : body,
    contentType: type,
    contentEncoding: encoding,
    idempotencyKey: key,
  });
  return { ...reply, body: JSON.parse(reply.body) };
}

/** A promise with its levers outside. */
function gate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

describe("a batch", () => {
  it("is answered once it is in the log, not before", async () => {
    const { edge, log } = makeEdge();
    const { open, opened } = gate();
    log.before = () => opened;
    let answered = false;
    const reply = post(edge, one).then((value) => {
      answered = true;
      return value;
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(answered).toBe(false);
    open();
    expect(await reply).toMatchObject({
      status: 202,
      body: { accepted: 1, rejected: 0, errors: [] },
      headers: { "content-type": "application/json; charset=utf-8" },
    });
    expect(log.appended[0]?.header).toMatchObject({ key: null, digest: null, partitionCount: 4 });
  });

  it("says which lines are bad and keeps the others", async () => {
    const { edge, log, metrics } = makeEdge();
    const reply = await post(edge, '{"eventId":"a"}\n{}\n{"eventId":"b"}\n', {
      type: "application/x-ndjson",
    });
    expect(reply.status).toBe(202);
    expect(reply.body).toMatchObject({ accepted: 2, rejected: 1, errors: [{ line: 2 }] });
    expect(Buffer.from(log.appended[0]!.blocks[0]!.value).toString()).toBe(
      '{"eventId":"a"}\n{"eventId":"b"}\n',
    );
    expect(metrics.value("rankstream_events_accepted_total")).toBe(2);
    expect(metrics.value("rankstream_events_rejected_total")).toBe(1);
  });

  it("of bad lines only is refused whole", async () => {
    const { edge, log } = makeEdge();
    const reply = await post(edge, "[{},{}]");
    expect(reply.status).toBe(400);
    expect(reply.headers["content-type"]).toBe("application/problem+json");
    expect(reply.body).toMatchObject({ code: "no_valid_events", accepted: 0, rejected: 2 });
    expect(reply.body.errors).toHaveLength(2);
    expect(log.appended).toEqual([]);
  });

  it.each([
    ["", "empty_body", 0],
    [" \n", "empty_body", 0],
    ["[]", "empty_body", 0],
    ['[{"eventId":"a"}', "invalid_json", 1],
  ])("that is %j stores nothing: %s", async (body, code, rejected) => {
    const { edge, log } = makeEdge();
    const reply = await post(edge, body);
    expect(reply.status).toBe(400);
    expect(reply.body).toMatchObject({ code, accepted: 0, rejected });
    expect(reply.body.errors).toHaveLength(rejected);
    expect(log.appended).toEqual([]);
  });

  it.each([
    [json, 202],
    ["Application/JSON; Charset=UTF-8", 202],
    ['application/json;charset="utf-8"', 202],
    ["application/x-ndjson", 202],
    ["application/jsonl;charset=utf8", 202],
    ["application/json; charset=latin1", 415],
    ["text/plain", 415],
    ["application/x-www-form-urlencoded", 415],
    ["application/jsonx", 415],
    ["__proto__", 415],
    ["", 415],
  ])("of type %j gets %i", async (type, status) => {
    const { edge } = makeEdge();
    expect((await post(edge, one, { type })).status).toBe(status);
  });

  it("without a type is refused", async () => {
    const { edge } = makeEdge();
    const reply = await edge.ingest({ body: Buffer.from(one), contentType: undefined });
    expect(reply.status).toBe(415);
    expect(JSON.parse(reply.body).detail).toContain("got no Content-Type");
  });
});

describe("a packed batch", () => {
  it("is unpacked", async () => {
    const { edge, log, budget } = makeEdge();
    expect((await post(edge, gzipSync(one), { encoding: "GZIP" })).status).toBe(202);
    const members = Buffer.concat([gzipSync('{"eventId":'), gzipSync('"b"}')]);
    expect((await post(edge, members, { encoding: "gzip" })).status).toBe(202);
    const padded = Buffer.concat([gzipSync(one), Buffer.alloc(512)]);
    expect((await post(edge, padded, { encoding: "x-gzip" })).status).toBe(202);
    expect(log.appended).toHaveLength(3);
    expect(budget.bytesHeld).toBe(0);
  });

  const packed = gzipSync(`[${one},${one}]`);
  it.each([
    ["cut off", packed.subarray(0, packed.length - 9)],
    ["cut in the trailer", packed.subarray(0, packed.length - 2)],
    ["damaged", Buffer.from(packed).fill(0xff, 12, 16)],
    ["of a wrong checksum", Buffer.from(packed).fill(0xff, packed.length - 8, packed.length - 4)],
    ["followed by something", Buffer.concat([packed, Buffer.from("more")])],
    ["not packed", Buffer.from(one)],
    ["empty", Buffer.alloc(0)],
  ])("%s is refused", async (_what, body) => {
    const { edge, log, budget } = makeEdge();
    const reply = await post(edge, body, { encoding: "gzip" });
    expect([reply.status, reply.body.code]).toEqual([400, "invalid_compression"]);
    expect(log.appended).toEqual([]);
    expect(budget.bytesHeld).toBe(0);
  });

  it("is never unpacked past the bound", async () => {
    const { edge, budget } = makeEdge();
    const held: number[] = [];
    const reserve = budget.reserve.bind(budget);
    budget.reserve = (bytes) => {
      const fits = reserve(bytes);
      held.push(budget.bytesHeld);
      return fits;
    };
    const bomb = gzipSync(Buffer.alloc(50_000_000));
    const reply = await post(edge, bomb, { encoding: "gzip" });
    expect([reply.status, reply.body.code]).toEqual([413, "body_too_large"]);
    expect(Math.max(...held)).toBeLessThanOrEqual(100_000);
    expect(budget.bytesHeld).toBe(0);
  });

  it("waits for room with 503", async () => {
    const budget = new ByteBudget(50_000);
    const { edge } = makeEdge({ budget });
    const body = gzipSync(Buffer.alloc(60_000, " "));
    const reply = await post(edge, body, { encoding: "gzip" });
    expect([reply.status, reply.body.code]).toEqual([503, "overloaded"]);
    expect(reply.headers["retry-after"]).toBe("1");
    expect(budget.bytesHeld).toBe(0);
  });

  it("in an unknown encoding is refused", async () => {
    const { edge } = makeEdge();
    for (const encoding of ["br", "deflate", "gzip, gzip", "nonsense"]) {
      const reply = await post(edge, one, { encoding });
      expect([reply.status, reply.body.code]).toEqual([415, "unsupported_encoding"]);
      expect(reply.headers["accept-encoding"]).toMatch(/^gzip/);
    }
  });

  it("is bounded unpacked where it came plain, too", async () => {
    const { edge } = makeEdge();
    expect((await post(edge, " ".repeat(100_001))).status).toBe(413);
  });
});

describe("an Idempotency-Key", () => {
  it("gives the first reply again and stores once", async () => {
    let now = 1000;
    const { edge, log } = makeEdge({ now: () => now });
    const body = '[{"eventId":"a"},{"eventId":"b","at":1500}]';
    const first = await post(edge, body, { key: "k" });
    expect(first.body).toMatchObject({ accepted: 1, rejected: 1 });
    expect(first.headers["idempotency-replayed"]).toBeUndefined();
    now = 2000;
    const second = await post(edge, body, { key: "k" });
    expect(second.headers["idempotency-replayed"]).toBe("true");
    expect([second.status, second.body]).toEqual([first.status, first.body]);
    expect(log.appended).toHaveLength(1);
    const { header } = log.appended[0]!;
    expect(header).toMatchObject({ key: "k", seen: null, receivedAt: 1000 });
    // printf '%s' '<body>' | sha256sum | cut -c1-32
    expect(Buffer.from(header.digest!).toString("hex")).toBe("2088206fa5e8de0b4c26ef14d37eebd3");
  });

  it("with another body is refused", async () => {
    const { edge, log } = makeEdge();
    await post(edge, one, { key: "k" });
    const reply = await post(edge, '{"eventId":"b"}', { key: "k" });
    expect([reply.status, reply.body.code]).toEqual([422, "idempotency_key_reused"]);
    expect(log.appended).toHaveLength(1);
  });

  it("compares bodies unpacked", async () => {
    const { edge, log } = makeEdge();
    await post(edge, one, { key: "k" });
    const reply = await post(edge, gzipSync(one), { key: "k", encoding: "gzip" });
    expect(reply.headers["idempotency-replayed"]).toBe("true");
    expect(log.appended).toHaveLength(1);
  });

  it("makes a second request wait for the first", async () => {
    const { edge, log } = makeEdge();
    const { open, opened } = gate();
    log.before = () => opened;
    const replies = Array.from({ length: 5 }, () => post(edge, one, { key: "k" }));
    const other = post(edge, '{"eventId":"b"}', { key: "k" });
    const free = post(edge, one, { key: "other" });
    await new Promise((resolve) => setTimeout(resolve, 20));
    open();
    const all = await Promise.all(replies);
    expect(all.map(({ status }) => status)).toEqual([202, 202, 202, 202, 202]);
    const replayed = all.map(({ headers }) => headers["idempotency-replayed"]);
    expect(replayed).toEqual([undefined, "true", "true", "true", "true"]);
    expect((await other).status).toBe(422);
    expect((await free).status).toBe(202);
    expect(log.appended).toHaveLength(2);
  });

  it("lets the second store where the first failed", async () => {
    const { edge, log } = makeEdge();
    const { open, opened } = gate();
    let appends = 0;
    log.before = async () => {
      appends += 1;
      if (appends > 1) return;
      await opened;
      throw new RankstreamError("log_full", "no room", { retryAfterSeconds: 3 });
    };
    const first = post(edge, one, { key: "k" });
    const second = post(edge, one, { key: "k" });
    const third = post(edge, one, { key: "k" });
    open();
    expect(await first).toMatchObject({ status: 503, headers: { "retry-after": "3" } });
    expect(await second).toMatchObject({ status: 202 });
    expect((await third).headers["idempotency-replayed"]).toBe("true");
    expect(log.appended).toHaveLength(1);
  });

  it("is not used up by a batch that was refused whole", async () => {
    const { edge, log } = makeEdge();
    expect((await post(edge, "{}", { key: "k" })).status).toBe(400);
    expect((await post(edge, one, { key: "k" })).status).toBe(202);
    expect(log.appended).toHaveLength(1);
  });

  it("is refused with 429 when no more can be remembered", async () => {
    const { edge, ledger, log } = makeEdge();
    ledger.keysMax = 1;
    await post(edge, one, { key: "k" });
    const reply = await post(edge, one, { key: "l" });
    expect([reply.status, reply.body.code]).toEqual([429, "idempotency_full"]);
    expect(Number(reply.headers["retry-after"])).toBeGreaterThan(0);
    expect((await post(edge, one, { key: "k" })).status).toBe(202);
    expect(log.appended).toHaveLength(1);
  });

  it.each([
    ["", 400],
    ["a\u0000b", 400],
    ["a\tb", 400],
    ["x".repeat(257), 400],
    ["é".repeat(129), 400],
    ["x".repeat(256), 202],
    ["schlüssel mit wörtern", 202],
    ["producer-1/17", 202],
    ["\u{1F468}\u200D\u{1F469}", 202],
    ["__proto__", 202],
  ])("%j gets %i", async (key, status) => {
    const { edge } = makeEdge();
    expect((await post(edge, one, { key })).status).toBe(status);
  });
});

describe("a log that fails", () => {
  it("is told with the key to retry with, when it isn't known what was stored", async () => {
    const { edge, log } = makeEdge();
    log.before = () => {
      throw new RankstreamError("log_failed", "EIO");
    };
    const reply = await post(edge, one, { key: "mine" });
    expect(reply.status).toBe(503);
    expect(reply.headers["retry-after"]).toBe("5");
    expect(reply.body).toMatchObject({ outcome: "unknown", idempotencyKey: "mine" });
  });

  it("stored a part: the key made up for it is in the records and in the reply", async () => {
    const { edge, log, ledger } = makeEdge({ makesKeys: true });
    let failing = true;
    log.before = () => {
      if (failing) throw new RankstreamError("partial_append", "2 of 3 blocks");
    };
    const { body } = await post(edge, one);
    expect(body.code).toBe("partial_append");
    expect(body.idempotencyKey).toMatch(/^edge-[0-9a-f-]{36}\.\d+\/1$/);
    failing = false;
    expect((await post(edge, one, { key: body.idempotencyKey })).status).toBe(202);
    expect(log.appended[0]?.header.key).toBe(body.idempotencyKey);
    expect(ledger.keys.has(body.idempotencyKey)).toBe(true);
  });

  it("in an unforeseen way is a 500 that tells nothing of it", async () => {
    const { edge, log } = makeEdge();
    log.before = () => {
      throw new Error("secret path");
    };
    const reply = await post(edge, one);
    expect([reply.status, reply.body.code]).toEqual([500, "internal_error"]);
    expect(JSON.stringify(reply)).not.toContain("secret");
  });
});

describe("the byte budget", () => {
  it("takes all or nothing", () => {
    const budget = new ByteBudget(10);
    expect(budget.reserve(6)).toBe(true);
    expect(budget.reserve(5)).toBe(false);
    expect(budget.bytesHeld).toBe(6);
    budget.release(6);
    expect(budget.reserve(10)).toBe(true);
    expect(() => budget.release(11)).toThrow("more bytes released");
  });
});
