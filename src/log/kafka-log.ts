/**
 * The writing side of a log in Kafka (or Redpanda). A batch becomes one record for each
 * partition that it has events for, several where the topic's bound is smaller; a record is
 * durable whole or not at all, a batch may be in parts: so every batch has a key (the edge's
 * `makesKeys`), and whoever counts takes each (key, line) once.
 */
import type { BatchHeader, PartitionBlock } from "../model.ts";
import type { Logger } from "../telemetry.ts";
import {
  cutBlock,
  encodeRecordHeader,
  recordHeaderBytes,
  recordHeaderName,
  traceHeaderBytes,
  traceHeaderName,
} from "./kafka-record.ts";
import type { Outgoing, SenderStats } from "./kafka-sender.ts";
import { KafkaSenders } from "./kafka-senders.ts";
import { type KafkaSettings, kafkaClient, reasonOf } from "./kafka-settings.ts";
import { type PartitionEnds, type TopicFacts, TopicWatch } from "./kafka-topic.ts";
import type { Log } from "./log.ts";

export interface KafkaLogOptions {
  settings: KafkaSettings;
  logger: Logger;
  /** Of batches waiting or on their way, in memory. */
  queueBytesMax: number;
  /** How often the topic is looked at: it may have grown. */
  lookMs?: number;
}

const lookMsDefault = 15_000;
/** Of a request's record batch, for its own header and those of its records. */
const batchOverheadBytes = 16 * 1024;
const recordOverheadBytes = 64;

export class KafkaLog implements Log {
  readonly id: string;
  readonly #options: KafkaLogOptions;
  readonly #watch: TopicWatch;
  readonly #sender: KafkaSenders;
  readonly #recordBytesMax: number;
  readonly #own: number[];
  readonly #looking: NodeJS.Timeout;
  readonly #begin: number[];
  #partitionCount: number;
  #look: Promise<void> | null = null;
  #asking: Promise<PartitionEnds> | null = null;
  #askingNext: Promise<PartitionEnds> | null = null;

  private constructor(
    options: KafkaLogOptions,
    watch: TopicWatch,
    facts: TopicFacts,
    begin: number[],
    sender: KafkaSenders,
    own: number[],
  ) {
    this.#options = options;
    this.#watch = watch;
    this.id = facts.id;
    this.#partitionCount = facts.partitionCount;
    this.#begin = begin;
    this.#recordBytesMax = recordBytesOf(facts);
    this.#sender = sender;
    this.#own = own;
    const lookMs = options.lookMs ?? lookMsDefault;
    this.#looking = setInterval(() => {
      this.#look ??= this.#lookForGrowth().finally(() => {
        this.#look = null;
      });
    }, lookMs);
  }

  /**
   * Connects, and makes the topic where it is missing. Throws RankstreamError `log_unavailable`
   * or `topic_unusable`.
   */
  static async open(options: KafkaLogOptions): Promise<KafkaLog> {
    const { settings, logger, queueBytesMax } = options;
    const connect = () => kafkaClient(settings, logger).admin();
    const { watch, facts } = await TopicWatch.open(settings, connect, logger);
    try {
      const { begin } = await watch.ends();
      // Offset after the last record that this process appended, by partition.
      const own = new Array<number>(facts.partitionCount).fill(0);
      const sender = await KafkaSenders.open({
        settings,
        logger,
        queueBytesMax,
        batchBytesMax: recordBytesOf(facts),
        onDurable: (partition, next) => {
          own[partition] = Math.max(own[partition] ?? 0, next);
        },
      });
      return new KafkaLog(options, watch, facts, begin, sender, own);
    } catch (error) {
      await watch.close();
      throw error;
    }
  }

  get partitionCount(): number {
    return this.#partitionCount;
  }

  /** A batch of at most so many bytes is one record in each of its partitions. */
  get oneRecordBytesMax(): number {
    return this.#recordBytesMax - ownBytesMax;
  }

  /** Why nothing can be appended now; null while all is well. */
  get failure(): string | null {
    return this.#sender.failure;
  }

  /** See Log. Copies the batch before it returns. */
  append(header: BatchHeader, blocks: readonly PartitionBlock[]): Promise<void> {
    const records: Outgoing[] = [];
    const { trace = null } = header;
    const traceBytes = trace === null ? 0 : traceHeaderBytes;
    const ownBytes = recordHeaderBytes(header) + traceBytes + recordOverheadBytes;
    for (const { partition, value, lines } of blocks) {
      const pieces = cutBlock(value, lines, this.#recordBytesMax - ownBytes);
      for (const [index, piece] of pieces.entries()) {
        const encoded = encodeRecordHeader(header, index, piece.lines);
        records.push({
          partition,
          value: Buffer.from(piece.value),
          headers: {
            [recordHeaderName]: encoded,
            ...(trace !== null && { [traceHeaderName]: trace }),
          },
          bytes: piece.value.length + encoded.length + traceBytes + recordOverheadBytes,
          timestamp: header.receivedAt,
        });
      }
    }
    return records.length === 0 ? Promise.resolve() : this.#sender.send(records);
  }

  endOffsets(): number[] {
    return [...this.#own];
  }

  /** Offset of the oldest record that was there at the start, by partition. */
  beginOffsets(): number[] {
    return [...this.#begin];
  }

  async ends(): Promise<number[]> {
    return (await this.bounds()).end;
  }

  stats(): SenderStats {
    return this.#sender.stats();
  }

  /** The broker keeps records for as long as the topic says. */
  async trim(): Promise<void> {}

  async close(): Promise<void> {
    clearInterval(this.#looking);
    await this.#look;
    await this.#sender.close();
    await this.#watch.close();
  }

  /**
   * The topic's ends, asked for after the call: questions that come while the broker is being
   * asked share the next answer, not the one that may be older than they are. Throws
   * `log_unavailable`.
   */
  bounds(): Promise<PartitionEnds> {
    if (this.#asking === null) {
      this.#asking = this.#watch.ends().finally(() => {
        this.#asking = null;
      });
      return this.#asking;
    }
    this.#askingNext ??= this.#asking
      .catch(() => undefined)
      .then(() => {
        this.#askingNext = null;
        return this.bounds();
      });
    return this.#askingNext;
  }

  /** Takes up partitions that were added: first by a producer that knows them. */
  async #lookForGrowth(): Promise<void> {
    const { logger } = this.#options;
    try {
      const count = await this.#watch.partitionCount();
      if (count <= this.#partitionCount) return;
      await this.#sender.renew();
      while (this.#own.length < count) this.#own.push(0);
      const before = this.#partitionCount;
      this.#partitionCount = count;
      logger.info({ part: "log", before, count }, "the topic has grown");
    } catch (error) {
      logger.warn({ part: "log", reason: reasonOf(error) }, "the topic could not be looked at");
    }
  }
}

/** No record has more beside its lines: a header with the longest key, and its envelope. */
const ownBytesMax = 1024;

function recordBytesOf({ messageBytesMax }: TopicFacts): number {
  return messageBytesMax - batchOverheadBytes;
}
