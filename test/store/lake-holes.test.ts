// Files of a lake that have lost some rows are made whole, so that they can be merged.
import { describe, expect, it } from "vitest";
import { rowsOf } from "../../src/store/database.ts";
import { chooseHoled, type HoledFile, rewriteHoled } from "../../src/store/lake-holes.ts";
import { hasLake, startLake } from "../support/lake.ts";
import { compactAsLeader, Member } from "./lake-member.ts";

const msMax = 120_000;
const files = 6;
const rows = 1000;

describe("files that are made whole", () => {
  const holed = (...sizes: number[]): HoledFile[] =>
    sizes.map((size, i) => ({ name: `${i}.parquet`, rows: size }));

  it("are none where they are few", () => {
    expect(chooseHoled([])).toEqual([]);
    expect(chooseHoled(holed(1, 2, 3))).toEqual([]);
  });

  it("are the small ones, as many as one transaction takes", () => {
    const names = (list: readonly HoledFile[]) => list.map(({ name }) => name);
    expect(names(chooseHoled(holed(7, 100_001, 5, 6, 8)))).toEqual([
      "2.parquet",
      "3.parquet",
      "0.parquet",
      "4.parquet",
    ]);
    expect(chooseHoled(holed(...new Array<number>(9).fill(100_000)))).toHaveLength(5);
    expect(chooseHoled(holed(...new Array<number>(3).fill(100_001)))).toEqual([]);
  });

  it.skipIf(!hasLake())("keep each row, and are merged", { timeout: msMax }, async () => {
    const member = await Member.open((await startLake()).placeInFolder());
    const { database } = member;
    for (let minute = 0; minute < files; minute++) {
      await database.write((c) =>
        c.run(`INSERT INTO window_minute SELECT ${minute}, i, i, 1, 0 FROM range(${rows}) t(i)`),
      );
    }
    // A few of each, which DuckLake keeps in PostgreSQL until it moves to files.
    await database.writeDeferrable((c) =>
      c.run("DELETE FROM window_minute WHERE total % 200 = 7"),
    );
    const sums = (table: string) =>
      database.write((c) =>
        rowsOf(
          c,
          `SELECT start, count(*) AS n, sum(total)::BIGINT AS sum FROM ${table}
           GROUP BY start ORDER BY start`,
        ),
      );
    const before = await sums("window_minute");
    expect(before.map(({ n }) => n)).toEqual(new Array(files).fill(BigInt(rows - 5)));
    const { snapshot } = await database.catalog.latest();
    await database.upkeep(
      "CALL ducklake_flush_inlined_data('lake', table_name => 'window_minute')",
    );
    const merge = "CALL ducklake_merge_adjacent_files('lake', 'window_minute')";
    await compactAsLeader(database, merge);
    const fileCount = async () => (await database.catalog.files.fileCounts()).get("window_minute");
    expect(await fileCount(), "not merged: DuckLake has mended it").toBe(files);
    const found = chooseHoled((await database.catalog.files.holedFiles()).get("window_minute")!);
    expect(found).toHaveLength(files);
    await database.writeDeferrable((c) => rewriteHoled(c, "window_minute", found));
    expect((await database.catalog.files.holedFiles()).has("window_minute")).toBe(false);
    await compactAsLeader(database, merge);
    expect(await fileCount()).toBe(1);
    expect(await sums("window_minute")).toEqual(before);
    expect(await sums(`window_minute AT (VERSION => ${snapshot})`)).toEqual(before);
    await database.close();
  });
});
