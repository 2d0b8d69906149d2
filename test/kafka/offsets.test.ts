// A topic that is not what the store counted any more: the partition is stopped by name, nothing
// is skipped or counted wrong, and the service answers what it has.
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { freshTopic, kafkaAdmin, sharedKafka } from "../support/kafka.ts";
import { createTopic } from "../support/kafka-broker.ts";
import { RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";
import { kafkaFlags, kcat, metric, notReady, until } from "./kafka-world.ts";

const events = 20;
let address: string;
let admin: Awaited<ReturnType<typeof kafkaAdmin>>;

beforeAll(async () => {
  ({ address } = await sharedKafka());
  admin = await kafkaAdmin(address);
});

const flags = (topic: string) => [...kafkaFlags(address, topic), "--partitions", "2"];

function produce(topic: string, partition: number, count: number, eventId = "a") {
  const lines = Array.from({ length: count }, () =>
    JSON.stringify({ eventId, eventType: "play" }),
  );
  const text = lines.join("\n");
  return kcat(address, ["-P", "-t", topic, "-p", String(partition)], text);
}

function board(service: RankstreamProcess, mode: string) {
  return service.get("/leaderboard", { eventType: "play", timeRange: "all", mode });
}

/** A service that has counted `events` in each of two partitions, and was stopped. */
async function counted(topic: string): Promise<string> {
  const dataDir = temporaryFolder();
  const service = await startRankstream({ dataDir, args: flags(topic) });
  await Promise.all([produce(topic, 0, events), produce(topic, 1, events)]);
  const { body } = await board(service, "exact");
  expect(body.total).toBe(2 * events);
  await service.stop();
  return dataDir;
}

async function expectStopped(service: RankstreamProcess, code: string, detail: RegExp) {
  const parts = await until(
    () => notReady(service),
    (text) => text !== "",
  );
  expect(parts).toContain("ingest");
  expect(service.stderr).toMatch(detail);
  expect(service.stderr).toContain(code);
  const exact = await board(service, "exact");
  expect(exact.status).toBe(500);
  expect(exact.body.code).toBe(code);
  expect(exact.body.detail).toMatch(detail);
  expect((await service.get("/health/live")).status).toBe(200);
}

describe("retention that passed what was counted", () => {
  it("stops that partition by name, the other goes on, and nothing is skipped", async () => {
    const topic = freshTopic("retention");
    const dataDir = await counted(topic);
    await produce(topic, 0, 10, "gone");
    await admin.fetchTopicOffsets(topic);
    const offset = String(events + 4);
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset }] });
    await produce(topic, 1, 3, "more");
    const service = await startRankstream({ dataDir, args: flags(topic) });
    await expectStopped(
      service,
      "offset_out_of_range",
      new RegExp(`partition 0\\D+offset ${events} wanted, the log has ${events + 4} to`),
    );
    const approx = await until(
      () => board(service, "approx"),
      ({ body }) => body.total >= 2 * events + 3,
    );
    expect(approx.body).toMatchObject({ total: 2 * events + 3, stale: true });
    expect(await metric(service, "rankstream_ingest_stopped_partitions")).toBe(1);
    await service.stop();
  });
});

describe("a topic made anew under a stopped store", () => {
  const renew = async (topic: string) => {
    await admin.deleteTopics({ topics: [topic] });
    await until(
      () => admin.listTopics(),
      (topics) => !topics.includes(topic),
    );
    await sleep(300);
    await createTopic(admin, topic, 2);
  };

  it("with fewer records: offset_out_of_range", async () => {
    const topic = freshTopic("renewed");
    const dataDir = await counted(topic);
    await renew(topic);
    await produce(topic, 0, 3, "other");
    const service = await startRankstream({ dataDir, args: flags(topic) });
    const wanted = `offset ${events} wanted, the log has 0 to`;
    await expectStopped(service, "offset_out_of_range", new RegExp(wanted));
    const { body } = await board(service, "approx");
    expect(body.total).toBe(2 * events);
    await service.stop();
  });

  it("with as many records or more: topic_replaced", async () => {
    const topic = freshTopic("refilled");
    const dataDir = await counted(topic);
    await renew(topic);
    await Promise.all([produce(topic, 0, events + 5, "b"), produce(topic, 1, events, "b")]);
    const service = await startRankstream({ dataDir, args: flags(topic) });
    const detail = new RegExp(`offset ${events - 1}: the store counted`);
    await expectStopped(service, "topic_replaced", detail);
    const { body } = await board(service, "approx");
    expect(body.total).toBe(2 * events);
    expect(await metric(service, "rankstream_ingest_stopped_partitions")).toBe(2);
    await service.stop();
  });
});

describe("a store", () => {
  it("refuses the log of another topic, and an embedded one", async () => {
    const dataDir = await counted(freshTopic("mine"));
    for (const args of [flags(freshTopic("yours")), []]) {
      const service = new RankstreamProcess({ dataDir, args });
      const { code } = await service.exited;
      expect(code).toBe(1);
      expect(service.stderr).toMatch(/made with log kafka\S+; this start has/);
    }
  });
});
