// What goes of a lake goes from all of its catalog, figures too, and figures stay true meanwhile.
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { LakePlace } from "../../src/model-lake.ts";
import { openCatalogClient } from "../../src/store/catalog-client.ts";
import { rowsOf } from "../../src/store/database.ts";
import type { LakeDatabase } from "../../src/store/lake-database.ts";
import { LakeUpkeep } from "../../src/store/lake-upkeep.ts";
import { hasLake } from "../support/lake.ts";
import { lead, twoMembers } from "./lake-member.ts";

const msMax = 300_000;
/** More than stay in PostgreSQL. */
const many = 400;

/** Tables of the catalog in PostgreSQL that have a text in any row. */
async function tablesHolding({ catalog, schema }: LakePlace, text: string): Promise<string[]> {
  const client = await openCatalogClient(catalog, () => undefined);
  const named = "SELECT tablename FROM pg_tables WHERE schemaname = $1 ORDER BY tablename";
  const holding: string[] = [];
  for (const { tablename: name } of (await client.query(named, [schema])).rows) {
    const sql = `SELECT count(*)::integer AS n FROM "${schema}"."${name}" AS own
      WHERE position($1 IN own::text) > 0 OR position($2 IN own::text) > 0`;
    const hex = Buffer.from(text).toString("hex");
    if ((await client.query(sql, [text, hex])).rows[0].n > 0) holding.push(name);
  }
  await client.end();
  return holding;
}

describe.skipIf(!hasLake())("the catalog of a lake", () => {
  const members = twoMembers(msMax);
  const add = (database: LakeDatabase, user: string, count: number) =>
    database.write((c) =>
      c.run(`INSERT INTO raw_recent SELECT make_timestamp_ms(0), make_timestamp_ms(0), 1, 'play',
        'item', '${user} ' || n, 'session of ${user}', '{"mail":"${user}"}'
        FROM range(${count}) t(n)`),
    );
  const count = async (database: LakeDatabase, user: string) => {
    const [row] = await database.write((c) =>
      rowsOf(
        c,
        `SELECT count(*)::INTEGER AS n FROM raw_recent
         WHERE user_id > '${user} ' AND user_id < '${user} :'`,
      ),
    );
    return row!["n"];
  };

  it("has nothing of a user who is gone in any table", { timeout: msMax }, async () => {
    const { one, two, place } = members;
    const failures: unknown[] = [];
    const { database } = one;
    database.fenceDeferrable(lead);
    const upkeep = new LakeUpkeep(
      {
        files: database.catalog.files,
        write: (work) => database.writeDeferrable(work),
        run: (sql) => database.upkeep(sql),
        compaction: database.compaction,
        removeOrphans: async () => undefined,
        onFailure: (error) => failures.push(error),
      },
      { everyMs: 1000, snapshotAgeMs: 1, fileAgeMs: 1, orphansEveryMs: 1, mergeLargeEveryMs: 1 },
    );
    await add(database, "aa", many);
    await add(two.database, "yy", 3);
    await add(database, "zz", 3);
    await add(two.database, "zz", many);
    expect(await tablesHolding(place, "aa 0")).toContain("ducklake_table_column_stats");
    await upkeep.step(0);
    await add(two.database, "mm", 3);
    expect(
      await Promise.all(["aa", "mm", "yy", "zz"].map((user) => count(database, user))),
    ).toEqual([many, 3, 3, many + 3]);
    expect(await count(two.database, "zz")).toBe(many + 3);

    // As an erasure does: what stays is written to a file of its own.
    await database.writeDeferrable((c) => c.run("DELETE FROM raw_recent"));
    await add(two.database, "nn", 3);
    for (const now of [1000, 2000, 3000]) {
      await sleep(50);
      await upkeep.step(now);
    }
    for (const gone of ["aa 0", "zz 99", "of zz", '"aa"']) {
      expect(await tablesHolding(place, gone), gone).toEqual([]);
    }
    expect(await tablesHolding(place, "of nn"), "who is there").toEqual([
      "ducklake_file_column_stats",
    ]);
    for (const own of [database, two.database]) {
      expect(await Promise.all(["aa", "mm", "nn"].map((user) => count(own, user)))).toEqual([
        0, 0, 3,
      ]);
    }
    expect(failures).toEqual([]);
  });
});
