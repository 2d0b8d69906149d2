// A topic's ends while its partitions' leaders move: asked for again, with a client that knows of
// no leader yet; and never with a partition left out.
import { type Admin, KafkaJSProtocolError } from "kafkajs";
import { expect, it } from "vitest";
import { RankstreamError } from "../../src/errors.ts";
import type { KafkaSettings } from "../../src/log/kafka-settings.ts";
import { TopicWatch } from "../../src/log/kafka-topic.ts";
import { silentLogger } from "../../src/telemetry.ts";

const settings = { topic: "events", brokers: "nowhere:9092" } as KafkaSettings;
const count = 3;

function protocolError(type: string): Error {
  return Object.assign(new KafkaJSProtocolError(type), { type });
}

interface FakeOptions {
  /** What the n-th client to connect answers. */
  answer: (client: number) => { partition: number; low: string; high: string }[];
}

/** Clients of a cluster that has the topic. */
function fakeClients({ answer }: FakeOptions) {
  let made = 0;
  const open = new Set<number>();
  const connect = (): Admin => {
    const client = made++;
    const partitions = Array.from({ length: count }, () => ({ replicas: [1] }));
    return {
      connect: async () => void open.add(client),
      disconnect: async () => void open.delete(client),
      describeCluster: async () => ({ clusterId: "c", brokers: [{}] }),
      listTopics: async () => [settings.topic],
      fetchTopicMetadata: async () => ({ topics: [{ partitions }] }),
      describeConfigs: async () => ({ resources: [] }),
      fetchTopicOffsets: async () => answer(client),
    } as unknown as Admin;
  };
  return { connect, open, made: () => made };
}

const all = [2, 0, 1].map((partition) => ({ partition, low: "0", high: `${partition + 5}` }));

it("asks again, as a new client, while a partition's leader moves", async () => {
  const clients = fakeClients({
    answer: (client) => {
      if (client < 2) throw protocolError("NOT_LEADER_FOR_PARTITION");
      return all;
    },
  });
  const { watch } = await TopicWatch.open(settings, clients.connect, silentLogger);
  expect((await watch.ends()).end).toEqual([5, 6, 7]);
  expect(clients.made()).toBe(3);
  expect([...clients.open]).toEqual([2]);
  await watch.close();
  expect(clients.open.size).toBe(0);
});

it("gives up at once where a leader is not the reason", async () => {
  const clients = fakeClients({
    answer: () => {
      throw protocolError("TOPIC_AUTHORIZATION_FAILED");
    },
  });
  const { watch } = await TopicWatch.open(settings, clients.connect, silentLogger);
  const refused = expect.objectContaining({ code: "log_unavailable" });
  await expect(watch.ends()).rejects.toEqual(refused);
  expect(clients.made()).toBe(1);
});

it("leaves no partition out, also one between others", async () => {
  const holed = fakeClients({ answer: (client) => (client === 0 ? [all[0]!, all[1]!] : all) });
  const { watch } = await TopicWatch.open(settings, holed.connect, silentLogger);
  expect((await watch.ends()).end).toEqual([5, 6, 7]);
  const always = fakeClients({ answer: () => [all[0]!, all[1]!] });
  const other = await TopicWatch.open(settings, always.connect, silentLogger);
  await expect(other.watch.ends()).rejects.toBeInstanceOf(RankstreamError);
});
