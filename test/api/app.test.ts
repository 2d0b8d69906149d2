import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { RankstreamError } from "../../src/errors.ts";
import { errorKinds } from "../../src/errors-table.ts";
import { describeOverEach, makeApi, type Sent, send } from "./api-fixture.ts";

const one = '{"eventId":"a"}';
const headers = { "content-type": "application/json" };

function expectProblem(
  reply: { statusCode: number; headers: object; body: string },
  code: string,
) {
  const body = JSON.parse(reply.body);
  expect(body.code, reply.body).toBe(code);
  expect(body.status).toBe(reply.statusCode);
  expect(reply.headers).toMatchObject({ "content-type": "application/problem+json" });
  expect(body.hint).toBe(errorKinds[code as keyof typeof errorKinds].hint);
  return body;
}

describeOverEach("POST /events", () => {
  it("passes the body to the edge and its reply back", async () => {
    const { app, log, budget } = await makeApi();
    const reply = await send(app, { method: "POST", url: "/events", headers, payload: one });
    expect(reply.statusCode).toBe(202);
    expect(reply.headers["content-type"]).toBe("application/json; charset=utf-8");
    expect(JSON.parse(reply.body)).toEqual({ accepted: 1, rejected: 0, errors: [] });
    expect(log.appended).toHaveLength(1);
    expect(budget.bytesHeld).toBe(0);
  });

  it("takes gzip and keys in UTF-8", async () => {
    const { app, log } = await makeApi();
    const key = "schlüssel";
    const latin1 = Buffer.from(key).toString("latin1");
    const reply = await send(app, {
      method: "POST",
      url: "/events",
      headers: { ...headers, "content-encoding": "gzip", "idempotency-key": latin1 },
      payload: gzipSync(one),
    });
    expect(reply.statusCode).toBe(202);
    expect(log.appended[0]?.header.key).toBe(key);
  });

  it("refuses what the edge refuses", async () => {
    const { app } = await makeApi();
    const post = (more: Partial<Sent>) =>
      send(app, { method: "POST", url: "/events", headers, payload: one, ...more });
    expectProblem(await post({ payload: "" }), "empty_body");
    expectProblem(await post({ payload: "{" }), "invalid_json");
    expectProblem(
      await post({ headers: { "content-type": "text/plain" } }),
      "unsupported_media_type",
    );
    expectProblem(await post({ headers: {} }), "unsupported_media_type");
    expectProblem(
      await post({ headers: { "content-type": "nonsense" } }),
      "unsupported_media_type",
    );
    const encoded = { ...headers, "content-encoding": "br" };
    expectProblem(await post({ headers: encoded }), "unsupported_encoding");
    const packed = { ...headers, "content-encoding": "gzip" };
    expectProblem(await post({ headers: packed }), "invalid_compression");
    const keyed = { ...headers, "idempotency-key": "" };
    expectProblem(await post({ headers: keyed }), "invalid_idempotency_key");
    // Bytes that are no UTF-8: as U+FFFD they would all be one key.
    const latin = { ...headers, "idempotency-key": "\u00d7" };
    expectProblem(await post({ headers: latin }), "invalid_idempotency_key");
    expectProblem(await post({ payload: " ".repeat(100_001) }), "body_too_large");
    expectProblem(await post({ url: "/events?dry=1" }), "unknown_parameter");
  });
});

describe("GET /leaderboard", () => {
  it("asks with what was given, or the defaults", async () => {
    const { app, asked } = await makeApi();
    const before = Date.now();
    const reply = await app.inject("/leaderboard?eventType=a");
    expect([reply.statusCode, reply.json()]).toEqual([200, { results: [], total: 0 }]);
    const { range, ...rest } = asked[0]!;
    expect(rest).toEqual({
      eventTypes: ["a"],
      k: 10,
      offset: 0,
      mode: "auto",
      ties: "competition",
    });
    expect(range.to - range.from).toBe(86_400_000);
    expect(range.to).toBeGreaterThan(before);
    await app.inject(
      "/leaderboard?eventType=a,b&eventType=c&eventType=a&k=1000&offset=5&mode=exact&ties=dense" +
        "&by=events&from=2026-11-24T10:30:00%2B01:00&to=1795516200000",
    );
    expect(asked[1]).toMatchObject({
      eventTypes: ["a", "b", "c"],
      k: 1000,
      offset: 5,
      mode: "exact",
      ties: "dense",
      range: { from: Date.UTC(2026, 10, 24, 9, 30), to: 1_795_516_200_000 },
    });
  });

  it("understands selections, equal ones as the same", async () => {
    const { app, asked } = await makeApi();
    const all = [
      "by=users&userId=u2&userId=u1&userId=u2&sessionId=s&prefix=so%2C&exclude=x,y",
      "include=b&include=a&filter.a.b=2&filter.a.b=1&filterNot.=%22&filter.$=&filter.__proto__=p",
    ];
    const shuffled = all.join("&").split("&").reverse();
    for (const query of [all.join("&"), shuffled.join("&"), "by=events"]) {
      expect((await app.inject(`/leaderboard?eventType=a&${query}`)).statusCode).toBe(200);
    }
    expect(asked[0]?.selection).toEqual({
      by: "users",
      metadata: [
        { key: "$", values: [""], isNot: false },
        { key: "__proto__", values: ["p"], isNot: false },
        { key: "a.b", values: ["1", "2"], isNot: false },
        { key: "", values: ['"'], isNot: true },
      ],
      userIds: ["u1", "u2"],
      sessionIds: ["s"],
      include: ["a", "b"],
      exclude: ["x,y"],
      prefix: "so,",
    });
    expect(JSON.stringify(asked[1]?.selection)).toBe(JSON.stringify(asked[0]?.selection));
    expect(asked[2]).not.toHaveProperty("selection");
  });

  it("understands a + that was not encoded", async () => {
    const { app, asked } = await makeApi();
    const range = "2026-11-24T10:00:00+01:00/2026-11-24T11:00:00.5+0100";
    const reply = await app.inject(`/leaderboard?eventType=a&timeRange=${range}`);
    expect(reply.statusCode, reply.body).toBe(200);
    const nine = Date.UTC(2026, 10, 24, 9);
    expect(asked[0]?.range).toMatchObject({ from: nine, to: nine + 3_600_500 });
  });

  it.each([
    ["", "invalid_parameter", "eventType: expected a name of 1..128 bytes, got none"],
    ["eventType=", "invalid_parameter", "got an empty name"],
    ["eventType=a,", "invalid_parameter", "got an empty name"],
    [`eventType=${"x".repeat(129)}`, "invalid_parameter", "got 129 bytes"],
    ["eventType=a&k=0", "invalid_parameter", 'k: expected an integer 1..1000, got "0"'],
    ["eventType=a&k=1001", "invalid_parameter", 'got "1001"'],
    ["eventType=a&k=1.5", "invalid_parameter", 'got "1.5"'],
    ["eventType=a&k=", "invalid_parameter", 'got ""'],
    ["eventType=a&k=1&k=2", "invalid_parameter", "k: expected one value, got 2"],
    ["eventType=a&offset=-1", "invalid_parameter", 'got "-1"'],
    ["eventType=a&mode=exakt", "invalid_parameter", 'Did you mean "exact"?'],
    ["eventType=a&ties=none", "invalid_parameter", "one of competition, dense, ordinal"],
    ["eventtype=a", "unknown_parameter", 'Did you mean "eventType"?'],
    ["eventType=a&zebra=1", "unknown_parameter", "Known are eventType, k"],
    ["eventType=a&compare=next", "invalid_parameter", "one of none, previous"],
    ["eventType=a&comparison=previous", "unknown_parameter", '"comparison"'],
    ["eventType=a&__proto__=1", "unknown_parameter", '"__proto__"'],
    ["eventType=a&by=user", "invalid_parameter", 'got "user". Did you mean "users"?'],
    ["eventType=a&userId=", "invalid_parameter", 'userId: expected 1..512 bytes, got 0 bytes: ""'],
    [`eventType=a&sessionId=${"x".repeat(513)}`, "invalid_parameter", "got 513"],
    ["eventType=a&include=b&include=", "invalid_parameter", "include: expected 1..512 bytes"],
    ["eventType=a&exclude=", "invalid_parameter", "exclude: expected 1..512 bytes"],
    ["eventType=a&prefix=", "invalid_parameter", "prefix: expected 1..512 bytes"],
    ["eventType=a&prefix=a&prefix=b", "invalid_parameter", "prefix: expected one value, got 2"],
    ["eventType=a&filter=b", "unknown_parameter", '"filter"'],
    ["eventType=a&filters.a=b", "unknown_parameter", '"filters.a"'],
    ["eventType=a&timeRange=today&from=1&to=2", "invalid_time_range", ""],
    ["eventType=a&from=1", "invalid_time_range", ""],
    ["eventType=a&from=2&to=2", "invalid_time_range", ""],
    ["eventType=a&timeRange=sometimes", "invalid_time_range", "sometimes"],
    ["eventType=a&timeRange=today&timeZone=Mars/Base", "invalid_time_zone", "Mars/Base"],
    ["eventType=a&from=2026-02-30T00:00:00Z&to=2", "invalid_timestamp", "2026-02-30"],
  ])("refuses %j: %s", async (query, code, detail) => {
    const { app, asked } = await makeApi();
    const body = expectProblem(await app.inject(`/leaderboard?${query}`), code);
    expect(body.detail).toContain(detail);
    expect(asked).toEqual([]);
  });

  it("refuses more than a thousand values", async () => {
    const { app } = await makeApi();
    const expectRefused = async (name: (i: number) => string, what: string) => {
      const query = Array.from({ length: 1001 }, (_, i) => `&${name(i)}=${i}`).join("");
      const reply = await app.inject(`/leaderboard?eventType=a${query}`);
      const { detail } = expectProblem(reply, "invalid_parameter");
      expect(detail).toBe(`${what}: expected at most 1000 values, got 1001`);
    };
    await expectRefused(() => "include", "include");
    await expectRefused((i) => `filter.${i % 3}`, "filter");
  });

  it("answers what the engine throws by the table", async () => {
    let thrown: unknown = new RankstreamError("log_full", "x", { retryAfterSeconds: 2 });
    const fail = async () => {
      throw thrown;
    };
    const { app } = await makeApi({ query: { leaderboard: fail, series: fail } });
    const reply = await app.inject("/leaderboard?eventType=a");
    expectProblem(reply, "log_full");
    expect(reply.headers["retry-after"]).toBe("2");
    thrown = new Error("secret");
    const broken = await app.inject("/event-types/a/series");
    expectProblem(broken, "internal_error");
    expect(broken.body).not.toContain("secret");
  });
});

describe("operations", () => {
  it("say live, ready, and which part is not", async () => {
    let missing: string[] = ["store", "ingest"];
    const { app } = await makeApi({ notReady: () => missing });
    expect((await app.inject("/health/live")).json()).toEqual({ status: "live" });
    const reply = await app.inject("/health/ready");
    expect(expectProblem(reply, "not_ready").parts).toEqual(["store", "ingest"]);
    missing = [];
    const ready = await app.inject("/health/ready");
    expect([ready.statusCode, ready.json()]).toEqual([200, { status: "ready" }]);
  });

  it("give metrics in Prometheus's form", async () => {
    const { app } = await makeApi();
    await app.inject({ method: "POST", url: "/events", headers, payload: one });
    const reply = await app.inject("/metrics");
    expect(reply.headers["content-type"]).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect(reply.body).toContain("# TYPE rankstream_events_accepted_total counter\n");
    expect(reply.body).toContain("\nrankstream_events_accepted_total 1\n");
    expect(reply.body).toContain("\nrankstream_http_held_bytes 0\n");
  });

  it("describe every call in OpenAPI", async () => {
    const { app } = await makeApi();
    const document = (await app.inject("/openapi.json")).json();
    expect(document).toMatchObject({ openapi: "3.1.0", info: { version: "1.2.3" } });
    expect(Object.keys(document.paths).sort()).toEqual([
      "/admin/backups",
      "/admin/backups/{id}",
      "/admin/cache/invalidate",
      "/admin/regions/{name}/resync",
      "/admin/snapshot",
      "/admin/snapshots",
      "/admin/snapshots/{name}",
      "/changes",
      "/event-types",
      "/event-types/{name}",
      "/event-types/{name}/events",
      "/event-types/{name}/series",
      "/events",
      "/export",
      "/health/live",
      "/health/ready",
      "/items",
      "/items/labels",
      "/items/{eventType}/batch",
      "/items/{eventType}/{eventId}",
      "/jobs",
      "/jobs/{id}",
      "/leaderboard",
      "/live",
      "/live/events",
      "/metrics",
      "/metrics/history",
      "/openapi.json",
      "/regions",
      "/regions/counts",
      "/regions/totals",
      "/status",
      "/tail",
      "/trending",
      "/users",
      "/users/events",
      "/users/{userId}",
      "/users/{userId}/events",
    ]);
    const { parameters, responses } = document.paths["/leaderboard"].get;
    expect(parameters.map(({ name }: { name: string }) => name)).toContain("timeRange");
    expect(responses["400"]).toEqual({ $ref: "#/components/responses/Problem" });
    const ids = Object.values(document.paths).flatMap((path) =>
      Object.values(path as object).map(({ operationId }) => operationId),
    );
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("serve the page's files and no others", async () => {
    const folder = mkdtempSync(join(tmpdir(), "rankstream-web-"));
    try {
      writeFileSync(join(folder, "index.html"), "<!doctype html>");
      writeFileSync(join(folder, "board.js"), "1");
      writeFileSync(join(folder, "secret.txt"), "no");
      mkdirSync(join(folder, "demo"));
      writeFileSync(join(folder, "demo", "index.html"), "demo");
      const { app } = await makeApi({
        webFolder: folder,
        frameAncestors: "'self' https://a.example",
      });
      const page = await app.inject("/");
      expect([page.statusCode, page.body]).toEqual([200, "<!doctype html>"]);
      expect(page.headers).toMatchObject({
        "content-type": "text/html; charset=utf-8",
        "x-content-type-options": "nosniff",
      });
      expect(page.headers["content-security-policy"]).toContain("script-src 'self';");
      const policy = async (address: string) =>
        (await app.inject(address)).headers["content-security-policy"];
      expect(await policy("/?embed=1")).toContain("frame-ancestors 'self' https://a.example;");
      for (const address of ["/", "/?embed=0", "/web/demo/?embed=1"]) {
        expect(await policy(address), address).toContain("frame-ancestors 'none';");
      }
      expect((await app.inject("/web/board.js")).headers["content-type"]).toContain("javascript");
      expect((await app.inject("/web/demo/")).body).toBe("demo");
      const headers = { "accept-encoding": "gzip", "if-none-match": "" };
      const packed = await app.inject({ url: "/web/board.js", headers });
      expect(packed.headers["content-encoding"]).toBe("gzip");
      expect(gunzipSync(packed.rawPayload).toString()).toBe("1");
      headers["if-none-match"] = String(packed.headers["etag"]);
      expect((await app.inject({ url: "/web/board.js", headers })).statusCode).toBe(304);
      expectProblem(await app.inject("/web/secret.txt"), "not_found");
      expectProblem(await app.inject("/web/%2e%2e/package.json"), "not_found");
    } finally {
      rmSync(folder, { recursive: true });
    }
    const { app } = await makeApi({ webFolder: join(folder, "gone") });
    expectProblem(await app.inject("/"), "not_found");
  });
});

describe("an address that is not served", () => {
  it("is 404 with the nearest one", async () => {
    const { app } = await makeApi();
    const body = expectProblem(await app.inject("/leaderbord?x=1"), "not_found");
    expect(body.detail).toBe('there is nothing at "/leaderbord". Did you mean "/leaderboard"?');
  });

  it("is 405 with the methods that are", async () => {
    const { app } = await makeApi();
    const reply = await app.inject({ method: "DELETE", url: "/events" });
    expectProblem(reply, "method_not_allowed");
    expect(reply.headers.allow).toBe("POST");
    const posted = await app.inject({
      method: "POST",
      url: "/leaderboard",
      payload: one,
      headers,
    });
    expectProblem(posted, "method_not_allowed");
    expect(posted.headers.allow).toBe("GET, HEAD");
  });

  it("is 400 when it is badly encoded", async () => {
    const { app } = await makeApi();
    expectProblem(await app.inject("/%zz"), "bad_request");
  });
});
