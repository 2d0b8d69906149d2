// A Kafka for a test file: the one that the whole run shares, or one of its own to be killed.
import { randomBytes } from "node:crypto";
import type { Admin } from "kafkajs";
import { afterAll, inject } from "vitest";
import { type BrokerOptions, connectedAdmin, deleteTopics, KafkaBroker } from "./kafka-broker.ts";

const own = new Set<KafkaBroker>();
const admins = new Set<Admin>();
const topics = new Set<string>();
let shared: Promise<{ address: string }> | null = null;

/** Registered by whoever imports this file: no process, topic or connection outlives it. */
afterAll(async () => {
  await Promise.all([...admins].map((admin) => admin.disconnect()));
  const used = await shared?.catch(() => undefined);
  if (used !== undefined) await deleteTopics(used.address, topics);
  await Promise.all([...own].map((broker) => broker.remove()));
});

/** One of the file's own: for tests that kill it, stop it or want other settings. */
export async function startKafka(options: BrokerOptions = {}): Promise<KafkaBroker> {
  const broker = new KafkaBroker(options);
  own.add(broker);
  return await broker.start();
}

/** The run's: KAFKA_BROKERS where that is set, else started by the first file that wants it. */
export function sharedKafka(): Promise<{ address: string }> {
  shared ??= askForShared();
  return shared;
}

async function askForShared(): Promise<{ address: string }> {
  const response = await fetch(inject("sharedKafkaUrl"));
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return { address: text };
}

/** A name that no other test has; the topic isn't made, but deleted when the file has ended. */
export function freshTopic(prefix: string): string {
  const topic = `${prefix}-${randomBytes(6).toString("hex")}`;
  topics.add(topic);
  return topic;
}

/** A connected one, closed when the file has ended; default: to the shared broker. */
export async function kafkaAdmin(address?: string): Promise<Admin> {
  const admin = await connectedAdmin(address ?? (await sharedKafka()).address);
  admins.add(admin);
  return admin;
}
