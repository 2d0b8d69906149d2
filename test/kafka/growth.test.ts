// A topic that grows from 4 to 8 to 16 partitions under load: two edges send batches with keys,
// some of them again at the other edge before and after, and every event counts once.
import { beforeAll, describe, expect, it } from "vitest";
import { freshTopic, kafkaAdmin, sharedKafka } from "../support/kafka.ts";
import { type Random, randomFromEnvironment } from "../support/random.ts";
import { type RankstreamProcess, startRankstream } from "../support/service.ts";
import { kafkaFlags, notReady, until } from "./kafka-world.ts";

const growths = [8, 16];
const batchesBefore = 25;
const senders = 3;
const grownMsMax = 40_000;

const topic = freshTopic("growth");
const counts = new Map<string, number>();
let random: Random;
let edges: RankstreamProcess[];
let store: RankstreamProcess;
/** Batches that were taken, to be sent again. */
const taken: { key: string; body: string }[] = [];
let sent = 0;
let worstMs = 0;
let retries = 0;

async function post(key: string, body: string): Promise<void> {
  const begun = performance.now();
  for (;;) {
    const { status, body: answer } = await random.pick(edges).post(body, { key });
    if (status === 202) break;
    if (status !== 503) throw new Error(`${status} ${JSON.stringify(answer)}`);
    retries++;
    await new Promise((resolve) => setTimeout(resolve, 50));
    if (performance.now() - begun > grownMsMax) throw new Error(JSON.stringify(answer));
  }
  worstMs = Math.max(worstMs, performance.now() - begun);
}

async function sendOne(): Promise<void> {
  const ids = Array.from({ length: random.int(1, 40) }, () => `item-${random.int(0, 99)}`);
  const lines = ids.map((eventId) => JSON.stringify({ eventId, eventType: "play" }));
  const number = sent++;
  const key =
    number % 2 === 0 ? `producer-${number % 6}/${Math.floor(number / 6)}` : `k ${number}`;
  const body = `${lines.join("\n")}\n`;
  await post(key, body);
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
  taken.push({ key, body });
  if (!random.chance(0.4)) return;
  const again = random.pick(taken);
  await post(again.key, again.body);
}

/** Keeps sending until told to end. */
function load(): () => Promise<void> {
  let isOver = false;
  const all = Array.from({ length: senders }, async () => {
    while (!isOver) await sendOne();
  });
  return async () => {
    isOver = true;
    await Promise.all(all);
  };
}

async function expectCounts(): Promise<void> {
  const exact = { eventType: "play", timeRange: "all", mode: "exact", k: 100 };
  const { status, body } = await store.get("/leaderboard", exact);
  expect(status, JSON.stringify(body)).toBe(200);
  const rows = body.results.map((row: { eventId: string; count: number }) => {
    return [row.eventId, row.count] as const;
  });
  expect(new Map(rows)).toEqual(counts);
}

async function partitionsOf(service: RankstreamProcess): Promise<number> {
  const { body } = await service.get("/metrics");
  return Number(/^rankstream_log_partitions (\d+)$/m.exec(String(body))?.[1]);
}

beforeAll(async () => {
  random = randomFromEnvironment("growth of a topic");
  const { address } = await sharedKafka();
  const args = kafkaFlags(address, topic);
  const workers = ["--workers", "2"];
  store = await startRankstream({ args: [...args, "--role", "ingest,query", ...workers] });
  const edge = () => startRankstream({ args: [...args, "--role", "edge"] });
  edges = await Promise.all([edge(), edge()]);
});

describe("a topic that grows", () => {
  it("loses nothing and counts nothing twice, whoever sends again", async () => {
    const admin = await kafkaAdmin();
    for (let i = 0; i < batchesBefore; i++) await sendOne();
    await expectCounts();
    const stop = load();
    try {
      for (const count of growths) {
        const begun = performance.now();
        await admin.createPartitions({ topicPartitions: [{ topic, count }] });
        const all = [...edges, store];
        const ask = async () => Promise.all(all.map(partitionsOf));
        const grown = (found: number[]) => found.every((own) => own === count);
        const known = await until(ask, grown, grownMsMax);
        expect(known).toEqual(all.map(() => count));
        console.info(`${count} partitions known to all after ${performance.now() - begun} ms`);
      }
    } finally {
      await stop();
    }
    // Those from before the growths, at whichever edge.
    for (const { key, body } of taken.slice(0, 40)) await post(key, body);
    await expectCounts();
    expect(await notReady(store)).toBe("");
    console.info(
      `${sent} batches, longest ${Math.round(worstMs)} ms, ${retries} retries, ` +
        `${[...counts.values()].reduce((sum, count) => sum + count, 0)} events`,
    );
  }, 120_000);
});
