/**
 * Exact boards: whole minutes from the exact counts, ragged edges below a minute from raw
 * events, summed by id. One statement, so of one moment.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { minuteMs } from "../model.ts";
import { rowsOf } from "./database.ts";
import type { ExactAnswer, ExactQuery } from "./store.ts";

/** A range cut at minutes: `[firstMinute, endMinute)` whole, and up to two ragged edges. */
export interface MinuteCut {
  firstMinute: number;
  endMinute: number;
  /** Epoch ms, each within one minute; `to` exclusive. */
  edges: { from: number; to: number }[];
}

/** Cuts `[from, to)` at whole minutes. */
export function cutAtMinutes(from: number, to: number): MinuteCut {
  const firstMinute = Math.ceil(from / minuteMs);
  const endMinute = Math.floor(to / minuteMs);
  if (firstMinute > endMinute) {
    return { firstMinute, endMinute: firstMinute, edges: [{ from, to }] };
  }
  const edges = [
    { from, to: firstMinute * minuteMs },
    { from: endMinute * minuteMs, to },
  ].filter((edge) => edge.from < edge.to);
  return { firstMinute, endMinute, edges };
}

/** SQL literal of a moment, of the column's own type so that min/max statistics apply. */
export function timestampLiteral(epochMs: number): string {
  const text = new Date(epochMs).toISOString().replace("T", " ").replace("Z", "");
  return `TIMESTAMP_MS '${text}'`;
}

function textList(values: string[]): string {
  return values.map((value) => `'${value.replaceAll("'", "''")}'`).join(", ");
}

function edgesSql(cut: MinuteCut, eventTypes: string[]): string {
  const spans = cut.edges.map(
    ({ from, to }) =>
      `(event_time >= ${timestampLiteral(from)} AND event_time < ${timestampLiteral(to)})`,
  );
  return `SELECT event_id, sum(weight)::BIGINT AS count, 0 AS counts_read, count(*) AS raw_read
    FROM raw_recent WHERE event_type IN (${textList(eventTypes)})
    AND (${spans.join(" OR ")}) GROUP BY event_id`;
}

/** SQL of (event_id, count, counts_read, raw_read), one or more rows an id. */
export function countsInRange(query: ExactQuery): string {
  const cut = cutAtMinutes(query.from, query.to);
  const parts = [
    `SELECT event_id, sum(count)::BIGINT AS count, count(*) AS counts_read, 0 AS raw_read
     FROM count_deltas WHERE minute >= ${cut.firstMinute} AND minute < ${cut.endMinute}
     AND type_id IN (SELECT type_id FROM event_types
                     WHERE event_type IN (${textList(query.eventTypes)}))
     GROUP BY event_id`,
  ];
  if (cut.edges.length > 0) parts.push(edgesSql(cut, query.eventTypes));
  return parts.join(" UNION ALL ");
}

/** The board of `query`, in one read transaction. */
export async function readExact(
  connection: DuckDBConnection,
  query: ExactQuery,
): Promise<ExactAnswer> {
  const offsets = await rowsOf(
    connection,
    "SELECT next_offset FROM log_offsets ORDER BY partition",
  );
  const rows = await rowsOf(
    connection,
    `WITH items AS MATERIALIZED (
       SELECT event_id, sum(count)::BIGINT AS count, sum(counts_read)::BIGINT AS counts_read,
         sum(raw_read)::BIGINT AS raw_read
       FROM (${countsInRange(query)}) GROUP BY event_id),
     whole AS (
       SELECT coalesce(sum(count), 0)::BIGINT AS total, count(*) AS items,
         coalesce(sum(counts_read), 0)::BIGINT AS counts_read,
         coalesce(sum(raw_read), 0)::BIGINT AS raw_read FROM items),
     page AS (SELECT event_id, count FROM items ORDER BY count DESC, event_id
              LIMIT ${query.k} OFFSET ${query.offset}),
     ahead AS (
       SELECT count(*) AS items_ahead, count(DISTINCT count) AS counts_ahead
       FROM items WHERE count > (SELECT max(count) FROM page)),
     skipped AS (
       SELECT coalesce(sum(count), 0)::BIGINT AS skipped FROM
         (SELECT count FROM items ORDER BY count DESC, event_id LIMIT ${query.offset}))
     SELECT whole.*, ahead.*, skipped.*, page.event_id, page.count
     FROM whole CROSS JOIN ahead CROSS JOIN skipped LEFT JOIN page ON true
     ORDER BY page.count DESC, page.event_id`,
  );
  const whole = rows[0]!;
  return {
    rows: rows
      .filter((row) => row["event_id"] !== null)
      .map((row) => ({ eventId: String(row["event_id"]), count: Number(row["count"]) })),
    ahead: { items: Number(whole["items_ahead"]), counts: Number(whole["counts_ahead"]) },
    skipped: Number(whole["skipped"]),
    total: Number(whole["total"]),
    distinct: Number(whole["items"]),
    offsets: offsets.map((row) => Number(row["next_offset"])),
    rowsRead: { counts: Number(whole["counts_read"]), raw: Number(whole["raw_read"]) },
  };
}
