// Nothing secret in what is written: by its look, by its name, by its value.
import { describe, expect, it } from "vitest";
import { Redactor, secretsIn } from "../src/telemetry-redaction.ts";
import { randomFromEnvironment } from "./support/random.ts";

const plain = new Redactor();

describe("texts lose what looks like a secret", () => {
  it.each([
    ["a key", "got rsk_live.9aZ-_x~1, no", "got rsk_***, no"],
    ["a token", "Bearer abc.DEF-123= is not valid", "Bearer *** is not valid"],
    ["a JWT", "got eyJhbGciOiJI.eyJzdWIiOiIx.SflKxw", "got ***"],
    ["a password", "redis://me:p%40ss:w@host:6379/1 is away", "redis://***@host:6379/1 is away"],
    ["a name alone", "http://name@host/", "http://***@host/"],
    ["a header", 'Authorization: Digest username="x"\nnext', "Authorization: ***\nnext"],
    ["a cookie", '{"cookie":"a=b; c=d"}', '{"cookie":***'],
    [
      "parameters",
      "/leaderboard?k=3&userId=al%20ice&by=users",
      "/leaderboard?k=3&userId=***&by=users",
    ],
    ["filters", "?filter.country=DE&filterNot.plan=x", "?filter.country=***&filterNot.plan=***"],
    ["JSON", '{"userId":"a\\"b","sessionId":7,"k":1}', '{"userId":"***","sessionId":"***","k":1}'],
    [
      "JSON in JSON",
      '"{\\"userId\\":\\"alice\\",\\"k\\":1}"',
      '"{\\"userId\\":\\"***\\",\\"k\\":1}"',
    ],
    ["metadata", '{"metadata":{"mail":"a@b"},"k":1}', '{"metadata":***,"k":1}'],
    ["a user's address", "GET /users/alice/events?x=1", "GET /users/***/events?x=1"],
    ["SQL", "WHERE user_id IN ('al''ice', 'bob') AND k = 1", "WHERE user_id IN *** AND k = 1"],
    [
      "what DuckDB shows",
      "Parser Error\nLINE 1: SELECT 'alice'\n              ^\nend",
      "Parser Error\nLINE ***\nend",
    ],
    [
      "a private key",
      "x -----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- y",
      "x *** y",
    ],
  ])("%s", (_what, given, shown) => {
    expect(plain.text(given)).toBe(shown);
  });

  it.each([
    "a request took long: GET /items/:eventType/:eventId",
    "partition 3, offset 17: record format 4, expected 3",
    "http://127.0.0.1:8080 does not answer: ECONNREFUSED",
    "basic counts, bearer of news",
    "/var/lib/rankstream/log/000001.seg, byte 72: damaged frame",
  ])("but what is none stays: %s", (text) => {
    expect(plain.text(text)).toBe(text);
  });
});

describe("values", () => {
  const secret = 'pa"ss wörd/+';

  it("of the configuration are hidden in every form they are written in", () => {
    const redactor = new Redactor([secret]);
    for (const form of [
      secret,
      encodeURIComponent(secret),
      encodeURIComponent(secret).replaceAll("%20", "+"),
      JSON.stringify(secret),
    ]) {
      expect(redactor.text(`<${form}>`)).toMatch(/^<"?\*\*\*"?>$/);
    }
  });

  it("of a request are hidden, short ones where they stand alone", () => {
    expect(plain.text('got "bo", not "bob" or bo', ["bo"])).toBe('got "***", not "bob" or ***');
    expect(plain.text("alice1 and alice", ["alice"])).toBe("***1 and ***");
  });

  it("are hidden also where a message cut them", () => {
    const long = `user-${"x".repeat(80)}`;
    expect(plain.text(`got "${long.slice(0, 60)}…"`, [long])).toBe('got "***…"');
  });

  it("that are regular expressions are texts", () => {
    expect(plain.text("a.c[1] abc", ["a.c[1]"])).toBe("*** abc");
  });
});

it("finds what a question or an event holds of users", () => {
  const selection = { userIds: ["u1"], metadata: [{ key: "plan", values: ["gold"] }] };
  const query = { userId: ["u2", "u3"], "filter.country": "DE", k: "10", eventType: "play" };
  expect(secretsIn({ selection, query })).toEqual(["u1", "plan", "gold", "u2", "u3", "DE"]);
});

it("bounds what it writes, and how long it looks", () => {
  const random = randomFromEnvironment("redaction");
  const alphabet = ["a", ".", "'", "(", "\\", '"', "token", "=", "/users/", "://", "@", " "];
  for (let round = 0; round < 20; round++) {
    const parts = Array.from({ length: 20_000 }, () => random.pick(alphabet));
    const started = performance.now();
    const text = plain.text(parts.join(""));
    // Milliseconds here; what runs away takes minutes.
    expect(performance.now() - started).toBeLessThan(5_000);
    expect(text.length).toBeLessThanOrEqual(16 * 1024 + 1);
  }
  for (const one of alphabet) {
    const started = performance.now();
    plain.text(one.repeat(100_000));
    expect(performance.now() - started).toBeLessThan(5_000);
  }
});

it("cuts a long text without leaving half a secret at its end", () => {
  const redactor = new Redactor(["correct horse battery"]);
  const text = redactor.text(`${"x".repeat(64 * 1024 - 8)}correct horse battery`);
  expect(text).not.toContain("correct");
});
