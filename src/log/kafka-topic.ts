/** The topic behind a Kafka log: makes it where it is missing, refuses what would lose events. */
import { setTimeout as sleep } from "node:timers/promises";
import kafkajs, { type Admin } from "kafkajs";
import { RankstreamError } from "../errors.ts";
import type { Logger } from "../telemetry.ts";
import { type KafkaSettings, reasonOf, unavailable } from "./kafka-settings.ts";

/** More than any event's text takes, with room for what a batch is wrapped in. */
const recordBytesMin = 256 * 1024;
/** Of a topic made here. */
const messageBytesMade = 4 * 1024 * 1024;
/** What a broker takes where the topic does not say. */
const messageBytesDefault = 1_048_588;
const replicationMax = 3;
const retentionHoursMin = 1;
const hourMs = 3_600_000;
const leaderWaitMs = 10_000;
export const topicPartitionsMax = 256;

export interface TopicFacts {
  /** Names the log for good: cluster and topic. */
  id: string;
  partitionCount: number;
  /** Largest batch of records that the broker takes, bytes. */
  messageBytesMax: number;
}

function unusable(topic: string, what: string): RankstreamError {
  return new RankstreamError("topic_unusable", `topic ${topic}: ${what}`);
}

async function create(
  admin: Admin,
  topic: string,
  settings: Pick<KafkaSettings, "partitions" | "replication" | "retentionHours">,
  brokers: number,
): Promise<void> {
  const replication = settings.replication || Math.min(replicationMax, brokers);
  const inSync = Math.max(1, replication - 1);
  const configs = {
    "cleanup.policy": "delete",
    "min.insync.replicas": inSync,
    "retention.ms": settings.retentionHours * hourMs,
    "max.message.bytes": messageBytesMade,
    // Time rules then follow one clock, the broker's, whoever writes.
    "message.timestamp.type": "LogAppendTime",
  };
  try {
    await admin.createTopics({
      // The client's own wait ends with an error while brokers don't know of the topic yet.
      waitForLeaders: false,
      timeout: leaderWaitMs,
      topics: [
        {
          topic,
          numPartitions: settings.partitions,
          replicationFactor: replication,
          configEntries: Object.entries(configs).map(([name, value]) => ({
            name,
            value: String(value),
          })),
        },
      ],
    });
  } catch (cause) {
    throw unusable(topic, `could not be made with replication ${replication}: ${reasonOf(cause)}`);
  }
}

/** The topic's settings; empty where we may not ask. */
async function readConfigs(admin: Admin, topic: string, logger: Logger) {
  try {
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic }],
    });
    const entries = resources[0]?.configEntries ?? [];
    return new Map(entries.map(({ configName, configValue }) => [configName, configValue]));
  } catch (error) {
    logger.warn(
      { part: "log", topic, reason: reasonOf(error) },
      "the topic's settings could not be read",
    );
    return new Map<string, string>();
  }
}

function checkConfigs(
  topic: string,
  configs: ReadonlyMap<string, string>,
  replicas: number,
  logger: Logger,
): number {
  const policy = configs.get("cleanup.policy") ?? "delete";
  if (policy.includes("compact")) {
    throw unusable(topic, `cleanup.policy is ${policy}, delete expected: records would vanish`);
  }
  const inSync = Number(configs.get("min.insync.replicas") ?? 1);
  if (inSync > replicas) {
    throw unusable(topic, `min.insync.replicas is ${inSync}, but there are ${replicas} replicas`);
  }
  const messageBytes = Number(configs.get("max.message.bytes") ?? messageBytesDefault);
  if (messageBytes < recordBytesMin) {
    const wanted = `at least ${recordBytesMin} expected`;
    throw unusable(topic, `max.message.bytes is ${messageBytes}, ${wanted}`);
  }
  const retentionMs = Number(configs.get("retention.ms") ?? -1);
  if (retentionMs >= 0 && retentionMs < retentionHoursMin * hourMs) {
    const text = "the topic keeps records for less than an hour: a longer stop loses events";
    logger.warn({ part: "log", topic, retentionMs }, text);
  }
  if (replicas > 1 && inSync < 2) {
    const text = "with min.insync.replicas below 2 one broker's loss may lose events";
    logger.warn({ part: "log", topic, replicas, inSync }, text);
  }
  return messageBytes;
}

/** The partitions once each has a leader: brokers learn of a topic that was just made in turn. */
async function partitionsLed(admin: Admin, topic: string) {
  const until = performance.now() + leaderWaitMs;
  for (;;) {
    const isLate = performance.now() > until;
    try {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      const partitions = topics[0]?.partitions ?? [];
      if (isLate || partitions.every(({ leader }) => leader >= 0)) return partitions;
    } catch (error) {
      if (isLate || !isMoving(error)) throw error;
    }
    await sleep(retryMs);
  }
}

/** Rejects like the client, but says which brokers. Makes the topic where it is missing. */
async function describe(
  admin: Admin,
  topic: string,
  logger: Logger,
  made: Pick<KafkaSettings, "partitions" | "replication" | "retentionHours">,
): Promise<TopicFacts> {
  const { clusterId, brokers } = await admin.describeCluster();
  if (!(await admin.listTopics()).includes(topic)) {
    await create(admin, topic, made, brokers.length);
    logger.info({ part: "log", topic, partitions: made.partitions }, "the topic was made");
  }
  const partitions = await partitionsLed(admin, topic);
  if (partitions.length === 0 || partitions.length > topicPartitionsMax) {
    const wanted = `1 to ${topicPartitionsMax} expected`;
    throw unusable(topic, `has ${partitions.length} partitions, ${wanted}`);
  }
  const replicas = Math.min(...partitions.map((partition) => partition.replicas.length));
  const configs = await readConfigs(admin, topic, logger);
  const messageBytesMax = checkConfigs(topic, configs, replicas, logger);
  return { id: `kafka/${clusterId}/${topic}`, partitionCount: partitions.length, messageBytesMax };
}

/**
 * What the topic is, made with our settings where it is missing. Throws RankstreamError
 * `topic_unusable` with what to change, `log_unavailable` when no broker answers.
 */
export async function openTopic(
  admin: Admin,
  settings: KafkaSettings,
  logger: Logger,
  topic = settings.topic,
  made: Pick<KafkaSettings, "partitions" | "replication" | "retentionHours"> = settings,
): Promise<TopicFacts> {
  try {
    await admin.connect();
    return await describe(admin, topic, logger, made);
  } catch (error) {
    if (error instanceof RankstreamError) throw error;
    throw unavailable(settings, `topic ${topic} could not be looked at`, error);
  }
}

export interface PartitionEnds {
  /** Offset of the oldest record still there, by partition. */
  begin: number[];
  /** Offset after the last record, by partition. */
  end: number[];
}

/** Without a gap, also one between others. */
function isWhole({ end }: PartitionEnds, count: number): boolean {
  for (let partition = 0; partition < count; partition++) {
    if (end[partition] === undefined) return false;
  }
  return true;
}

async function partitionsOf(admin: Admin, topic: string): Promise<number> {
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  return topics[0]?.partitions.length ?? 0;
}

/** What brokers say while a topic is being made, or its leaders change. */
const movingTypes = new Set([
  "NOT_LEADER_FOR_PARTITION",
  "LEADER_NOT_AVAILABLE",
  "REPLICA_NOT_AVAILABLE",
  "UNKNOWN_TOPIC_OR_PARTITION",
]);
const triesMax = 5;
const retryMs = 100;

/** Whether a client that asks anew who leads may get an answer: this one asks after minutes. */
function isMoving(error: unknown): boolean {
  const { type, cause } = error as { type?: string; cause?: unknown };
  if (type !== undefined && movingTypes.has(type)) return true;
  return cause instanceof Error && isMoving(cause);
}

/**
 * Asks a topic for its size and ends. The client remembers a topic's partitions for minutes: it is
 * replaced when there are more than it knows, since an end that is left out is an event left out.
 */
export class TopicWatch {
  readonly #topic: string;
  readonly #settings: KafkaSettings;
  readonly #connect: () => Admin;
  #admin: Admin;

  private constructor(settings: KafkaSettings, connect: () => Admin, admin: Admin) {
    this.#topic = settings.topic;
    this.#settings = settings;
    this.#connect = connect;
    this.#admin = admin;
  }

  /** Opens or makes the topic. Throws `topic_unusable`, `log_unavailable`. */
  static async open(
    settings: KafkaSettings,
    connect: () => Admin,
    logger: Logger,
  ): Promise<{ watch: TopicWatch; facts: TopicFacts }> {
    const admin = connect();
    try {
      const facts = await openTopic(admin, settings, logger);
      return { watch: new TopicWatch(settings, connect, admin), facts };
    } catch (error) {
      await admin.disconnect().catch(() => undefined);
      throw error;
    }
  }

  /** How many partitions there are now. Throws `log_unavailable`. */
  async partitionCount(): Promise<number> {
    try {
      return await partitionsOf(this.#admin, this.#topic);
    } catch (error) {
      throw unavailable(this.#settings, `topic ${this.#topic} could not be looked at`, error);
    }
  }

  /** Where each partition begins and ends now. Throws `log_unavailable`. */
  async ends(): Promise<PartitionEnds> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#known();
      } catch (error) {
        if (tries === triesMax || !isMoving(error)) {
          const what = `the ends of topic ${this.#topic} are not known`;
          throw unavailable(this.#settings, what, error);
        }
      }
      await sleep(tries * retryMs);
      await this.#renew().catch(() => undefined);
    }
  }

  async close(): Promise<void> {
    await this.#admin.disconnect().catch(() => undefined);
  }

  async #known(): Promise<PartitionEnds> {
    const count = await partitionsOf(this.#admin, this.#topic);
    const known = await this.#fetch();
    if (isWhole(known, count)) return known;
    await this.#renew();
    const renewed = await this.#fetch();
    if (isWhole(renewed, count)) return renewed;
    throw new Error(`${count} partitions expected, some are missing`);
  }

  async #fetch(): Promise<PartitionEnds> {
    const begin: number[] = [];
    const end: number[] = [];
    for (const { partition, low, high } of await this.#admin.fetchTopicOffsets(this.#topic)) {
      begin[partition] = Number(low);
      end[partition] = Number(high);
    }
    return { begin, end };
  }

  async #renew(): Promise<void> {
    const fresh = this.#connect();
    try {
      await fresh.connect();
    } catch (error) {
      await fresh.disconnect().catch(() => undefined);
      throw error;
    }
    await this.#admin.disconnect().catch(() => undefined);
    this.#admin = fresh;
  }
}
