// A batch of which a crash left a part in the topic: sent again under its key after a restart it
// is appended again, and what was missing counts, once.
import { expect, it } from "vitest";
import { freshTopic, kafkaAdmin, sharedKafka } from "../support/kafka.ts";
import { createTopic, kafkaClient } from "../support/kafka-broker.ts";
import { startRankstream, temporaryFolder } from "../support/service.ts";
import { kafkaFlags } from "./kafka-world.ts";

const partitions = 4;
const items = 40;

interface Copied {
  partition: number;
  value: Buffer | null;
  headers: Record<string, Buffer>;
}

/** The records of a topic that one service wrote. */
async function recordsOf(address: string, topic: string, count: number): Promise<Copied[]> {
  const groupId = `reader-${topic}`;
  const consumer = kafkaClient(address).consumer({ groupId, maxWaitTimeInMs: 100 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const records: Copied[] = [];
  await new Promise<void>((resolve) => {
    void consumer.run({
      eachMessage: async ({ partition, message: { value, headers = {} } }) => {
        records.push({ partition, value, headers: headers as Record<string, Buffer> });
        if (records.length === count) resolve();
      },
    });
  });
  await consumer.disconnect();
  return records;
}

async function write(address: string, topic: string, records: readonly Copied[]): Promise<void> {
  const producer = kafkaClient(address).producer();
  await producer.connect();
  await producer.send({ topic, messages: [...records] });
  await producer.disconnect();
}

function batchOf(prefix: string, weightOf: (i: number) => number): string {
  return Array.from({ length: items }, (_, i) =>
    JSON.stringify({ eventId: `${prefix}-${i}`, eventType: "part", weight: weightOf(i) }),
  ).join("\n");
}

it("counts what is missing, and nothing twice", async () => {
  const { address } = await sharedKafka();
  const [topic, torn] = [freshTopic("whole"), freshTopic("torn")];
  const admin = await kafkaAdmin(address);
  await createTopic(admin, topic, partitions);
  await createTopic(admin, torn, partitions);
  const batches = [
    { key: "app/1", body: batchOf("a", (i) => i + 1) },
    { key: "free", body: batchOf("b", (i) => i + 100) },
    { key: "other/1", body: batchOf("c", () => 7) },
  ];
  // Without a codec, so that the plain client here can read it.
  const plain = ["--kafka-compression", "none"];
  const whole = await startRankstream({ args: [...kafkaFlags(address, topic), ...plain] });
  for (const { key, body } of batches) {
    expect((await whole.post(body, { key })).status).toBe(202);
  }
  await whole.stop();
  const records = await recordsOf(address, topic, batches.length * partitions);
  // Of the last batch all parts arrive, of the others what two partitions got.
  const last = records.filter(({ value }) => String(value).includes('"c-'));
  const parts = records.filter((record) => !last.includes(record) && record.partition < 2);
  expect([last.length, parts.length]).toEqual([partitions, 4]);
  await write(address, torn, [...parts, ...last]);

  const dataDir = temporaryFolder();
  const args = kafkaFlags(address, torn);
  const question = { eventType: "part", timeRange: "all", k: 1000, mode: "exact" };
  const first = await startRankstream({ dataDir, args });
  const before = (await first.get("/leaderboard", question)).body;
  expect(before.results.length).toBeGreaterThan(items);
  expect(before.results.length).toBeLessThan(3 * items);
  // By now the store knows of all three keys.
  await first.kill();
  const second = await startRankstream({ dataDir, args });
  const replies = [];
  for (const { key, body } of batches) {
    const { status, headers } = await second.post(body, { key });
    replies.push([status, headers.get("idempotency-replayed")]);
  }
  expect(replies).toEqual([
    [202, null],
    [202, null],
    [202, "true"],
  ]);
  const other = await second.post(
    batchOf("d", () => 1),
    { key: "app/1" },
  );
  expect(other.status).toBe(422);
  const { body: board } = await second.get("/leaderboard", question);
  const counts = new Map(
    board.results.map(({ eventId, count }: { eventId: string; count: number }) => [
      eventId,
      count,
    ]),
  );
  const expected = new Map<string, number>();
  for (let i = 0; i < items; i++) {
    expected
      .set(`a-${i}`, i + 1)
      .set(`b-${i}`, i + 100)
      .set(`c-${i}`, 7);
  }
  expect(new Map([...counts].sort())).toEqual(new Map([...expected].sort()));
  await second.stop();
});
