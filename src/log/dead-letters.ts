/**
 * Where records go that no event can be read from: a topic of their own, with the reason in
 * headers, so that somebody can mend and send them again. A letter is sent before the offset of
 * its record is committed, and again when the record is read again; `origin` tells copies apart.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Message, Producer } from "kafkajs";
import type { Logger } from "../telemetry.ts";
import { connectProducer, type KafkaSettings, kafkaClient, reasonOf } from "./kafka-settings.ts";
import { openTopic } from "./kafka-topic.ts";

export interface DeadLetter {
  partition: number;
  offset: number;
  /** The line in the record, from 1; 0: the whole record. */
  line: number;
  code: string;
  message: string;
  value: Uint8Array;
}

const lettersMax = 10_000;
const lettersBytesMax = 8 * 1024 * 1024;
const sendMsMax = 30_000;
const retryMs = 500;
/** After letters were given up so long none is tried to be sent: each would cost 30 s. */
const pauseMs = 60_000;
const retries = 3;

export class DeadLetters {
  readonly #settings: KafkaSettings;
  readonly #logger: Logger;
  #waiting: DeadLetter[] = [];
  #waitingBytes = 0;
  #producer: Producer | null = null;
  #pausedUntil = 0;

  constructor(settings: KafkaSettings, logger: Logger) {
    this.#settings = settings;
    this.#logger = logger;
  }

  /** Whether so many wait that a checkpoint should take them along. */
  get isFull(): boolean {
    return this.#waiting.length >= lettersMax || this.#waitingBytes >= lettersBytesMax;
  }

  /** Takes a letter; its bytes are copied. */
  add(letter: DeadLetter): void {
    if (this.#settings.deadLetterTopic === "none") return;
    this.#waiting.push({ ...letter, value: Uint8Array.from(letter.value) });
    this.#waitingBytes += letter.value.length;
  }

  /**
   * Resolves once all letters are durable, or given up after 30 s and named in the log: they
   * must not hold up everyone's events, and the record stays in its topic.
   */
  async flush(): Promise<void> {
    if (this.#waiting.length === 0) return;
    const letters = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    if (performance.now() < this.#pausedUntil) {
      this.#giveUp(letters, new Error("the topic could not be written before"));
      return;
    }
    const until = performance.now() + sendMsMax;
    for (;;) {
      try {
        await this.#send(letters);
        return;
      } catch (error) {
        await this.close();
        if (performance.now() > until) {
          this.#pausedUntil = performance.now() + pauseMs;
          this.#giveUp(letters, error);
          return;
        }
      }
      await sleep(retryMs * (0.5 + Math.random()));
    }
  }

  /** Disconnects; the next letter connects again. */
  async close(): Promise<void> {
    const producer = this.#producer;
    this.#producer = null;
    await producer?.disconnect().catch(() => undefined);
  }

  async #send(letters: readonly DeadLetter[]): Promise<void> {
    const { topic, deadLetterTopic } = this.#settings;
    this.#producer ??= await this.#connect();
    const messages = letters.map(
      ({ partition, offset, line, code, message, value }): Message => ({
        key: `${topic}/${partition}/${offset}/${line}`,
        value: Buffer.from(value.buffer, value.byteOffset, value.length),
        headers: {
          origin: `${topic}/${partition}/${offset}`,
          line: String(line),
          code,
          reason: message,
        },
      }),
    );
    await this.#producer.send({ topic: deadLetterTopic, messages, acks: -1 });
  }

  async #connect(): Promise<Producer> {
    const settings = this.#settings;
    const client = kafkaClient(settings, this.#logger, retries);
    const made = { partitions: 1, replication: settings.replication, retentionHours: 720 };
    const admin = client.admin();
    try {
      await openTopic(admin, settings, this.#logger, settings.deadLetterTopic, made);
    } finally {
      await admin.disconnect().catch(() => undefined);
    }
    return connectProducer(client);
  }

  #giveUp(letters: readonly DeadLetter[], error: unknown): void {
    const [first] = letters;
    const { partition, offset, code } = first!;
    const reason = reasonOf(error);
    const fields = { part: "log", letters: letters.length, partition, offset, code, reason };
    this.#logger.error(fields, "records that hold no event could not be put aside");
  }
}
