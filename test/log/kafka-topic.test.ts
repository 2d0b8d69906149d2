// What a topic has to be: made as we want it where it is missing, refused by name where events
// would be lost in it, taken as it is otherwise.
import { ConfigResourceTypes } from "kafkajs";
import { beforeAll, describe, expect, it } from "vitest";
import type { KafkaSettings } from "../../src/log/kafka-settings.ts";
import { openTopic, TopicWatch } from "../../src/log/kafka-topic.ts";
import { silentLogger } from "../../src/telemetry.ts";
import { freshTopic, kafkaAdmin, sharedKafka } from "../support/kafka.ts";
import { createTopic, kafkaClient } from "../support/kafka-broker.ts";
import { logSettings } from "../support/log-settings.ts";

const logger = silentLogger;
let address: string;
let made: Awaited<ReturnType<typeof kafkaAdmin>>;

beforeAll(async () => {
  ({ address } = await sharedKafka());
  made = await kafkaAdmin(address);
});

const settingsOf = (topic: string, more: Partial<KafkaSettings> = {}): KafkaSettings =>
  logSettings(address, topic, { partitions: 3, replication: 0, retentionHours: 5, ...more });

async function open(topic: string, more: Partial<KafkaSettings> = {}) {
  const admin = kafkaClient(address).admin();
  try {
    return await openTopic(admin, settingsOf(topic, more), logger);
  } finally {
    await admin.disconnect();
  }
}

/** Makes a topic with these settings. */
async function make(configs: Record<string, string | number>, numPartitions = 2) {
  const topic = freshTopic("topic");
  await createTopic(made, topic, numPartitions, configs);
  return topic;
}

describe("a topic", () => {
  it("that is missing is made with our settings, and then found", async () => {
    const topic = freshTopic("missing");
    const facts = await open(topic);
    const { clusterId } = await made.describeCluster();
    const id = `kafka/${clusterId}/${topic}`;
    expect(facts).toEqual({ id, partitionCount: 3, messageBytesMax: 4 * 1024 * 1024 });
    const { resources } = await made.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: ConfigResourceTypes.TOPIC, name: topic }],
    });
    const configs = resources[0]!.configEntries.map((entry) => [
      entry.configName,
      entry.configValue,
    ]);
    expect(Object.fromEntries(configs)).toMatchObject({
      "cleanup.policy": "delete",
      "min.insync.replicas": "1",
      "retention.ms": String(5 * 3_600_000),
      "max.message.bytes": String(4 * 1024 * 1024),
      "message.timestamp.type": "LogAppendTime",
    });
    expect(await open(topic, { partitions: 7 })).toEqual(facts);
  });

  it("is made once where several want it at the same time", async () => {
    const topic = freshTopic("raced");
    const all = await Promise.all(Array.from({ length: 4 }, () => open(topic)));
    expect(new Set(all.map(({ partitionCount }) => partitionCount))).toEqual(new Set([3]));
  });

  it("with another number of partitions than asked for is taken as it is", async () => {
    expect(await open(await make({}, 6))).toMatchObject({ partitionCount: 6 });
  });

  it.each([
    ["cleanup.policy", "compact", /cleanup\.policy is compact, delete expected/],
    ["cleanup.policy", "compact,delete", /cleanup\.policy is compact,delete/],
    ["max.message.bytes", 100_000, /max\.message\.bytes is 100000, at least 262144 expected/],
    ["min.insync.replicas", 2, /min\.insync\.replicas is 2, but there are 1 replicas/],
  ])("with %s %s is refused by name", async (name, value, message) => {
    const topic = await make({ [name]: value });
    const refused = { code: "topic_unusable", message: expect.stringMatching(message) };
    await expect(open(topic)).rejects.toMatchObject(refused);
    await expect(open(topic)).rejects.toThrow(topic);
  });

  it("that can't be made with so many copies is refused", async () => {
    const refused = { code: "topic_unusable", message: expect.stringMatching(/replication 9/) };
    await expect(open(freshTopic("copies"), { replication: 9 })).rejects.toMatchObject(refused);
  });

  it("of nobody who answers is unavailable, with the brokers' names", async () => {
    const admin = kafkaClient("127.0.0.1:1", { retries: 0 }).admin();
    const settings = settingsOf("any", { brokers: "127.0.0.1:1" });
    await expect(openTopic(admin, settings, logger)).rejects.toMatchObject({
      code: "log_unavailable",
      message: expect.stringContaining("127.0.0.1:1"),
    });
    await admin.disconnect();
  });
});

describe("a topic's watch", () => {
  it("sees ends, begins and partitions that are added", async () => {
    const topic = await make({});
    const connect = () => kafkaClient(address).admin();
    const { watch } = await TopicWatch.open(settingsOf(topic), connect, logger);
    const producer = kafkaClient(address).producer();
    await producer.connect();
    const send = (partition: number, count: number) =>
      producer.send({
        topic,
        messages: Array.from({ length: count }, () => ({ partition, value: "x" })),
      });
    await send(0, 3);
    await send(1, 2);
    expect(await watch.ends()).toEqual({ begin: [0, 0], end: [3, 2] });
    // The client finds the leader only of topics it has looked at.
    await made.fetchTopicOffsets(topic);
    await made.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: "2" }] });
    expect(await watch.ends()).toEqual({ begin: [2, 0], end: [3, 2] });
    await made.createPartitions({ topicPartitions: [{ topic, count: 4 }] });
    await expect.poll(() => watch.partitionCount()).toBe(4);
    expect((await watch.ends()).end).toEqual([3, 2, 0, 0]);
    await producer.disconnect();
    await watch.close();
  });
});
