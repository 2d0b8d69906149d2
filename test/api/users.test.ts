import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import type { EraseRequest } from "../../src/query/erasures.ts";
import type { ExportRequest } from "../../src/query/exports.ts";
import type { JobView } from "../../src/query/job-views.ts";
import { makeApi } from "./api-fixture.ts";

const job = { id: "j", kind: "erasure", status: "running", progress: 0 } as JobView;

async function makeUserApi(isDone = true) {
  const erased: EraseRequest[] = [];
  const exported: ExportRequest[] = [];
  const { app } = await makeApi({
    users: {
      erase: async (request) => {
        erased.push(request);
        return isDone ? { isDone, result: { events: 1 } } : { isDone, job };
      },
    },
    exports: {
      open: async (request) => {
        exported.push(request);
        return { events: 1, body: Readable.from([Buffer.from("{}\n")]) };
      },
    },
  });
  return { app, erased, exported };
}

const none = { metadataKeys: [], dropsSnapshots: false, isDryRun: false, isAsync: false };

describe("DELETE /users", () => {
  it("takes a user by address or parameter, and what goes beside", async () => {
    const { app, erased } = await makeUserApi();
    const urls = [
      "/users/u1",
      "/users/a%2Fb%20c?metadata=country,email&metadata=plan&dropSnapshots=true",
      "/users?userId=..&dryRun=true&metadata=*",
      "/users/events?async=true",
    ];
    for (const url of urls) {
      const reply = await app.inject({ method: "DELETE", url });
      expect([reply.statusCode, reply.json()]).toEqual([200, { events: 1 }]);
    }
    expect(erased).toEqual([
      { ...none, userId: "u1" },
      {
        ...none,
        userId: "a/b c",
        metadataKeys: ["country", "email", "plan"],
        dropsSnapshots: true,
      },
      { ...none, userId: "..", metadataKeys: ["*"], isDryRun: true },
      { ...none, userId: "events", isAsync: true },
    ]);
  });

  it("answers with a job where it goes on", async () => {
    const { app, erased } = await makeUserApi(false);
    const headers = { prefer: "respond-async" };
    const reply = await app.inject({ method: "DELETE", url: "/users/u1", headers });
    expect([reply.statusCode, reply.headers["location"]]).toEqual([202, "/jobs/j"]);
    expect(reply.json()).toEqual({ job });
    expect(erased).toEqual([{ ...none, userId: "u1", isAsync: true }]);
  });

  it.each([
    ["DELETE", "/users", "invalid_parameter", 400],
    ["DELETE", "/users?userId=", "invalid_parameter", 400],
    ["DELETE", "/users?userId=secret%00", "invalid_parameter", 400],
    ["DELETE", `/users/${"secret".repeat(100)}`, "invalid_parameter", 400],
    ["DELETE", "/users/secret?metadata=", "invalid_parameter", 400],
    ["DELETE", "/users/secret?dryrun=true", "unknown_parameter", 400],
    ["DELETE", "/users?userId=secret&userId=secret2", "invalid_parameter", 400],
    ["DELETE", "/users/secret/events", "method_not_allowed", 405],
    ["POST", "/users/secret", "method_not_allowed", 405],
    ["GET", "/users/secret/more", "not_found", 404],
    ["GET", `/users/${"secret".repeat(100)}/events`, "invalid_parameter", 400],
    ["GET", "/users/events", "invalid_parameter", 400],
    ["GET", "/users/secret/events?timeRange=today", "unknown_parameter", 400],
  ] as const)("refuses %s %s, and does not say of whom", async (method, url, code, status) => {
    const { app, erased, exported } = await makeUserApi();
    const reply = await app.inject({ method, url });
    expect(reply.json()).toMatchObject({ code, status });
    expect(reply.body).not.toContain("secret");
    expect([...erased, ...exported]).toEqual([]);
  });

  it("is refused to pages of other origins", async () => {
    const { app, erased } = await makeUserApi();
    const headers = { origin: "https://evil.example", host: "here:8080" };
    const reply = await app.inject({ method: "DELETE", url: "/users/u1", headers });
    expect([reply.statusCode, reply.json().code]).toEqual([403, "forbidden_origin"]);
    expect(erased).toEqual([]);
  });
});

it("GET /users/{userId}/events exports all events of the user", async () => {
  const { app, exported } = await makeUserApi();
  for (const url of ["/users/a%20b/events", "/users/events?userId=a%20b"]) {
    const reply = await app.inject({ method: "GET", url });
    expect([reply.statusCode, reply.body]).toEqual([200, "{}\n"]);
    expect(reply.headers).toMatchObject({
      "content-type": "application/x-ndjson",
      "x-rankstream-events": "1",
      "content-disposition": 'attachment; filename="events.ndjson"',
    });
  }
  const asked = { eventTypes: null, format: "ndjson", selection: { userIds: ["a b"] } };
  expect(exported).toMatchObject([asked, asked]);
  expect(exported[0]!.range.effectiveFrom).toBe(0);
});
