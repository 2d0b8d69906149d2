// What a campaign is held against: a log and what of it can break. Another log is one more row.
import { randomBytes } from "node:crypto";
import { KafkaBroker } from "../support/kafka-broker.ts";
import { type LoadPoint, passesMax } from "./kills.ts";

export interface CrashTarget {
  readonly name: string;
  /** The service's options that name the log, for a data folder made anew. */
  logArgs(): string[];
  /** Points at which the service can die with this log. */
  readonly points: readonly LoadPoint[];
  /** The broker that holds the log; null: its files are the service's own, in its data folder. */
  readonly broker: KafkaBroker | null;
  /** Longer than this, and what is stopped counts as gone. */
  readonly silenceMsMax: number;
  /** Errors that a busy machine alone may bring: the load sends again. */
  readonly allowedErrors: readonly string[];
  stop(): Promise<void>;
}

/** Small segments, so that they are closed and removed all the time. */
const embedded: CrashTarget = {
  name: "embedded",
  logArgs: () => ["--log-segment-bytes", "1MiB", "--log-bytes-max", "64MiB"],
  points: Object.keys(passesMax) as LoadPoint[],
  broker: null,
  silenceMsMax: 0,
  allowedErrors: [],
  stop: async () => undefined,
};

export const appendTimeoutMs = 3000;
export const sessionTimeoutMs = 1500;
/** Sessions as short as `sessionTimeoutMs` are refused else. */
export const brokerSettings = { "group.min.session.timeout.ms": 500 };

/** A topic of its own, with timeouts that a fault can outlast. */
export function kafkaLogArgs(broker: KafkaBroker): string[] {
  const topic = `crash-${randomBytes(6).toString("hex")}`;
  const timeouts = [
    "--kafka-append-timeout-ms",
    String(appendTimeoutMs),
    "--kafka-session-timeout-ms",
    String(sessionTimeoutMs),
  ];
  const place = ["--kafka-brokers", broker.address, "--kafka-topic", topic];
  return ["--log", "kafka", ...place, ...timeouts];
}

const embeddedOnly = /^log\.(after_write|segment_created|before_trim)$/;

async function startKafkaTarget(): Promise<CrashTarget> {
  const broker = new KafkaBroker({ settings: brokerSettings });
  await broker.start();
  return {
    name: "kafka",
    logArgs: () => kafkaLogArgs(broker),
    points: embedded.points.filter((point) => !embeddedOnly.test(point)),
    broker,
    silenceMsMax: sessionTimeoutMs,
    allowedErrors: ["log_unavailable", "partial_append"],
    stop: () => broker.remove(),
  };
}

const targets: Record<string, () => Promise<CrashTarget>> = {
  embedded: async () => embedded,
  kafka: startKafkaTarget,
};

/** Starts what the target needs beside the service. */
export function startTarget(name: string): Promise<CrashTarget> {
  const start = targets[name];
  const known = Object.keys(targets).join(", ");
  if (start === undefined) throw new Error(`target: expected one of ${known}, got ${name}`);
  return start();
}
