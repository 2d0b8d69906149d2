// Settings of a log in Kafka as most tests want them: plain, small, quick to give up.
import type { KafkaSettings } from "../../src/log/kafka-settings.ts";

export function logSettings(
  brokers: string,
  topic: string,
  more: Partial<KafkaSettings> = {},
): KafkaSettings {
  return {
    brokers,
    topic,
    clientId: "test",
    deadLetterTopic: `${topic}.dead-letter`,
    partitions: 2,
    replication: 1,
    retentionHours: 1,
    compression: "none",
    tls: "off",
    tlsCa: "none",
    tlsCert: "none",
    tlsKey: "none",
    sasl: "none",
    saslUsername: "none",
    saslPassword: "none",
    sessionTimeoutMs: 10_000,
    appendTimeoutMs: 5000,
    ...more,
  };
}
