// Rows keep their numbers in files that are merged, which mirrors find them by.
import { describe, expect, it } from "vitest";
import { rowsOf } from "../../src/store/database.ts";
import type { LakeDatabase } from "../../src/store/lake-database.ts";
import { LakeRowIds } from "../../src/store/lake-row-ids.ts";
import { hasLake, startLake } from "../support/lake.ts";
import { Member } from "./lake-member.ts";

const msMax = 300_000;
/** More rows than stay in PostgreSQL, and fewer. */
const [many, few] = [400, 10];
const flush = "CALL ducklake_flush_inlined_data('lake', table_name => 'count_deltas')";
const merge = "CALL ducklake_merge_adjacent_files('lake', 'count_deltas')";

/** Rows in PostgreSQL, with a file between them that can't be merged, after a file that can. */
async function fill(database: LakeDatabase, first = 0): Promise<void> {
  for (const [minute, rows] of [many, few, many, few].entries()) {
    await database.write((c) =>
      c.run(`INSERT INTO count_deltas
        SELECT ${first + minute}, 0, 'item ' || n, 0, n FROM range(${rows}) t(n)`),
    );
  }
  const one = `minute = ${first + 2} AND count = ${many - 1}`;
  await database.write((c) => c.run(`DELETE FROM count_deltas WHERE ${one}`));
}

async function numbersIn(database: LakeDatabase): Promise<Map<string, number>> {
  const rows = await database.write((c) =>
    rowsOf(c, "SELECT minute || ' ' || event_id AS row, rowid::INTEGER AS n FROM count_deltas"),
  );
  return new Map(rows.map(({ row, n }) => [String(row), Number(n)]));
}

/** Rows that a mirror has, and the lake. */
async function mirrored(database: LakeDatabase): Promise<unknown[]> {
  const sql = "SELECT minute, event_id, count FROM count_deltas ORDER BY ALL";
  await database.follow();
  return Promise.all([
    database.read(msMax, (c) => rowsOf(c, sql)),
    database.write((c) => rowsOf(c, sql)),
  ]);
}

describe.skipIf(!hasLake())("rows of a lake", () => {
  it.each(["placeInFolder", "place"] as const)(
    "keep their numbers where files are merged: %s",
    { timeout: msMax },
    async (where) => {
      const { database } = await Member.open((await startLake())[where]());
      await fill(database);
      const before = await numbersIn(database);
      expect(new Set(before.values()).size).toBe(before.size);
      await mirrored(database);
      await database.compact(flush);
      expect(await numbersIn(database)).toEqual(before);
      const { files } = database.catalog;
      const rowIds = new LakeRowIds(files);
      const count = async () => (await files.fileCounts()).get("count_deltas");
      expect(await count()).toBe(3);
      await database.compact(merge, (c) => rowIds.keep(c, "count_deltas"));
      expect(await count(), "merged").toBe(2);
      expect(await numbersIn(database)).toEqual(before);
      await mirrored(database);
      await database.writeDeferrable((c) => c.run("DELETE FROM count_deltas WHERE minute = 3"));
      const [shown, held] = await mirrored(database);
      expect(shown).toEqual(held);
      // Once more, of a file that has been merged.
      await fill(database, 10);
      const again = await numbersIn(database);
      await database.compact(flush);
      await database.compact(merge, (c) => rowIds.keep(c, "count_deltas"));
      expect(await numbersIn(database)).toEqual(again);
      await database.close();
    },
  );

  it("get the numbers of others from DuckLake itself", { timeout: msMax }, async () => {
    const { database } = await Member.open((await startLake()).placeInFolder());
    await fill(database);
    await mirrored(database);
    await database.compact(flush);
    await database.compact(merge);
    const numbers = await numbersIn(database);
    const mended = "DuckLake has mended it: lake-row-ids.ts can go";
    expect(new Set(numbers.values()).size, mended).toBe(numbers.size - few);
    await mirrored(database);
    await database.writeDeferrable((c) => c.run("DELETE FROM count_deltas WHERE minute = 3"));
    const [shown, held] = await mirrored(database);
    expect(shown).not.toEqual(held);
    await database.close();
  });
});
