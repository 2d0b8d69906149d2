// /openapi.json against the service itself: every route is described and has an example, every
// example is what a real service answers, and the client's types have the same members.
import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { routeExamples } from "../../src/api/examples.ts";
import type { RouteExample } from "../../src/api/route-example.ts";
import { ReplyJudge } from "../support/openapi-replies.ts";
import { type RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";
import { makeApi } from "./api-fixture.ts";
import { sampleEvents } from "./sample-events.ts";

const jobMsMax = 15_000;
/** No two services share these, or they depend on what has sealed by then. */
const unequal = new Set(
  [
    ["asOf", "now", "startedAt", "createdAt", "finishedAt", "expiresAt", "lastAt", "ageMs"],
    [
      "id",
      "requestId",
      "dataId",
      "version",
      "nextCursor",
      "path",
      "offsets",
      "counts",
      "linkedFiles",
    ],
    ["lists", "counts", "raw", "minute", "hour", "day", "month", "sketches"],
    ["windows", "files", "invalidated", "mode", "perSecond", "perSecondLastMinute"],
    [
      "boards",
      "clients",
      "uptimeSeconds",
      "ms",
      "records",
      "storeBytes",
      "freeBytes",
      "totalBytes",
    ],
    ["receivedThrough", "restorableFrom", "restorableTo", "bytes", "sentBytes", "waitingBytes"],
    ["logBytes", "address", "rssBytes", "heapBytes", "bufferBytes", "checkpoints", "changes"],
    ["generation"],
  ].flat(),
);

/** The value with what is unequal replaced by its type, as deep as it goes. */
function masked(value: unknown, name = ""): unknown {
  if (Array.isArray(value)) {
    return unequal.has(name) ? "a list" : value.map((one) => masked(one));
  }
  if (typeof value === "object" && value !== null) {
    const whole = unequal.has(name) ? name : null;
    return Object.fromEntries(
      Object.entries(value).map(([key, one]) => [key, masked(one, whole ?? key)]),
    );
  }
  return unequal.has(name) && value !== null ? typeof value : value;
}

function addressOf(route: string, { path = {}, query = {} }: RouteExample): string {
  const filled = route.replaceAll(/:(\w+)/g, (_, name) => encodeURIComponent(path[name]!));
  const pairs = Object.entries(query).map(([name, value]) => [name, String(value)]);
  return pairs.length === 0 ? filled : `${filled}?${new URLSearchParams(pairs)}`;
}

/** Status of a WebSocket's handshake. */
async function shakeHands(url: string, headers: Readonly<Record<string, string>>) {
  const asked = httpRequest(url, { headers }).end();
  const [response, socket] = await once(asked, "upgrade");
  socket.destroy();
  return { status: response.statusCode as number, contentType: "", body: undefined };
}

/** What a stream without end begins with. */
async function peekAt(url: string) {
  const stop = new AbortController();
  const response = await fetch(url, { signal: stop.signal });
  const contentType = response.headers.get("content-type") ?? "";
  const first = await response.body!.getReader().read();
  stop.abort();
  return { status: response.status, contentType, body: new TextDecoder().decode(first.value) };
}

describe("/openapi.json", () => {
  let service: RankstreamProcess;
  /** Of one of two regions, the other of which is not there. */
  let regional: RankstreamProcess;
  let judge: ReplyJudge;
  /** Of the job that an example asked for. */
  let jobId = "";
  let backupId = "";

  beforeAll(async () => {
    const args = ["--backup-to", temporaryFolder(), "--backup-interval-ms", "0"];
    service = await startRankstream({ args });
    const region = ["--region", "eu", "--region-peers", "us=http://127.0.0.1:9"];
    regional = await startRankstream({ args: region });
    expect((await service.post(sampleEvents)).body.accepted).toBe(sampleEvents.length);
    // An exact answer waits until all of them are counted.
    await service.get("/leaderboard", { eventType: "song_play", mode: "exact" });
    // What the process says of itself follows a moment later.
    await vi.waitFor(
      async () => {
        const { accepted, counted } = (await service.get("/status")).body;
        expect(counted.total).toBe(accepted.total);
      },
      { timeout: jobMsMax },
    );
    judge = new ReplyJudge((await service.get("/openapi.json")).body);
  });

  async function untilJobIsDone(): Promise<void> {
    const until = Date.now() + jobMsMax;
    for (;;) {
      const { body } = await service.get(`/jobs/${jobId}`);
      if (body.status === "done") return;
      if (Date.now() > until) throw new Error(`the job isn't done: ${JSON.stringify(body)}`);
      await sleep(20);
    }
  }

  async function untilBackupIsDone(): Promise<void> {
    await vi.waitFor(
      async () => {
        const { body } = await service.get(`/admin/backups/${backupId}`);
        expect(body.status).toBe("done");
      },
      { timeout: jobMsMax },
    );
  }

  async function ask(method: string, address: string, example: RouteExample) {
    const { headers = {}, body, bodyType = "application/json" } = example;
    if (example.status === 101) return shakeHands(`${service.url}${address}`, headers);
    if (example.replyType === "text/event-stream") return peekAt(`${service.url}${address}`);
    const asked = address.includes("/regions") ? regional : service;
    const answer = await asked.request(address, {
      method,
      headers: { ...headers, ...(body !== undefined && { "content-type": bodyType }) },
      ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const contentType = answer.headers.get("content-type") ?? "";
    return { status: answer.status, contentType, body: answer.body };
  }

  it.each(
    Object.entries(routeExamples).flatMap(([key, examples]) =>
      examples.map((example) => ({ key, name: example.name, example })),
    ),
  )("has the truth about $key, $name", async ({ key, example }) => {
    const [method, route] = key.split(" ") as [string, string];
    const isJob = route === "/jobs/:id";
    if (isJob) await untilJobIsDone();
    const isBackup = /^\/admin\/backups/.test(route) && method !== "POST";
    if (isBackup) await untilBackupIsDone();
    const id = isJob ? jobId : backupId;
    const own = isJob || isBackup ? { ...example, path: { id } } : example;
    const address = addressOf(route, own);
    const answer = await ask(method, address, own);
    expect([answer.status, judge.judge({ method, address }, answer)]).toEqual([own.status, []]);
    const begun = answer.status === 202 ? (answer.body as Begun) : {};
    jobId = begun.job?.id ?? jobId;
    backupId = begun.backup?.id ?? backupId;
    if (example.reply === undefined) return;
    expect(masked(answer.body)).toEqual(masked(example.reply));
    // What is shown has to be as it is described, too.
    const shown = { ...answer, body: example.reply };
    expect(judge.judge({ method, address }, shown)).toEqual([]);
  });
});

describe("every route", () => {
  it("is described, by a schema of its reply, and has an example of each good one", async () => {
    const { app } = await makeApi();
    const { paths, components } = (await app.inject("/openapi.json")).json();
    const lacking: string[] = [];
    for (const [path, operations] of Object.entries<Record<string, Operation>>(paths)) {
      for (const [verb, operation] of Object.entries(operations)) {
        const key = `${verb.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ":$1")}`;
        const examples = routeExamples[key] ?? [];
        if (examples.length === 0) lacking.push(`${key}: no example in src/api/examples.ts`);
        for (const [status, { content = {} }] of Object.entries(operation.responses)) {
          if (Number(status) >= 400) continue;
          const schemas = Object.values(content).map(({ schema }) => schema);
          if (schemas.includes(undefined)) lacking.push(`${key}: no schema of reply ${status}`);
          for (const schema of schemas) lacking.push(...vagueParts(`${key} ${status}`, schema));
        }
      }
    }
    for (const [name, schema] of Object.entries(components.schemas)) {
      lacking.push(...vagueParts(name, schema));
    }
    expect(lacking).toEqual([]);
    const known = Object.entries<object>(paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((verb) => `${verb.toUpperCase()} ${path}`),
    );
    const ghosts = Object.keys(routeExamples).filter(
      (key) => !known.includes(key.replaceAll(/:(\w+)/g, "{$1}")),
    );
    expect(ghosts).toEqual([]);
  });
});

/** What is answered later. */
interface Begun {
  job?: { id: string };
  backup?: { id: string };
}

interface Operation {
  responses: Record<string, { content?: Record<string, { schema?: unknown }> }>;
}

/** Objects of which no member is named, and members without a kind. */
function vagueParts(where: string, schema: unknown): string[] {
  if (typeof schema !== "object" || schema === null) return [];
  const { type, properties, items, anyOf } = schema as Record<string, unknown>;
  const isFree = "additionalProperties" in schema || "description" in schema;
  const own = type === "object" && properties === undefined && !isFree;
  return [
    ...(own ? [`${where}: an object without members`] : []),
    ...(type === "array" && items === undefined ? [`${where}: a list of anything`] : []),
    ...Object.entries((properties ?? {}) as object).flatMap(([name, one]) =>
      vagueParts(`${where}.${name}`, one),
    ),
    ...((anyOf ?? []) as unknown[]).flatMap((one) => vagueParts(where, one)),
    ...vagueParts(`${where}[]`, items),
  ];
}
