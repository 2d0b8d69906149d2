// A member of a consumer group over a real broker: it reads from where it is told, goes on after
// its client was started anew, and takes nothing of an assignment that is over.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, it } from "vitest";
import { KafkaReader, type KafkaStart } from "../../src/log/kafka-reader.ts";
import { AssignmentChanged } from "../../src/log/log.ts";
import type { LogRecord } from "../../src/model.ts";
import { silentLogger } from "../../src/telemetry.ts";
import { freshTopic, kafkaAdmin, sharedKafka } from "../support/kafka.ts";
import { createTopic, kafkaClient } from "../support/kafka-broker.ts";
import { logSettings } from "../support/log-settings.ts";

const partitions = 2;
const readMsMax = 20_000;
const readers: KafkaReader[] = [];

afterAll(async () => {
  await Promise.all(readers.map((reader) => reader.close()));
});

async function setUp() {
  const { address } = await sharedKafka();
  const topic = freshTopic("reader");
  const admin = await kafkaAdmin();
  await createTopic(admin, topic, partitions);
  const producer = kafkaClient(address).producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  let made = 0;
  const produce = async (count: number) => {
    const messages = Array.from({ length: count }, () => {
      const partition = made % partitions;
      return { partition, value: String(made++) };
    });
    await producer.send({ topic, messages });
  };
  const reader = new KafkaReader({
    settings: logSettings(address, topic, { deadLetterTopic: "none", sessionTimeoutMs: 6000 }),
    groupId: topic,
    counts: () => [partitions],
    logger: silentLogger,
    onNews: () => undefined,
    onStopped: (_, error) => {
      throw error;
    },
  });
  readers.push(reader);
  return { reader, produce, close: () => producer.disconnect() };
}

/** Reads until there are so many; the values, in order of each partition. */
async function read(reader: KafkaReader, count: number): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  const until = performance.now() + readMsMax;
  while (records.length < count && performance.now() < until) {
    records.push(...(await reader.next()));
    await sleep(5);
  }
  return records;
}

function values(records: readonly LogRecord[]): number[] {
  return records.map(({ value }) => Number(Buffer.from(value))).sort((a, b) => a - b);
}

const starts = (offset: number): KafkaStart[] =>
  [0, 1].map((partition) => ({ partition, offset, tail: null }));

it("begins where it is told, and again after its client was started anew", async () => {
  const { reader, produce, close } = await setUp();
  await produce(20);
  void reader.start();
  const first = (await reader.assigned())!;
  expect(first.partitions).toEqual([0, 1]);
  expect(reader.begin(first.epoch, starts(3))).toBe(true);
  expect(values(await read(reader, 14))).toEqual(Array.from({ length: 14 }, (_, i) => i + 6));

  const restarted = reader.restart();
  await expect(reader.next()).rejects.toThrow(AssignmentChanged);
  // Whoever counts asks at once where to go on, before the client has joined.
  reader.again();
  const second = (await reader.assigned())!;
  expect(reader.begin(first.epoch, starts(10))).toBe(false);
  expect(reader.begin(second.epoch, starts(9))).toBe(true);
  await produce(4);
  expect(values(await read(reader, 6))).toEqual([18, 19, 20, 21, 22, 23]);
  await restarted;
  await produce(2);
  expect(values(await read(reader, 2))).toEqual([24, 25]);
  await close();
});
