// Rows keep their numbers in files that are merged, which mirrors find them by.
import type { DuckDBConnection } from "@duckdb/node-api";
import { describe, expect, it } from "vitest";
import { rowsOf } from "../../src/store/database.ts";
import type { LakeDatabase } from "../../src/store/lake-database.ts";
import { LakeRowIds } from "../../src/store/lake-row-ids.ts";
import { hasLake, startLake } from "../support/lake.ts";
import { compactAsLeader, Member } from "./lake-member.ts";

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

/** Files that hold numbers of rows: by rows that were in PostgreSQL, and by an UPDATE. */
const ways = {
  flush: async (database: LakeDatabase, first: number) => {
    await fill(database, first);
    return [flush, merge];
  },
  update: async (database: LakeDatabase, first: number) => {
    const add = (minute: number) =>
      `INSERT INTO count_deltas SELECT ${first + minute}, 0, 'item ' || n, 0, n
       FROM range(${many}) t(n)`;
    await database.write((c) => c.run(add(0)));
    const some = `minute = ${first} AND count < ${many - few}`;
    await database.write((c) => c.run(`UPDATE count_deltas SET count = -count WHERE ${some}`));
    await database.write((c) => c.run(add(1)));
    return [merge];
  },
};
const names = ["flush", "update"] as const;

/** Runs statements one by one; before a merge row numbers are looked after, or not. */
async function compactAll(database: LakeDatabase, sqls: string[], rowIds: LakeRowIds | null) {
  const count = async () => (await database.catalog.files.fileCounts()).get("count_deltas")!;
  let merged = 0;
  for (const sql of sqls) {
    const before = await count();
    const keep = (c: DuckDBConnection) => rowIds!.keep(c, "count_deltas");
    await compactAsLeader(database, sql, rowIds === null ? undefined : keep);
    if (sql === merge) merged += before - (await count());
  }
  expect(merged, "files fewer by merges").toBeGreaterThan(0);
}

describe.skipIf(!hasLake())("rows of a lake", () => {
  it.each(names.flatMap((way) => [[way, "placeInFolder"] as const, [way, "place"] as const]))(
    "keep their numbers where files are merged: %s, %s",
    { timeout: msMax },
    async (way, where) => {
      const { database } = await Member.open((await startLake())[where]());
      const rowIds = new LakeRowIds(database.catalog.files);
      // Once more, with files that have been merged.
      for (const first of [0, 10]) {
        const sqls = await ways[way](database, first);
        const before = await numbersIn(database);
        expect(new Set(before.values()).size).toBe(before.size);
        await mirrored(database);
        await compactAll(database, sqls, rowIds);
        expect(await numbersIn(database)).toEqual(before);
        await mirrored(database);
        const gone = `minute IN (${first}, ${first + 3}) AND count % 2 = 0`;
        await database.writeDeferrable((c) => c.run(`DELETE FROM count_deltas WHERE ${gone}`));
        const [shown, held] = await mirrored(database);
        expect(shown).toEqual(held);
      }
      await database.close();
    },
  );

  it.each(names)("lose them by DuckLake itself: %s", { timeout: msMax }, async (way) => {
    const { database } = await Member.open((await startLake()).placeInFolder());
    const sqls = await ways[way](database, 0);
    const before = await numbersIn(database);
    await mirrored(database);
    await compactAll(database, sqls, null);
    const mended = "DuckLake has mended it: lake-row-ids.ts can go";
    expect(await numbersIn(database), mended).not.toEqual(before);
    await mirrored(database);
    const gone = "minute IN (0, 3) AND count % 2 = 0";
    await database.writeDeferrable((c) => c.run(`DELETE FROM count_deltas WHERE ${gone}`));
    const [shown, held] = await mirrored(database);
    expect(shown).not.toEqual(held);
    await database.close();
  });
});
