/**
 * What grew beyond what chance explains. Had nothing changed but the totals, N now and N' before,
 * then each of the n + n' events of an item would be one of now with probability N / (N + N'),
 * however popular it is: n is binomial. The score is the signed root of that hypothesis' log-
 * likelihood ratio (T. Dunning, Accurate Methods for the Statistics of Surprise and Coincidence,
 * 1993), which stays right for the small counts where a normal approximation is not:
 *
 *   e = (n + n') N / (N + N'), e' = (n + n') N' / (N + N')
 *   score = ± sqrt(2 (n ln(n / e) + n' ln(n' / e'))), positive where n > e
 *
 * Where the hypothesis holds it is about a standard normal: 4 is passed by chance by one item in
 * 30,000.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { offsetsOf } from "./changes.ts";
import { readTwoPeriods } from "./compare.ts";
import { type Row, rowsOf } from "./database.ts";
import { compareIds } from "./order.ts";
import type { RawFiles } from "./raw-files.ts";
import type { TrendingAnswer, TrendingQuery, TrendingRow } from "./store.ts";

/** SQL of (event_id, count, past) of the items of one part. */
function bothSql(now: string, past: string, part: number, parts: number): string {
  const own = parts > 1 ? `WHERE hash(event_id) % ${parts} = ${part}` : "";
  return `SELECT event_id, sum(count)::BIGINT AS count, sum(past)::BIGINT AS past,
      sum(counts_read)::BIGINT AS counts_read, sum(raw_read)::BIGINT AS raw_read
    FROM (SELECT event_id, count, 0 AS past, counts_read, raw_read FROM (${now})
      UNION ALL SELECT event_id, 0, count, counts_read, raw_read FROM (${past}))
    ${own} GROUP BY event_id`;
}

/** SQL of (event_id, count, past, expected, score), of items there are now. */
function scoresSql(both: string, total: number, previousTotal: number): string {
  const now = `${total / (total + previousTotal)}::DOUBLE`;
  const before = `${previousTotal / (total + previousTotal)}::DOUBLE`;
  // Rounding may leave the ratio of an item that is just as expected a little below zero.
  return `SELECT event_id, count, past, expected, CASE WHEN count < expected THEN -1 ELSE 1 END *
      sqrt(greatest(0, 2 * (count * ln(count / expected) +
        CASE WHEN past = 0 THEN 0 ELSE past * ln(past / ((count + past) * ${before})) END
      ))) AS score
    FROM (SELECT *, (count + past) * ${now} AS expected FROM (${both}) WHERE count > 0)`;
}

function rowOf(row: Row): TrendingRow {
  return {
    eventId: String(row["event_id"]),
    count: Number(row["count"]),
    previousCount: Number(row["past"]),
    expected: Number(row["expected"]),
    score: Number(row["score"]),
  };
}

/** The trending items of `query`, in the reader's transaction. */
export async function readTrending(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  query: TrendingQuery,
  itemsMax?: number,
): Promise<TrendingAnswer> {
  const { k, minScore, minCount } = query;
  const offsets = await offsetsOf(connection);
  const { now, past } = await readTwoPeriods(connection, rawFiles, query, itemsMax);
  const parts = Math.max(now.parts, past.parts);
  const sums = { total: 0, previousTotal: 0, distinct: 0, counts: 0, raw: 0 };
  for (let part = 0; part < parts; part++) {
    const [row] = await rowsOf(
      connection,
      `SELECT coalesce(sum(count), 0)::BIGINT AS total,
         coalesce(sum(past), 0)::BIGINT AS past, count(*) FILTER (count > 0) AS items,
         coalesce(sum(counts_read), 0)::BIGINT AS counts_read,
         coalesce(sum(raw_read), 0)::BIGINT AS raw_read
       FROM (${bothSql(now.sql, past.sql, part, parts)})`,
    );
    sums.total += Number(row!["total"]);
    sums.previousTotal += Number(row!["past"]);
    sums.distinct += Number(row!["items"]);
    sums.counts += Number(row!["counts_read"]);
    sums.raw += Number(row!["raw_read"]);
  }
  let best: TrendingRow[] = [];
  let found = 0;
  for (let part = 0; part < parts && sums.total > 0; part++) {
    const both = bothSql(now.sql, past.sql, part, parts);
    const rows = await rowsOf(
      connection,
      `WITH trends AS MATERIALIZED (
         SELECT * FROM (${scoresSql(both, sums.total, sums.previousTotal)})
         WHERE score >= ${minScore} AND count >= ${minCount})
       SELECT *, (SELECT count(*) FROM trends) AS found FROM trends
       ORDER BY score DESC, event_id LIMIT ${k}`,
    );
    found += Number(rows[0]?.["found"] ?? 0);
    best = [...best, ...rows.map(rowOf)]
      .sort((a, b) => b.score - a.score || compareIds(a.eventId, b.eventId))
      .slice(0, k);
  }
  const { counts, raw, ...totals } = sums;
  return { rows: best, found, ...totals, offsets, rowsRead: { counts, raw } };
}
