/** Opens the log that the configuration asks for. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { Config } from "./config.ts";
import { isInLake } from "./config-lake.ts";
import { nodeFiles } from "./files.ts";
import type { GroupLog } from "./ingest/ingest-pool.ts";
import type { IngestSource } from "./ingest/messages.ts";
import { EmbeddedLog } from "./log/embedded-log.ts";
import type { KafkaLog } from "./log/kafka-log.ts";
import type { KafkaSettings } from "./log/kafka-settings.ts";
import type { Log } from "./log/log.ts";
import type { Logger } from "./telemetry.ts";
import type { Metrics } from "./telemetry-metrics.ts";

export function kafkaSettings(config: Config): KafkaSettings {
  const { kafkaTopic: topic, kafkaDeadLetterTopic } = config;
  return {
    brokers: config.kafkaBrokers,
    topic,
    clientId: config.kafkaClientId,
    deadLetterTopic:
      kafkaDeadLetterTopic === "own" ? `${topic}.dead-letter` : kafkaDeadLetterTopic,
    partitions: config.partitions,
    replication: config.kafkaReplication,
    retentionHours: config.kafkaRetentionHours,
    compression: config.kafkaCompression,
    tls: config.kafkaTls,
    tlsCa: config.kafkaTlsCa,
    tlsCert: config.kafkaTlsCert,
    tlsKey: config.kafkaTlsKey,
    sasl: config.kafkaSasl,
    saslUsername: config.kafkaSaslUsername,
    saslPassword: config.kafkaSaslPassword,
    sessionTimeoutMs: config.kafkaSessionTimeoutMs,
    appendTimeoutMs: config.kafkaAppendTimeoutMs,
  };
}

/** A log as the service uses it, of whichever kind. */
export interface OpenLog {
  log: Log;
  /** What workers read. */
  source: IngestSource;
  /** The one of this folder alone; null: it is shared, and in Kafka. */
  embedded: EmbeddedLog | null;
  group: (GroupLog & KafkaLog) | null;
}

/** The log of one process, in its data folder. */
async function openEmbedded(config: Config): Promise<OpenLog> {
  const folder = join(config.dataDir, "log");
  const log = await EmbeddedLog.open(nodeFiles, folder, {
    partitionCount: config.partitions,
    segmentBytesMax: config.logSegmentBytes,
    queueBytesMax: config.logQueueBytesMax,
    logBytesMax: config.logBytesMax,
  });
  return { log, source: { kind: "embedded", folder }, embedded: log, group: null };
}

/** A log in Kafka. Throws `log_unavailable`, `topic_unusable`. */
export async function openKafka(config: Config, logger: Logger): Promise<KafkaLog> {
  const { KafkaLog } = await import("./log/kafka-log.ts");
  const settings = kafkaSettings(config);
  return KafkaLog.open({ settings, logger, queueBytesMax: config.logQueueBytesMax });
}

export async function openLog(config: Config, logger: Logger): Promise<OpenLog> {
  if (config.log === "embedded") return openEmbedded(config);
  const log = await openKafka(config, logger);
  // Whoever shares a store shares the group. Else it is of this start alone: nobody has to wait
  // until the brokers have given up on the members of a start that was killed. Where to go on is
  // in the store, not in the group.
  const start = isInLake(config) ? config.storeSchema : randomUUID();
  const groupId = `${config.kafkaClientId}-${config.kafkaTopic}-${start}`;
  const settings = kafkaSettings(config);
  const source = { kind: "kafka" as const, settings, groupId, node: randomUUID() };
  return { log, source, embedded: null, group: log };
}

/** What /metrics says of the log. */
export function describeLog(metrics: Metrics, { embedded, group }: Partial<OpenLog>): void {
  const gauge = (name: string, help: string, read: () => number) =>
    metrics.readGauge(`rankstream_log_${name}`, help, read);
  const queueHelp = "Bytes waiting to be written to the log.";
  if (embedded) {
    gauge("bytes", "Bytes of the log on disk.", () => embedded.stats().bytes);
    const boundHelp = "Bytes that the log may take; beyond, events are refused.";
    gauge("max_bytes", boundHelp, () => embedded.stats().bytesMax);
    gauge("queue_bytes", queueHelp, () => embedded.stats().queueBytes);
    const batchesHelp = "Batches waiting to be written to the log.";
    gauge("queue_batches", batchesHelp, () => embedded.stats().queueBatches);
    gauge("segments", "Files of the log.", () => embedded.stats().segments);
    const total = (name: string, help: string, read: () => number) =>
      metrics.readCounter(`rankstream_log_appended_${name}_total`, help, read);
    total("batches", "Batches written to the log.", () => embedded.stats().appendedBatches);
    total("bytes", "Bytes written to the log.", () => embedded.stats().appendedBytes);
    const { writes, syncs } = embedded.stats();
    const writing = "Writing a group of batches, without the sync.";
    metrics.readHistogram("rankstream_log_write_duration_seconds", writing, writes);
    const syncing = "Waiting until the disk has it (fdatasync), a group of batches at a time.";
    metrics.readHistogram("rankstream_log_sync_duration_seconds", syncing, syncs);
  }
  if (group) {
    gauge("queue_bytes", queueHelp, () => group.stats().queueBytes);
    gauge("partitions", "Partitions of the topic.", () => group.partitionCount);
    const failed = "Requests to the brokers that failed for good.";
    const name = "rankstream_log_failed_requests_total";
    metrics.readCounter(name, failed, () => group.stats().failures);
  }
}
