// docs/kafka.md and docs/scaling.md, over a real Kafka and a real Redis.
import { beforeAll } from "vitest";
import { freshTopic, sharedKafka } from "../support/kafka.ts";
import { startRedis } from "../support/redis.ts";
import { startRankstream } from "../support/service.ts";
import { DocWorld } from "./doc-world.ts";
import { describePage } from "./page-checks.ts";

let world: DocWorld;

beforeAll(async () => {
  const [service, kafka, redis] = await Promise.all([
    startRankstream(),
    sharedKafka(),
    startRedis(),
  ]);
  const standIns = new Map([
    ["http://10.0.0.1:8080", service.url],
    ["10.0.0.5:9092", kafka.address],
    ["redis://10.0.0.9:6379", redis.url],
    ["--host 10.0.0.1", "--host 127.0.0.1"],
    ["--host 0.0.0.0", "--host 127.0.0.1"],
  ]);
  const env = { RANKSTREAM_KAFKA_TOPIC: freshTopic("docs") };
  world = new DocWorld(service.url, standIns, env);
});

for (const page of ["docs/kafka.md", "docs/scaling.md"]) describePage(page, () => world);
