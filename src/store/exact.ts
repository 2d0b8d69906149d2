/**
 * Exact boards: whole minutes from the exact counts of the largest windows there are and the
 * deltas not folded yet, ragged edges below a minute from raw events, summed by id; all in one
 * read transaction, so of one moment.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { needsRawEvents } from "../model-selection.ts";
import { offsetsOf } from "./changes.ts";
import { coverOf, cutInStore, type MinuteCut } from "./cover.ts";
import { rowsOf } from "./database.ts";
import { EdgeFiles } from "./edge-files.ts";
import { countUsers, eventsSql } from "./exact-events.ts";
import { partCount, partItemsMax, rankAtOnce, rankInParts } from "./exact-ranking.ts";
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
  rawFiles: Pick<RawFiles, "source">,
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

/** What counts are read from. */
export interface CountSource {
  /** SQL of (event_id, count, counts_read, raw_read), one or more rows an id. */
  sql: string;
  /** SQL of (rows), to be summed: about how many rows of counts that reads, at most. */
  rows: string[];
  /** SQL of (event_id, count): those rows, where there are any. */
  counted: string;
}

const noCounts = "SELECT ''::VARCHAR AS event_id, 0::BIGINT AS count WHERE false";

async function itemCounts(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  query: ExactQuery,
): Promise<CountSource> {
  const { selection } = query;
  if (selection === undefined || !needsRawEvents(selection)) {
    return countsInRange(connection, rawFiles, query);
  }
  const events = await eventsSql(connection, rawFiles, query, selection);
  const sql = `SELECT event_id, count, 0 AS counts_read, events AS raw_read FROM (${events})`;
  return { sql, rows: [], counted: noCounts };
}

/** The counts of the range's items: of whole minutes, and of raw events at its ragged edges. */
export async function countsInRange(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  query: Pick<ExactQuery, "eventTypes" | "from" | "to" | "selection">,
): Promise<CountSource> {
  const edgeFiles = await EdgeFiles.around(connection, rawFiles.checks, query.from, query.to);
  const cut = await cutInStore(connection, edgeFiles, query.from, query.to);
  const types = await typesNamed(connection, query.eventTypes);
  const typeIds = types.map(({ typeId }) => typeId);
  const items = itemCondition(query.selection ?? {});
  const counted: string[] = [];
  const rows: string[] = [];
  for (const typeId of typeIds) {
    for (const { level, condition } of await coverOf(connection, typeId, cut)) {
      const own = `type_id = ${typeId} AND ${condition}`;
      for (const table of [`list_${level.name}`, `tail_${level.name}`]) {
        counted.push(`SELECT event_id, count FROM ${table} WHERE ${own} AND ${items}`);
      }
      rows.push(`SELECT sum(items) AS rows FROM window_${level.name} WHERE ${own}`);
    }
  }
  if (typeIds.length > 0) {
    const own = `minute >= ${cut.start} AND minute < ${cut.end} AND type_id IN (${typeIds})`;
    counted.push(`SELECT event_id, count FROM count_deltas WHERE ${own} AND ${items}`);
    rows.push(`SELECT count(*) AS rows FROM count_deltas WHERE ${own}`);
  }
  const all = [noCounts, ...counted].join(" UNION ALL ");
  const sources = [
    `SELECT event_id, sum(count)::BIGINT AS count, count(*) AS counts_read, 0 AS raw_read
     FROM (${all}) GROUP BY event_id`,
  ];
  if (cut.edges.length > 0) {
    const edges = await edgesSql(connection, edgeFiles, cut.edges, query.eventTypes);
    sources.push(`SELECT event_id, count, 0 AS counts_read, events AS raw_read FROM (${edges})
      WHERE ${items}`);
  }
  return { sql: sources.join(" UNION ALL "), rows, counted: all };
}

async function countRows(connection: DuckDBConnection, { rows }: CountSource): Promise<number> {
  if (rows.length === 0) return 0;
  const [sum] = await rowsOf(
    connection,
    `SELECT coalesce(sum(rows), 0)::BIGINT AS rows FROM (${rows.join(" UNION ALL ")})`,
  );
  return Number(sum!["rows"]);
}

/** A range's counts, ready to be ranked. */
export interface Counted extends Pick<CountSource, "sql"> {
  /** In how many parts they are ranked. */
  parts: number;
}

/** What an estimate of distinct items may be off by (HyperLogLog of 2 KiB). */
const distinctSlack = 1.1;

/** About how many items there are, and rarely fewer than there are; dear only where many. */
async function countItems(
  connection: DuckDBConnection,
  { counted: rows }: CountSource,
  most: number,
  itemsMax: number,
): Promise<number> {
  if (most <= itemsMax) return most;
  const [found] = await rowsOf(
    connection,
    `SELECT approx_count_distinct(event_id) AS items FROM (${rows})`,
  );
  return Math.min(most, Math.ceil(Number(found!["items"]) * distinctSlack));
}

/** The counts of `query`, in the reader's transaction. */
export async function counted(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  query: ExactQuery,
  itemsMax: number = partItemsMax,
): Promise<Counted> {
  const counts = await itemCounts(connection, rawFiles, query);
  const rows = await countRows(connection, counts);
  const items = await countItems(connection, counts, rows, itemsMax);
  return { sql: counts.sql, parts: partCount({ rows, items }, query, itemsMax) };
}

/** The board of `query` that `counts` make; distinct users are counted from raw events. */
export async function rank(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  query: ExactQuery,
  { sql, parts }: Counted,
): Promise<Omit<ExactAnswer, "offsets">> {
  const ranking =
    parts > 1
      ? await rankInParts(connection, sql, query, parts)
      : await rankAtOnce(connection, sql, query);
  const { selection } = query;
  if (selection?.by !== "users") return ranking;
  return { ...ranking, total: await countUsers(connection, rawFiles, query, selection) };
}

/** The board of `query`, in the reader's transaction. */
export async function readExact(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  query: ExactQuery,
  itemsMax?: number,
): Promise<ExactAnswer> {
  const offsets = await offsetsOf(connection);
  const counts = await counted(connection, rawFiles, query, itemsMax);
  return { ...(await rank(connection, rawFiles, query, counts)), offsets };
}
