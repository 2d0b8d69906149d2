// Addresses and parameters of items: what reaches the engine, and what is refused and how.
import { describe, expect, it } from "vitest";
import { ByteBudget } from "../../src/edge/byte-budget.ts";
import type { ItemRequest, ItemsRequest } from "../../src/query/items.ts";
import { makeApi } from "./api-fixture.ts";

async function makeItems() {
  const asked: ItemRequest[] = [];
  const batches: ItemsRequest[] = [];
  const budget = new ByteBudget(16 * 1024 * 1024);
  const answers: Parameters<typeof makeApi>[0] = {
    query: {
      async item(request) {
        asked.push(request);
        return { count: 1 };
      },
      async items(request) {
        batches.push(request);
        return { items: [] };
      },
    },
  };
  const { app } = await makeApi(answers, { budget });
  const post = (payload: string | Buffer, path = "/items/play/batch", headers = {}) =>
    app.inject({
      method: "POST",
      url: path,
      headers: { "content-type": "application/json", ...headers },
      payload,
    });
  return { app, asked, batches, budget, post };
}

describe("GET /items/{eventType}/{eventId}", () => {
  it.each([
    ["a", "a"],
    ["a%2Fb", "a/b"],
    ["%252F", "%2F"],
    ["100%25", "100%"],
    ["a+b%20c", "a+b c"],
    ["%C3%BC%F0%9F%8E%B5", "ü\u{1f3b5}"],
    ["a%3Fb%23c%26d=e", "a?b#c&d=e"],
    ["batch", "batch"],
    ["x".repeat(512), "x".repeat(512)],
    ["%C3%BC".repeat(256), "ü".repeat(256)],
  ])("decodes %s once", async (written, eventId) => {
    const { app, asked } = await makeItems();
    const reply = await app.inject(`/items/t%2F%25/${written}`);
    expect([reply.statusCode, reply.json()]).toEqual([200, { count: 1 }]);
    expect(asked).toMatchObject([{ eventType: "t/%", eventId }]);
  });

  it("has defaults, and takes a range, a mode, neighbours, a step and a zone", async () => {
    const { app, asked } = await makeItems();
    await app.inject("/items/t/a");
    const [plain] = asked;
    expect(plain).toMatchObject({ mode: "auto", neighbours: 2, timeZone: "UTC", hasRanks: false });
    expect(plain!.step).toBeUndefined();
    expect(plain!.range.to - plain!.range.from).toBe(86_400_000);
    const more = "mode=exact&neighbours=50&step=week&ranks=true&timeZone=Asia/Kathmandu";
    await app.inject(`/items/t/a?from=0&to=1970-01-02T00:00:00%2B01:00&${more}`);
    expect(asked[1]).toMatchObject({
      range: { from: 0, to: 82_800_000 },
      mode: "exact",
      neighbours: 50,
      step: "week",
      hasRanks: true,
      timeZone: "Asia/Kathmandu",
    });
  });

  it.each([
    ["/items/t/", "invalid_parameter", "eventId: expected a name of 1..512 bytes, got 0 bytes"],
    ["/items/t/a%00b", "invalid_parameter", "eventId: expected text without NUL"],
    [`/items/t/${"x".repeat(513)}`, "invalid_parameter", "got 513 bytes"],
    [`/items/${"x".repeat(129)}/a`, "invalid_parameter", "eventType: expected a name of 1..128"],
    ["/items/t/%ff", "bad_request", "not a valid url component"],
    ["/items/t/%zz", "bad_request", "not a valid url component"],
    ["/items/t/a?k=3", "unknown_parameter", 'there is no parameter "k"'],
    ["/items/t/a?eventType=t", "unknown_parameter", "eventType"],
    ["/items/t/a?neighbours=51", "invalid_parameter", "neighbours: expected an integer 0..50"],
    ["/items/t/a?step=year", "invalid_parameter", "step: expected one of minute, hour, day"],
    ["/items/t/a?ranks=yes", "invalid_parameter", "ranks: expected one of false, true"],
    ["/items/t/a?mode=fast", "invalid_parameter", "mode: expected one of auto, approx, exact"],
    ["/items/t/a?timeZone=Mars", "invalid_time_zone", "timeZone: expected an IANA name"],
    ["/items/t/a?timeRange=soon", "invalid_time_range", "timeRange: expected last_<n>_"],
  ])("refuses %s", async (url, code, detail) => {
    const { app, asked } = await makeItems();
    const reply = await app.inject(url);
    expect([reply.statusCode, reply.json().code]).toEqual([400, code]);
    expect(reply.json().detail).toContain(detail);
    expect(asked).toEqual([]);
  });

  it("is known with other methods, and has no other depth", async () => {
    const { app } = await makeItems();
    const patch = await app.inject({ method: "PATCH", url: "/items/t/a" });
    expect([patch.statusCode, patch.json().code]).toEqual([405, "method_not_allowed"]);
    expect(patch.headers["allow"]).toBe("DELETE, GET, HEAD, PUT");
    const batch = await app.inject({ method: "PATCH", url: "/items/t/batch" });
    expect(batch.headers["allow"]).toBe("DELETE, GET, HEAD, POST, PUT");
    expect((await app.inject("/items/t/a/b")).json().code).toBe("not_found");
  });
});

describe("GET /items", () => {
  it("names the item by parameters, for what no address can", async () => {
    const { app, asked } = await makeItems();
    await app.inject("/items?eventType=..&eventId=.&neighbours=0");
    expect(asked).toMatchObject([{ eventType: "..", eventId: ".", neighbours: 0 }]);
  });

  it("needs both, once", async () => {
    const { app } = await makeItems();
    const detail = async (url: string) => (await app.inject(url)).json().detail;
    expect(await detail("/items?eventType=t")).toContain("eventId: expected a name");
    expect(await detail("/items?eventId=t")).toContain("eventType: expected a name");
    expect(await detail("/items?eventType=t&eventId=a&eventId=b")).toContain("one value, got 2");
  });
});

describe("POST /items/{eventType}/batch", () => {
  it("takes ids in order, repeated ones too", async () => {
    const { batches, post, budget } = await makeItems();
    const eventIds = ["b", "a", "b", "..", "\u{1f3b5}", "x".repeat(512)];
    const reply = await post(JSON.stringify({ eventIds }), "/items/a%2Fb/batch?timeRange=all");
    expect(reply.statusCode).toBe(200);
    expect(batches).toMatchObject([{ eventType: "a/b", eventIds, mode: "auto" }]);
    expect(budget.bytesHeld).toBe(0);
  });

  it("takes histories, of a step and a zone, beside where items stand or alone", async () => {
    const { batches, post } = await makeItems();
    const ask = async (query: string) => (await post('{"eventIds":["a"]}', query)).json();
    await ask("/items/t/batch?history=false");
    await ask("/items/t/batch?history=true&step=week&timeZone=Asia/Kathmandu");
    await ask("/items/t/batch?history=only");
    expect(batches[0]).not.toHaveProperty("history");
    expect(batches.slice(1)).toMatchObject([
      { history: "true", step: "week", timeZone: "Asia/Kathmandu" },
      { history: "only", timeZone: "UTC" },
    ]);
    expect(batches[2]!.step).toBeUndefined();
    expect((await ask("/items/t/batch?step=day")).detail).toContain("step: expected history=true");
    const which = "history: expected one of false, true, only";
    expect((await ask("/items/t/batch?history=1")).detail).toContain(which);
    expect(batches).toHaveLength(3);
  });

  it("takes a thousand of the longest ids in their longest spelling", async () => {
    const { batches, post } = await makeItems();
    const id = "\\u0061".repeat(512);
    const eventIds = Array(1000).fill(`"${id}"`).join(",");
    const reply = await post(`{"eventIds":[${eventIds}]}`);
    expect(reply.statusCode).toBe(200);
    expect(batches[0]!.eventIds).toHaveLength(1000);
    expect((await post(`{"eventIds":[${eventIds},"a"]}`)).json().detail).toContain("got 1001");
  });

  it.each([
    ["", "invalid_json", 'expected {"eventIds": […]}, got ""'],
    ["{", "invalid_json", "expected"],
    ['["a"]', "invalid_parameter", "eventIds: expected"],
    ["null", "invalid_parameter", "eventIds: expected"],
    ["{}", "invalid_parameter", "got"],
    ['{"eventIds":"a"}', "invalid_parameter", "eventIds: expected"],
    ['{"eventIds":[]}', "invalid_parameter", "got 0"],
    ['{"eventIds":["a",1]}', "invalid_parameter", "eventIds[1]: expected text"],
    ['{"eventIds":["a",""]}', "invalid_parameter", "eventIds[1]: expected a name of 1..512"],
    ['{"eventIds":["\\ud800"]}', "invalid_parameter", "eventIds[0]: expected Unicode text"],
    ['{"eventIds":["a"],"k":1}', "invalid_parameter", '"k" too'],
  ])("refuses the body %s", async (body, code, detail) => {
    const { post, batches, budget } = await makeItems();
    const reply = await post(body);
    expect([reply.statusCode, reply.json().code]).toEqual([400, code]);
    expect(reply.json().detail).toContain(detail);
    expect([batches, budget.bytesHeld]).toEqual([[], 0]);
  });

  it("refuses other content by its headers, and what is no text", async () => {
    const { post } = await makeItems();
    const code = async (...request: Parameters<typeof post>) =>
      (await post(...request)).json().code;
    const batch = "/items/t/batch";
    const ndjson = { "content-type": "application/x-ndjson" };
    expect(await code("{}", batch, ndjson)).toBe("unsupported_media_type");
    expect(await code("{}", batch, { "content-encoding": "gzip" })).toBe("unsupported_encoding");
    expect(await code(Buffer.from([0x22, 0xff, 0x22]))).toBe("invalid_utf8");
    expect(await code("{}", `${batch}?neighbours=1`)).toBe("unknown_parameter");
    expect(await code(" ".repeat(4 * 1024 * 1024 + 1))).toBe("body_too_large");
  });
});
