// RANKSTREAM_TEST_LOG=kafka lets every service of the tests have its log in the run's Kafka.
import { randomBytes } from "node:crypto";
import { resolve } from "node:path";

/** A service that starts again over a folder finds the topic it had. */
const topics = new Map<string, string>();

/** `args` win; what isn't the whole service in one process has no log to choose. */
export function kafkaArgs(dataDir: string, args: string[]): string[] {
  const address = process.env["RANKSTREAM_TEST_KAFKA"];
  if (process.env["RANKSTREAM_TEST_LOG"] !== "kafka" || address === undefined) return [];
  if (args.some((arg) => /^--(role|log)(=|$)/.test(arg))) return [];
  const folder = resolve(dataDir);
  const topic = topics.get(folder) ?? `service-${randomBytes(6).toString("hex")}`;
  topics.set(folder, topic);
  // A test asks what is answered, not how fast: the brokers are asked for the topic's end first.
  const patient = ["--freshness-wait-ms-max", "2000"];
  return ["--log", "kafka", "--kafka-brokers", address, "--kafka-topic", topic, ...patient];
}

/** At the end of a test file. */
export async function deleteKafkaTopics(): Promise<void> {
  const address = process.env["RANKSTREAM_TEST_KAFKA"];
  if (address === undefined || topics.size === 0) return;
  // Loaded only here: few runs need a Kafka client in every test file.
  const { deleteTopics } = await import("./kafka-broker.ts");
  await deleteTopics(address, topics.values());
  topics.clear();
}
