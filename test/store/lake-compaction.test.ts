// What is deleted while files are merged, or while which rows are gone moves to files, stays
// deleted, whoever commits last.
import { setTimeout as sleep } from "node:timers/promises";
import type { DuckDBConnection } from "@duckdb/node-api";
import { describe, expect, it } from "vitest";
import { openCatalogClient } from "../../src/store/catalog-client.ts";
import { rowsOf } from "../../src/store/database.ts";
import { LakeCompaction } from "../../src/store/lake-compaction.ts";
import { NotLeader } from "../../src/store/lake-leader.ts";
import { hasLake } from "../support/lake.ts";
import { compactAsLeader, lead, twoMembers } from "./lake-member.ts";

const msMax = 300_000;
/** Of a file: few enough for DuckLake to keep in PostgreSQL which rows are deleted. */
const deletedEach = 100;
const rows = 600;
const flush = "CALL ducklake_flush_inlined_data('lake', table_name => 'count_deltas')";
const merge = "CALL ducklake_merge_adjacent_files('lake', 'count_deltas')";

describe.skipIf(!hasLake())("compacting the files of a lake", () => {
  const members = twoMembers(msMax);

  const sum = async () => {
    const sql = "SELECT count(*)::INTEGER AS n FROM count_deltas";
    const [row] = await members.one.database.write((connection) => rowsOf(connection, sql));
    return Number(row!["n"]);
  };
  const taken = `DELETE FROM count_deltas WHERE count < ${deletedEach}`;

  async function fill(): Promise<void> {
    await members.one.database.writeDeferrable((c) => c.run("DELETE FROM count_deltas"));
    for (const minute of [1, 2]) {
      await members.one.database.write((connection) =>
        connection.run(`INSERT INTO count_deltas
          SELECT ${minute}, 0, 'item ' || n, 0, n FROM range(${rows}) t(n)`),
      );
    }
  }

  it("has a delete that begins meanwhile wait", async () => {
    await fill();
    let deleting: Promise<unknown> | null = null;
    let isDeleted = false;
    const { maintenance: own } = members.one.database;
    const maintenance = {
      connection: own.connection,
      enqueue: own.enqueue.bind(own),
      transaction: async <T>(work: (connection: DuckDBConnection) => Promise<T>) => {
        const done = await own.transaction(work);
        if (deleting !== null) return done;
        // It has been said that files are compacted.
        deleting = members.two.database
          .writeDeferrable((c) => c.run(taken))
          .then(() => {
            isDeleted = true;
          });
        await sleep(500);
        expect(isDeleted).toBe(false);
        return done;
      },
    };
    const turns = { alone: <T>(run: () => Promise<T>) => run() };
    const deps = { maintenance, turns, fence: () => lead, check: () => undefined };
    await new LakeCompaction(deps).run("merge", merge);
    await deleting;
    expect(await sum()).toBe(2 * (rows - deletedEach));
  });

  it("lets a delete through between one table and the next", { timeout: msMax }, async () => {
    await fill();
    const { one, two } = members;
    let isOver = false;
    const compacting = (async () => {
      while (!isOver) await compactAsLeader(one.database, merge);
    })();
    let tries = 0;
    const deleting = two.database.writeDeferrable((c) => {
      tries++;
      return c.run(taken);
    });
    await Promise.race([deleting, compacting]);
    isOver = true;
    await compacting;
    // The first may have come in the middle of one, the second waits for its turn.
    expect(tries).toBeLessThanOrEqual(2);
    expect(await sum()).toBe(2 * (rows - deletedEach));
  });

  it("has whoever commits wait, instead of being given up", { timeout: msMax }, async () => {
    await fill();
    const order: string[] = [];
    let writing: Promise<unknown> | null = null;
    const prepare = async () => {
      writing = members.two.database.write(async (c) => {
        order.push("another");
        await c.run("INSERT INTO type_graves VALUES (7)");
      });
      await sleep(500);
      order.push("merge");
    };
    await compactAsLeader(members.one.database, merge, prepare);
    await writing;
    expect(order).toEqual(["merge", "another"]);
    expect(await sum()).toBe(2 * rows);
  });

  it("has a delete that began before look again", async () => {
    await fill();
    let tries = 0;
    await members.two.database.writeDeferrable(async (connection) => {
      const result = await connection.run(taken);
      if (++tries === 1) await compactAsLeader(members.one.database, merge);
      return result;
    });
    expect(tries).toBe(2);
    expect(await sum()).toBe(2 * (rows - deletedEach));
  });

  /** As the next leader's first transaction does, with what it takes away then. */
  async function takeTurn(): Promise<void> {
    const next = "UPDATE leadership SET epoch = epoch + 1, compacting = false";
    await members.two.database.write((c) => c.run(next));
    await members.two.database.writeDeferrable((c) => c.run(taken));
  }

  it("is not begun by who is not the leader", async () => {
    await fill();
    const { database } = members.one;
    await expect(database.compaction.run("merge", merge)).rejects.toThrow(NotLeader);
    await members.two.database.writeDeferrable((c) => c.run(taken));
    expect(await sum()).toBe(2 * (rows - deletedEach));
  });

  it("is not begun by who lost its turn when it had said that it would", async () => {
    await fill();
    const { database } = members.one;
    await expect(compactAsLeader(database, merge, takeTurn)).rejects.toThrow(NotLeader);
    expect(await sum()).toBe(2 * (rows - deletedEach));
  });

  it("says that it is over, later where it could not at once", { timeout: msMax }, async () => {
    await fill();
    const { maintenance: own } = members.one.database;
    let transactions = 0;
    const maintenance = {
      connection: own.connection,
      enqueue: own.enqueue.bind(own),
      transaction: async <T>(work: (connection: DuckDBConnection) => Promise<T>) => {
        transactions++;
        if (transactions === 2) throw new Error("PostgreSQL is away");
        const done = await own.transaction(work);
        // Its COMMIT was done, and the answer was not heard.
        if (transactions === 4) throw new Error("PostgreSQL went away");
        return done;
      },
    };
    const turns = { alone: <T>(run: () => Promise<T>) => run() };
    const deps = { maintenance, turns, fence: () => lead, check: () => undefined };
    const compaction = new LakeCompaction(deps);
    const isSaid = async () => {
      const sql = "SELECT compacting FROM leadership";
      const [row] = await members.two.database.write((c) => rowsOf(c, sql));
      return row!["compacting"];
    };
    await expect(compaction.run("merge", merge)).rejects.toThrow("is away");
    expect(await isSaid()).toBe(true);
    await compaction.settle();
    expect(await isSaid()).toBe(false);
    await expect(compaction.run("merge", merge)).rejects.toThrow("went away");
    expect(await isSaid()).toBe(false);
    const before = transactions;
    await compaction.settle();
    expect(transactions).toBe(before);
  });

  it("is given up by who was taken for gone", async () => {
    await fill();
    const { connection } = members.one.database.maintenance;
    await members.one.database.write((c) => c.run("UPDATE leadership SET compacting = true"));
    await connection.run("SET SESSION ducklake_max_retry_count = 0");
    await connection.run("BEGIN TRANSACTION");
    await connection.run(merge);
    await takeTurn();
    await expect(connection.run("COMMIT")).rejects.toThrow(/retry count/);
    await connection.run("ROLLBACK").catch(() => undefined);
    await connection.run("RESET SESSION ducklake_max_retry_count");
    expect(await sum()).toBe(2 * (rows - deletedEach));
  });

  it("loses deletes without all that", async () => {
    await fill();
    const { connection } = members.one.database.maintenance;
    await connection.run("BEGIN TRANSACTION");
    await connection.run(merge);
    await members.two.database.writeDeferrable((c) => c.run(taken));
    await connection.run("COMMIT");
    expect(await sum(), "DuckLake has mended it: lake-compaction.ts can go").toBe(2 * rows);
  });

  /** Has the lake's next state but one be somebody else's, once it is over. */
  async function overtake(): Promise<() => Promise<void>> {
    const { catalog, schema } = members.place;
    const { snapshot } = await members.one.database.catalog.latest();
    const client = await openCatalogClient(catalog, () => undefined);
    const next = snapshot + 2;
    await client.query("BEGIN");
    await client.query(`INSERT INTO "${schema}".ducklake_snapshot
      SELECT ${next}, now(), schema_version, next_catalog_id, next_file_id + 100
      FROM "${schema}".ducklake_snapshot WHERE snapshot_id = ${snapshot}`);
    await client.query(`INSERT INTO "${schema}".ducklake_snapshot_changes
      (snapshot_id, changes_made) VALUES (${next}, '')`);
    return async () => {
      await client.query("COMMIT");
      await client.end();
    };
  }

  /** Moves to files which rows are deleted, while somebody else commits. */
  async function flushOvertaken(run: (sql: string) => Promise<unknown>): Promise<unknown> {
    const over = await overtake();
    const flushing = run(flush).catch((error) => error);
    await sleep(2000);
    await over();
    return flushing;
  }

  it("moves no deleted rows to files that others overtake", { timeout: msMax }, async () => {
    const { one, two } = members;
    await fill();
    await one.database.writeDeferrable((c) => c.run(taken));
    const left = 2 * (rows - deletedEach);
    const error = await flushOvertaken((sql) => compactAsLeader(one.database, sql));
    expect(String(error)).toContain("retry count");
    expect(await sum()).toBe(left);
    await compactAsLeader(one.database, flush);
    expect(await sum()).toBe(left);
    await two.database.follow();
    const shown = await two.database.read(msMax, (c) =>
      rowsOf(c, "SELECT count(*)::INTEGER AS n FROM count_deltas"),
    );
    expect(shown).toEqual([{ n: left }]);
  });

  it("says nothing of the rows that it moved where it failed", { timeout: msMax }, async () => {
    const { database } = members.one;
    await fill();
    await database.write((c) =>
      c.run(`INSERT INTO count_deltas VALUES (3, 0, 'what "x": a user likes', 0, 1)`),
    );
    const error = (await flushOvertaken((sql) => compactAsLeader(database, sql))) as Error;
    expect(error.message).toMatch(/^TransactionContext Error: Failed to commit/);
    expect(error.message).toMatch(
      /Failed to execute query "INSERT…": ERROR: {2}duplicate key value/,
    );
    expect(`${error.stack} ${String(error.cause)}`).not.toMatch(/likes|VALUES/);
  });

  it("is not what DuckLake does by itself", { timeout: msMax }, async () => {
    const { one } = members;
    await fill();
    await one.database.writeDeferrable((c) => c.run(taken));
    // A commit, so that it is the next but one.
    const plain = async (sql: string) => {
      await one.database.write((c) => c.run("INSERT INTO type_graves VALUES (7)"));
      return one.database.upkeep(sql);
    };
    await flushOvertaken(plain);
    const back = "DuckLake has mended it: moving rows to files needs no turn of its own";
    expect(await sum(), back).not.toBe(2 * (rows - deletedEach));
  });
});
