// Two edges, three counting and two answering processes over one lake and one topic: every
// acknowledged event counts once, whoever is asked, also after processes were killed.
import { beforeAll, describe, expect, it } from "vitest";
import type { LakePlace } from "../../src/model-lake.ts";
import { kafkaFlags } from "../kafka/kafka-world.ts";
import { freshTopic, sharedKafka } from "../support/kafka.ts";
import { hasLake, startLake } from "../support/lake.ts";
import { lakeEnvironment } from "../support/lake-place.ts";
import { type Random, randomFromEnvironment } from "../support/random.ts";
import { type RankstreamProcess, startRankstream } from "../support/service.ts";

const batches = 40;
const sessionTimeoutMs = 6000;

const counts = new Map<string, number>();
let random: Random;
let place: LakePlace;
let address: string;
const topic = freshTopic("many");
let edges: RankstreamProcess[];
let ingest: RankstreamProcess[];
let query: RankstreamProcess[];

function start(role: string, more: string[] = []): Promise<RankstreamProcess> {
  const flags = ["--partitions", "6", "--kafka-session-timeout-ms", String(sessionTimeoutMs)];
  const args = [
    "--role",
    role,
    ...kafkaFlags(address, topic),
    ...flags,
    "--workers",
    "1",
    ...more,
  ];
  return startRankstream({ args, env: role === "edge" ? {} : lakeEnvironment(place) });
}

async function post(edge: RankstreamProcess, key: string): Promise<void> {
  const ids = Array.from({ length: random.int(1, 60) }, () => `item-${random.int(0, 200)}`);
  const lines = ids.map((eventId) => JSON.stringify({ eventId, eventType: "play" }));
  for (;;) {
    const { status, body } = await edge.post(`${lines.join("\n")}\n`, { key });
    if (status === 202) break;
    if (status !== 503) throw new Error(`${status} ${JSON.stringify(body)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
}

let sent = 0;
async function sendSome(): Promise<void> {
  for (let i = 0; i < batches; i++) await post(random.pick(edges), `batch ${sent++}`);
}

/** Asks until the answer is no job. */
async function exactOf(service: RankstreamProcess): Promise<Map<string, number>> {
  const exact = { eventType: "play", timeRange: "all", mode: "exact", k: 1000 };
  for (let tries = 1; ; tries++) {
    const { status, body } = await service.get("/leaderboard", exact);
    if (status === 202 && tries < 20) continue;
    expect(status, JSON.stringify(body)).toBe(200);
    return new Map(
      body.results.map((row: { eventId: string; count: number }) => [row.eventId, row.count]),
    );
  }
}

describe.skipIf(!hasLake())("many processes over one lake", () => {
  beforeAll(async () => {
    random = randomFromEnvironment("many processes");
    place = (await startLake()).placeInFolder();
    ({ address } = await sharedKafka());
    ingest = [await start("ingest")];
    const [second, third, ...others] = await Promise.all([
      start("ingest"),
      start("ingest"),
      start("query"),
      start("query"),
      start("edge"),
      start("edge"),
    ]);
    ingest.push(second!, third!);
    query = others.slice(0, 2);
    edges = others.slice(2);
  }, 120_000);

  it("count every event once, and answer alike", { timeout: 120_000 }, async () => {
    await sendSome();
    for (const service of query) expect(await exactOf(service)).toEqual(counts);
  });

  it("go on where one of them is killed", { timeout: 120_000 }, async () => {
    const [victim] = ingest.splice(random.int(0, 2), 1);
    const sending = sendSome();
    await victim!.kill();
    await sending;
    for (const service of query) expect(await exactOf(service)).toEqual(counts);
    ingest.push(await start("ingest"));
    await sendSome();
    for (const service of query) expect(await exactOf(service)).toEqual(counts);
  });
});
