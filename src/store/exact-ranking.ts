/**
 * Pages of exact rankings; of many items within bounded memory. DuckDB's aggregate over millions
 * of texts takes some 80 bytes an item, and beyond its limit fails sooner than it goes to disk.
 * So many items are taken in parts by their hash, one part after another. Totals of parts add up,
 * and the first rows of all are among the first rows of each.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { type Row, rowsOf } from "./database.ts";
import { compareIds } from "./order.ts";
import type { ExactAnswer, ExactQuery } from "./store.ts";

/** Items that one part ranks. */
export const partItemsMax = 2_000_000;
/** Rows of counts that they may come from: DuckDB's threads hold many items twice for a while. */
const partRowsMax = 32_000_000;
/** Rows of a ranking that parts are merged to; a deeper page is read in one. */
const mergedRowsMax = 20_000;

/** A page of a ranking. */
type Page = Pick<ExactQuery, "k" | "offset">;
type Ranking = Omit<ExactAnswer, "offsets">;
type Ranked = Ranking["rows"][number];

/** In how many parts a page is ranked of so many items, from so many rows of counts. */
export function partCount(
  { rows, items }: { rows: number; items: number },
  { k, offset }: Page,
  itemsMax = partItemsMax,
): number {
  if (offset + k > mergedRowsMax) return 1;
  return Math.max(1, Math.ceil(items / itemsMax), Math.ceil(rows / partRowsMax));
}

function byCount(a: Ranked, b: Ranked): number {
  return b.count - a.count || compareIds(a.eventId, b.eventId);
}

/** WITH clauses `items`, of those that fulfil `condition`, and `whole`: what they sum up to. */
function itemsSql(counts: string, condition: string): string {
  return `WITH items AS MATERIALIZED (
      SELECT event_id, sum(count)::BIGINT AS count, sum(counts_read)::BIGINT AS counts_read,
        sum(raw_read)::BIGINT AS raw_read
      FROM (${counts}) WHERE ${condition} GROUP BY event_id),
    whole AS (
      SELECT coalesce(sum(count), 0)::BIGINT AS total, count(*) AS items,
        coalesce(sum(counts_read), 0)::BIGINT AS counts_read,
        coalesce(sum(raw_read), 0)::BIGINT AS raw_read FROM items)`;
}

/** What rows of `whole` LEFT JOIN `page` say. */
function pageOf(rows: Row[]): Pick<Ranking, "rows" | "total" | "distinct" | "rowsRead"> {
  const number = (name: string) => Number(rows[0]![name]);
  return {
    rows: rows
      .filter((row) => row["event_id"] !== null)
      .map((row) => ({ eventId: String(row["event_id"]), count: Number(row["count"]) })),
    total: number("total"),
    distinct: number("items"),
    rowsRead: { counts: number("counts_read"), raw: number("raw_read") },
  };
}

/**
 * The page of the items of `counts`, SQL of (event_id, count, counts_read, raw_read) with one or
 * more rows an id; all of them at once.
 */
export async function rankAtOnce(
  connection: DuckDBConnection,
  counts: string,
  { k, offset }: Page,
): Promise<Ranking> {
  const rows = await rowsOf(
    connection,
    `${itemsSql(counts, "true")},
     page AS (SELECT event_id, count FROM items ORDER BY count DESC, event_id
              LIMIT ${k} OFFSET ${offset}),
     ahead AS (
       SELECT count(*) AS items_ahead, count(DISTINCT count) AS counts_ahead
       FROM items WHERE count > (SELECT max(count) FROM page)),
     skipped AS (
       SELECT coalesce(sum(count), 0)::BIGINT AS skipped FROM
         (SELECT count FROM items ORDER BY count DESC, event_id LIMIT ${offset}))
     SELECT whole.*, ahead.*, skipped.*, page.event_id, page.count
     FROM whole CROSS JOIN ahead CROSS JOIN skipped LEFT JOIN page ON true
     ORDER BY page.count DESC, page.event_id`,
  );
  const number = (name: string) => Number(rows[0]![name]);
  return {
    ...pageOf(rows),
    ahead: { items: number("items_ahead"), counts: number("counts_ahead") },
    skipped: number("skipped"),
  };
}

/** As `rankAtOnce`, in so many parts. */
export async function rankInParts(
  connection: DuckDBConnection,
  counts: string,
  { k, offset }: Page,
  parts: number,
): Promise<Ranking> {
  const end = offset + k;
  let first: Ranked[] = [];
  const sums = { total: 0, distinct: 0, rowsRead: { counts: 0, raw: 0 } };
  for (let part = 0; part < parts; part++) {
    const rows = await rowsOf(
      connection,
      `${itemsSql(counts, `hash(event_id) % ${parts} = ${part}`)},
       page AS (SELECT event_id, count FROM items ORDER BY count DESC, event_id LIMIT ${end})
       SELECT whole.*, page.event_id, page.count FROM whole LEFT JOIN page ON true`,
    );
    const found = pageOf(rows);
    sums.total += found.total;
    sums.distinct += found.distinct;
    sums.rowsRead.counts += found.rowsRead.counts;
    sums.rowsRead.raw += found.rowsRead.raw;
    first = [...first, ...found.rows].sort(byCount).slice(0, end);
  }
  const before = first.slice(0, offset);
  const rows = first.slice(offset);
  const ahead = before.filter(({ count }) => rows.length > 0 && count > rows[0]!.count);
  return {
    ...sums,
    rows,
    ahead: { items: ahead.length, counts: new Set(ahead.map(({ count }) => count)).size },
    skipped: before.reduce((sum, { count }) => sum + count, 0),
  };
}
