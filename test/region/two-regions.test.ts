/** Two regions with a cut between them: both go on, and agree with a recount afterwards. */
import { cpSync, rmSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { randomFromEnvironment } from "../support/random.ts";
import { temporaryFolder } from "../support/service.ts";
import { until } from "../support/until.ts";
import { RegionWorld, regionNames } from "./region-world.ts";

const waitMsMax = 60_000;
/** A busy machine takes its time. */
const testMsMax = 180_000;
let world: RegionWorld;

beforeAll(async () => {
  world = await new RegionWorld({ random: randomFromEnvironment("two-regions") }).open();
});
afterAll(() => world.close());

async function sendBoth(): Promise<void> {
  await Promise.all(regionNames.map((name) => world.send(name, 200)));
}

describe("two regions", () => {
  it(
    "answer for both, and each tells how fresh the other is",
    async () => {
      await sendBoth();
      await world.agree();
      for (const name of regionNames) {
        await until(async () => {
          const standing = await world.expectFollowing(name);
          expect(Date.parse(standing.completeThrough)).toBeGreaterThan(Date.now() - waitMsMax * 3);
        }, waitMsMax);
        await world.expectEach(name, "play");
      }
    },
    testMsMax,
  );

  it(
    "keep what the other deleted until its counts are copied anew",
    async () => {
      // So that it isn't copied anew before it is asked for.
      world.ways.eu.mode = "refuse";
      await world.delete("us", "play", "item 0");
      const told = await world.board("us", "play");
      expect([told.partial, told.regions[1].completeThrough]).toEqual([true, null]);
      world.ways.eu.mode = "open";
      await until(async () => {
        expect((await world.standing("eu")).minutesAhead).toBeGreaterThan(0);
      }, waitMsMax);
      const { rows } = await world.board("eu", "play", { region: "us" });
      expect(rows).not.toEqual(world.truth("play", ["us"]));
      const begunAt = Date.now();
      const path = "/admin/regions/us/resync";
      const { status, body } = await world.services.eu.request(path, { method: "POST" });
      expect([status, body.region]).toEqual([200, "us"]);
      expect(body.generation).toBeGreaterThan(begunAt);
      await world.agree();
      await until(async () => {
        expect((await world.standing("eu")).minutesAhead).toBe(0);
      }, waitMsMax);
    },
    testMsMax,
  );

  it.each(["refuse", "hang"] as const)(
    "go on with a cut (%s), and agree afterwards",
    async (mode) => {
      for (const name of regionNames) world.ways[name].mode = mode;
      const before = { eu: world.truth("view", ["eu"]), us: world.truth("view", ["us"]) };
      for (let round = 0; round < 3; round++) await sendBoth();
      for (const name of regionNames) {
        const own = await world.board(name, "view", { region: name });
        expect(own.rows).toEqual(world.truth("view", [name]));
        const other = world.otherOf(name);
        expect((await world.board(name, "view", { region: other })).rows).toEqual(before[other]);
      }
      if (mode === "refuse") {
        await until(async () => {
          for (const name of regionNames) {
            expect((await world.standing(name)).state).toBe("unreachable");
          }
        }, waitMsMax);
      }
      for (const name of regionNames) world.ways[name].mode = "open";
      await world.agree();
    },
    testMsMax,
  );

  it(
    "agree after kill -9 of either while it catches up",
    async () => {
      const points = { eu: "region.before_append:2", us: "region.after_append:2" };
      for (const name of regionNames) {
        const other = world.otherOf(name);
        world.ways[other].mode = "refuse";
        await world.services[name].kill();
        await world.send(other, 300);
        await world.start(name, { failPoint: points[name] });
        await world.send(name, 50);
        world.ways[other].mode = "open";
        expect((await world.services[name].exited).signal).toBe("SIGKILL");
        await world.start(name);
      }
      await world.agree();
    },
    testMsMax,
  );

  it(
    "agree with a region that is back from an older backup, once it is copied anew",
    async () => {
      const backup = temporaryFolder();
      await world.services.us.stop();
      cpSync(world.folders.us, backup, { recursive: true });
      const before = new Map(world.counted.us);
      await world.start("us");
      await sendBoth();
      await world.agree();
      await world.services.us.kill();
      rmSync(world.folders.us, { recursive: true });
      cpSync(backup, world.folders.us, { recursive: true });
      world.counted.us = before;
      await world.start("us");
      // What it lost of the others comes again by itself; what it lost of its own stays there.
      await world.send("us", 50);
      await until(async () => {
        expect((await world.standing("eu")).minutesAhead).toBeGreaterThan(0);
      }, waitMsMax);
      const path = "/admin/regions/us/resync";
      expect((await world.services.eu.request(path, { method: "POST" })).status).toBe(200);
      await world.agree();
      await until(async () => {
        expect((await world.standing("eu")).minutesAhead).toBe(0);
      }, waitMsMax);
    },
    testMsMax,
  );

  it("tells to which point it answers for a region that is lost for good", async () => {
    await world.services.us.kill();
    const { completeThrough } = await world.standing("eu");
    await world.services.eu.stop();
    await world.start("eu", { peers: "us=lost" });
    const standing = await world.standing("eu");
    expect(standing).toMatchObject({ state: "lost", isLost: true, address: null });
    expect(Date.parse(standing.completeThrough)).toBeGreaterThanOrEqual(
      Date.parse(completeThrough),
    );
    await world.send("eu", 100);
    const board = await world.board("eu", "play");
    expect(board.rows).toEqual(world.truth("play", regionNames));
    expect(board.regions).toContainEqual(
      expect.objectContaining({
        region: "us",
        isLost: true,
        completeThrough: standing.completeThrough,
      }),
    );
    const refused = await world.services.eu.request("/admin/regions/us/resync", {
      method: "POST",
    });
    expect(refused.body.code).toBe("region_lost");
  });
});
