// What a key limited to some event types may see of the others: nothing. Every call is asked in
// every way that could name them, of a service over each HTTP server, and of a node before one.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { WebSocket } from "undici";
import { beforeAll, describe, expect, it } from "vitest";
import { keysDocumentText } from "../../src/access/keys-document.ts";
import { keyOf } from "../access/access-fixture.ts";
import { httpServers } from "../support/http-servers.ts";
import { type RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";

/** In each thing that a foreign type holds; in no type's name. */
const canary = "canary7f3a";
const foreign = "secret_type";
const own = "song_play";

const all = keyOf("all");
const node = keyOf("node");
const limited = keyOf("limited", { eventTypes: ["song_*"] });
const keysPath = join(temporaryFolder(), "keys.json");
const stored = [all, node, limited].map((key) => key.stored);
writeFileSync(keysPath, keysDocumentText(stored), { mode: 0o600 });

async function startNode(): Promise<RankstreamProcess> {
  const upstream = await startRankstream({ args: ["--access-keys", keysPath] });
  const args = ["--role", "edge,query", "--upstream", upstream.url, "--access-keys", keysPath];
  return startRankstream({ args, env: { RANKSTREAM_UPSTREAM_KEY: node.key } });
}

const starts = [
  ...httpServers.map((httpServer) => {
    const args = ["--access-keys", keysPath, "--http-server", httpServer];
    return [`a service over ${httpServer}`, () => startRankstream({ args })] as const;
  }),
  ["a node", startNode] as const,
];

const events = [own, foreign].flatMap((eventType) =>
  Array.from({ length: 8 }, (_, i) => ({
    eventType,
    eventId: eventType === own ? `item-${i}` : `${canary}-${i}`,
    userId: eventType === own ? `u${i}` : `${canary}-u${i}`,
    metadata: { note: eventType === own ? foreign : canary },
  })),
);

/** Ways to write the foreign type's name, alone and beside the own one. */
const named = [
  foreign,
  `${own},${foreign}`,
  `${foreign},${own}`,
  encodeURIComponent(`${own},${foreign}`),
  `${own}&eventType=${foreign}`,
  "%73ecret_type",
  `,${foreign}`,
];
const id = `${canary}-0`;
const questions = [
  ...named.flatMap((name) => [
    `/leaderboard?eventType=${name}`,
    `/leaderboard?eventType=${name}&format=csv`,
    `/leaderboard?eventType=${name}&async=true`,
    `/leaderboard?eventType=${name}&by=users&mode=exact`,
    `/trending?eventType=${name}&minScore=0&minCount=1`,
    `/export?eventType=${name}`,
    `/export?eventType=${name}&counts=hour&format=csv`,
    `/live/events?eventType=${name}`,
  ]),
  `/tail?eventType=${foreign}`,
  "/tail?eventType=%73ecret_type",
  `/tail?eventType=${own}&eventType=${foreign}`,
  "/export",
  "/export?counts=hour",
  "/tail",
  `/items/${foreign}/${id}`,
  `/items/%73ecret_type/${id}`,
  `/items?eventType=${foreign}&eventId=${id}`,
  `/event-types/${foreign}`,
  `/event-types/${foreign}/series`,
  "/event-types",
  "/jobs",
  "/metrics",
  "/changes",
  "/status",
  "/admin/snapshots",
];

describe.each(starts)("a limited key, of %s,", (_name, start) => {
  let service: RankstreamProcess;

  const ask = (path: string, headers: Record<string, string>, init: RequestInit = {}) =>
    service.request(path, { ...init, headers: { ...headers, ...(init.headers as object) } });

  const textOf = async (path: string, headers: Record<string, string>, method = "GET") => {
    const signal = AbortSignal.timeout(20_000);
    const reply = await fetch(`${service.url}${path}`, { method, headers, signal });
    return { status: reply.status, text: await reply.text() };
  };

  beforeAll(async () => {
    service = await start();
    const posted = await service.post(events, { headers: all.headers });
    expect([posted.status, posted.body.accepted]).toEqual([202, events.length]);
  });

  it("sees its own types, and the key without a limit sees all", async () => {
    const board = await ask(`/leaderboard?eventType=${own}&mode=exact`, limited.headers);
    expect([board.status, board.body.total]).toEqual([200, 8]);
    const both = await ask(`/leaderboard?eventType=${own},${foreign}&mode=exact`, all.headers);
    expect([both.status, both.body.total]).toEqual([200, 16]);
    const types = await ask("/event-types", limited.headers);
    expect(types.body.eventTypes.map(({ name }: { name: string }) => name)).toEqual([own]);
    expect((await ask("/event-types", all.headers)).body.eventTypes).toHaveLength(2);
    const { text } = await textOf(`/export?eventType=${own}`, limited.headers);
    expect(text.split("\n")).toHaveLength(9);
  });

  it("is told nothing of others by any call that is asked for them", async () => {
    for (const path of questions) {
      // Whatever is kept of an answer is kept now.
      if (!/^\/(?:live|tail)/.test(path)) await textOf(path, all.headers);
      const { status, text } = await textOf(path, limited.headers);
      expect(text, path).not.toContain(canary);
      const isFiltered = ["/event-types", "/jobs", "/status"].includes(path);
      if (isFiltered) expect([status, text.includes(foreign)], path).toEqual([200, false]);
      else if (path.includes("=,")) expect([400, 403], path).toContain(status);
      else {
        expect(status, `${path}: ${text}`).toBe(403);
        expect(JSON.parse(text).code, path).toBe("forbidden_event_type");
      }
      const head = await textOf(path, limited.headers, "HEAD");
      expect([head.status === 200, head.text], path).toEqual([isFiltered, ""]);
    }
  });

  it("is told nothing by another's cursor, job or entity tag", async () => {
    const board = await ask(`/leaderboard?eventType=${foreign}&k=2&mode=exact`, all.headers);
    const { nextCursor } = board.body;
    expect((await ask(`/leaderboard?cursor=${nextCursor}`, all.headers)).status).toBe(200);
    for (const more of ["", `&eventType=${own}`, "&k=5"]) {
      const page = await ask(`/leaderboard?cursor=${nextCursor}${more}`, limited.headers);
      expect([page.status, page.body.code], more).toEqual([403, "forbidden_event_type"]);
    }
    const tag = { "if-none-match": board.headers.get("etag") ?? "" };
    const path = `/leaderboard?eventType=${foreign}&k=2&mode=exact`;
    expect((await ask(path, limited.headers, { headers: tag })).status).toBe(403);
    for (const type of [foreign, own]) {
      const { body } = await ask(`/leaderboard?eventType=${type}&async=true`, all.headers);
      const job = `/jobs/${body.job.id}`;
      expect((await ask(job, all.headers)).status).toBe(200);
      for (const method of ["GET", "DELETE"]) {
        expect((await ask(job, limited.headers, { method })).body.code).toBe("job_not_found");
      }
    }
    const { body } = await ask(`/leaderboard?eventType=${own}&async=true`, limited.headers);
    expect((await ask(`/jobs/${body.job.id}`, limited.headers)).status).toBe(200);
    const { jobs } = (await ask("/jobs", limited.headers)).body;
    expect(jobs.map((job: { id: string }) => job.id)).toEqual([body.job.id]);
    // Who may do everything sees all there are; a node's word is as good as its key.
    expect((await ask("/jobs", all.headers)).body.jobs.length).toBeGreaterThan(2);
  });

  it("is given no answer that a shared cache may give to others", async () => {
    const past = "from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z";
    const { headers } = await ask(`/leaderboard?eventType=${own}&${past}`, limited.headers);
    expect(headers.get("cache-control")).toMatch(/^private, max-age=/);
    expect(headers.get("vary")).toContain("authorization");
  });

  it("is told nothing by what it sends", async () => {
    const json = { "content-type": "application/json" };
    const post = (path: string, body: unknown, method = "POST") =>
      ask(path, limited.headers, { method, headers: json, body: JSON.stringify(body) });
    const refused = [
      await post(`/items/${foreign}/batch`, { eventIds: [id] }),
      await post(`/items/${foreign}/${id}`, { label: "x" }, "PUT"),
      await post(`/items?eventType=${foreign}&eventId=${id}`, { label: "x" }, "PUT"),
      await post(`/event-types/${foreign}`, { description: "x" }, "PUT"),
      await post("/admin/cache/invalidate", { eventType: own }),
      await ask("/admin/snapshot", limited.headers, { method: "POST" }),
      await ask(`/event-types/${foreign}`, limited.headers, { method: "DELETE" }),
      await ask(`/event-types/${foreign}/events?timeRange=all`, limited.headers, {
        method: "DELETE",
      }),
      await ask(`/items/${foreign}/${id}?dryRun=true`, limited.headers, { method: "DELETE" }),
      await ask(`/items?eventType=${foreign}&eventId=${id}`, limited.headers, {
        method: "DELETE",
      }),
    ];
    for (const { status, body } of refused) {
      expect([status, body.code]).toEqual([403, "forbidden_event_type"]);
      expect(JSON.stringify(body)).not.toContain(canary);
    }
    const labels = await ask("/items/labels", limited.headers, {
      method: "POST",
      headers: { "content-type": "application/x-ndjson" },
      body: [own, foreign]
        .map((eventType) => JSON.stringify({ eventType, eventId: "item-0", label: "L" }))
        .join("\n"),
    });
    expect(labels.body).toMatchObject({
      accepted: 1,
      rejected: 1,
      errors: [{ line: 2, field: "eventType", code: "forbidden_event_type" }],
    });
    // Nothing was changed or went.
    const board = await ask(`/leaderboard?eventType=${foreign}&mode=exact`, all.headers);
    expect(board.body.total).toBe(8);
  });

  it("adds nothing to others", async () => {
    const lines = (types: string[]) =>
      types.map((eventType) => JSON.stringify({ eventType, eventId: "late" })).join("\n");
    const headers = limited.headers;
    const mixed = await service.post(lines([own, foreign, own]), { headers, key: "k-1" });
    expect(mixed).toMatchObject({
      status: 202,
      body: {
        accepted: 2,
        rejected: 1,
        errors: [{ line: 2, field: "eventType", code: "forbidden_event_type" }],
      },
    });
    const again = await service.post(lines([own, foreign, own]), { headers, key: "k-1" });
    expect([again.status, again.body]).toEqual([202, mixed.body]);
    // Who may send them all isn't told that these were stored.
    const other = await service.post(lines([own, foreign, own]), {
      headers: all.headers,
      key: "k-1",
    });
    expect(other.body.code).toBe("idempotency_key_reused");
    const none = await service.post(lines([foreign, "other"]), { headers });
    expect(none).toMatchObject({
      status: 403,
      body: { code: "forbidden_event_type", accepted: 0, rejected: 2 },
    });
    const board = await ask(`/leaderboard?eventType=${foreign}&mode=exact`, all.headers);
    expect(board.body.total).toBe(8);
    const types = await ask("/event-types", all.headers);
    expect(types.body.eventTypes).toHaveLength(2);
  });

  it("watches its own boards, and no others", async () => {
    const protocols = ["rankstream", `rankstream.bearer.${limited.key}`];
    const socket = new WebSocket(`${service.url.replace("http", "ws")}/live`, protocols);
    const messages: string[] = [];
    const heard = (count: number) =>
      new Promise<void>((resolve, reject) => {
        const look = () => messages.length >= count && resolve();
        socket.addEventListener("message", look);
        socket.addEventListener("close", () => reject(new Error("closed")));
        look();
      });
    socket.addEventListener("message", ({ data }) => messages.push(String(data)));
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve);
      socket.addEventListener("error", reject);
    });
    expect(socket.protocol).toBe("rankstream");
    const subscribe = (name: string, eventType: string | string[]) =>
      socket.send(JSON.stringify({ type: "subscribe", id: name, query: { eventType } }));
    subscribe("a", foreign);
    subscribe("b", [own, foreign]);
    subscribe("c", `${own},${foreign}`);
    subscribe("d", own);
    await heard(4);
    socket.close();
    const read = messages.map((text) => JSON.parse(text));
    expect(messages.join("\n")).not.toContain(canary);
    for (const name of ["a", "b", "c"]) {
      const message = read.find((each) => each.id === name);
      expect(message).toMatchObject({ type: "error", ended: true });
      expect(message.problem.code).toBe("forbidden_event_type");
    }
    expect(read.find((each) => each.id === "d").type).toBe("board");
  });

  it("gains nothing by a node's word", async () => {
    const word = (caller: object) => ({
      "rankstream-caller": Buffer.from(JSON.stringify(caller)).toString("base64url"),
    });
    const wide = word({ id: "x", scopes: ["ingest", "read", "admin"], eventTypes: null });
    const path = `/leaderboard?eventType=${foreign}`;
    expect((await ask(path, { ...limited.headers, ...wide })).status).toBe(403);
    expect((await ask(path, wide)).status).toBe(401);
    const narrow = word({ id: "x", scopes: ["read"], eventTypes: [["song_*"]] });
    expect((await ask(path, { ...all.headers, ...narrow })).status).toBe(403);
    const odd = await ask(path, { ...all.headers, "rankstream-caller": "e30" });
    expect([odd.status, odd.body.code]).toEqual([400, "caller_invalid"]);
  });
});
