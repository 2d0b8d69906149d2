/**
 * Exact boards: whole minutes from the exact counts of the largest windows there are and the
 * deltas not folded yet, ragged edges below a minute from raw events, summed by id; all in one
 * read transaction, so of one moment.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { needsRawEvents } from "../model-selection.ts";
import { coverOf, cutInStore, type MinuteCut } from "./cover.ts";
import { rowsOf } from "./database.ts";
import { countUsers, eventsSql } from "./exact-events.ts";
import { partCount, rankInParts } from "./exact-parts.ts";
import type { RawFiles } from "./raw-files.ts";
import { itemCondition } from "./selection-sql.ts";
import { sqlTexts, timestampLiteral } from "./sql.ts";
import type { ExactAnswer, ExactQuery } from "./store.ts";

export interface TypeId {
  typeId: number;
  eventType: string;
}

/** Those of the named types that there are. */
export async function typesNamed(
  connection: DuckDBConnection,
  eventTypes: string[],
): Promise<TypeId[]> {
  const rows = await rowsOf(
    connection,
    `SELECT type_id, event_type FROM event_types WHERE event_type IN (${sqlTexts(eventTypes)})
     ORDER BY type_id`,
  );
  return rows.map((row) => ({
    typeId: Number(row["type_id"]),
    eventType: String(row["event_type"]),
  }));
}

/** Sums by id of the raw events in ragged edges, at least one: (event_id, count, events). */
export async function edgesSql(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  edges: MinuteCut["edges"],
  eventTypes: string[],
): Promise<string> {
  const sources: string[] = [];
  for (const { from, to } of edges) {
    const source = await rawFiles.source(connection, from, to);
    sources.push(`SELECT event_id, weight FROM ${source}
      WHERE event_type IN (${sqlTexts(eventTypes)})
      AND event_time >= ${timestampLiteral(from)} AND event_time < ${timestampLiteral(to)}`);
  }
  return `SELECT event_id, sum(weight)::BIGINT AS count, count(*) AS events
    FROM (${sources.join(" UNION ALL ")}) GROUP BY event_id`;
}

/** SQL of (event_id, count, counts_read, raw_read), one or more rows an id. */
async function itemCounts(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  query: ExactQuery,
): Promise<string> {
  const { selection } = query;
  if (selection === undefined || !needsRawEvents(selection)) {
    return countsInRange(connection, rawFiles, query);
  }
  const events = await eventsSql(connection, rawFiles, query, selection);
  return `SELECT event_id, count, 0 AS counts_read, events AS raw_read FROM (${events})`;
}

export async function countsInRange(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  query: Pick<ExactQuery, "eventTypes" | "from" | "to" | "selection">,
): Promise<string> {
  const cut = await cutInStore(connection, rawFiles, query.from, query.to);
  const types = await typesNamed(connection, query.eventTypes);
  const typeIds = types.map(({ typeId }) => typeId);
  const items = itemCondition(query.selection ?? {});
  const counted: string[] = [];
  for (const typeId of typeIds) {
    for (const { level, condition } of await coverOf(connection, typeId, cut)) {
      for (const table of [`list_${level.name}`, `tail_${level.name}`]) {
        counted.push(`SELECT event_id, count FROM ${table}
          WHERE type_id = ${typeId} AND ${condition} AND ${items}`);
      }
    }
  }
  if (typeIds.length > 0) {
    counted.push(`SELECT event_id, count FROM count_deltas
      WHERE minute >= ${cut.start} AND minute < ${cut.end} AND type_id IN (${typeIds})
      AND ${items}`);
  }
  const empty = "SELECT ''::VARCHAR AS event_id, 0::BIGINT AS count WHERE false";
  const sources = [
    `SELECT event_id, sum(count)::BIGINT AS count, count(*) AS counts_read, 0 AS raw_read
     FROM (${[empty, ...counted].join(" UNION ALL ")}) GROUP BY event_id`,
  ];
  if (cut.edges.length > 0) {
    const edges = await edgesSql(connection, rawFiles, cut.edges, query.eventTypes);
    sources.push(`SELECT event_id, count, 0 AS counts_read, events AS raw_read FROM (${edges})
      WHERE ${items}`);
  }
  return sources.join(" UNION ALL ");
}

/** Offsets that everything read in this transaction includes, by partition. */
export async function offsetsOf(connection: DuckDBConnection): Promise<number[]> {
  const rows = await rowsOf(connection, "SELECT next_offset FROM log_offsets ORDER BY partition");
  return rows.map((row) => Number(row["next_offset"]));
}

/** The page of the items of `counts`, all of them at once. */
async function rankAtOnce(
  connection: DuckDBConnection,
  counts: string,
  query: ExactQuery,
): Promise<Omit<ExactAnswer, "offsets">> {
  const rows = await rowsOf(
    connection,
    `WITH items AS MATERIALIZED (
       SELECT event_id, sum(count)::BIGINT AS count, sum(counts_read)::BIGINT AS counts_read,
         sum(raw_read)::BIGINT AS raw_read
       FROM (${counts}) GROUP BY event_id),
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
    rowsRead: { counts: Number(whole["counts_read"]), raw: Number(whole["raw_read"]) },
  };
}

/** About how many rows of counts `itemCounts` reads of whole minutes, at most. */
async function countRows(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  query: ExactQuery,
): Promise<number> {
  const cut = await cutInStore(connection, rawFiles, query.from, query.to);
  const sums = [
    `SELECT count(*) AS rows FROM count_deltas
     WHERE minute >= ${cut.start} AND minute < ${cut.end}`,
  ];
  for (const { typeId } of await typesNamed(connection, query.eventTypes)) {
    for (const { level, condition } of await coverOf(connection, typeId, cut)) {
      sums.push(`SELECT sum(items) AS rows FROM window_${level.name}
        WHERE type_id = ${typeId} AND ${condition}`);
    }
  }
  const [row] = await rowsOf(
    connection,
    `SELECT coalesce(sum(rows), 0)::BIGINT AS rows FROM (${sums.join(" UNION ALL ")})`,
  );
  return Number(row!["rows"]);
}

/** The board of `query`, in the reader's transaction. */
export async function readExact(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  query: ExactQuery,
  partRowsMax?: number,
): Promise<ExactAnswer> {
  const offsets = await offsetsOf(connection);
  const counts = await itemCounts(connection, rawFiles, query);
  const end = query.offset + query.k;
  const parts = partCount(await countRows(connection, rawFiles, query), end, partRowsMax);
  const ranking =
    parts > 1
      ? await rankInParts(connection, counts, query, parts)
      : await rankAtOnce(connection, counts, query);
  const { selection } = query;
  const users =
    selection?.by === "users" && (await countUsers(connection, rawFiles, query, selection));
  return { ...ranking, offsets, ...(users !== false && { total: users }) };
}
