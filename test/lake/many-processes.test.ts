// Two edges, three counting and two answering processes over one lake and one topic: every
// acknowledged event counts once, whoever is asked, also after processes were killed or stood
// still, and PostgreSQL and S3 were away. RANKSTREAM_LAKE_BLOWS: how many of these there are;
// npm run test:storm has each of them four times.
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { freshTopic, sharedKafka } from "../support/kafka.ts";
import { hasLake, startOwnLake } from "../support/lake.ts";
import type { PostgresServer } from "../support/postgres-server.ts";
import { type Random, randomFromEnvironment } from "../support/random.ts";
import type { S3Server } from "../support/s3-server.ts";
import { LakeWorld, sessionTimeoutMs } from "./lake-world.ts";

const blowsMin = 3;
const blows = Number(process.env["RANKSTREAM_LAKE_BLOWS"] ?? blowsMin);
const msMax = 300_000;
const topic = freshTopic("many");

describe.skipIf(!hasLake())("many processes over one lake", () => {
  let random: Random;
  let world: LakeWorld;
  let postgres: PostgresServer;
  let s3: S3Server;

  /** Each leaves as many processes as there were. */
  const kinds = {
    "kill a counting process": () => world.killAndJoin("ingest"),
    "stop a counting process for longer than its session": async () => {
      const zombie = random.pick(world.members.ingest);
      zombie.child.kill("SIGSTOP");
      await sleep(sessionTimeoutMs + 4000);
      zombie.child.kill("SIGCONT");
    },
    "stop PostgreSQL": async () => {
      await postgres.kill();
      await sleep(random.int(500, 4000));
      await postgres.start();
    },
    "stop S3": async () => {
      await s3.kill();
      await sleep(random.int(500, 4000));
      await s3.start();
    },
    "end a counting process": async () => {
      await world.take("ingest").stop();
      await world.join("ingest");
    },
    "kill an answering process": () => world.killAndJoin("query"),
    "kill an edge": () => world.killAndJoin("edge"),
  } as const;

  beforeAll(async () => {
    random = randomFromEnvironment("many processes");
    const own = await startOwnLake();
    ({ postgres, s3 } = own);
    const { address } = await sharedKafka();
    world = new LakeWorld({ random, place: own.lake.place(), address, topic });
    await world.open({ edge: 2, ingest: 3, query: 2 });
  }, msMax);

  it("count every event once, and answer alike", { timeout: msMax }, async () => {
    await world.send(30);
    await world.expectCounts("at first");
    const [counting] = world.members.ingest;
    const { status, body } = await counting!.get("/leaderboard", { eventType: "play" });
    expect([status, body.code]).toEqual([421, "not_served_here"]);
  });

  it("go on through all of it", { timeout: msMax * Math.ceil(blows / 4) }, async () => {
    const names = Object.keys(kinds) as (keyof typeof kinds)[];
    // A short run has some of them, another one others.
    const first = random.int(0, names.length - 1);
    for (let blow = 0; blow < blows; blow++) {
      const name = names[(first + blow) % names.length]!;
      const end = world.load();
      await kinds[name]();
      await end();
      await world.expectCounts(`after blow ${blow}: ${name}`);
    }
    expect(world.members.ingest.every((service) => !service.hasExited)).toBe(true);
    const [post, exact] = [world.longestPostMs, world.longestExactMs].map(Math.round);
    process.stdout.write(`${blows} blows: longest post ${post} ms, longest answer ${exact} ms\n`);
  });
});
