// docs/limits.md, of one caller: with real keys, and with two nodes that share a Redis which is
// killed and comes back.
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCommand } from "../support/command.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { type RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";
import { until as untilWithin } from "../support/until.ts";

const waitMsMax = 30_000;
const until = <T>(look: () => Promise<T>) => untilWithin(look, waitMsMax);
const board = { eventType: "play", timeRange: "last_hour" };
const play = (count: number) =>
  Array.from({ length: count }, () => ({ eventId: "a", eventType: "play" }));

describe("a key", () => {
  let service: RankstreamProcess;
  let keys: string;

  /** Makes a key and returns what is sent of it. */
  async function makeKey(name: string, ...limits: string[]): Promise<Record<string, string>> {
    const args = [
      "keys",
      "create",
      name,
      "--access-keys",
      keys,
      "--scope",
      "ingest,read",
      ...limits,
    ];
    const { code, out, error } = await runCommand(args).ended;
    expect(code, error).toBe(0);
    return { authorization: `Bearer ${out.trim()}` };
  }

  let limited: Record<string, string>;
  let free: Record<string, string>;

  beforeAll(async () => {
    keys = join(temporaryFolder(), "keys.json");
    const limits = ["--events-per-day", "10", "--requests-per-second", "1000"];
    limited = await makeKey("limited", ...limits);
    free = await makeKey("free");
    const bounds = ["--wrong-keys-per-minute-max", "5", "--connections-per-address-max", "30"];
    service = await startRankstream({ args: ["--access-keys", keys, ...bounds] });
  });

  it("is held to its own limits, and others are not", async () => {
    const first = await service.post(play(9), { headers: limited });
    expect(first.status).toBe(202);
    expect(first.headers.get("ratelimit")).toMatch(/"requests";r=\d+;t=\d, "day";r=1;t=\d+/);
    const second = await service.post(play(2), { headers: limited });
    expect([second.status, second.body.code]).toEqual([429, "quota_exceeded"]);
    expect(Number(second.headers.get("retry-after"))).toBeGreaterThan(0);
    expect((await service.post(play(20), { headers: free })).status).toBe(202);
    const asked = await service.request("/leaderboard?eventType=play&mode=exact", {
      headers: free,
    });
    expect(asked.body.total).toBe(29);
  });

  it("that is wrong is refused for a while, which those that are right don't feel", async () => {
    const guess = () => service.get("/leaderboard", board);
    expect((await guess()).status).toBe(401);
    const wrong = { authorization: free["authorization"]!.replace(/.{4}$/, "AAAA") };
    const statuses: number[] = [];
    for (let i = 0; i < 8; i++) {
      statuses.push((await service.request("/event-types", { headers: wrong })).status);
    }
    expect(statuses).toEqual([401, 401, 401, 401, 401, 429, 429, 429]);
    expect((await service.request("/event-types", { headers: free })).status).toBe(200);
    const metrics = await service.request("/metrics", { headers: free });
    expect(metrics.body).toContain("rankstream_limits_attempts_refused_total 3\n");
  });

  it("or none: one address has so many connections", async () => {
    const { hostname, port } = new URL(service.url);
    const sockets: Socket[] = [];
    const open = async () => {
      const socket = connect({ host: hostname, port: Number(port) });
      sockets.push(socket);
      socket.on("error", () => undefined);
      await once(socket, "connect");
      return socket;
    };
    for (let i = 0; i < 30; i++) await open();
    const [answer] = await once(await open(), "data");
    expect(String(answer)).toMatch(/^HTTP\/1.1 429 [\s\S]+"code":"too_many_connections"/);
    for (const socket of sockets) socket.destroy();
    await until(async () => expect((await service.get("/health/ready")).status).toBe(200));
  });
});

describe("two nodes with one Redis", () => {
  let redis: RedisServer;
  const nodes: RankstreamProcess[] = [];
  const [quota, first] = [100, 60];

  beforeAll(async () => {
    redis = await startRedis();
    const service = await startRankstream();
    const args = ["--role", "edge,query", "--upstream", service.url, "--redis-url", redis.url];
    const limits = ["--events-per-day-max", `${quota}`, "--redis-timeout-ms", "1000"];
    for (let i = 0; i < 2; i++) nodes.push(await startRankstream({ args: [...args, ...limits] }));
    for (const node of nodes) {
      await until(async () => expect((await node.get("/health/ready")).status).toBe(200));
    }
  });

  afterAll(() => redis.kill());

  /** Events that the node would still take. A body without events costs none. */
  async function left(node: RankstreamProcess): Promise<number> {
    const { headers } = await node.post([{}]);
    return Number(/"day";r=(\d+)/.exec(headers.get("ratelimit") ?? "")?.[1]);
  }

  it("share a day's events, also while it is gone and when it is back", async () => {
    const [one, other] = nodes as [RankstreamProcess, RankstreamProcess];
    expect((await one.post(play(first))).status).toBe(202);
    await until(async () => expect(await left(other)).toBe(quota - first));
    expect((await other.post(play(30))).status).toBe(202);
    await until(async () => expect(await left(one)).toBe(10));

    await redis.kill();
    expect((await one.get("/leaderboard", board)).status).toBe(200);
    expect((await other.post(play(10))).status).toBe(202);
    const beyond = await other.post(play(1));
    expect([beyond.status, beyond.body.code]).toEqual([429, "quota_exceeded"]);
    expect((await other.get("/health/ready")).status).toBe(200);

    await redis.start();
    // Redis is empty, but each knows what it knew; what was taken meanwhile is told.
    await until(async () => {
      await left(other);
      const { body } = await other.get("/metrics");
      expect(body).toMatch(/^rankstream_limits_alone 0$/m);
    });
    expect((await other.get("/leaderboard", board)).status).toBe(200);
  }, 120_000);
});
