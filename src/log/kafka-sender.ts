/**
 * Sends records to the topic: one request at a time, with everything that waits for it (group
 * commit), so that each partition keeps the order of appends. The producer is idempotent and
 * asks for all in-sync replicas. A request that fails for good leaves its batches in doubt, ends
 * the producer, and refuses what comes until a new one is connected (a circuit breaker): nothing
 * piles up before a broker that is away.
 */
import { setTimeout as sleep } from "node:timers/promises";
import kafkajs, { type IHeaders, type Message, type Producer } from "kafkajs";
import { discard } from "../discard.ts";
import { RankstreamError } from "../errors.ts";
import { failPoint } from "../fail-point.ts";
import type { Logger } from "../telemetry.ts";
import { waitAtMost } from "./bounded-wait.ts";
import {
  connectProducer,
  type KafkaSettings,
  kafkaClient,
  reasonOf,
  unavailable,
} from "./kafka-settings.ts";

/** One record to send. */
export interface Outgoing {
  partition: number;
  value: Uint8Array;
  headers: IHeaders;
  /** About what it takes in a request. */
  bytes: number;
  /** Epoch ms. */
  timestamp: number;
}

export interface SenderOptions {
  settings: KafkaSettings;
  logger: Logger;
  /** Of records waiting or on their way. */
  queueBytesMax: number;
  /** Of one partition's records in a request. */
  batchBytesMax: number;
  /** Told of each partition's offset after the last record sent. */
  onDurable: (partition: number, nextOffset: number) => void;
}

export interface SenderStats {
  queueBytes: number;
  /** Requests that failed for good. */
  failures: number;
}

/** One append: its records are durable together, or it is told what became of them. */
interface Batch {
  left: number;
  durable: number;
  deadline: number;
  isSettled: boolean;
  resolve: () => void;
  reject: (error: unknown) => void;
}

interface Waiting extends Outgoing {
  batch: Batch;
}

const requestBytesMax = 16 * 1024 * 1024;
const requestRecordsMax = 10_000;
const retriesMax = 20;
const probeMsMin = 100;
const probeMsMax = 2000;
const queueRetrySeconds = 1;
const closeMsMax = 2000;
const allInSync = -1;

const compressions: Record<KafkaSettings["compression"], number> = {
  none: kafkajs.CompressionTypes.None,
  gzip: kafkajs.CompressionTypes.GZIP,
  snappy: kafkajs.CompressionTypes.Snappy,
  lz4: kafkajs.CompressionTypes.LZ4,
  zstd: kafkajs.CompressionTypes.ZSTD,
};

export class KafkaSender {
  readonly #options: SenderOptions;
  #producer: Producer;
  #queue: Waiting[] = [];
  #queueBytes = 0;
  #sending: Promise<void> | null = null;
  /** The client's last request, until it has done with it; never rejects. */
  #underWay: Promise<void> = Promise.resolve();
  /** Why nothing is taken now; null while the producer works. */
  #down: RankstreamError | null = null;
  #recovering: Promise<void> | null = null;
  readonly #closing = new AbortController();
  #failures = 0;

  private constructor(options: SenderOptions, producer: Producer) {
    this.#options = options;
    this.#producer = producer;
  }

  /** Throws `log_unavailable` when no broker takes the producer. */
  static async open(options: SenderOptions): Promise<KafkaSender> {
    const { settings, logger } = options;
    return new KafkaSender(options, await connected(settings, logger));
  }

  /** Why nothing is taken now, in words; null while all is well. */
  get failure(): string | null {
    return this.#down?.message ?? null;
  }

  stats(): SenderStats {
    return { queueBytes: this.#queueBytes, failures: this.#failures };
  }

  /**
   * Resolves once all records are durable. Throws RankstreamError `log_full`, `log_unavailable`
   * (with the extension `outcome: "unknown"` where a request was on its way), `partial_append`.
   */
  send(records: Outgoing[]): Promise<void> {
    const refusal = this.refusal(records);
    if (refusal !== null) return Promise.reject(refusal);
    const bytes = bytesOf(records);
    return new Promise((resolve, reject) => {
      const deadline = performance.now() + this.#options.settings.appendTimeoutMs;
      const { length: left } = records;
      const batch = { left, durable: 0, deadline, isSettled: false, resolve, reject };
      for (const record of records) this.#queue.push({ ...record, batch });
      this.#queueBytes += bytes;
      this.#sending ??= this.#sendAll();
    });
  }

  /** Why these records would not be taken now, nothing of them; null where they would. */
  refusal(records: readonly Outgoing[]): RankstreamError | null {
    if (this.#closing.signal.aborted)
      return new RankstreamError("log_failed", "the log is closed");
    if (this.#down !== null) return this.#down;
    const { queueBytesMax } = this.#options;
    if (this.#queueBytes === 0 || this.#queueBytes + bytesOf(records) <= queueBytesMax)
      return null;
    const detail = `${this.#queueBytes} bytes wait to be sent, ${queueBytesMax} may`;
    return new RankstreamError("log_full", detail, { retryAfterSeconds: queueRetrySeconds });
  }

  /** Takes a producer that knows the topic as it is now, between two requests. */
  async renew(): Promise<void> {
    await this.#sending;
    if (this.#down !== null) return this.#recovering ?? undefined;
    const { settings, logger } = this.#options;
    const before = this.#producer;
    this.#producer = await connected(settings, logger);
    await ended(before);
  }

  /**
   * Refuses new records, sends what waits, disconnects. With brokers that are away it gives up
   * after 2 s: what became of the batches under way is not known then, as they were told.
   */
  async close(): Promise<void> {
    this.#closing.abort();
    const quiet = async () => {
      await this.#sending;
      await this.#recovering;
      await ended(this.#producer);
    };
    await waitAtMost(quiet(), closeMsMax);
  }

  async #sendAll(): Promise<void> {
    // Appends of the same turn go into the first request too.
    await Promise.resolve();
    while (this.#queue.length > 0 && this.#down === null) await this.#sendGroup();
    this.#sending = null;
  }

  /** The next records, in order, as far as one request holds them. */
  #takeGroup(): Waiting[] {
    const { batchBytesMax } = this.#options;
    const byPartition = new Map<number, number>();
    let total = 0;
    let count = 0;
    for (const { partition, bytes } of this.#queue) {
      const used = byPartition.get(partition) ?? 0;
      if (used > 0 && used + bytes > batchBytesMax) break;
      if (count > 0 && total + bytes > requestBytesMax) break;
      if (count >= requestRecordsMax) break;
      byPartition.set(partition, used + bytes);
      total += bytes;
      count++;
    }
    return this.#queue.splice(0, count);
  }

  async #sendGroup(): Promise<void> {
    const group = this.#takeGroup();
    try {
      failPoint("log.before_write");
      const ends = await this.#request(group);
      failPoint("log.after_sync");
      for (const [partition, next] of ends) this.#options.onDurable(partition, next);
    } catch (error) {
      this.#fail(group, error);
      return;
    }
    for (const { batch, bytes, value } of group) {
      discard(value);
      this.#queueBytes -= bytes;
      batch.durable++;
      batch.left--;
      if (batch.left > 0 || batch.isSettled) continue;
      batch.isSettled = true;
      batch.resolve();
    }
  }

  /** Sends one request; the offset after the last record of each partition. */
  async #request(group: readonly Waiting[]): Promise<Map<number, number>> {
    const { settings } = this.#options;
    const counts = new Map<number, number>();
    const messages = group.map(({ partition, value, headers, timestamp }): Message => {
      counts.set(partition, (counts.get(partition) ?? 0) + 1);
      return { partition, key: null, value: value as Buffer, headers, timestamp: `${timestamp}` };
    });
    const timer = new AbortController();
    const leftMs = Math.max(1, group[0]!.batch.deadline - performance.now());
    const late = sleep(leftMs, null, { signal: timer.signal }).then(
      () => Promise.reject(new Error(`no answer in ${settings.appendTimeoutMs} ms`)),
      () => [],
    );
    const sent = this.#producer.send({
      topic: settings.topic,
      messages,
      acks: allInSync,
      compression: compressions[settings.compression],
    });
    this.#underWay = sent.then(ignore, ignore);
    const answers = await Promise.race([sent, late]).finally(() => timer.abort());
    const ends = new Map<number, number>();
    for (const { partition, baseOffset } of answers) {
      ends.set(partition, Number(baseOffset) + (counts.get(partition) ?? 0));
    }
    // The client leaves out, without a word, what it knows no leader of.
    for (const partition of counts.keys()) {
      if (!ends.has(partition)) throw new Error(`partition ${partition} has no known leader`);
    }
    return ends;
  }

  /** Tells everyone who waits, and looks for the brokers again. */
  #fail(group: readonly Waiting[], cause: unknown): void {
    const { settings, logger } = this.#options;
    this.#failures++;
    logger.error({ part: "log", reason: reasonOf(cause) }, "records could not be sent");
    this.#down = unavailable(settings, "the log takes nothing now", cause);
    const doubt = unavailable(settings, "what became of the batch is not known", cause);
    const unknown = new RankstreamError(doubt.code, doubt.message, {
      cause,
      retryAfterSeconds: 2,
      extensions: { outcome: "unknown" },
    });
    const partial = partialAppend(cause);
    const settle = (batch: Batch, error: RankstreamError) => {
      if (batch.isSettled) return;
      batch.isSettled = true;
      batch.reject(batch.durable > 0 ? partial : error);
    };
    for (const { batch } of group) settle(batch, unknown);
    for (const { batch } of this.#queue) settle(batch, this.#down);
    this.#queue = [];
    this.#queueBytes = 0;
    this.#recovering = this.#recover().finally(() => {
      this.#recovering = null;
    });
  }

  /** A new producer: the old one's numbering may be out of step with the broker's. */
  async #recover(): Promise<void> {
    const { settings, logger } = this.#options;
    const before = this.#producer;
    await ended(before);
    // The client goes on trying the request that was given up, over a connection made for it.
    void this.#underWay.then(() => ended(before));
    for (let waitMs = probeMsMin; !this.#closing.signal.aborted; ) {
      try {
        this.#producer = await connected(settings, logger);
        this.#down = null;
        logger.info({ part: "log" }, "records can be sent again");
        return;
      } catch {
        const jittered = waitMs * (0.5 + Math.random() / 2);
        const { signal } = this.#closing;
        await sleep(jittered, null, { signal }).catch(() => undefined);
        waitMs = Math.min(2 * waitMs, probeMsMax);
      }
    }
  }
}

/** A part of the batch is in the log for good. */
export function partialAppend(cause: unknown): RankstreamError {
  const detail = "a part of the batch is durable, of the rest it is not known";
  return new RankstreamError("partial_append", detail, { cause, retryAfterSeconds: 2 });
}

function bytesOf(records: readonly Outgoing[]): number {
  return records.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** A connected producer that knows the topic. Throws `log_unavailable`. */
async function connected(settings: KafkaSettings, logger: Logger): Promise<Producer> {
  try {
    return await connectProducer(kafkaClient(settings, logger, retriesMax));
  } catch (error) {
    throw unavailable(settings, "no broker can be reached", error);
  }
}

function ignore(): void {}

async function ended(producer: Producer): Promise<void> {
  await producer.disconnect().catch(() => undefined);
}
