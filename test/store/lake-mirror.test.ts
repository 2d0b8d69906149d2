// Whatever comes and goes in a lake, and however DuckLake moves rows between its files meanwhile:
// whoever follows it holds what the lake does.
import type { DuckDBConnection } from "@duckdb/node-api";
import { expect, it } from "vitest";
import { rowsOf } from "../../src/store/database.ts";
import { hasLake, startLake } from "../support/lake.ts";
import { randomFromEnvironment } from "../support/random.ts";
import { Member } from "./lake-member.ts";

const msMax = 600_000;
const steps = 90;
/** Rows beyond which an insert or a delete makes a file. */
const inlinedRowsMax = 300;
const rowsSql = "SELECT event_id, count(*) AS n FROM count_deltas GROUP BY 1 ORDER BY 1";
const recentSql = (table: string) =>
  `SELECT event_type, event_id, event_time, weight FROM ${table} ORDER BY ALL`;
const writes = ["add", "take", "addRecent", "takeRecent"] as const;
const upkeeps = {
  flush: "CALL ducklake_flush_inlined_data('lake', table_name => 'count_deltas')",
  merge: "CALL ducklake_merge_adjacent_files('lake')",
  rewrite: "CALL ducklake_rewrite_data_files('lake')",
};

it.skipIf(!hasLake())("A mirror holds the rows of its lake", { timeout: msMax }, async () => {
  const random = randomFromEnvironment("lake mirror");
  const member = await Member.open((await startLake()).place());
  const { database } = member;
  let next = 0;
  const add = () => {
    const rows = random.chance(0.5) ? random.int(1, 40) : random.int(inlinedRowsMax, 500);
    next += rows;
    return `INSERT INTO count_deltas SELECT 100, 0, 'item ' || i, 0, 1
      FROM range(${next - rows}, ${next}) AS new (i)`;
  };
  const take = () => {
    const first = random.int(0, next);
    const some = `CAST(event_id[6:] AS BIGINT) BETWEEN ${first} AND ${first + random.int(1, 900)}`;
    const most = `hash(event_id) % 20 <> ${random.int(0, 19)}`;
    return `DELETE FROM count_deltas WHERE ${random.pick([some, most])}`;
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
    const kind = random.pick([...writes, ...writes, "flush", "merge", "rewrite"] as const);
    log.push(kind);
    const write = { add, take, addRecent, takeRecent }[kind as string];
    if (write !== undefined) await database.write((c) => c.run(write()));
    else await database.upkeep(upkeeps[kind as keyof typeof upkeeps]);
    if (!random.chance(0.3)) continue;
    log.push("follow");
    const read = (c: DuckDBConnection) => rowsOf(c, rowsSql);
    await database.follow();
    expect(await database.read(msMax, read), log.join(" ")).toEqual(await database.write(read));
    const shown = await database.read(msMax, (c) => rowsOf(c, recentSql("recent_events")));
    const held = await database.write((c) => rowsOf(c, recentSql("raw_recent")));
    expect(shown, log.join(" ")).toEqual(held);
  }
  await database.close();
});
