// A user is erased from a service whose log is in Kafka: what the topic still holds of them is
// told, until the topic lets go of it.
import { beforeAll, expect, it } from "vitest";
import { freshTopic, kafkaAdmin, sharedKafka } from "../support/kafka.ts";
import { startRankstream } from "../support/service.ts";
import { until } from "../support/until.ts";
import { kafkaFlags, readTopic } from "./kafka-world.ts";

const waitMsMax = 60_000;
const partitions = 2;
const userId = "user-0815-of-the-secret-list";
let address: string;
let admin: Awaited<ReturnType<typeof kafkaAdmin>>;

beforeAll(async () => {
  ({ address } = await sharedKafka());
  admin = await kafkaAdmin(address);
});

it("says whether the topic holds an erased user", { timeout: 120_000 }, async () => {
  const topic = freshTopic("erasure");
  const args = [...kafkaFlags(address, topic), "--partitions", String(partitions)];
  const service = await startRankstream({ args });
  const events = Array.from({ length: 40 }, (_, i) => ({
    eventId: `item ${i}`,
    eventType: "heard",
    userId: i % 4 === 0 ? userId : "another",
  }));
  expect((await service.post(events)).body.accepted).toBe(events.length);
  const total = async (more: object = {}) => {
    const question = { eventType: "heard", timeRange: "all", mode: "exact", ...more };
    return (await service.get("/leaderboard", question)).body.total;
  };
  expect(await total({ userId })).toBe(10);
  const accepted = await service.request(`/users/${userId}`, { method: "DELETE" });
  expect(accepted.body).toMatchObject({ events: 10, log: { kind: "kafka", topic, holds: true } });
  expect([await total({ userId }), await total()]).toEqual([0, events.length]);
  const holding = (await readTopic(address, topic)).filter(({ value }) => value?.includes(userId));
  expect(holding.length).toBeGreaterThan(0);

  const [job] = (await service.get("/jobs", {})).body.jobs;
  const log = async () => (await service.get(`/jobs/${job.id}`, {})).body.result.log;
  expect(await log()).toMatchObject({ holds: true });
  const ends = await admin.fetchTopicOffsets(topic);
  await admin.deleteTopicRecords({
    topic,
    partitions: ends.map(({ partition, high }) => ({ partition, offset: high })),
  });
  await until(async () => expect(await log()).toMatchObject({ holds: false }), waitMsMax);
  await service.stop();
});
