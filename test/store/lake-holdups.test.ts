// A process that stood still, or was cut off, between what a COMMIT is made of and the COMMIT: the
// locks that its session holds hold up nobody for long.
import { describe, expect, it } from "vitest";
import { startCutCommits } from "../support/cut-commits.ts";
import { hasLake, startLake } from "../support/lake.ts";
import { until } from "../support/until.ts";
import { Member } from "./lake-member.ts";

const msMax = 300_000;
const silentMs = 200;

describe.skipIf(!hasLake())("a COMMIT that is held up", () => {
  it("doesn't hold up others", { timeout: msMax }, async () => {
    const place = (await startLake()).placeInFolder();
    const way = await startCutCommits(place.catalog);
    const one = await Member.open({ ...place, catalog: way.catalog });
    const two = await Member.open(place);
    await one.adopt(0, [0]);
    await two.adopt(0, [1]);
    way.holdNext();
    const held = one.commit(0, 0, 0, ["a"]);
    await until(async () => expect(way.cuts()).toBe(1), msMax);
    const waiting = two.commit(0, 1, 0, ["a"]);
    expect(await two.database.catalog.endHoldups(msMax), "not silent for long").toBe(0);
    await until(async () => {
      expect(await two.database.catalog.endHoldups(silentMs)).toBe(1);
    }, msMax);
    await waiting;
    await expect(held).rejects.toThrow();
    // Nobody holds up anybody any more.
    expect(await two.database.catalog.endHoldups(0)).toBe(0);
    await one.commit(0, 0, 0, ["a"]);
    expect(await two.database.reached()).toEqual([1, 1, 0]);
    await Promise.all([one.database.close(), two.database.close()]);
  });
});
