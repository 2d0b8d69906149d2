// Records of other producers beside our own batches: a client in C with four codecs and its own
// partitioner, Kafka's own, and one in JavaScript. An item's events lie in several partitions
// then, counted by two workers, and every answer still holds.
import { type Message, Partitioners } from "kafkajs";
import { beforeAll, describe, expect, it } from "vitest";
import { expectTrueBoard, randomQuestion } from "../e2e/board-checks.ts";
import { BoardOracle, type CountedEvent } from "../oracles/board-oracle.ts";
import { freshTopic, kafkaAdmin, sharedKafka } from "../support/kafka.ts";
import { kafkaClient } from "../support/kafka-broker.ts";
import { type Random, randomFromEnvironment, ZipfSampler } from "../support/random.ts";
import { type RankstreamProcess, startRankstream } from "../support/service.ts";
import { javaProduce, kafkaFlags, kcat, metric, readTopic } from "./kafka-world.ts";

const hourMs = 3_600_000;
/** A retry must not write a record twice. */
const once = { idempotent: true, maxInFlightRequests: 1 };
const items = 400;
const codecs = ["none", "gzip", "snappy", "lz4", "zstd"];
const linesARecord = 4;
const questions = 60;
const topic = freshTopic("foreign");
const oracle = new BoardOracle();
const zipf = new ZipfSampler(items, 0.9);
let random: Random;
let address: string;
let one: RankstreamProcess;
let two: RankstreamProcess;

function events(count: number): CountedEvent[] {
  const now = Date.now();
  return Array.from({ length: count }, () => ({
    eventId: `item-${zipf.draw(random)}`,
    eventType: random.pick(["play", "view"]),
    timeMs: now - random.int(0, random.pick([10_000, hourMs, 40 * hourMs])),
    weight: random.pick([1, 1, 1, 5]),
  }));
}

const lineOf = ({ eventId, eventType, timeMs, weight }: CountedEvent) =>
  JSON.stringify({ eventId, eventType, timestamp: timeMs, weight });

/** Bodies of a few lines, the same number of each, but for the last. */
function bodies(list: CountedEvent[]): string[] {
  const records: string[] = [];
  for (let at = 0; at < list.length; at += linesARecord) {
    records.push(
      list
        .slice(at, at + linesARecord)
        .map(lineOf)
        .join("\n"),
    );
  }
  return records;
}

async function byKcat(): Promise<CountedEvent[]> {
  const all: CountedEvent[] = [];
  for (const codec of codecs) {
    const produce = ["-P", "-t", topic, "-z", codec];
    const [plain, keyed, long] = [events(100), events(100), events(160)];
    await kcat(address, produce, plain.map(lineOf).join("\n"));
    const pairs = keyed.map((event) => `${event.eventId}\t${lineOf(event)}`);
    await kcat(address, [...produce, "-K", "\t"], pairs.join("\n"));
    await kcat(address, [...produce, "-D", "\u001e"], bodies(long).join("\u001e"));
    all.push(...plain, ...keyed, ...long);
  }
  return all;
}

async function byJava(): Promise<CountedEvent[]> {
  const own = codecs.slice(2).map((codec) => ({ codec, list: events(300) }));
  for (const { codec, list } of own) {
    await javaProduce(address, topic, codec, list.map(lineOf));
  }
  return own.flatMap(({ list }) => list);
}

async function byKafkajs(): Promise<CountedEvent[]> {
  const createPartitioner = Partitioners.DefaultPartitioner;
  const producer = kafkaClient(address).producer({ createPartitioner, ...once });
  await producer.connect();
  const all: CountedEvent[] = [];
  for (let i = 0; i < 10; i++) {
    const list = events(120);
    const values = random.chance(0.5) ? bodies(list) : list.map(lineOf);
    const messages = values.map((value): Message => {
      return random.chance(0.5) ? { value, key: String(random.int(0, 9)) } : { value };
    });
    await producer.send({ topic, messages });
    all.push(...list);
  }
  await producer.disconnect();
  return all;
}

async function byPost(service: RankstreamProcess): Promise<CountedEvent[]> {
  const all: CountedEvent[] = [];
  for (let i = 0; i < 15; i++) {
    const list = events(100);
    const { status } = await service.post(`${list.map(lineOf).join("\n")}\n`);
    expect(status).toBe(202);
    all.push(...list);
  }
  return all;
}

beforeAll(async () => {
  random = randomFromEnvironment("foreign producers");
  ({ address } = await sharedKafka());
  const lists = ["--open-minute-events-min", "0", "--candidates-max", "40"];
  const patient = ["--freshness-wait-ms-max", "9000", "--seal-quiet-ms", "300"];
  const args = [...kafkaFlags(address, topic), ...lists, ...patient];
  [one, two] = await Promise.all([
    startRankstream({ args: [...args, "--workers", "1"] }),
    startRankstream({ args: [...args, "--workers", "2"] }),
  ]);
});

describe("records of foreign producers", () => {
  it("are counted, each once, beside batches that two services take meanwhile", async () => {
    const all = await Promise.all([byKcat(), byJava(), byKafkajs(), byPost(one), byPost(two)]);
    for (const event of all.flat()) oracle.add(event);
    const [from, to] = [Date.now() - 50 * hourMs, Date.now() + hourMs];
    for (const service of [one, two]) {
      for (const eventType of ["play", "view"]) {
        const question = { eventTypes: [eventType], from, to, k: 1000, offset: 0 };
        await expectTrueBoard(service, oracle, { ...question, ties: "ordinal" }, "exact");
      }
    }
  });

  it("split items over partitions, which the test relies on", async () => {
    const places = new Map<string, Set<number>>();
    for (const { value, partition } of await readTopic(address, topic)) {
      for (const line of value!.split("\n").filter((text) => text !== "")) {
        const { eventId } = JSON.parse(line);
        places.set(eventId, (places.get(eventId) ?? new Set()).add(partition));
      }
    }
    expect([...places.values()].filter(({ size }) => size > 1).length).toBeGreaterThan(100);
  });

  it("leave every bound true, and what is called certain right", async () => {
    let certified = 0;
    let approximate = 0;
    for (let i = 0; i < questions; i++) {
      const question = { ...randomQuestion(random, oracle), offset: 0, k: random.int(1, 30) };
      const mode = random.pick(["approx", "approx", "exact", "auto"] as const);
      const body = await expectTrueBoard(random.pick([one, two]), oracle, question, mode);
      if (body.mode === "exact") continue;
      approximate++;
      if (body.certified === true) certified++;
    }
    console.info(`foreign: ${approximate} approximate answers, ${certified} certified`);
    expect(approximate).toBeGreaterThan(questions / 4);
  });

  it("are all counted as such, and none is put aside", async () => {
    for (const service of [one, two]) {
      expect(await metric(service, "rankstream_ingest_dead_letters_total")).toBe(0);
      expect(await metric(service, "rankstream_ingest_refused_lines_total")).toBe(0);
    }
    const admin = await kafkaAdmin(address);
    expect(await admin.listTopics()).not.toContain(`${topic}.dead-letter`);
  });
});
