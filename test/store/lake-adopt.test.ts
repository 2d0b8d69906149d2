// Partitions that change hands while somebody goes on committing to them.
import { describe, expect, it } from "vitest";
import { hasLake, startLake } from "../support/lake.ts";
import { Member } from "./lake-member.ts";

const msMax = 300_000;

describe.skipIf(!hasLake())("taking over a partition of a lake", () => {
  it("is given up soon where its holder goes on", { timeout: msMax }, async () => {
    const place = (await startLake()).placeInFolder();
    const [one, two] = [await Member.open(place), await Member.open(place)];
    await one.adopt(0, [0]);
    const { writer } = two.database;
    const run = writer.run.bind(writer);
    let [from, isHolding, tries] = [0, true, 0];
    writer.run = async (sql, values, types) => {
      if (sql === "COMMIT" && isHolding) {
        tries++;
        await one.commit(0, 0, from++, ["a"]);
      }
      return run(sql, values, types);
    };
    await expect(two.adopt(0, [0])).rejects.toThrow(/conflict/i);
    expect(tries).toBe(6);
    isHolding = false;
    const { starts } = await two.adopt(0, [0]);
    expect(starts).toEqual([{ partition: 0, offset: from, tail: `tail ${from - 1}` }]);
    await expect(one.commit(0, 0, from, ["a"])).rejects.toThrow(/taken over/);
    await two.commit(0, 0, from, ["a"]);
    expect(await two.database.reached()).toEqual([from + 1, 0, 0]);
    await Promise.all([one.database.close(), two.database.close()]);
  });
});
