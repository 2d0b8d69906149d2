// The helper itself: a real broker, asked by two clients that share no code.
import { spawnSync } from "node:child_process";
import { Kafka, type KafkaConfig, logLevel, Partitioners } from "kafkajs";
import { beforeAll, describe, expect, inject, it } from "vitest";
import { findKcat } from "../../tools/services.mjs";
import { freshTopic, kafkaAdmin, sharedKafka, startKafka } from "./kafka.ts";
import { createTopic, type KafkaBroker, kafkaClient } from "./kafka-broker.ts";
import { saslUser } from "./kafka-settings.ts";

const consumeMsMax = 20_000;
const kcatMsMax = 20_000;

function kcat(address: string, args: string[], input = ""): string {
  const program = findKcat();
  if (program === undefined) throw new Error("no kcat: npm run test:services brings it");
  const options = { input, encoding: "utf8", timeout: kcatMsMax } as const;
  const done = spawnSync(program, ["-b", address, ...args], options);
  if (done.status !== 0) throw new Error(`kcat ended with ${done.status}\n${done.stderr}`);
  return done.stdout;
}

async function makeTopic(address: string, config = {}): Promise<string> {
  const topic = freshTopic("helper");
  const admin = await kafkaAdmin(address);
  await createTopic(admin, topic, 1, config);
  return topic;
}

async function produce(client: Kafka, topic: string, values: string[]): Promise<void> {
  const producer = client.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  try {
    await producer.send({ topic, acks: -1, messages: values.map((value) => ({ value })) });
  } finally {
    await producer.disconnect();
  }
}

/** The first `count` values of a topic, in a group of their own. */
async function consume(client: Kafka, topic: string, count: number): Promise<string[]> {
  const consumer = client.consumer({ groupId: `${topic}-readers` });
  await consumer.connect();
  const values: string[] = [];
  let timer: NodeJS.Timeout | undefined;
  try {
    await consumer.subscribe({ topic, fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`only ${values.length} came`)), consumeMsMax);
      const eachMessage = async ({ message }: { message: { value: Buffer | null } }) => {
        values.push(String(message.value));
        if (values.length === count) resolve();
      };
      consumer.run({ eachMessage }).catch(reject);
    });
  } finally {
    clearTimeout(timer);
    await consumer.disconnect();
  }
  return values;
}

async function endOf(address: string, topic: string): Promise<number> {
  const admin = await kafkaAdmin(address);
  const offsets = await admin.fetchTopicOffsets(topic);
  return offsets.reduce((sum, { high }) => sum + Number(high), 0);
}

describe("the shared broker", () => {
  it("is the same for all, and both clients read what both wrote", async () => {
    const { address } = await sharedKafka();
    // As another file asks, from a process of its own.
    expect(await (await fetch(inject("sharedKafkaUrl"))).text()).toBe(address);
    expect(process.env["KAFKA_BROKERS"] ?? address).toBe(address);
    const topic = await makeTopic(address);
    await produce(kafkaClient(address), topic, ["one", "two"]);
    kcat(address, ["-P", "-t", topic, "-z", "none"], "three\nfour\n");
    const all = ["one", "two", "three", "four"];
    expect(await consume(kafkaClient(address), topic, 4)).toEqual(all);
    const read = kcat(address, ["-C", "-t", topic, "-o", "beginning", "-e", "-q"]);
    expect(read.trim().split("\n")).toEqual(all);
  });
});

describe("a broker of a file's own", () => {
  let broker: KafkaBroker;
  beforeAll(async () => {
    broker = await startKafka();
  });

  it("makes no topic because someone asks for it", async () => {
    const { address } = broker;
    const topic = freshTopic("unmade");
    const client = kafkaClient(address, { retries: 0 });
    await expect(produce(client, topic, ["lost"])).rejects.toThrow();
    expect(await (await kafkaAdmin(address)).listTopics()).not.toContain(topic);
  });

  it("keeps its data and its port over kill -9 and over a stop", async () => {
    const { address } = broker;
    const topic = await makeTopic(address);
    await produce(kafkaClient(address), topic, ["before"]);
    for (const end of ["kill", "stop"] as const) {
      const { pid } = broker;
      await broker[end]();
      expect(() => process.kill(pid!, 0)).toThrow();
      const asked = kafkaClient(address, { retries: 0 }).admin();
      await expect(asked.connect()).rejects.toThrow();
      await broker.start();
      expect(broker.address).toBe(address);
    }
    await produce(kafkaClient(address), topic, ["after"]);
    expect(await consume(kafkaClient(address), topic, 2)).toEqual(["before", "after"]);
  });

  it("says nothing while stopped, and goes on", async () => {
    const { address } = broker;
    const topic = await makeTopic(address);
    broker.signal("SIGSTOP");
    let isDone = false;
    const sent = produce(kafkaClient(address), topic, ["late"]).then(() => {
      isDone = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(isDone).toBe(false);
    broker.signal("SIGCONT");
    await sent;
    expect(await endOf(address, topic)).toBe(1);
  });

  it("forgets what its retention says, soon", async () => {
    const config = { "retention.ms": 100, "segment.ms": 100 };
    const topic = await makeTopic(broker.address, config);
    await produce(kafkaClient(broker.address), topic, ["gone"]);
    const admin = await kafkaAdmin(broker.address);
    await expect
      .poll(async () => (await admin.fetchTopicOffsets(topic))[0]!.low, { timeout: 15_000 })
      .toBe("1");
  });
});

describe("listeners that want more", () => {
  let broker: KafkaBroker;
  let topic: string;
  beforeAll(async () => {
    broker = await startKafka({ sasl: true, tls: true });
    topic = await makeTopic(broker.address);
  });

  function secured(address: string, more: Partial<KafkaConfig>): Kafka {
    const retry = { retries: 0 };
    return new Kafka({ brokers: [address], logLevel: logLevel.NOTHING, retry, ...more });
  }

  it("take the user over SCRAM and PLAIN, and nobody else", async () => {
    const address = broker.saslAddress;
    for (const mechanism of ["scram-sha-256", "plain"] as const) {
      const right = secured(address, { sasl: { mechanism, ...saslUser } as never });
      await produce(right, topic, [mechanism]);
      const wrong = { mechanism, ...saslUser, password: "guessed" } as never;
      await expect(produce(secured(address, { sasl: wrong }), topic, ["x"])).rejects.toThrow();
    }
    await expect(produce(secured(address, {}), topic, ["x"])).rejects.toThrow();
  });

  it("show a certificate that only those who know it trust", async () => {
    const ssl = { ca: [broker.certificate] };
    await produce(secured(broker.tlsAddress, { ssl }), topic, ["tls"]);
    await expect(produce(secured(broker.tlsAddress, { ssl: true }), topic, ["x"])).rejects.toThrow(
      /self-signed/,
    );
    const sasl = { mechanism: "scram-sha-256", ...saslUser } as never;
    await produce(secured(broker.saslTlsAddress, { ssl, sasl }), topic, ["both"]);
    await expect(produce(secured(broker.saslTlsAddress, { ssl }), topic, ["x"])).rejects.toThrow();
    expect(await endOf(broker.address, topic)).toBe(4);
  });
});
