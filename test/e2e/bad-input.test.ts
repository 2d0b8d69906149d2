// What clients send by mistake or malice, over real sockets: a clear problem each, nothing of it
// stored, and the service goes on.
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { httpServers } from "../support/http-servers.ts";
import { type Answer, type RankstreamProcess, startRankstream } from "../support/service.ts";

const eventType = "t";
const mebibyte = 1024 * 1024;
/** Long enough for 100 MB on a busy machine, short enough to wait for. */
const requestTimeoutMs = 6000;
const json = "application/json";
const ndjson = "application/x-ndjson";

/** uWebSockets.js hangs up in the middle of these, without a word. */
const cutByUws = new Set(["a length that is none", "a length and chunks", "a bad chunk"]);

describe.each(httpServers)("over %s,", (httpServer) => {
  const isUws = httpServer === "uws";
  let service: RankstreamProcess;
  /** Events that were rightly taken. */
  let taken = 0;
  beforeAll(async () => {
    const timeout = ["--request-timeout-ms", String(requestTimeoutMs)];
    const args = [...timeout, "--http-server", httpServer];
    service = await startRankstream({ args });
  });
  afterAll(() => service.stop());

  async function totalOf(type: string): Promise<number> {
    const query = { eventType: type, timeRange: "all", mode: "exact" };
    const { status, body } = await service.get("/leaderboard", query);
    expect(status).toBe(200);
    return body.total;
  }

  /** After each test: it still takes and counts an event, and nothing else was stored. */
  afterEach(async () => {
    const answer = await service.post({ eventId: "fine", eventType });
    expect([answer.status, answer.body.accepted]).toEqual([202, 1]);
    taken++;
    expect(await totalOf(eventType)).toBe(taken);
    const types = await service.get("/event-types");
    const total = types.body.eventTypes.reduce((sum: number, type: { total: number }) => {
      return sum + type.total;
    }, 0);
    expect(total).toBe(taken);
  });

  function expectProblem(answer: Answer, status: number, code: string): void {
    expect([answer.status, answer.body.code], JSON.stringify(answer.body)).toEqual([status, code]);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    const { type, title, detail, hint } = answer.body;
    for (const text of [type, title, detail, hint]) expect(text.length).toBeGreaterThan(5);
    expect(answer.body.status).toBe(status);
  }

  /** One event's JSON with some members replaced; undefined leaves one out. */
  function eventText(members: Record<string, unknown>): string {
    return JSON.stringify({ eventId: "bad", eventType, ...members });
  }

  const badEvents: [string, string, string, string?][] = [
    ["no id", eventText({ eventId: undefined }), "missing_field", "eventId"],
    ["no type", eventText({ eventType: undefined }), "missing_field", "eventType"],
    ["nothing", "{}", "missing_field", "eventId"],
    ["a number as id", eventText({ eventId: 7 }), "wrong_type", "eventId"],
    ["null as id", eventText({ eventId: null }), "wrong_type", "eventId"],
    ["an empty id", eventText({ eventId: "" }), "empty", "eventId"],
    ["an empty type", eventText({ eventType: "" }), "empty", "eventType"],
    ["an id of 513 bytes", eventText({ eventId: "x".repeat(513) }), "too_long", "eventId"],
    [
      "an id of 513 bytes in UTF-8",
      eventText({ eventId: "ü".repeat(257) }),
      "too_long",
      "eventId",
    ],
    ["an id of 1 MiB", eventText({ eventId: "x".repeat(mebibyte) }), "too_long", "eventId"],
    ["a type of 129 bytes", eventText({ eventType: "x".repeat(129) }), "too_long", "eventType"],
    ["a type of 1 MiB", eventText({ eventType: "x".repeat(mebibyte) }), "too_long", "eventType"],
    ["an escaped NUL", eventText({ eventId: "a\u0000" }), "invalid_text", "eventId"],
    [
      "a high surrogate alone",
      `{"eventId":"\\ud800","eventType":"${eventType}"}`,
      "invalid_text",
      "eventId",
    ],
    [
      "a low surrogate alone",
      `{"eventId":"\\udc00","eventType":"${eventType}"}`,
      "invalid_text",
      "eventId",
    ],
    [
      "a duplicate key",
      `{"eventId":"a","eventId":"a","eventType":"${eventType}"}`,
      "duplicate_field",
      "eventId",
    ],
    [
      "a duplicate key, once escaped",
      `{"eventId":"a","event\\u0049d":"a","eventType":"${eventType}"}`,
      "duplicate_field",
      "eventId",
    ],
    ["an unknown field", eventText({ evntId: "a" }), "unknown_field", "evntId"],
    ["a number as userId", eventText({ userId: 7 }), "wrong_type", "userId"],
    ["a long userId", eventText({ userId: "u".repeat(513) }), "too_long", "userId"],
    ["an object as sessionId", eventText({ sessionId: {} }), "wrong_type", "sessionId"],
    ["an array as metadata", eventText({ metadata: ["a"] }), "wrong_type", "metadata"],
    ["a number in metadata", eventText({ metadata: { a: 1 } }), "wrong_type", "metadata"],
    ["nested metadata", eventText({ metadata: { a: { b: "c" } } }), "wrong_type", "metadata"],
    ["large metadata", eventText({ metadata: { a: "x".repeat(17_000) } }), "too_long", "metadata"],
    ["weight 0", eventText({ weight: 0 }), "out_of_range", "weight"],
    ["a weight over a million", eventText({ weight: 1_000_001 }), "out_of_range", "weight"],
    ["a weight with a fraction", eventText({ weight: 1.5 }), "out_of_range", "weight"],
    ["a weight as text", eventText({ weight: "2" }), "wrong_type", "weight"],
    ["null as timestamp", eventText({ timestamp: null }), "wrong_type", "timestamp"],
    ["a number for an event", "7", "wrong_type"],
    ["a string for an event", '"event"', "wrong_type"],
    ["null for an event", "null", "wrong_type"],
  ];

  describe("an event with", () => {
    it.each(badEvents)("%s", async (_what, text, code, field) => {
      for (const contentType of [json, ndjson]) {
        const answer = await service.post(text, { contentType });
        expectProblem(answer, 400, "no_valid_events");
        expect(answer.body).toMatchObject({
          accepted: 0,
          rejected: 1,
          errors: [{ line: 1, code }],
        });
        const [error] = answer.body.errors;
        expect(error.field).toBe(field);
        expect(error.message.length).toBeLessThan(400);
      }
    });

    it("a fault, between good ones, does not keep them out", async () => {
      const bad = badEvents.map(([_what, text]) => text).filter((text) => text.length < 100_000);
      const good = eventText({ eventId: "good" });
      const lines = bad.flatMap((text) => [text, good]);
      const wanted = {
        accepted: bad.length,
        rejected: bad.length,
        errors: badEvents
          .filter(([_what, text]) => text.length < 100_000)
          .map(([_what, _text, code], i) => ({ line: 2 * i + 1, code })),
      };
      for (const [contentType, body] of [
        [ndjson, lines.join("\n")],
        [json, `[${lines.join(",")}]`],
      ] as const) {
        const answer = await service.post(body, { contentType });
        expect(answer.status).toBe(202);
        expect(answer.body).toMatchObject(wanted);
        taken += bad.length;
      }
    });

    it("bytes that are no UTF-8", async () => {
      for (const bytes of ["\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"]) {
        const text = eventText({ eventId: bytes });
        const body = Buffer.from(text, "latin1");
        expectProblem(await service.post(body, { contentType: json }), 400, "invalid_utf8");
        const lines = Buffer.concat([body, Buffer.from(`\n${eventText({ eventId: "good" })}\n`)]);
        const { status, body: reply } = await service.post(lines);
        expect(status).toBe(202);
        expect(reply).toMatchObject({ accepted: 1, errors: [{ line: 1, code: "invalid_utf8" }] });
        taken++;
      }
    });
  });

  const badBodies: [string, string, string][] = [
    ["nothing", "", "empty_body"],
    ["white space", " \r\n\t ", "empty_body"],
    ["an empty array", "[]", "empty_body"],
    ["no JSON", "hello", "invalid_json"],
    ["a bare NUL", "\u0000", "invalid_json"],
    ["a NUL in a string", '{"eventId":"a\u0000","eventType":"t"}', "invalid_json"],
    ["a cut-off object", '{"eventId":"a","eventType":"t"', "invalid_json"],
    ["a cut-off array", '[{"eventId":"a","eventType":"t"},{"eventId":"b"', "invalid_json"],
    ["a comma at the end", '[{"eventId":"a","eventType":"t"},]', "invalid_json"],
    [
      "two values",
      '{"eventId":"a","eventType":"t"} {"eventId":"a","eventType":"t"}',
      "invalid_json",
    ],
    ["single quotes", "[{'eventId':'a','eventType':'t'}]", "invalid_json"],
    ["a comment", '[{"eventId":"a","eventType":"t"} /* one */]', "invalid_json"],
    ["a line feed in a string", '{"eventId":"a\nb","eventType":"t"}', "invalid_json"],
    ["an unknown escape", '{"eventId":"\\x41","eventType":"t"}', "invalid_json"],
    ["a good event, then rubbish", '[{"eventId":"a","eventType":"t"},rubbish]', "invalid_json"],
    ["100,000 brackets", "[".repeat(100_000), "invalid_json"],
    ["100,000 braces", '{"a":'.repeat(100_000), "invalid_json"],
  ];

  describe("a JSON body of", () => {
    it.each(badBodies)("%s stores nothing", async (_what, body, code) => {
      const answer = await service.post(body, { contentType: json });
      expectProblem(answer, 400, code);
      expect(answer.body.accepted).toBe(0);
      expect(answer.body.detail.length).toBeLessThan(400);
    });
  });

  describe("headers", () => {
    const body = eventText({});
    it.each([
      [{ "content-type": "text/plain" }, 415, "unsupported_media_type"],
      [{ "content-type": "" }, 415, "unsupported_media_type"],
      [{ "content-type": "application/json; charset=latin1" }, 415, "unsupported_media_type"],
      [{ "content-type": json, "content-encoding": "br" }, 415, "unsupported_encoding"],
      [{ "content-type": json, "content-encoding": "gzip" }, 400, "invalid_compression"],
      [
        { "content-type": json, "idempotency-key": "x".repeat(257) },
        400,
        "invalid_idempotency_key",
      ],
    ])("%j", async (headers, status, code) => {
      const answer = await service.request("/events", { method: "POST", headers, body });
      expectProblem(answer, status, code);
    });

    it("addresses and parameters that are not there", async () => {
      const post = (path: string) =>
        service.request(path, { method: "POST", headers: { "content-type": json }, body });
      expectProblem(await post("/event"), 404, "not_found");
      expectProblem(await post("/leaderboard"), 405, "method_not_allowed");
      expectProblem(await post("/events?dry=1"), 400, "unknown_parameter");
      const query = "/leaderboard?eventType=t";
      expectProblem(await service.get("/leaderboard"), 400, "invalid_parameter");
      expectProblem(await service.get(`${query}&k=0`), 400, "invalid_parameter");
      expectProblem(await service.get(`${query}&k=1001`), 400, "invalid_parameter");
      expectProblem(await service.get(`${query}&K=10`), 400, "unknown_parameter");
      expectProblem(await service.get(`${query}&from=0`), 400, "invalid_time_range");
      expectProblem(await service.get(`${query}&from=5&to=5`), 400, "invalid_time_range");
      expectProblem(
        await service.get(`${query}&timeRange=last_year_ish`),
        400,
        "invalid_time_range",
      );
      const noZone = `${query}&from=2026-01-01T00:00:00&to=2026-01-02T00:00:00Z`;
      expectProblem(await service.get(noZone), 400, "invalid_timestamp");
    });
  });

  /** Bytes on a bare socket; resolves with everything that came back once it is closed. */
  function speak(parts: (string | Uint8Array)[], dripMs = 0): Promise<string> {
    const { hostname, port } = new URL(service.url);
    const socket = connect(Number(port), hostname);
    const chunks: Buffer[] = [];
    socket.on("data", (chunk) => chunks.push(chunk)).on("error", () => {});
    const closed = new Promise<string>((resolve) => {
      socket.on("close", () => resolve(Buffer.concat(chunks).toString()));
    });
    const write = async () => {
      for (const part of parts) {
        if (socket.destroyed) return;
        socket.write(part);
        if (dripMs > 0) await sleep(dripMs);
      }
    };
    void write();
    return closed;
  }

  function expectRawProblem(reply: string, status: number, code: string): void {
    const [head = "", body = ""] = reply.split("\r\n\r\n");
    expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(head.toLowerCase()).toContain("content-type: application/problem+json");
    expect(JSON.parse(body)).toMatchObject({ status, code });
  }

  const head = `POST /events HTTP/1.1\r\nhost: localhost\r\ncontent-type: ${json}\r\n`;

  describe("a body that is", () => {
    it("100 MB, announced, gets 413", async () => {
      const body = Buffer.alloc(100_000_000, " ");
      expectProblem(await service.post(body, { contentType: json }), 413, "body_too_large");
    });

    it("100 MB is answered though its client reads only once all is sent", async () => {
      const length = 100 * mebibyte;
      const parts = Array.from({ length: 100 }, () => Buffer.alloc(mebibyte, " "));
      const next = "GET /health/live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
      const replies = await speak([`${head}content-length: ${length}\r\n\r\n`, ...parts, next]);
      const second = replies.indexOf("HTTP/1.1 ", 1);
      expectRawProblem(replies.slice(0, second), 413, "body_too_large");
      expect(replies.slice(second)).toMatch(/^HTTP\/1.1 200 /);
    });

    it("100 MB, in chunks, gets 413", async () => {
      const chunk = Buffer.alloc(mebibyte, " ");
      const stream = new ReadableStream({
        start: () => undefined,
        pull(controller) {
          left--;
          if (left < 0) controller.close();
          else controller.enqueue(chunk);
        },
      });
      let left = 100;
      const headers = { "content-type": json };
      const init = { method: "POST", headers, body: stream, duplex: "half" };
      expectProblem(await service.request("/events", init), 413, "body_too_large");
    });

    it("a gzip bomb gets 413, quickly", async () => {
      const bomb = gzipSync(Buffer.alloc(400 * mebibyte), { level: 9 });
      expect(bomb.length).toBeLessThan(mebibyte);
      const start = Date.now();
      const headers = { "content-encoding": "gzip" };
      const answer = await service.post(bomb, { contentType: json, headers });
      expectProblem(answer, 413, "body_too_large");
      expect(Date.now() - start).toBeLessThan(5000);
    });

    it("packed and cut off, or followed by something, gets 400", async () => {
      const packed = gzipSync(eventText({}));
      const headers = { "content-encoding": "gzip" };
      for (const body of [
        packed.subarray(0, -1),
        packed.subarray(0, 10),
        Buffer.concat([packed, Buffer.from("more")]),
        Buffer.from(eventText({})),
      ]) {
        const answer = await service.post(body, { contentType: json, headers });
        expectProblem(answer, 400, "invalid_compression");
      }
    });

    it("never finished gets 408 and is cut off; so do headers", async () => {
      const start = Date.now();
      const drip = Array.from({ length: 500 }, () => " ");
      const replies = await Promise.all([
        speak([`${head}content-length: 1000\r\n\r\n`, ...drip], 50),
        speak([head, ...drip.map((_, i) => `x-${i}: y\r\n`)], 50),
        speak(["POST /ev"]),
        ...(isUws ? [speak(["rubbish\r\n\r\n"])] : []),
      ]);
      for (const [i, reply] of replies.entries()) {
        // Without a head there is nothing uWebSockets.js would answer.
        if (isUws && i > 0) expect(reply).toBe("");
        else expectRawProblem(reply, 408, "request_timeout");
      }
      expect(Date.now() - start).toBeLessThan(requestTimeoutMs * 3);
    });

    it("cut off by its client stores nothing", async () => {
      const { hostname, port } = new URL(service.url);
      const line = `${eventText({})}\n`;
      for (let i = 0; i < 20; i++) {
        const socket = connect(Number(port), hostname).on("error", () => {});
        const closed = new Promise((resolve) => socket.once("close", resolve));
        const type = i % 2 === 0 ? json : ndjson;
        const length = `content-length: ${line.length * 2}\r\n`;
        socket.write(
          `POST /events HTTP/1.1\r\nhost: localhost\r\ncontent-type: ${type}\r\n${length}\r\n`,
        );
        await new Promise((resolve) => socket.write(line, resolve));
        await sleep(i);
        socket.destroy();
        await closed;
      }
    });
  });

  describe("what is not HTTP", () => {
    const rubbish = [["rubbish", "rubbish\r\n\r\n", 400, "bad_request"]] as [
      string,
      string,
      number,
      string,
    ][];
    it.each([
      ...(isUws ? [] : rubbish),
      ["a length that is none", `${head}content-length: x\r\n\r\n`, 400, "bad_request"],
      ["two lengths", `${head}content-length: 1\r\ncontent-length: 2\r\n\r\n`, 400, "bad_request"],
      [
        "a length and chunks",
        `${head}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
        400,
        "bad_request",
      ],
      ["a bad chunk", `${head}transfer-encoding: chunked\r\n\r\nzz\r\n`, 400, "bad_request"],
      ["20 KB of headers", `${head}a: ${"x".repeat(20_000)}\r\n\r\n`, 431, "headers_too_large"],
    ] as typeof rubbish)("%s", async (what, text, status, code) => {
      const reply = await speak([text]);
      if (isUws && cutByUws.has(what)) expect(reply).toBe("");
      else expectRawProblem(reply, status, code);
    });
  });
});
