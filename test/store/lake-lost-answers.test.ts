// A COMMIT whose answer is lost: nothing that it committed goes, and nothing is counted twice.
import { describe, expect, it } from "vitest";
import type { LakePlace } from "../../src/model-lake.ts";
import { rowsOf } from "../../src/store/database.ts";
import { removeOrphans } from "../../src/store/lake-orphans.ts";
import { openRawPlace } from "../../src/store/open-raw-place.ts";
import { startCutCommits } from "../support/cut-commits.ts";
import { hasLake, type Lake, startLake } from "../support/lake.ts";
import { Member } from "./lake-member.ts";

const msMax = 300_000;
const rows = 1000;

const kinds = [
  ["a bucket", (lake: Lake) => lake.place()],
  ["a folder", (lake: Lake) => lake.placeInFolder()],
] as const;

const insert = (minute: number) => `INSERT INTO count_deltas
  SELECT ${minute}, 0, 'item ' || n, 0, 1 FROM range(${rows}) t(n)`;

/** Files of the lake, by the way that this process goes. */
function filesOf(member: Member, place: LakePlace): Promise<string[]> {
  return member.database.column(`SELECT file FROM glob('${place.dataPath}/lake/**')`);
}

describe.skipIf(!hasLake())("a lake whose answer to a COMMIT is lost", () => {
  it.each(kinds)("keeps the files in %s", { timeout: msMax }, async (_, placeOf) => {
    const place = placeOf(await startLake());
    const way = await startCutCommits(place.catalog);
    const one = await Member.open({ ...place, catalog: way.catalog });
    const { database } = one;
    const sum = async () => {
      const sql = "SELECT minute, sum(count)::BIGINT AS n FROM count_deltas GROUP BY 1 ORDER BY 1";
      const found = await database.read(msMax, (c) => rowsOf(c, sql));
      return found.map(({ minute, n }) => [Number(minute), Number(n)]);
    };

    way.cutNext();
    await expect(database.write((c) => c.run(insert(1)))).rejects.toThrow(/COMMIT/);
    await database.upkeep(insert(2));
    way.cutNext();
    const merge = "CALL ducklake_merge_adjacent_files('lake')";
    await expect(database.upkeep(merge)).rejects.toThrow(/COMMIT/);
    expect(way.cuts()).toBe(2);
    await database.follow();
    expect(await sum()).toEqual([
      [1, rows],
      [2, rows],
    ]);

    // What is rolled back stays as well, until somebody looks whether the lake names it.
    const rolledBack = database.write(async (c) => {
      await c.run(insert(3));
      throw new Error("on purpose");
    });
    await expect(rolledBack).rejects.toThrow("on purpose");
    const before = await filesOf(one, place);
    const deps = {
      column: (sql: string) => database.column(sql),
      namedOf: (names: readonly string[]) => database.catalog.files.namedOf(names),
      place: await openRawPlace(place),
      data: place,
    };
    expect(await removeOrphans(deps, Date.now() - 3_600_000), "too young").toBe(0);
    expect(await removeOrphans(deps, Date.now() + 1000)).toBe(1);
    expect((await filesOf(one, place)).length).toBe(before.length - 1);
    const again = await Member.open(place);
    await again.database.follow();
    const read = "SELECT sum(count)::BIGINT AS n FROM count_deltas";
    const found = await again.database.read(msMax, (c) => rowsOf(c, read));
    expect(Number(found[0]!["n"])).toBe(2 * rows);
    await Promise.all([one.database.close(), again.database.close()]);
  });

  it("goes on with what was committed", { timeout: msMax }, async () => {
    const place = (await startLake()).placeInFolder();
    const way = await startCutCommits(place.catalog);
    const one = await Member.open({ ...place, catalog: way.catalog });
    await one.adopt(0, [0, 1]);
    const part = one.part(0, 0, 0, ["a"]);
    way.cutNext();
    await expect(one.checkpointer.commit(part)).rejects.toThrow(/COMMIT/);
    await one.checkpointer.commit(part);
    await one.commit(0, 0, 1, ["a"]);
    await one.database.follow();
    expect((await one.types()).map(([name, , total]) => [name, total])).toEqual([["a", 2]]);
    expect(await one.database.reached()).toEqual([2, 0, 0]);
    // Of one partition it holds no event: a transaction's marker, say, has nothing to tell it by.
    const marked = one.part(0, 1, 0, ["a"]);
    marked.offsets.push({ partition: 0, from: 2, next: 3, tail: null });
    way.cutNext();
    await expect(one.checkpointer.commit(marked)).rejects.toThrow(/COMMIT/);
    await one.checkpointer.commit(marked);
    await one.database.follow();
    expect((await one.types()).map(([name, , total]) => [name, total])).toEqual([["a", 3]]);
    expect(await one.database.reached()).toEqual([3, 1, 0]);
    await one.database.close();
  });
});
