/**
 * Exact rankings of many items within bounded memory: DuckDB's aggregate over millions of texts
 * takes some 80 bytes an item, and beyond its limit fails sooner than it goes to disk. So the
 * items are taken in parts by their hash, one part after another. Totals of parts add up, and the
 * first rows of all are among the first rows of each.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { rowsOf } from "./database.ts";
import { compareIds } from "./order.ts";
import type { ExactAnswer } from "./store.ts";

/** Rows of counts that one part reads on. */
const partRowsMax = 2_000_000;
/** Rows of a ranking that parts are merged to; a deeper page is read in one. */
const mergedRowsMax = 20_000;

/** In how many parts `rows` rows of counts are read for a page that ends at row `end`. */
export function partCount(rows: number, end: number, rowsMax = partRowsMax): number {
  return end > mergedRowsMax ? 1 : Math.max(1, Math.ceil(rows / rowsMax));
}

type Ranking = Omit<ExactAnswer, "offsets">;

interface Ranked {
  eventId: string;
  count: number;
}

function byCount(a: Ranked, b: Ranked): number {
  return b.count - a.count || compareIds(a.eventId, b.eventId);
}

/** The first `limit` items of one part, and what all of it sums up to. */
async function readPart(
  connection: DuckDBConnection,
  counts: string,
  part: string,
  limit: number,
) {
  const rows = await rowsOf(
    connection,
    `WITH items AS MATERIALIZED (
       SELECT event_id, sum(count)::BIGINT AS count, sum(counts_read)::BIGINT AS counts_read,
         sum(raw_read)::BIGINT AS raw_read
       FROM (${counts}) WHERE ${part} GROUP BY event_id),
     whole AS (
       SELECT coalesce(sum(count), 0)::BIGINT AS total, count(*) AS items,
         coalesce(sum(counts_read), 0)::BIGINT AS counts_read,
         coalesce(sum(raw_read), 0)::BIGINT AS raw_read FROM items),
     page AS (SELECT event_id, count FROM items ORDER BY count DESC, event_id LIMIT ${limit})
     SELECT whole.*, page.event_id, page.count FROM whole LEFT JOIN page ON true`,
  );
  const number = (name: string) => Number(rows[0]![name]);
  return {
    total: number("total"),
    distinct: number("items"),
    rowsRead: { counts: number("counts_read"), raw: number("raw_read") },
    rows: rows
      .filter((row) => row["event_id"] !== null)
      .map((row) => ({ eventId: String(row["event_id"]), count: Number(row["count"]) })),
  };
}

/**
 * The page `offset`, `k` of the items of `counts`: SQL of (event_id, count, counts_read,
 * raw_read), one or more rows an id; read in so many parts.
 */
export async function rankInParts(
  connection: DuckDBConnection,
  counts: string,
  { k, offset }: { k: number; offset: number },
  parts: number,
): Promise<Ranking> {
  let first: Ranked[] = [];
  const sums = { total: 0, distinct: 0, counts: 0, raw: 0 };
  for (let part = 0; part < parts; part++) {
    const condition = `hash(event_id) % ${parts} = ${part}`;
    const found = await readPart(connection, counts, condition, offset + k);
    sums.total += found.total;
    sums.distinct += found.distinct;
    sums.counts += found.rowsRead.counts;
    sums.raw += found.rowsRead.raw;
    first = [...first, ...found.rows].sort(byCount).slice(0, offset + k);
  }
  const rows = first.slice(offset);
  const before = first.slice(0, offset);
  const ahead = before.filter(({ count }) => count > (rows[0]?.count ?? Number.POSITIVE_INFINITY));
  return {
    rows,
    ahead: { items: ahead.length, counts: new Set(ahead.map(({ count }) => count)).size },
    skipped: before.reduce((sum, { count }) => sum + count, 0),
    total: sums.total,
    distinct: sums.distinct,
    rowsRead: { counts: sums.counts, raw: sums.raw },
  };
}
