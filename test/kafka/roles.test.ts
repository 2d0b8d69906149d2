// Edges and the process with the store apart, and a broker that goes away: what each answers to
// what it doesn't do, and that batches in doubt count once when the broker is back.
import { beforeAll, describe, expect, it } from "vitest";
import { freshTopic, startKafka } from "../support/kafka.ts";
import type { KafkaBroker } from "../support/kafka-broker.ts";
import { type RankstreamProcess, startRankstream } from "../support/service.ts";
import { kafkaFlags, notReady, until } from "./kafka-world.ts";

const appendTimeoutMs = 1500;
const topic = freshTopic("roles");
const lines = ["a", "b", "c", "d", "e"].map((id) => `{"eventId":"${id}","eventType":"play"}`);
const batch = `${lines.join("\n")}\n`;
let broker: KafkaBroker;
let store: RankstreamProcess;
let bare: RankstreamProcess;
let led: RankstreamProcess;
let counted = 0;

const exact = { eventType: "play", timeRange: "all", mode: "exact" };

beforeAll(async () => {
  broker = await startKafka();
  const timeout = ["--kafka-append-timeout-ms", String(appendTimeoutMs)];
  const args = [...kafkaFlags(broker.address, topic), ...timeout];
  store = await startRankstream({ args: [...args, "--role", "ingest,query"] });
  [bare, led] = await Promise.all([
    startRankstream({ args: [...args, "--role", "edge"] }),
    startRankstream({ args: [...args, "--role", "edge", "--upstream", store.url] }),
  ]);
  for (const node of [store, bare, led])
    await until(
      () => notReady(node),
      (text) => text === "",
    );
});

describe("roles", () => {
  it("an edge takes events and says that it answers nothing", async () => {
    expect((await bare.post(batch)).status).toBe(202);
    counted += lines.length;
    for (const path of [
      "/leaderboard?eventType=play",
      "/event-types",
      "/trending?eventType=play",
    ]) {
      const { status, body } = await bare.get(path);
      expect([path, status, body.code]).toEqual([path, 421, "not_served_here"]);
    }
  });

  it("the store answers and takes no events", async () => {
    const { status, body } = await store.post(batch);
    expect([status, body.code]).toEqual([421, "not_served_here"]);
    expect((await store.get("/leaderboard", exact)).body.total).toBe(counted);
  });

  it("an edge with an upstream hands on what it is asked, after its own events", async () => {
    for (let round = 0; round < 5; round++) {
      expect((await led.post(batch)).status).toBe(202);
      counted += lines.length;
      expect((await led.get("/leaderboard", exact)).body.total).toBe(counted);
    }
    expect((await led.get("/event-types")).body.eventTypes[0].name).toBe("play");
  });
});

describe("a broker that is away", () => {
  it("leaves batches in doubt, refuses others at once, and counts all once after", async () => {
    await broker.kill();
    const begun = performance.now();
    const doubt = await bare.post(batch);
    const tookMs = performance.now() - begun;
    expect([doubt.status, doubt.body.code]).toEqual([503, "log_unavailable"]);
    expect(doubt.body.outcome).toBe("unknown");
    const key = doubt.body.idempotencyKey;
    expect(key).toMatch(/^edge-/);
    expect(tookMs).toBeLessThan(appendTimeoutMs + 1000);

    const again = performance.now();
    const refused = await bare.post(batch, { key });
    const named = await bare.post(batch, { key: "own/1" });
    const quickMs = performance.now() - again;
    for (const { status, body, headers } of [refused, named]) {
      expect([status, body.code]).toEqual([503, "log_unavailable"]);
      expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
    }
    expect(quickMs).toBeLessThan(500);
    expect(await notReady(bare)).toContain("log");

    await broker.start();
    const took = await until(
      () => bare.post(batch, { key }),
      ({ status }) => status === 202,
      20_000,
    );
    expect(took.status).toBe(202);
    counted += lines.length;
    expect((await led.post(batch, { key })).status).toBe(202);
    expect((await bare.post(batch, { key: "own/1" })).status).toBe(202);
    counted += lines.length;
    expect(
      await until(
        () => notReady(bare),
        (text) => text === "",
      ),
    ).toBe("");
    const answer = await until(
      () => store.get("/leaderboard", exact),
      ({ body }) => body.total === counted,
      20_000,
    );
    expect(answer.body.total).toBe(counted);
  });

  it("that hangs is told within the append's time, and counts once when it goes on", async () => {
    broker.signal("SIGSTOP");
    const begun = performance.now();
    const { status, body } = await led.post(batch);
    expect(performance.now() - begun).toBeLessThan(appendTimeoutMs + 1000);
    expect([status, body.code, body.outcome]).toEqual([503, "log_unavailable", "unknown"]);
    broker.signal("SIGCONT");
    const key = body.idempotencyKey;
    const took = await until(
      () => led.post(batch, { key }),
      (answer) => answer.status === 202,
      20_000,
    );
    expect(took.status).toBe(202);
    counted += lines.length;
    expect((await bare.post(batch, { key })).status).toBe(202);
    const answer = await until(
      () => store.get("/leaderboard", exact),
      ({ body: found }) => found.total >= counted,
      20_000,
    );
    expect(answer.body.total).toBe(counted);
  });
});
