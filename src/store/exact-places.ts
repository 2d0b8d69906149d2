/**
 * Where some items stand in an exact ranking. All that ranks need of the other items is how many
 * there are of each count: n different counts take at least n (n + 1) / 2 events, so a billion
 * events have at most 45,000.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { rowsOf } from "./database.ts";
import type { TieRule } from "./order.ts";
import { sqlText, sqlTexts } from "./sql.ts";
import type { Standing } from "./store.ts";

/** What is ranked: SQL of (event_id, count, …), one or more rows an id, read in so many parts. */
interface Ranked {
  sql: string;
  parts: number;
}

function itemsSql({ sql, parts }: Ranked, part: number): string {
  const own = parts > 1 ? `WHERE hash(event_id) % ${parts} = ${part}` : "";
  return `items AS MATERIALIZED (
    SELECT event_id, sum(count)::BIGINT AS count FROM (${sql}) ${own} GROUP BY event_id)`;
}

/** Counts of the items, and how many items there are of each count. */
async function readLevels(connection: DuckDBConnection, ranked: Ranked, ids: readonly string[]) {
  const counts = new Map<string, number>();
  const itemsByCount = new Map<number, number>();
  for (let part = 0; part < ranked.parts; part++) {
    const rows = await rowsOf(
      connection,
      `WITH ${itemsSql(ranked, part)}
       SELECT NULL AS event_id, count, count(*) AS items FROM items GROUP BY count
       UNION ALL SELECT event_id, count, 0 FROM items WHERE event_id IN (${sqlTexts(ids)})`,
    );
    for (const row of rows) {
      const count = Number(row["count"]);
      if (row["event_id"] !== null) counts.set(String(row["event_id"]), count);
      else itemsByCount.set(count, (itemsByCount.get(count) ?? 0) + Number(row["items"]));
    }
  }
  return { counts, itemsByCount };
}

/** How many items with the same count have a smaller id, by id. */
async function readTiedBefore(
  connection: DuckDBConnection,
  ranked: Ranked,
  counts: ReadonlyMap<string, number>,
): Promise<Map<string, number>> {
  const before = new Map<string, number>();
  const asked = [...counts].map(([id, count]) => `(${sqlText(id)}, ${count})`);
  for (let part = 0; part < ranked.parts; part++) {
    const rows = await rowsOf(
      connection,
      `WITH ${itemsSql(ranked, part)}, asked (event_id, count) AS (VALUES ${asked.join(", ")})
       SELECT asked.event_id, count(*) AS before FROM asked
       JOIN items ON items.count = asked.count AND items.event_id < asked.event_id
       GROUP BY asked.event_id`,
    );
    for (const row of rows) {
      const id = String(row["event_id"]);
      before.set(id, (before.get(id) ?? 0) + Number(row["before"]));
    }
  }
  return before;
}

/** Where these items stand, by id; those without an event are left out. */
export async function placesOf(
  connection: DuckDBConnection,
  ranked: Ranked,
  ids: readonly string[],
  ties: TieRule,
): Promise<Map<string, Standing>> {
  if (ids.length === 0) return new Map();
  const { counts, itemsByCount } = await readLevels(connection, ranked, ids);
  if (counts.size === 0) return new Map();
  const rankOf = new Map<number, number>();
  let items = 0;
  for (const [i, count] of [...itemsByCount.keys()].sort((a, b) => b - a).entries()) {
    rankOf.set(count, 1 + (ties === "dense" ? i : items));
    items += itemsByCount.get(count)!;
  }
  const before = ties === "ordinal" ? await readTiedBefore(connection, ranked, counts) : new Map();
  return new Map(
    [...counts].map(([id, count]) => {
      return [id, { count, rank: rankOf.get(count)! + (before.get(id) ?? 0) }];
    }),
  );
}
