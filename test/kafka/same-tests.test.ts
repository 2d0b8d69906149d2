// Tests of the whole service that know nothing of logs, over a log in a real Kafka: a few here,
// all of them by `npm run test:kafka`.
import { sharedKafka } from "../support/kafka.ts";

process.env["RANKSTREAM_TEST_KAFKA"] = (await sharedKafka()).address;
process.env["RANKSTREAM_TEST_LOG"] = "kafka";
process.env["RANKSTREAM_ORACLE_QUESTIONS"] ??= "8";

await import("../e2e/read-your-writes.test.ts");
await import("../e2e/oracle.test.ts");
