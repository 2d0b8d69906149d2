// A stateless node in front of the service with the store, and a Redis that both share: replies
// are the same, late events are seen by both, whatever becomes of Redis; nothing is lost or
// counted twice when the upstream is killed.
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Random, randomFromEnvironment } from "../support/random.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { type RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";
import { isLakeRun } from "../support/service-store.ts";

const staleTriesMax = 40;
/** While Redis stands still, too: a lake answers later by itself. */
const answerMsMax = isLakeRun ? 10_000 : 3000;
const hourMs = 3_600_000;
const dataDir = temporaryFolder();
let random: Random;
let redis: RedisServer;
let store: RankstreamProcess;
let node: RankstreamProcess;

const shared = () => ["--redis-url", redis.url, "--cache-far-ms-min", "0"];
const startStore = (port = 0) =>
  startRankstream({ dataDir, port, args: [...shared(), "--freshness-wait-ms-max", "5000"] });

beforeAll(async () => {
  random = randomFromEnvironment("nodes");
  redis = await startRedis("--maxmemory", "8mb", "--maxmemory-policy", "noeviction");
  store = await startStore();
  const role = ["--role", "edge,query", "--upstream", store.url];
  node = await startRankstream({ args: [...role, ...shared()] });
  await ready();
});
afterAll(async () => {
  await node.stop();
  await store.stop();
});

async function ready(): Promise<void> {
  for (let tries = 0; (await node.get("/health/ready")).status !== 200; tries++) {
    if (tries > 200) throw new Error("the node does not get ready");
    await sleep(50);
  }
}

function levelOf(status: string | null): string {
  return status === "rankstream; fwd=miss"
    ? "made"
    : (status ?? "").replace(/^rankstream-(\w+);.*$/, "$1");
}

describe("a stateless node", () => {
  it("replies to batches as the service behind it does", async () => {
    const good = '{"eventId":"a","eventType":"same"}';
    const future = JSON.stringify({ eventId: "a", eventType: "same", timestamp: 4e12 });
    const many = Array.from({ length: 300 }, (_, i) => (i % 3 === 0 ? "{}" : good));
    await store.request("/event-types/same", {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: '{"retentionDays":1}',
    });
    const old = JSON.stringify({ eventId: "a", eventType: "same", timestamp: 1.6e12 });
    const bodies = [
      good,
      `${good}\n\nnonsense\n${old}\n${good}\n{}`,
      old,
      many.join("\n"),
      "",
      "{}",
      `[${good},${old},{}]`,
      "[",
      future.replace("4000000000000", '"x"'),
    ];
    for (const body of bodies) {
      for (const contentType of ["application/x-ndjson", "application/json"]) {
        for (const isPacked of [false, true]) {
          const init = {
            method: "POST",
            headers: {
              "content-type": contentType,
              "x-request-id": "same",
              ...(isPacked && { "content-encoding": "gzip" }),
            },
            body: isPacked ? gzipSync(body) : body,
          };
          const [direct, through] = [
            await store.request("/events", init),
            await node.request("/events", init),
          ];
          const shown = `${contentType} ${body.slice(0, 200)}`;
          expect([through.status, through.body], shown).toEqual([direct.status, direct.body]);
        }
      }
    }
    const key = { "idempotency-key": "me/1", "content-type": "application/x-ndjson" };
    for (const [body, status] of [
      [good, 202],
      [good, 202],
      [old, 422],
    ] as const) {
      const reply = await node.request("/events", { method: "POST", headers: key, body });
      expect(reply.status).toBe(status);
    }
    const wrong = await node.request("/events", {
      method: "POST",
      headers: { "content-type": "a/b" },
      body: good,
    });
    expect(wrong.status).toBe(415);
  });

  it("hands on what it does not answer itself", async () => {
    const put = await node.request("/event-types/same", {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: '{"description":"through the node"}',
    });
    expect([put.status, put.headers.get("via")]).toEqual([200, "1.1 rankstream"]);
    expect((await node.get("/event-types/same")).body.description).toBe("through the node");
    const job = await node.request("/leaderboard?eventType=same&async=true");
    expect(job.status).toBe(202);
    expect((await node.get(job.headers.get("location")!)).status).toBe(200);
    const first = await node.get("/leaderboard?eventType=same&k=1");
    expect(first.status).toBe(200);
    const batch = await node.request("/items/same/batch", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"eventIds":["a"]}',
    });
    expect(batch.body.items[0].eventId).toBe("a");
    for (const path of [
      "/nothing",
      "/leaderboard",
      "/leaderboard?eventType=a&k=0",
      "/items/a/b?x=1",
    ]) {
      const init = { headers: { "x-request-id": "same" } };
      const [direct, through] = [await store.request(path, init), await node.request(path, init)];
      expect([through.status, through.body]).toEqual([direct.status, direct.body]);
    }
    const itself = ["--role", "edge,query", "--upstream", node.url];
    const chained = await startRankstream({ args: itself });
    expect((await chained.get("/event-types")).status).toBe(200);
    await chained.stop();
  });
});

describe("answers that nodes share", () => {
  const base = Math.floor(Date.now() / hourMs) * hourMs - 50 * hourMs;
  const path = (from: number, to: number, mode = "auto") =>
    `/leaderboard?eventType=late&mode=${mode}&from=${base + from * hourMs}` +
    `&to=${base + to * hourMs}`;
  let posted = 0;

  async function post(through: RankstreamProcess, hour: number): Promise<void> {
    const timestamp = base + hour * hourMs + random.int(0, hourMs - 1);
    const { status } = await through.post({
      eventId: `e${random.int(0, 9)}`,
      eventType: "late",
      timestamp,
    });
    expect(status).toBe(202);
    posted++;
  }

  /** An answer that isn't stale: on a busy machine counting may take longer than a look waits. */
  async function fresh(asked: RankstreamProcess, question: string) {
    for (let tries = 0; ; tries++) {
      const answer = await asked.get(question);
      if (answer.body.stale !== true || tries === staleTriesMax) return answer;
    }
  }

  it("are found by the other, and dropped on both by a late event through either", async () => {
    for (let i = 0; i < 30; i++) await post(i % 2 === 0 ? store : node, i % 10);
    for (const [maker, other] of [
      [store, node],
      [node, store],
    ] as const) {
      for (const mode of ["auto", "exact"]) {
        const own = path(0, 10, mode);
        const made = await fresh(maker, own);
        expect(made.body.total).toBe(posted);
        const found = await other.get(own);
        expect(["l1", "l2"]).toContain(levelOf(found.headers.get("cache-status")));
        expect(found.body.total).toBe(posted);
        await maker.get(path(3, 4, mode));
        await other.get(path(3, 4, mode));
        await post(other, 7);
        for (const asked of [maker, other]) {
          const again = await fresh(asked, own);
          expect(again.body.total, levelOf(again.headers.get("cache-status"))).toBe(posted);
          const apart = await asked.get(path(3, 4, mode));
          expect(levelOf(apart.headers.get("cache-status"))).not.toBe("made");
        }
      }
    }
  });

  it("count an erased user on no level any more", async () => {
    const userId = "to-be-erased";
    const [from, to] = [base - 20 * hourMs, base - 10 * hourMs];
    const own = Array.from({ length: 12 }, (_, i) => ({
      eventId: `e${i % 2}`,
      eventType: "erased",
      timestamp: from + i * 60_000,
      userId: i % 3 === 0 ? userId : `other-${i % 3}`,
    }));
    expect((await node.post(own)).body.accepted).toBe(12);
    const range = `/leaderboard?eventType=erased&mode=exact&from=${from}&to=${to}`;
    const questions: [string, number, number][] = [
      [`${range}&by=users`, 3, 2],
      [`${range}&userId=${userId}`, 4, 0],
      [range, 12, 12],
    ];
    const port = Number(new URL(store.url).port);
    const levels = new Set<string>();
    const askBefore = async () => {
      for (const [question, before] of questions) {
        for (const asked of [store, node, store, node]) {
          const { body, headers } = await fresh(asked, question);
          expect(body.total).toBe(before);
          levels.add(levelOf(headers.get("cache-status")));
        }
      }
    };
    await askBefore();
    await store.stop();
    // What the store has kept itself is asked for last.
    await redis.command("flushall");
    store = await startStore(port);
    await ready();
    await askBefore();
    // A lake keeps no answers of its own.
    const all = isLakeRun ? ["l1", "l2"] : ["l1", "l2", "l3"];
    expect([...levels]).toEqual(expect.arrayContaining(all));
    const erased = await node.request(`/users/${userId}`, { method: "DELETE" });
    expect([erased.status, erased.body.events]).toEqual([200, 4]);
    for (const asked of [node, store, node]) {
      for (const [question, , after] of questions) {
        const { body, headers } = await asked.get(question);
        expect(body.total, levelOf(headers.get("cache-status"))).toBe(after);
      }
    }
  });

  it("stay right while Redis is slow, full, killed and back", async () => {
    const check = async () => {
      for (const asked of [store, node]) {
        for (const mode of ["auto", "exact"]) {
          const started = performance.now();
          const { status, body } = await fresh(asked, path(0, 10, mode));
          expect([status, body.total]).toEqual([200, posted]);
          expect(performance.now() - started).toBeLessThan(answerMsMax);
        }
      }
    };
    const round = async () => {
      await post(random.pick([store, node]), random.int(0, 9));
      await check();
      await check();
    };
    redis.signal("SIGSTOP");
    for (let i = 0; i < 6; i++) await round();
    redis.signal("SIGCONT");
    await round();
    for (let i = 0; i < 40; i++) {
      await redis.command("set", `filler-${i}`, "x".repeat(200_000)).catch(() => undefined);
    }
    await round();
    await redis.command("flushall");
    await redis.kill();
    for (let i = 0; i < 6; i++) await round();
    await redis.start();
    for (let i = 0; i < 4; i++) await round();
    // Left out no longer than a second or two after it is back.
    const until = Date.now() + 15_000;
    for (;;) {
      const size = Number(await redis.command("dbsize"));
      if (size > 0) break;
      if (Date.now() > until) throw new Error("Redis is not used again");
      await round();
      await sleep(300);
    }
  });
});

describe("events through a node", () => {
  it("are counted once each, though the service behind it is killed again and again", async () => {
    const { port } = new URL(store.url);
    let acknowledged = 0;
    let isDone = false;
    const client = async () => {
      while (!isDone) {
        const events = Array.from({ length: 20 }, () => ({
          eventId: `e${random.int(0, 9)}`,
          eventType: "killed",
        }));
        const body = events.map((event) => JSON.stringify(event)).join("\n");
        const headers: Record<string, string> = { "content-type": "application/x-ndjson" };
        for (;;) {
          const reply = await node.request("/events", { method: "POST", headers, body });
          if (reply.status === 202) break;
          expect([reply.status, reply.body.code]).toEqual([503, "upstream_unavailable"]);
          // As the reply says: again, with its key.
          headers["idempotency-key"] = reply.body.idempotencyKey ?? headers["idempotency-key"];
          await sleep(100);
        }
        acknowledged += events.length;
      }
    };
    const clients = Array.from({ length: 4 }, client);
    for (let kill = 0; kill < 3; kill++) {
      await sleep(random.int(200, 900));
      await store.kill();
      await sleep(random.int(0, 600));
      store = await startStore(Number(port));
    }
    isDone = true;
    await Promise.all(clients);
    await ready();
    for (const asked of [store, node]) {
      const { body } = await asked.get("/leaderboard?eventType=killed&mode=exact");
      expect(body.total).toBe(acknowledged);
    }
  });
});
