/**
 * Single items of event types, exactly: their counts and ranks among all items of a range, who
 * is next to one, its history, and when it was first and last seen; all in one read transaction.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { type Row, rowsOf } from "./database.ts";
import { countsInRange, typesNamed } from "./exact.ts";
import type {
  BinCounts,
  ItemAnswer,
  ItemQuery,
  ItemsAnswer,
  ItemsQuery,
  Neighbour,
  RankedItem,
} from "./item-questions.ts";
import { readRanks } from "./item-ranks.ts";
import { readTimes } from "./item-times.ts";
import type { RawFiles } from "./raw-files.ts";
import { readSeries } from "./series.ts";
import { sqlTexts } from "./sql.ts";

/**
 * SQL of (tag, event_id, count, rank): the whole, the items asked for, and with `neighbours`,
 * which takes a single item, those before and after it.
 */
function rankingSql(counts: string, eventIds: readonly string[], neighbours: number): string {
  const next = (tag: string, sign: string, order: string) => `UNION ALL
    (SELECT '${tag}', items.event_id, items.count, rank
     FROM items JOIN asked ON items.count ${sign} asked.count
       OR (items.count = asked.count AND items.event_id ${sign === ">" ? "<" : ">"} asked.event_id)
     JOIN ranks ON ranks.count = items.count
     ORDER BY ${order} LIMIT ${neighbours})`;
  const beside =
    neighbours === 0
      ? ""
      : next("above", ">", "items.count, items.event_id DESC") +
        next("below", "<", "items.count DESC, items.event_id");
  return `WITH items AS MATERIALIZED (
      SELECT event_id, sum(count)::BIGINT AS count FROM (${counts}) GROUP BY event_id),
    ranks AS MATERIALIZED (
      SELECT count, (1 + coalesce(sum(items_of) OVER (
        ORDER BY count DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0))::BIGINT AS rank
      FROM (SELECT count, count(*) AS items_of FROM items GROUP BY count)),
    asked AS MATERIALIZED (FROM items WHERE event_id IN (${sqlTexts(eventIds)}))
    SELECT 'whole' AS tag, NULL AS event_id, coalesce(sum(count), 0)::BIGINT AS count, 0 AS rank
    FROM items
    UNION ALL SELECT 'asked', event_id, count, rank FROM asked JOIN ranks USING (count)
    ${beside}`;
}

function rankedItem(eventId: string, row: Row | undefined): RankedItem {
  const count = row === undefined ? 0 : Number(row["count"]);
  const rank = row === undefined ? null : Number(row["rank"]);
  return { eventId, lower: count, upper: count, count, rank, rankLower: rank, rankUpper: rank };
}

function neighbourOf(row: Row): Neighbour {
  return {
    eventId: String(row["event_id"]),
    count: Number(row["count"]),
    rank: Number(row["rank"]),
  };
}

async function readRanking(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  { eventIds, ...span }: Omit<ItemsQuery, "bounds" | "budgetMs">,
  neighbours: number,
) {
  const counts = await countsInRange(connection, rawFiles, span);
  const rows = await rowsOf(connection, rankingSql(counts.sql, eventIds, neighbours));
  const tagged = (tag: string) => rows.filter((row) => row["tag"] === tag);
  const asked = new Map(tagged("asked").map((row) => [String(row["event_id"]), row]));
  const total = Number(tagged("whole")[0]!["count"]);
  return {
    items: eventIds.map((eventId) => rankedItem(eventId, asked.get(eventId))),
    total: { lower: total, upper: total },
    // Found from the item outwards.
    above: tagged("above").map(neighbourOf).reverse(),
    below: tagged("below").map(neighbourOf),
  };
}

/** Exact counts of items by bin; each id once. */
async function readHistories(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  { eventTypes, eventIds, bounds, budgetMs }: Omit<ItemsQuery, "from" | "to">,
): Promise<BinCounts[]> {
  if (bounds.length < 2) return eventIds.map(() => ({ lower: [], upper: [] }));
  const question = {
    eventTypes,
    eventIds,
    bounds,
    isExact: true,
    hasBusiest: false,
    hasDistinct: false,
    edgeRowsMax: 0,
    budgetMs,
  };
  return (await readSeries(connection, rawFiles, question)).counts;
}

/** The items of `query`, in the reader's transaction. */
export async function readItems(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  query: ItemsQuery,
): Promise<ItemsAnswer> {
  const { items, total } = await readRanking(connection, rawFiles, query, 0);
  if (query.bounds.length < 2) return { items, total, histories: null };
  const eventIds = [...new Set(query.eventIds)];
  const counted = await readHistories(connection, rawFiles, { ...query, eventIds });
  const places = new Map(eventIds.map((eventId, i) => [eventId, i]));
  const histories = query.eventIds.map((eventId) => counted[places.get(eventId)!]!.lower);
  return { items, total, histories };
}

/** The item of `query`, in the reader's transaction. */
export async function readItem(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  query: ItemQuery,
): Promise<ItemAnswer> {
  const { eventTypes, eventId } = query;
  const own = { ...query, eventIds: [eventId] };
  const { items, ...ranking } = await readRanking(connection, rawFiles, own, query.neighbours);
  const [history] = await readHistories(connection, rawFiles, own);
  const ranks = query.hasRanks
    ? await readRanks(connection, rawFiles, query, history!.lower)
    : null;
  const types = await typesNamed(connection, eventTypes);
  const seen = await readTimes(connection, rawFiles, types, eventId);
  return { item: items[0]!, ...ranking, history: history!, ranks, seen };
}
