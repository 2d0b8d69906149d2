/**
 * Windows: minute, hour, day and month, in UTC, each with its exact list of the C greatest items
 * and the exact counts of the rest. Times are minutes since 1970 throughout.
 *
 *   window_<level>  (start, type_id): total, number of items, threshold T: the least listed count
 *                   where not all items are listed, 0 where they are
 *   list_<level>    the listed items with count and rank: a complete list is the window's exact
 *                   counts, stored once
 *   tail_<level>    exact counts of the items that are not listed
 *   pending_windows windows above minutes that have content but are not built yet
 *
 * A window that has no row holds nothing but what is pending below it and in count_deltas: a
 * missing hour is answered from its minutes, and deltas not yet folded are added to any answer.
 * Folding a delta adds it to its minute and to every larger window that exists, in one
 * transaction, so at any moment each event is in exactly one place at each level.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { minuteMs } from "../model.ts";

export interface Level {
  name: "minute" | "hour" | "day" | "month";
  /** Seconds, as `window_size` of the event_counts view; a month counts as 30 days there. */
  sizeSeconds: number;
  /** SQL for the start of the window that holds minute `start`. */
  startOf: string;
}

export const levels: readonly Level[] = Object.freeze([
  { name: "minute", sizeSeconds: 60, startOf: "start" },
  { name: "hour", sizeSeconds: 3600, startOf: "start - start % 60" },
  { name: "day", sizeSeconds: 86_400, startOf: "start - start % 1440" },
  {
    name: "month",
    sizeSeconds: 2_592_000,
    startOf: `(epoch(date_trunc('month', make_timestamp(start * 60000000::BIGINT)))::BIGINT
      // 60)::INTEGER`,
  },
]);

export const minuteLevel = levels[0]!;

/** Adds temporary table `delta` to the windows of a level (Sealer.fold). */
export type Fold = (connection: DuckDBConnection, level: Level) => Promise<void>;

/** Start of the window of `level` that holds `minute`. */
export function startAt(level: Level, minute: number): number {
  if (level.name === "minute") return minute;
  if (level.name === "hour") return minute - (minute % 60);
  if (level.name === "day") return minute - (minute % 1440);
  const date = new Date(minute * minuteMs);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth()) / minuteMs;
}

/** First minute after the window of `level` that starts at minute `start`. */
export function endOf(level: Level, start: number): number {
  if (level.name === "minute") return start + 1;
  if (level.name === "hour") return start + 60;
  if (level.name === "day") return start + 1440;
  const date = new Date(start * minuteMs);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1) / minuteMs;
}

/** First start of a window of `level` at or after `minute`. */
export function firstStartFrom(level: Level, minute: number): number {
  const own = startAt(level, minute);
  return own === minute ? own : endOf(level, own);
}

export const windowTablesSql: readonly string[] = [
  ...levels.flatMap(({ name }) => [
    `CREATE TABLE IF NOT EXISTS window_${name} (
      start INTEGER NOT NULL, type_id INTEGER NOT NULL, total BIGINT NOT NULL,
      items BIGINT NOT NULL, threshold BIGINT NOT NULL)`,
    `CREATE TABLE IF NOT EXISTS list_${name} (
      start INTEGER NOT NULL, type_id INTEGER NOT NULL, event_id VARCHAR NOT NULL,
      count BIGINT NOT NULL, rank INTEGER NOT NULL)`,
    `CREATE TABLE IF NOT EXISTS tail_${name} (
      start INTEGER NOT NULL, type_id INTEGER NOT NULL, event_id VARCHAR NOT NULL,
      count BIGINT NOT NULL)`,
  ]),
  `CREATE TABLE IF NOT EXISTS pending_windows (
    level VARCHAR NOT NULL, start INTEGER NOT NULL, type_id INTEGER NOT NULL,
    folded_at BIGINT NOT NULL)`,
];

/** Columns of raw events that counts are made of. */
export const countedColumns = "event_type, event_id, event_time, weight";

/** SQL of raw events in no file yet, without users, sessions and metadata. */
export const recentSql = `SELECT ${countedColumns} FROM raw_recent`;

/**
 * The view recent_events: raw events in no file yet, without users, sessions and metadata; made at
 * each start.
 */
export async function createRecentView(connection: DuckDBConnection): Promise<void> {
  await connection.run(`CREATE OR REPLACE VIEW recent_events AS ${recentSql}`);
}

/** The view of the windows' lists; made at each start. */
export async function createWindowView(connection: DuckDBConnection): Promise<void> {
  const lists = levels.map(
    ({ name, sizeSeconds }) =>
      // Deletes leave gaps in the ranks.
      `SELECT start, type_id, event_id, count, ${sizeSeconds} AS size, row_number() OVER (
         PARTITION BY start, type_id ORDER BY rank)::INTEGER AS rank FROM list_${name}`,
  );
  await connection.run(`CREATE OR REPLACE VIEW event_counts AS
    SELECT make_timestamp(start * 60000000::BIGINT) AS time, event_type, event_id, count, rank,
      size AS window_size
    FROM (${lists.join(" UNION ALL ")}) JOIN event_types USING (type_id)`);
}
