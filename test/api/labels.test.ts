import { describe, expect, it } from "vitest";
import { labelLinesMax, readLabelLines } from "../../src/api/labels.ts";
import { everybody } from "../../src/model-access.ts";
import type { LabelChange } from "../../src/model-labels.ts";
import { makeApi } from "./api-fixture.ts";

async function makeLabelApi() {
  const asked: LabelChange[] = [];
  const labels = {
    put: async (changes: readonly LabelChange[]) => {
      asked.push(...changes);
      return changes.map((change) => ({ label: null, url: null, imageUrl: null, ...change }));
    },
  };
  const { app, budget } = await makeApi({ labels });
  const send = async (
    method: "PUT" | "POST",
    url: string,
    body: unknown,
    headers: Record<string, string> = {},
  ) => {
    const type = method === "PUT" ? "application/json" : "application/x-ndjson";
    const payload = typeof body === "string" ? body : JSON.stringify(body);
    const all = { "content-type": type, ...headers };
    const reply = await app.inject({ method, url, payload, headers: all });
    return { status: reply.statusCode, body: reply.json() };
  };
  return { asked, send, budget };
}

describe("PUT /items/{eventType}/{eventId}", () => {
  it("hands on what was given and nothing else, and answers what is then", async () => {
    const { asked, send, budget } = await makeLabelApi();
    const url = "https://example.org/a?b=c#d";
    expect(await send("PUT", "/items/song%2Fplay/a%20b", { label: "Ä", url })).toEqual({
      status: 200,
      body: { eventType: "song/play", eventId: "a b", label: "Ä", url, imageUrl: null },
    });
    const nulls = { label: null, url: null, imageUrl: null };
    expect((await send("PUT", "/items?eventType=t&eventId=..", nulls)).status).toBe(200);
    const longest = { imageUrl: `http://${"x".repeat(2041)}`, label: "l".repeat(500) };
    expect((await send("PUT", "/items/t/a", longest)).status).toBe(200);
    expect(asked).toEqual([
      { eventType: "song/play", eventId: "a b", label: "Ä", url },
      { eventType: "t", eventId: "..", ...nulls },
      { eventType: "t", eventId: "a", ...longest },
    ]);
    expect(budget.bytesHeld).toBe(0);
  });

  it("refuses what is no label, by the field's name, and changes nothing", async () => {
    const { asked, send, budget } = await makeLabelApi();
    const cases: [string, unknown][] = [
      ["label", { label: "" }],
      ["label", { label: 1 }],
      ["label", { label: "l".repeat(501) }],
      ["label", { label: "a\u001b[31m" }],
      ["label", { label: "\ud800" }],
      ["url", { url: "javascript:alert(1)" }],
      ["url", { url: "/relative" }],
      ["url", { url: "https://" }],
      ["url", { url: " https://example.org" }],
      ["url", { url: "https://example.org/a b" }],
      ["url", { url: "java\nscript:alert(1)" }],
      ["imageUrl", { imageUrl: "data:image/png;base64,AA" }],
      ["imageUrl", { imageUrl: `http://${"x".repeat(2042)}` }],
      ["lable", { lable: "x" }],
      ["__proto__", '{"__proto__": "x"}'],
      ["body", {}],
      ["body", []],
      ["body", "null"],
    ];
    for (const [parameter, given] of cases) {
      const { status, body } = await send("PUT", "/items/t/a", given);
      const context = JSON.stringify(given);
      expect([status, body.code, body.parameter], context).toEqual([
        400,
        "invalid_parameter",
        parameter,
      ]);
      expect(body.detail, context).toMatch(/: expected .+, got /);
    }
    const codes: [string, unknown, Record<string, string>, number, string][] = [
      ["/items/t/a", "{", {}, 400, "invalid_json"],
      ["/items/t/a?dryRun=true", { label: "x" }, {}, 400, "unknown_parameter"],
      ["/items?eventType=t", { label: "x" }, {}, 400, "invalid_parameter"],
      ["/items/t/a%00", { label: "x" }, {}, 400, "invalid_parameter"],
      [`/items/t/${"x".repeat(513)}`, { label: "x" }, {}, 400, "invalid_parameter"],
      ["/items/t/a", { label: "x" }, { "content-type": "text/plain" }, 415, ""],
      ["/items/t/a", { label: "x" }, { origin: "https://evil.example" }, 403, "forbidden_origin"],
      ["/items/t/a", `{"label":"${"x".repeat(70_000)}"}`, {}, 413, "body_too_large"],
    ];
    for (const [url, given, headers, status, code] of codes) {
      const reply = await send("PUT", url, given, headers);
      expect([reply.status, reply.body.code], url).toEqual([
        status,
        code || "unsupported_media_type",
      ]);
    }
    expect(asked).toEqual([]);
    expect(budget.bytesHeld).toBe(0);
  });
});

describe("POST /items/labels", () => {
  it("keeps good lines and names bad ones", async () => {
    const { asked, send, budget } = await makeLabelApi();
    const lines = [
      '{"eventType":"t","eventId":"a","label":"A"}\r',
      "",
      "nonsense",
      '{"eventType":"t","label":"A"}',
      '{"eventType":"t","eventId":"b","label":null,"url":"http://b.example"}',
      '{"eventType":"t","eventId":"c","color":"red"}',
      '{"eventType":7,"eventId":"c","label":"C"}',
    ];
    const { status, body } = await send("POST", "/items/labels", lines.join("\n"));
    expect(status).toBe(200);
    expect(body).toMatchObject({ accepted: 2, rejected: 4 });
    type Line = { line: number; field?: string; code: string };
    expect(body.errors.map(({ line, field, code }: Line) => [line, field, code])).toEqual([
      [3, undefined, "invalid_json"],
      [4, "eventId", "invalid_parameter"],
      [6, "color", "invalid_parameter"],
      [7, "eventType", "invalid_parameter"],
    ]);
    expect(asked).toEqual([
      { eventType: "t", eventId: "a", label: "A" },
      { eventType: "t", eventId: "b", label: null, url: "http://b.example" },
    ]);
    expect(budget.bytesHeld).toBe(0);
  });

  it("refuses a body without a good line, arrays, and packed ones", async () => {
    const { asked, send } = await makeLabelApi();
    const none = await send("POST", "/items/labels", "\n");
    expect([none.status, none.body.code]).toEqual([400, "no_valid_labels"]);
    const bad = await send("POST", "/items/labels", "{}\n{}\n");
    expect(bad.body).toMatchObject({ code: "no_valid_labels", accepted: 0, rejected: 2 });
    expect(bad.body.detail).toMatch(/^line 1: eventType: expected /);
    const json = { "content-type": "application/json" };
    expect((await send("POST", "/items/labels", "[]", json)).status).toBe(415);
    const gzip = { "content-encoding": "gzip" };
    expect((await send("POST", "/items/labels", "{}", gzip)).body.code).toBe(
      "unsupported_encoding",
    );
    expect(asked).toEqual([]);
  });

  it("lists a hundred errors and takes ten thousand lines", () => {
    const good = '{"eventType":"t","eventId":"a","label":"A"}\n';
    const readLines = (text: string) => readLabelLines(Buffer.from(text), everybody);
    const mixed = readLines(good + "{}\n".repeat(labelLinesMax - 1));
    expect([mixed.changes.length, mixed.rejected]).toEqual([1, labelLinesMax - 1]);
    expect(mixed.errors.map(({ line }) => line)).toEqual(
      Array.from({ length: 100 }, (_, i) => i + 2),
    );
    expect(() => readLines(good.repeat(labelLinesMax + 1))).toThrow(
      "expected at most 10000 lines",
    );
  });
});
