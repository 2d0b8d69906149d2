// Whatever comes and goes in a lake, and however DuckLake moves rows between its files meanwhile:
// whoever follows it holds what the lake does, and older states stay as they were.
import { isDeepStrictEqual } from "node:util";
import type { DuckDBConnection } from "@duckdb/node-api";
import { expect, it } from "vitest";
import { addMutation, type Touched } from "../../src/store/changes.ts";
import { rowsOf } from "../../src/store/database.ts";
import type { LakeDatabase } from "../../src/store/lake-database.ts";
import { rewriteHoled } from "../../src/store/lake-holes.ts";
import type { MirrorStep } from "../../src/store/lake-mirror.ts";
import { LakeRowIds } from "../../src/store/lake-row-ids.ts";
import { buryType } from "../../src/store/lake-types.ts";
import { hasLake, startLake } from "../support/lake.ts";
import { randomFromEnvironment } from "../support/random.ts";
import { compactAsLeader, Member } from "./lake-member.ts";

const msMax = 600_000;
const steps = 90;
/** Rows beyond which an insert or a delete makes a file. */
const inlinedRowsMax = 300;
const rowsSql = "SELECT event_id, count(*) AS n FROM count_deltas GROUP BY 1 ORDER BY 1";
const recentSql = (table: string) =>
  `SELECT event_type, event_id, event_time, weight FROM ${table} ORDER BY ALL`;
/** Rows' own values tell DuckLake's figures of a column apart from those of another state. */
const stateSql = (table: string, first: number) => `SELECT minute, count(*) AS n,
  sum(count)::BIGINT AS sum FROM ${table} WHERE minute >= ${first} GROUP BY minute ORDER BY 1`;
/** States looked back at. */
const statesMax = 12;
const writes = ["add", "take", "change", "addRecent", "takeRecent"] as const;
const upkeeps = {
  flush: "CALL ducklake_flush_inlined_data('lake', table_name => 'count_deltas')",
  merge: "CALL ducklake_merge_adjacent_files('lake')",
};

/** What states of count_deltas held when they were new. */
class States {
  readonly #member: Member;
  readonly #held = new Map<number, { first: number; rows: unknown }>();

  constructor(member: Member) {
    this.#member = member;
  }

  async note(first: number): Promise<void> {
    const { database } = this.#member;
    const { snapshot } = await database.catalog.latest();
    const sql = stateSql("count_deltas", first);
    const rows = await database.write((c) => rowsOf(c, sql));
    if (!this.#held.has(snapshot)) this.#held.set(snapshot, { first, rows });
  }

  /** States that are not what they were, the oldest first. */
  async changed(): Promise<number[]> {
    const changed: number[] = [];
    for (const [snapshot, { first, rows }] of [...this.#held].slice(-statesMax)) {
      const sql = stateSql(`count_deltas AT (VERSION => ${snapshot})`, first);
      const found = await this.#member.database.write((c) => rowsOf(c, sql).catch(String));
      if (!isDeepStrictEqual(found, rows)) changed.push(snapshot);
    }
    return changed;
  }
}

/** Runs a statement while others commit before it does; how often it was tried. */
async function writeOvertaken(
  database: LakeDatabase,
  sql: string,
  overtake: (() => Promise<unknown>) | null,
): Promise<number> {
  let tries = 0;
  await database.write(async (c) => {
    await c.run(sql);
    if (tries++ === 0) await overtake?.();
  });
  return tries;
}

/** Changes nothing that the tests look at. */
const another = (c: DuckDBConnection) => c.run("INSERT INTO type_graves VALUES (77)");

it.skipIf(!hasLake())("A mirror tells of a type that is gone as a whole", async () => {
  const place = (await startLake()).placeInFolder();
  const touched: Touched[] = [];
  const note = (step: MirrorStep) => void touched.push(...step.touched);
  const [member, other] = [await Member.open(place), await Member.open(place, note)];
  await member.adopt(0, [0]);
  await member.commit(0, 0, 0, ["gone", "stays"]);
  await other.database.follow();
  const gone = (await other.types()).find(([name]) => name === "gone")!;
  touched.length = 0;
  await member.database.writeDeferrable(async (c) => {
    await buryType(c, gone[1] as number);
    await addMutation(c);
  });
  await other.database.follow();
  const told = touched.filter(({ undoes }) => undoes).map(({ eventType }) => eventType);
  expect(told.sort()).toEqual(["gone", "stays"]);
  await Promise.all([member.database.close(), other.database.close()]);
});

it.skipIf(!hasLake())("A mirror holds the rows of its lake", { timeout: msMax }, async () => {
  const random = randomFromEnvironment("lake mirror");
  const place = (await startLake()).place();
  const [member, other] = [await Member.open(place), await Member.open(place)];
  const { database } = member;
  const states = new States(member);
  const rowIds = new LakeRowIds(database.catalog.files);
  let next = 0;
  let minute = 100;
  const add = () => {
    const rows = random.chance(0.5) ? random.int(1, 40) : random.int(inlinedRowsMax, 500);
    next += rows;
    return `INSERT INTO count_deltas SELECT ${minute++}, 0, 'item ' || i, 0, i % 7 + 1
      FROM range(${next - rows}, ${next}) AS new (i)`;
  };
  const take = () => {
    const first = random.int(0, next);
    const some = `CAST(event_id[6:] AS BIGINT) BETWEEN ${first} AND ${first + random.int(1, 900)}`;
    const most = `hash(event_id) % 20 <> ${random.int(0, 19)}`;
    return `DELETE FROM count_deltas WHERE ${random.pick([some, most])}`;
  };
  const change = () => {
    const first = random.int(0, next);
    return `UPDATE count_deltas SET count = count + 100
      WHERE CAST(event_id[6:] AS BIGINT) BETWEEN ${first} AND ${first + random.int(1, 900)}`;
  };
  const addRecent = () => {
    const rows = random.int(1, 400);
    return `INSERT INTO raw_recent BY NAME SELECT 'play' AS event_type, 'item ' || i AS event_id,
      make_timestamp(i * 1000000) AS event_time, make_timestamp(0) AS received_at,
      'user' AS user_id, 1 AS weight
      FROM range(${rows}) AS new (i)`;
  };
  const takeRecent = () =>
    `DELETE FROM raw_recent${random.chance(0.5) ? "" : ` WHERE hash(event_id) % 3 = 0`}`;
  const log: string[] = [];
  for (let step = 0; step < steps; step++) {
    const kind = random.pick([...writes, ...writes, "flush", "merge", "end", "fill"] as const);
    log.push(kind);
    const write = { add, take, change, addRecent, takeRecent }[kind as string];
    if (write !== undefined) {
      const isOvertaken = random.chance(0.3);
      if (isOvertaken) log.push("(overtaken)");
      await writeOvertaken(
        database,
        write(),
        isOvertaken ? () => other.database.write(another) : null,
      );
    } else if (kind === "end") await database.catalog.files.endEmptyFiles();
    else if (kind === "fill") {
      const files = (await database.catalog.files.holedFiles()).get("count_deltas") ?? [];
      if (files.length > 0) await database.write((c) => rewriteHoled(c, "count_deltas", files));
    } else if (kind === "merge") {
      await compactAsLeader(database, upkeeps.merge, async (c) => {
        for (const table of ["count_deltas", "raw_recent"]) await rowIds.keep(c, table);
      });
    } else await database.upkeep(upkeeps[kind as keyof typeof upkeeps]);
    await states.note(random.int(100, minute));
    expect(await states.changed(), log.join(" ")).toEqual([]);
    if (!random.chance(0.3)) continue;
    log.push("follow");
    const read = (c: DuckDBConnection) => rowsOf(c, rowsSql);
    await database.follow();
    expect(await database.read(msMax, read), log.join(" ")).toEqual(await database.write(read));
    const shown = await database.read(msMax, (c) => rowsOf(c, recentSql("recent_events")));
    const held = await database.write((c) => rowsOf(c, recentSql("raw_recent")));
    expect(shown, log.join(" ")).toEqual(held);
  }
  await Promise.all([database.close(), other.database.close()]);
});

const aloneMsMax = 120_000;

it.skipIf(!hasLake())(
  "Files written anew change older states",
  { timeout: aloneMsMax },
  async () => {
    const member = await Member.open((await startLake()).place());
    const { database } = member;
    const states = new States(member);
    await database.write((c) =>
      c.run(
        `INSERT INTO count_deltas SELECT i // 100, 0, 'item', 0, i FROM range(600) AS new (i)`,
      ),
    );
    await states.note(0);
    await database.write((c) => c.run("DELETE FROM count_deltas WHERE count < 590"));
    expect(await states.changed()).toEqual([]);
    const sql = "CALL ducklake_rewrite_data_files('lake', 'count_deltas', delete_threshold => 0)";
    await database.upkeep(sql);
    const { length } = await states.changed();
    expect(length, "DuckLake has mended it: upkeep may write files anew").toBe(1);
    await database.close();
  },
);

it.skipIf(!hasLake())(
  "Rows that a later state takes are there before",
  { timeout: aloneMsMax },
  async () => {
    const place = (await startLake()).place();
    const [member, other] = [await Member.open(place), await Member.open(place)];
    const { database } = member;
    const states = new States(other);
    await database.write((c) =>
      c.run(`INSERT INTO count_deltas SELECT 100 + i // 1000, 0, 'item ' || i, 0, i
        FROM range(2000) AS new (i)`),
    );
    const overtake = async () => {
      for (let i = 0; i < 3; i++) {
        await other.database.write(another);
        await states.note(0);
        await database.follow();
      }
    };
    const take = (from: number, count: number) =>
      `DELETE FROM count_deltas WHERE count >= ${from} AND count < ${from + count}`;
    // The first rows that go of a file; then some more, of which it writes when they went.
    expect(await writeOvertaken(database, take(0, 400), overtake)).toBe(1);
    expect(await writeOvertaken(database, take(400, 400), overtake)).toBe(2);
    // Few lie in PostgreSQL.
    expect(await writeOvertaken(database, take(800, 10), overtake)).toBe(1);
    expect(await states.changed()).toEqual([]);
    const read = (c: DuckDBConnection) => rowsOf(c, rowsSql);
    await database.follow();
    expect(await database.read(msMax, read)).toEqual(await database.write(read));
    await Promise.all([database.close(), other.database.close()]);
  },
);
