// docs/kafka.md and docs/scaling.md, over a real Kafka and a real Redis.
import { beforeAll, describe, expect, it } from "vitest";
import { freshTopic, sharedKafka } from "../support/kafka.ts";
import { startRedis } from "../support/redis.ts";
import { type RankstreamProcess, startRankstream } from "../support/service.ts";
import { DocWorld } from "./doc-world.ts";
import { compared, documented, served } from "./metrics.ts";
import { describePage } from "./page-checks.ts";

const brokerMsMax = 150_000;
/** Of docs/how-to/from-kafka.md. */
const topic = freshTopic("docs-plays");
let world: DocWorld;
/** Reads the topic that programs other than Rankstream write to. */
let reader: RankstreamProcess;

beforeAll(async () => {
  const [kafka, redis] = await Promise.all([sharedKafka(), startRedis()]);
  const args = ["--log", "kafka", "--kafka-brokers", kafka.address, "--kafka-topic", topic];
  const service = await startRankstream();
  reader = await startRankstream({ args });
  const standIns = new Map([
    ["http://10.0.0.1:8080", service.url],
    ["10.0.0.5:9092", kafka.address],
    ["redis://10.0.0.9:6379", redis.url],
    ["song-plays", topic],
    ["http://10.0.0.7:8080", reader.url],
    ["--host 10.0.0.1", "--host 127.0.0.1"],
    ["--host 0.0.0.0", "--host 127.0.0.1"],
  ]);
  const env = { RANKSTREAM_KAFKA_TOPIC: freshTopic("docs") };
  world = new DocWorld(service.url, standIns, env);
}, brokerMsMax);

for (const page of ["docs/kafka.md", "docs/how-to/from-kafka.md", "docs/scaling.md"]) {
  describePage(page, () => world);
}

describe("docs/metrics.md", () => {
  it("lists what a process over Kafka serves", async () => {
    const own = new Set(documented("With a log of its own").map(({ name }) => name));
    const known = documented("A process with a store").filter(({ name }) => !own.has(name));
    const expected = [
      ...documented("Every process"),
      ...known,
      ...documented("With a log in Kafka"),
    ];
    const { page, found } = compared(expected, await served(reader));
    expect(found).toEqual(page);
  });
});
