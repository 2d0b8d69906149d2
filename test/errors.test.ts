import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { closestName, didYouMean, problemReply, quoted, RankstreamError } from "../src/errors.ts";
import { errorKinds } from "../src/errors-table.ts";

describe("the errors table", () => {
  it("gives each code a status, a title and a hint", () => {
    for (const [code, { status, title, hint }] of Object.entries(errorKinds)) {
      expect(code).toMatch(/^[a-z0-9]+(_[a-z0-9]+)*$/);
      expect(status).toBeGreaterThanOrEqual(400);
      expect(status).toBeLessThan(600);
      expect(title, code).toMatch(/^[A-Z].*[^.]$/);
      expect(hint, code).toMatch(/\.$/);
    }
  });
});

describe("docs/errors.md", () => {
  it("lists every error as it is", () => {
    const path = join(import.meta.dirname, "..", "docs", "errors.md");
    const rows = readFileSync(path, "utf8")
      .split("\n")
      .filter((line) => line.startsWith("| `"));
    const expected = Object.entries(errorKinds).map(
      ([code, { status, title, hint }]) => `| \`${code}\` | ${status} | ${title} | ${hint} |`,
    );
    expect(rows.sort()).toEqual(expected.sort());
  });
});

describe("a problem document", () => {
  it("carries code, status, detail, hint and what the error adds", () => {
    const error = new RankstreamError("log_full", "no room", {
      retryAfterSeconds: 1.2,
      extensions: { parameter: "k" },
    });
    const reply = problemReply(error);
    expect(reply.status).toBe(503);
    expect(reply.headers).toEqual({
      "content-type": "application/problem+json",
      "retry-after": "2",
    });
    expect(JSON.parse(reply.body)).toEqual({
      type: "urn:rankstream:error:log_full",
      title: errorKinds.log_full.title,
      status: 503,
      code: "log_full",
      detail: "no room",
      hint: errorKinds.log_full.hint,
      parameter: "k",
    });
  });

  it("never asks for a retry at once", () => {
    const error = new RankstreamError("log_full", "no room", { retryAfterSeconds: 0 });
    expect(problemReply(error).headers["retry-after"]).toBe("1");
  });
});

describe("a suggestion", () => {
  const known = ["eventType", "timeRange", "timeZone", "k", "mode", "offset"];
  it.each([
    ["evenType", "eventType"],
    ["event_type", "eventType"],
    ["eventtype", "eventType"],
    ["tmieRange", "timeRange"],
    ["timezone", "timeZone"],
    ["mod", "mode"],
    ["wholly", null],
    ["", "k"],
    ["x".repeat(5000), null],
  ])("for %j is %j", (name, expected) => {
    expect(closestName(name, known)).toBe(expected);
  });

  it("is a sentence or nothing", () => {
    expect(didYouMean("moed", known)).toBe(' Did you mean "mode"?');
    expect(didYouMean("zebra", known)).toBe("");
  });
});

describe("quoted text", () => {
  it("is escaped and cut", () => {
    expect(quoted('a"\n\u0000')).toBe('"a\\"\\n\\u0000"');
    expect(quoted("x".repeat(100), 5)).toBe('"xxxxx…"');
  });
});
