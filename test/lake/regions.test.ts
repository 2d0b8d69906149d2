// Two regions over real services, each with a topic in Kafka and a lake of its own and several
// processes: each answers for both, goes on with a cut between them, and agrees with a recount of
// what was acknowledged, whoever is killed, stands still, loses its turn or is put back meanwhile.
//
//     RANKSTREAM_REGION_ROUNDS=5    so often kills at fail points, deletes and restores
//     RANKSTREAM_TEST_SEED=…        the same events again
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { type RegionName, regionNames } from "../region/region-world.ts";
import { freshTopic, sharedKafka } from "../support/kafka.ts";
import { hasLake, startLake } from "../support/lake.ts";
import { randomFromEnvironment } from "../support/random.ts";
import { until } from "../support/until.ts";
import { LakeRegionsWorld } from "./regions-world.ts";

const rounds = Number(process.env["RANKSTREAM_REGION_ROUNDS"] ?? 0);
/** A busy machine takes its time. */
const msMax = 600_000;
const waitMsMax = 120_000;
const long = { timeout: msMax };
const events = 100;

describe.skipIf(!hasLake())("two regions in lakes", () => {
  let world: LakeRegionsWorld;

  beforeAll(async () => {
    const [lake, { address }] = await Promise.all([startLake(), sharedKafka()]);
    const random = randomFromEnvironment("lake regions");
    const places = { eu: lake.place(), us: lake.place() };
    const topics = { eu: freshTopic("eu"), us: freshTopic("us") };
    world = new LakeRegionsWorld({ random, places, kafka: address, topics });
    await world.open();
  }, msMax);

  afterEach(({ task }) => {
    if (task.result?.state === "fail") process.stdout.write(world.outputs());
  });

  function cut(): void {
    world.ways.eu.mode = "hang";
    world.ways.us.mode = "refuse";
  }

  function heal(): void {
    for (const name of regionNames) world.ways[name].mode = "open";
  }

  const sendBoth = () => Promise.all(regionNames.map((name) => world.send(name, events)));

  /** What a region's answering process says of the other one. */
  async function shareOfOther(name: RegionName) {
    const other = world.otherOf(name);
    const { regions, partial, certified, rows } = await world.board(name, "play");
    expect(regions.map(({ region }: { region: string }) => region)).toEqual([name, other]);
    return { ...regions[1], partial, certified, rows };
  }

  async function minutesAhead(name: RegionName): Promise<number> {
    return (await world.standing(name)).minutesAhead;
  }

  async function noneAhead(): Promise<void> {
    await until(async () => {
      for (const name of regionNames) expect(await minutesAhead(name)).toBe(0);
    }, waitMsMax);
  }

  /** Resolves once "eu" has more of "us" than these rows, in the middle of it as a rule. */
  async function untilNews(known: [string, number][]): Promise<void> {
    await until(async () => {
      const { rows } = await world.board("eu", "view", { region: "us" });
      expect(rows).not.toEqual(known);
    }, waitMsMax);
  }

  /** Has what is kept of the other region copied anew. */
  async function copyAnew(name: RegionName): Promise<void> {
    const other = world.otherOf(name);
    const path = `/admin/regions/${other}/resync`;
    await until(async () => {
      const { status, body } = await world.services[name].request(path, { method: "POST" });
      expect([status, body.region]).toEqual([200, other]);
    }, waitMsMax);
  }

  it("say that each lacks the other, and then that it has it", long, async () => {
    await sendBoth();
    for (const name of regionNames) {
      const rows = world.truth("play", [name]);
      const lacking = { completeThrough: null, asOf: null, partial: true, rows };
      expect(await shareOfOther(name)).toMatchObject(lacking);
    }
    heal();
    await world.agree();
    for (const name of regionNames) {
      await until(async () => {
        await world.expectFollowing(name);
        const share = await shareOfOther(name);
        expect(share).toMatchObject({ partial: false, certified: true });
        expect(Date.parse(share.completeThrough)).toBeGreaterThan(Date.now() - waitMsMax * 2);
      }, waitMsMax);
      await world.expectEach(name, "play");
    }
  });

  it("double nothing where two processes apply what comes, and one is killed", long, async () => {
    cut();
    const before = { eu: world.truth("view", ["eu"]), us: world.truth("view", ["us"]) };
    await sendBoth();
    for (const name of regionNames) {
      const other = world.otherOf(name);
      const own = await world.board(name, "view", { region: name });
      expect(own.rows).toEqual(world.truth("view", [name]));
      const theirs = await world.board(name, "view", { region: other });
      expect(theirs.rows).toEqual(before[other]);
    }
    const first = await world.follower();
    heal();
    await untilNews(before.us);
    const paused = world.counting.get(first)!;
    paused.child.kill("SIGSTOP");
    await world.takeTurn();
    await until(async () => expect(await world.follower()).not.toBe(first), waitMsMax);
    await world.agree();
    // What it goes on with now was read before another wrote.
    paused.child.kill("SIGCONT");
    const known = world.truth("view", ["us"]);
    await world.send("us", events);
    await untilNews(known);
    const second = await world.follower();
    expect(second).not.toBe(first);
    await world.counting.get(second)!.kill();
    world.counting.delete(second);
    await world.send("us", events);
    await world.agree();
  });

  async function putBack(): Promise<void> {
    heal();
    await sendBoth();
    const older = await world.dump();
    await world.send("eu", events);
    await world.agree();
    await world.putBack(older);
    await world.send("us", events);
    await world.agree();
    await noneAhead();
  }

  if (rounds > 0) it("agree after one is put back to an older state of its lake", long, putBack);

  const points = ["region.after_append", "region.before_append"];

  for (let round = 0; round < rounds; round++) {
    const nth = round + 1;
    const point = `${points[round % points.length]}:${3 + round}`;
    it(`agree after a cut, and kill -9 at ${point}`, long, async () => {
      cut();
      await sendBoth();
      await until(async () => {
        expect((await world.standing("eu")).state).toBe("unreachable");
      }, waitMsMax);
      // Of those that count the one that is to die alone has the turn.
      await world.killCounting();
      const doomed = `doomed-${round}`;
      await world.count(doomed, point);
      expect(await world.follower()).toBe(doomed);
      await world.count(`heir-${round}`);
      heal();
      expect((await world.counting.get(doomed)!.exited).signal).toBe("SIGKILL");
      world.counting.delete(doomed);
      await world.agree();
    });

    it(
      `keep what the other deleted until it is copied anew, and say so, ${nth}`,
      long,
      async () => {
        await Promise.all([
          world.delete("us", "play", "item 0"),
          world.delete("eu", "view", "item 0"),
        ]);
        await until(async () => {
          for (const name of regionNames) expect(await minutesAhead(name)).toBeGreaterThan(0);
        }, waitMsMax);
        cut();
        await Promise.all(regionNames.map(copyAnew));
        for (const name of regionNames) {
          const rows = world.truth("play", [name]);
          const lacking = { completeThrough: null, partial: true, rows };
          expect(await shareOfOther(name)).toMatchObject(lacking);
        }
        heal();
        await world.agree();
        await until(async () => {
          for (const name of regionNames) {
            expect(await shareOfOther(name)).toMatchObject({ partial: false, certified: true });
          }
        }, waitMsMax);
        await noneAhead();
      },
    );

    it(`agree after one is put back to before it copied anew, ${nth}`, long, async () => {
      await putBack();
      // What was copied anew since comes twice from the topic: it shows, and is mended so.
      const before = await world.dump();
      await copyAnew("us");
      await world.agree();
      await world.putBack(before);
      await until(async () => expect(await minutesAhead("us")).toBeGreaterThan(0), waitMsMax);
      await copyAnew("us");
      await world.agree();
      await noneAhead();
    });
  }
});
