// A reader over a real broker, in a topic of its own, and who writes to that.
import { setTimeout as sleep } from "node:timers/promises";
import type { Producer } from "kafkajs";
import { afterAll } from "vitest";
import {
  KafkaReader,
  type KafkaReaderOptions,
  type KafkaStart,
} from "../../src/log/kafka-reader.ts";
import type { KafkaSettings } from "../../src/log/kafka-settings.ts";
import type { LogRecord } from "../../src/model.ts";
import { silentLogger } from "../../src/telemetry.ts";
import { freshTopic, kafkaAdmin } from "../support/kafka.ts";
import { createTopic, kafkaClient } from "../support/kafka-broker.ts";
import { logSettings } from "../support/log-settings.ts";

export const partitions = 2;
const readMsMax = 30_000;
const readers: KafkaReader[] = [];
const producers: Producer[] = [];

afterAll(async () => {
  await Promise.all(readers.map((reader) => reader.close()));
  await Promise.all(producers.map((producer) => producer.disconnect().catch(() => undefined)));
});

/** A topic, a reader of it that has not started, and what appends numbers to it in turn. */
export async function setUp(
  address: string,
  settings: Partial<KafkaSettings> = {},
  options: Partial<KafkaReaderOptions> = {},
) {
  const topic = freshTopic("reader");
  await createTopic(await kafkaAdmin(address), topic, partitions);
  const producer = kafkaClient(address).producer({ idempotent: true, maxInFlightRequests: 1 });
  producers.push(producer);
  await producer.connect();
  let made = 0;
  const produce = async (count: number) => {
    const messages = Array.from({ length: count }, () => {
      const partition = made % partitions;
      return { partition, value: String(made++) };
    });
    await producer.send({ topic, messages });
  };
  const own = { deadLetterTopic: "none", sessionTimeoutMs: 6000, ...settings };
  const reader = new KafkaReader({
    settings: logSettings(address, topic, own),
    groupId: topic,
    node: "test",
    counts: () => [partitions],
    logger: silentLogger,
    onNews: () => undefined,
    onStopped: (_, error) => {
      throw error;
    },
    ...options,
  });
  readers.push(reader);
  return { reader, produce };
}

/** Reads until there are so many, or for half a minute. */
export async function read(reader: KafkaReader, count: number): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  const until = performance.now() + readMsMax;
  while (records.length < count && performance.now() < until) {
    records.push(...(await reader.next()));
    await sleep(5);
  }
  return records;
}

/** What was appended, in its order. */
export function values(records: readonly LogRecord[]): number[] {
  return records.map(({ value }) => Number(Buffer.from(value))).sort((a, b) => a - b);
}

export const starts = (offset: number): KafkaStart[] =>
  [0, 1].map((partition) => ({ partition, offset, tail: null }));

/** Starts it, and begins to read at `offset`. */
export async function begun(reader: KafkaReader, offset: number): Promise<void> {
  void reader.start();
  const { epoch } = (await reader.assigned())!;
  if (!reader.begin(epoch, starts(offset))) throw new Error("the assignment has changed");
}
