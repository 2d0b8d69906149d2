// docs/scale-out.md, over a real PostgreSQL, a real S3 server and a real Kafka.
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe } from "vitest";
import { findExtensions } from "../../tools/duckdb-extensions.mjs";
import { freshTopic, sharedKafka } from "../support/kafka.ts";
import { hasLake, startOwnLake } from "../support/lake.ts";
import { root, startRankstream } from "../support/service.ts";
import { DocWorld } from "./doc-world.ts";
import { describePage } from "./page-checks.ts";

const startMsMax = 150_000;
let world: DocWorld;

describe.runIf(hasLake())("a lake as the page has it", () => {
  beforeAll(async () => {
    // Of its own: the page makes a role and a database.
    const [{ postgres, s3 }, kafka] = await Promise.all([startOwnLake(), sharedKafka()]);
    const { accessKeyId, secretAccessKey } = s3.credentials;
    const standIns = new Map([
      ["host=10.0.0.3", `host=127.0.0.1 port=${postgres.environment["PGPORT"]}`],
      ["s3://rankstream-lake/", `s3://${s3.bucket}/`],
      ["http://10.0.0.4:7070", s3.endpoint],
      ['"dataS3AccessKeyId": "rankstream"', `"dataS3AccessKeyId": "${accessKeyId}"`],
      ["also-of-its-own", secretAccessKey],
      ["/opt/duckdb-extensions", findExtensions()!],
      ["10.0.0.5:9092", kafka.address],
    ]);
    const env = { ...postgres.environment, RANKSTREAM_KAFKA_TOPIC: freshTopic("docs-lake") };
    // Any: doctor looks at what a start would need, then at a service.
    const service = await startRankstream();
    world = new DocWorld(service.url, standIns, env);
    for (const name of ["package.json", "tools"]) {
      symlinkSync(join(root, name), join(world.folder, name));
    }
  }, startMsMax);

  describePage("docs/scale-out.md", () => world);
});
