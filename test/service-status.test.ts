// GET /status: what a process says of itself at a glance, alone and behind a node.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { RankstreamClient, type Status } from "../src/client/client.ts";
import { Rate, storeBytesIn } from "../src/service-status.ts";
import { startRankstream, temporaryFolder } from "./support/service.ts";

describe("A rate", () => {
  it("is over the last 10 and 60 seconds, or since the start", () => {
    let value = 0;
    const rate = new Rate(() => value, 0);
    value = 50;
    expect(rate.view(500)).toEqual({ total: 50, perSecond: 50, perSecondLastMinute: 50 });
    expect(rate.view(5000)).toEqual({ total: 50, perSecond: 10, perSecondLastMinute: 10 });
    for (let second = 1; second <= 120; second++) {
      value += 7;
      rate.note(second * 1000);
    }
    expect(rate.view(120_000)).toEqual({ total: 890, perSecond: 7, perSecondLastMinute: 7 });
    for (let second = 121; second <= 130; second++) rate.note(second * 1000);
    expect(rate.view(130_000)).toEqual({ total: 890, perSecond: 0, perSecondLastMinute: 5.8 });
  });

  it("is nothing where samples stopped long ago and nothing came", () => {
    const rate = new Rate(() => 3, 0);
    expect(rate.view(900_000).perSecond).toBe(0);
  });
});

it("A store's size leaves out the log, snapshots and what is not there", async () => {
  const folder = temporaryFolder();
  for (const name of ["log", "snapshots/a", "raw/date=1/hour=2"]) {
    mkdirSync(join(folder, name), { recursive: true });
    writeFileSync(join(folder, name, "file"), Buffer.alloc(1000));
  }
  writeFileSync(join(folder, "store.duckdb"), Buffer.alloc(234));
  writeFileSync(join(folder, "store.duckdb.wal"), Buffer.alloc(1));
  writeFileSync(join(folder, "rawest"), Buffer.alloc(7));
  expect(await storeBytesIn(folder)).toEqual({ database: 235, raw: 1000, other: 7 });
  const nothing = { database: 0, raw: 0, other: 0 };
  expect(await storeBytesIn(join(folder, "nowhere"))).toEqual(nothing);
});

const eventually = async (
  read: () => Promise<Status>,
  isSo: (status: Status) => boolean,
): Promise<Status> => {
  const deadline = Date.now() + 15_000;
  for (;;) {
    const status = await read();
    if (isSo(status)) return status;
    if (Date.now() > deadline) throw new Error(`still ${JSON.stringify(status)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
};

/** What a JSON Schema requires and a value lacks, by path. */
function lacking(schema: Record<string, unknown>, value: unknown, path = "$"): string[] {
  const options = (schema["anyOf"] as Record<string, unknown>[] | undefined) ?? [schema];
  const isNull = options.some(({ type }) => [type].flat().includes("null"));
  if (value === null) return isNull ? [] : [path];
  const { properties = {}, required = [] } = options[0] as {
    properties?: Record<string, Record<string, unknown>>;
    required?: string[];
  };
  const own = value as Record<string, unknown>;
  const missing = required.filter((name) => !(name in own)).map((name) => `${path}.${name}`);
  const unknown = Object.keys(properties).length === 0 ? [] : Object.keys(own);
  return [
    ...missing,
    ...unknown.filter((name) => !(name in properties)).map((name) => `${path}+${name}`),
    ...Object.entries(properties).flatMap(([name, inner]) =>
      name in own ? lacking(inner, own[name], `${path}.${name}`) : [],
    ),
  ];
}

describe("GET /status", () => {
  it("says what a service took and counted, and of a node also what is behind it", async () => {
    const service = await startRankstream();
    const client = new RankstreamClient({ url: service.url });
    const fresh = await client.status();
    expect(fresh).toMatchObject({
      status: "ready",
      notReady: [],
      roles: ["edge", "ingest", "query"],
      accepted: { total: 0, perSecond: 0 },
      lag: { ms: 0, records: 0 },
      live: { clients: 0, boards: 0 },
      upstream: null,
    });
    const lines = Array.from({ length: 500 }, (_, i) =>
      JSON.stringify({ eventId: `i${i % 9}`, eventType: "play" }),
    );
    await client.postBatch(lines.join("\n"));
    const counted = await eventually(
      () => client.status(),
      ({ counted, checkpoints, lag }) =>
        counted?.total === 500 && lag?.records === 0 && checkpoints?.count !== 0,
    );
    expect(counted.accepted?.total).toBe(500);
    expect(counted.accepted?.perSecond).toBeGreaterThan(0);
    expect(counted.checkpoints?.ageMs).toBeGreaterThanOrEqual(0);
    expect(counted.disk?.storeBytes).toBeGreaterThan(0);
    expect(counted.disk?.freeBytes).toBeLessThan(counted.disk!.totalBytes);
    expect(counted.memory.rssBytes).toBeGreaterThan(counted.memory.heapBytes);

    const { body: document } = await service.get("/openapi.json");
    const { schema } = document.paths["/status"].get.responses["200"].content["application/json"];
    expect(lacking(schema, counted)).toEqual([]);
    expect((await service.get("/status?upstream=maybe")).status).toBe(400);

    const args = ["--role", "edge,query", "--upstream", service.url];
    const node = await startRankstream({ args });
    const ofNode = new RankstreamClient({ url: node.url });
    const behind = await ofNode.status();
    expect(lacking(schema, behind)).toEqual([]);
    expect(behind).toMatchObject({
      roles: ["edge", "query"],
      accepted: null,
      counted: null,
      lag: null,
      disk: null,
      upstream: { reachable: true, status: { counted: { total: 500 }, upstream: null } },
    });
    expect((await node.get("/status?upstream=false")).body.upstream).toBeNull();
    await service.kill();
    const alone = await eventually(
      () => ofNode.status(),
      ({ upstream, status }) => upstream?.reachable === false && status === "not_ready",
    );
    expect(alone).toMatchObject({ notReady: ["upstream"], upstream: { status: null } });
  });
});
