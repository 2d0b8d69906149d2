/** The broker of the kafka bench, and its client alone: what moving the same bytes costs. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import kafkajs, { type Message } from "kafkajs";
import { registerCodecs } from "../src/log/kafka-codecs.ts";
import { createTopic, KafkaBroker } from "../test/support/kafka-broker.ts";
import { findKcat } from "../tools/services.mjs";
import type { Body } from "./event-stream.ts";
import { cpuSecondsOf } from "./service-process.ts";

const partitions = 4;
const messageBytesMax = 4 * 1024 * 1024;
const lineFeed = 10;

/** A broker of the bench's own on loopback, or the one whose address was given. */
export class BenchBroker {
  readonly address: string;
  readonly #own: KafkaBroker | null;

  private constructor(address: string, own: KafkaBroker | null) {
    this.address = address;
    this.#own = own;
  }

  static async start(address: string | undefined): Promise<BenchBroker> {
    if (address !== undefined) return new BenchBroker(address, null);
    const own = await new KafkaBroker().start();
    return new BenchBroker(own.address, own);
  }

  /** CPU seconds it has used; null for one of somebody else's. */
  cpuSeconds(): number | null {
    const pid = this.#own?.pid;
    if (pid === undefined || process.platform !== "linux") return null;
    return cpuSecondsOf(readFileSync(`/proc/${pid}/stat`, "utf8"));
  }

  async stop(): Promise<void> {
    await this.#own?.kill();
    await this.#own?.remove();
  }
}

/** A client that says nothing; a topic of this name as the service would make it. */
export async function openPeer(address: string, topic: string) {
  registerCodecs();
  const client = new kafkajs.Kafka({
    clientId: "bench",
    brokers: address.split(","),
    logLevel: kafkajs.logLevel.NOTHING,
  });
  const admin = client.admin();
  await admin.connect();
  await createTopic(admin, topic, partitions, { "max.message.bytes": messageBytesMax });
  await admin.disconnect();
  const producer = client.producer({
    idempotent: true,
    maxInFlightRequests: 1,
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  });
  await producer.connect();
  const send = (messages: Message[]) =>
    producer.send({ topic, messages, acks: -1, compression: kafkajs.CompressionTypes.LZ4 });
  return { client, send, close: () => producer.disconnect() };
}

/** Each line a record of its own, as any producer would write it. */
export function messagesOf({ bytes }: Body): Message[] {
  const messages: Message[] = [];
  for (let from = 0; from < bytes.length; ) {
    const at = bytes.indexOf(lineFeed, from);
    const end = at < 0 ? bytes.length : at;
    messages.push({ value: Buffer.from(bytes.subarray(from, end)) });
    from = end + 1;
  }
  return messages;
}

/** kcat, a client in C; undefined where it isn't installed: then the bench's own client writes. */
export const kcat = findKcat();

/** Writes each line as a record by kcat; resolves once all are acknowledged. */
export async function sendByKcat(
  program: string,
  address: string,
  topic: string,
  bodies: readonly Body[],
): Promise<void> {
  const args = ["-P", "-b", address, "-t", topic, "-z", "lz4", "-X", "acks=all"];
  const child = spawn(program, args, { stdio: ["pipe", "ignore", "inherit"] });
  const ended = once(child, "exit");
  await pipeline(Readable.from(bodies.map(({ bytes }) => bytes)), child.stdin!);
  const [code] = await ended;
  if (code !== 0) throw new Error(`kcat ended with ${code}`);
}

/** A body as four records, one for each partition, cut at line ends. */
export function blocksOf({ bytes }: Body): Message[] {
  const messages: Message[] = [];
  for (let partition = 0, from = 0; partition < partitions; partition++) {
    const wanted = Math.floor(((partition + 1) * bytes.length) / partitions);
    const cut = bytes.indexOf(lineFeed, wanted - 1) + 1;
    const isLast = partition === partitions - 1 || cut === 0;
    const end = isLast ? bytes.length : cut;
    if (end > from) messages.push({ partition, value: Buffer.from(bytes.subarray(from, end)) });
    from = end;
  }
  return messages;
}

/**
 * Moves the bodies with the client alone: one producer, one consumer, at once. Records a second
 * are not of interest: seconds until the consumer has had as many bytes as were sent.
 */
export async function moveAlone(
  address: string,
  topic: string,
  bodies: readonly Body[],
  cut: (body: Body) => Message[],
  program?: string,
): Promise<number> {
  const { client, send, close } = await openPeer(address, topic);
  const consumer = client.consumer({ groupId: topic, maxWaitTimeInMs: 100 });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  const batches = bodies.map(cut);
  const wanted = batches.flat().reduce((sum, { value }) => sum + (value as Buffer).length, 0);
  let read = 0;
  let isThere: () => void = () => undefined;
  const all = new Promise<void>((resolve) => {
    isThere = resolve;
  });
  const joined = new Promise<void>((resolve) => {
    consumer.on(consumer.events.GROUP_JOIN, () => resolve());
  });
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => {
      for (const { value } of batch.messages) read += value?.length ?? 0;
      if (read >= wanted) isThere();
    },
  });
  await joined;
  const started = performance.now();
  if (program !== undefined) await sendByKcat(program, address, topic, bodies);
  else for (const batch of batches) await send(batch);
  await all;
  const seconds = (performance.now() - started) / 1000;
  await consumer.disconnect();
  await close();
  if (read !== wanted) throw new Error(`the client read ${read} bytes of ${wanted}`);
  return seconds;
}
