import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { erasureText } from "../src/cli-users.ts";
import { runIo } from "./support/cli-io.ts";
import { type RankstreamProcess, startRankstream, temporaryFolder } from "./support/service.ts";

let service: RankstreamProcess;
beforeAll(async () => {
  service = await startRankstream();
});
afterAll(() => service.stop());

const users = (...args: string[]) => runIo(["users", ...args, "--url", service.url]);

describe("rankstream users", () => {
  it("exports and erases one", async () => {
    const event = { eventType: "heard", eventId: "a", userId: "a b", metadata: { email: "m" } };
    expect((await service.post([event, event, { ...event, userId: "c" }])).status).toBe(202);
    const file = join(temporaryFolder(), "mine.ndjson");
    expect(await users("export", "a b", file)).toMatchObject({ code: 0 });
    const lines = readFileSync(file, "utf8").trim().split("\n");
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([event, event]);
    expect(await users("export", "a b", file)).toMatchObject({ code: 2 });
    const dry = await users("erase", "a b", "--dry-run");
    expect(dry).toMatchObject({ code: 0, out: "2 events in 0 files would be erased\n" });
    const done = await users("erase", "a b", "--metadata", "x,email", "--json");
    expect(JSON.parse(done.out)).toMatchObject({ events: 2, metadataKeys: ["x", "email"] });
    expect((await users("export", "a b", file, "--force")).code).toBe(0);
    expect(readFileSync(file, "utf8")).toBe("");
  });

  it("reads the user from stdin, and refuses none", async () => {
    const args = ["users", "erase", "-", "--dry-run", "--url", service.url];
    const given = { input: Readable.from([Buffer.from("c\n")]) };
    const { code, out } = await runIo(args, given);
    expect(code).toBe(0);
    expect(out).toMatch(/^1 events in \d files would be erased\n$/);
    const empty = await runIo(args, { input: Readable.from([]) });
    expect([empty.code, empty.error]).toEqual([
      2,
      "rankstream: the user: expected 1..512 bytes, got 0\n",
    ]);
  });

  it("waits for the end of an erasure that goes on", async () => {
    let asked = 0;
    const job = (more: object) => ({ id: "j", kind: "erasure", progress: 0.5, ...more });
    const result = { dryRun: false, events: 3, files: 1, snapshots: [], log: { holds: true } };
    const slow: Server = createServer((request, response) => {
      response.setHeader("content-type", "application/json");
      if (request.method === "DELETE") response.statusCode = 202;
      else asked++;
      const isDone = asked >= 2;
      const body = isDone ? job({ status: "done", result }) : job({ status: "running" });
      response.end(JSON.stringify(request.method === "DELETE" ? { job: body } : body));
    }).listen(0, "127.0.0.1");
    await new Promise((resolve) => slow.once("listening", resolve));
    const url = `http://127.0.0.1:${(slow.address() as AddressInfo).port}`;
    const done = await runIo(["users", "erase", "u1", "--url", url]);
    slow.closeAllConnections();
    slow.close();
    expect(done.code).toBe(0);
    expect(done.out).toMatch(/^3 events in 1 files erased\nthe log still holds /);
  });
});

it("says what still holds the user", () => {
  const held = { name: "monday", path: "/s/monday", events: 1200, removed: false };
  const reply = {
    dryRun: false,
    events: 4711,
    files: 12,
    eventTypes: [],
    firstSeen: null,
    lastSeen: null,
    metadataKeys: [],
    snapshots: [held, { ...held, name: "friday", removed: true }],
    log: { kind: "kafka" as const, topic: "t", holds: true },
  };
  expect(erasureText(reply).split("\n")).toEqual([
    "4,711 events in 12 files erased",
    "snapshot monday, 1,200 events: still holds it (--drop-snapshots removes it)",
    "snapshot friday, 1,200 events: was removed",
    "the log still holds events of before, until the topic's retention lets them go",
    "",
  ]);
});
