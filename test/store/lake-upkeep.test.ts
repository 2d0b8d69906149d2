// What DuckLake wants done keeps every row, takes files away, and a mirror that fell behind comes
// back.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { LakePlace } from "../../src/model-lake.ts";
import { openCatalogClient } from "../../src/store/catalog-client.ts";
import { rowsOf } from "../../src/store/database.ts";
import { LakeDatabase } from "../../src/store/lake-database.ts";
import { LakeUpkeep } from "../../src/store/lake-upkeep.ts";
import { databaseDefaults } from "../../src/store/open-instance.ts";
import { prepareSchema } from "../../src/store/schema.ts";
import { hasLake, startLake } from "../support/lake.ts";
import { temporaryFolder } from "../support/service.ts";
import { lead } from "./lake-member.ts";

const msMax = 300_000;
const commits = 12;

/** Parquet files below a folder. */
function filesIn(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return names.filter((name) => name.endsWith(".parquet"));
}

/** Counts the rows that PostgreSQL holds of a table, those that nobody sees among them. */
async function rowCounter(database: LakeDatabase, { catalog, schema }: LakePlace, name: string) {
  const tables = await database.catalog.tables((await database.catalog.latest()).snapshot);
  const [id] = [...tables].find(([, own]) => own === name)!;
  return async () => {
    const client = await openCatalogClient(catalog, () => undefined);
    const own = `ducklake_inlined_data_${id}_`;
    const sql = `SELECT tablename FROM pg_tables
      WHERE schemaname = $1 AND starts_with(tablename, $2)`;
    let rows = 0;
    for (const { tablename } of (await client.query(sql, [schema, own])).rows) {
      const counted = await client.query(`SELECT count(*) AS n FROM "${schema}"."${tablename}"`);
      rows += Number(counted.rows[0].n);
    }
    await client.end();
    return rows;
  };
}

/** Files of the newest state that hold no row. */
async function emptyFiles({ catalog, schema }: LakePlace): Promise<number> {
  const client = await openCatalogClient(catalog, () => undefined);
  const { rows } = await client.query(`SELECT count(*) AS n FROM "${schema}".ducklake_data_file
    JOIN "${schema}".ducklake_delete_file AS gone USING (data_file_id)
    WHERE ducklake_data_file.end_snapshot IS NULL AND gone.delete_count = record_count`);
  await client.end();
  return Number(rows[0].n);
}

describe.skipIf(!hasLake())("a lake's upkeep", () => {
  it("keeps every row in fewer files, also for who fell behind", { timeout: msMax }, async () => {
    const place = (await startLake()).placeInFolder();
    const open = () =>
      LakeDatabase.open(temporaryFolder(), place, {
        ...databaseDefaults,
        onStep: () => undefined,
      });
    const [own, behind] = [await open(), await open()];
    const identity = { logId: "log", partitionCount: 1, seed: "0".repeat(16), beginOffsets: [] };
    await own.write((connection) => prepareSchema(connection, identity));
    const deltas = "SELECT count(*) AS n, sum(count)::BIGINT AS sum FROM count_deltas";
    const seen = (database: LakeDatabase) => database.read(msMax, (c) => rowsOf(c, deltas));
    await seen(behind);
    for (let i = 0; i < commits; i++) {
      const rows = i % 2 === 0 ? 10 : 1000;
      await own.write((connection) =>
        connection.run(`INSERT INTO count_deltas
          SELECT ${i}, 0, 'item ' || n, 0, n FROM range(${rows}) t(n)`),
      );
    }
    await own.write((connection) => connection.run("DELETE FROM count_deltas WHERE minute < 4"));
    // More at once than stay in PostgreSQL, then fewer: of the first file nothing is left.
    for (const least of [300, 0]) {
      const sql = `DELETE FROM count_deltas WHERE minute = 5 AND count >= ${least}`;
      await own.write((connection) => connection.run(sql));
    }
    const rowsOfFence = await rowCounter(own, place, "fence_0");
    for (let i = 0; i < commits; i++) {
      await own.write((c) => c.run("UPDATE fence_0 SET commits = commits + 1"));
    }
    expect(await rowsOfFence(), "each change leaves one").toBe(commits + 1);
    const before = filesIn(join(place.dataPath, "lake")).length;
    expect([...(await own.catalog.files.inlinedTables())]).toContain("count_deltas");
    const failures: unknown[] = [];
    own.fenceDeferrable(lead);
    const upkeep = new LakeUpkeep(
      {
        write: (work) => own.writeDeferrable(work),
        run: (sql) => own.upkeep(sql),
        compaction: own.compaction,
        files: own.catalog.files,
        removeOrphans: async () => undefined,
        onFailure: (error) => failures.push(error),
      },
      { everyMs: 1000, snapshotAgeMs: 1, fileAgeMs: 1, orphansEveryMs: 1, mergeLargeEveryMs: 1 },
    );
    expect(await upkeep.step(0)).toBe(true);
    expect(await upkeep.step(500), "not due yet").toBe(false);
    // What one step replaced goes with the next.
    for (const now of [1000, 2000]) {
      await sleep(50);
      expect(await upkeep.step(now)).toBe(true);
    }
    expect(failures).toEqual([]);
    expect((await own.catalog.files.inlinedTables()).has("count_deltas")).toBe(false);
    expect(await rowsOfFence(), "what no state shows").toBe(1);
    const [fence] = await own.write((c) => rowsOf(c, "SELECT commits FROM fence_0"));
    expect(Number(fence!["commits"])).toBe(commits);
    expect(await emptyFiles(place), "which DuckLake leaves").toBe(0);
    const expected = [{ n: 4n * 10n + 3n * 1000n, sum: 4n * 45n + 3n * 499_500n }];
    expect(await seen(own)).toEqual(expected);
    await behind.follow();
    expect(await seen(behind)).toEqual(expected);
    expect(filesIn(join(place.dataPath, "lake")).length).toBeLessThan(before);
    await Promise.all([own.close(), behind.close()]);
  });
});
