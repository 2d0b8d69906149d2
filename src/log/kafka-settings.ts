/** How a Kafka cluster is reached: plain data that survives the way into a worker thread. */
import { readFileSync } from "node:fs";
import kafkajs, { type Kafka, type KafkaConfig, type Producer, type SASLOptions } from "kafkajs";
import { RankstreamError } from "../errors.ts";
import type { Logger } from "../telemetry.ts";
import { registerCodecs } from "./kafka-codecs.ts";

export interface KafkaSettings {
  /** host:port, several by comma. */
  brokers: string;
  topic: string;
  clientId: string;
  /** Records that no event can be read from go there; `none`: they are only counted. */
  deadLetterTopic: string;
  /** Of a topic made here; an existing one keeps its own. */
  partitions: number;
  /** Copies of each partition; 0: as many as there are brokers, three at most. */
  replication: number;
  retentionHours: number;
  compression: "none" | "gzip" | "snappy" | "lz4" | "zstd";
  tls: "off" | "on";
  /** Files in PEM form; `none`: what the runtime trusts, no certificate of our own. */
  tlsCa: string;
  tlsCert: string;
  tlsKey: string;
  sasl: "none" | "plain" | "scram-sha-256" | "scram-sha-512";
  saslUsername: string;
  saslPassword: string;
  sessionTimeoutMs: number;
  /** Longest time an append may take, retries included. */
  appendTimeoutMs: number;
}

const connectionTimeoutMs = 3000;
const requestTimeoutMs = 10_000;
/** The first retry; each further one waits about twice as long, with jitter. */
const initialRetryTimeMs = 50;
const maxRetryTimeMs = 2000;

function pem(path: string, what: string): string | undefined {
  if (path === "none") return undefined;
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
    const detail = `${what}: the file ${path} can not be read (${reason})`;
    throw new RankstreamError("log_mismatch", detail, { cause });
  }
}

function tlsOf({ tls, tlsCa, tlsCert, tlsKey }: KafkaSettings): KafkaConfig["ssl"] {
  if (tls === "off") return false;
  const ca = pem(tlsCa, "kafkaTlsCa");
  const cert = pem(tlsCert, "kafkaTlsCert");
  const key = pem(tlsKey, "kafkaTlsKey");
  return {
    rejectUnauthorized: true,
    ...(ca !== undefined && { ca: [ca] }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  };
}

function saslOf({ sasl, saslUsername, saslPassword }: KafkaSettings): SASLOptions | undefined {
  if (sasl === "none") return undefined;
  return { mechanism: sasl, username: saslUsername, password: saslPassword } as SASLOptions;
}

/** The client's own chatter: what it calls an error is a retry; what matters we say ourselves. */
function logTo(logger: Logger): NonNullable<KafkaConfig["logCreator"]> {
  return () =>
    ({ namespace, log }) => {
      const { message, error } = log as { message: string; error?: unknown };
      const fields = { part: "kafka", namespace, ...(error !== undefined && { reason: error }) };
      logger.debug(fields, message);
    };
}

/**
 * A client of the cluster; it connects at the first use. `retries` is how often one call is
 * tried again before it fails. Throws `log_mismatch` when a certificate can't be read.
 */
export function kafkaClient(settings: KafkaSettings, logger: Logger, retries = 5): Kafka {
  registerCodecs();
  const sasl = saslOf(settings);
  return new kafkajs.Kafka({
    clientId: settings.clientId,
    brokers: settings.brokers.split(",").map((broker) => broker.trim()),
    ssl: tlsOf(settings) ?? false,
    ...(sasl !== undefined && { sasl }),
    connectionTimeout: connectionTimeoutMs,
    requestTimeout: requestTimeoutMs,
    enforceRequestTimeout: true,
    retry: { initialRetryTime: initialRetryTimeMs, maxRetryTime: maxRetryTimeMs, retries },
    logLevel: kafkajs.logLevel.WARN,
    logCreator: logTo(logger),
  });
}

/**
 * A connected producer that keeps each partition's order and writes no record twice over a retry
 * of its own. Rejects as the client does.
 */
export async function connectProducer(client: Kafka): Promise<Producer> {
  const producer = client.producer({
    idempotent: true,
    // More would let a retry overtake the request after it.
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  });
  try {
    await producer.connect();
    return producer;
  } catch (error) {
    await producer.disconnect().catch(() => undefined);
    throw error;
  }
}

/** The reason of a failure of the client, in one line and without its classes. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message.split("\n", 1)[0]!;
}

/** The broker is away, or refuses; what was asked did not happen, or nobody knows. */
export function unavailable(
  settings: Pick<KafkaSettings, "brokers">,
  what: string,
  cause: unknown,
): RankstreamError {
  const detail = `${what}: ${reasonOf(cause)} (brokers ${settings.brokers})`;
  return new RankstreamError("log_unavailable", detail, { cause, retryAfterSeconds: 2 });
}
