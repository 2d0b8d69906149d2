/** What the store holds, in a few words. */
import type { DuckDBConnection } from "@duckdb/node-api";
import { offsetsOf, readMutations } from "./changes.ts";
import { rowsOf } from "./database.ts";
import type { EventTypeInfo } from "./store.ts";

/** By name. */
export async function readEventTypes(connection: DuckDBConnection): Promise<EventTypeInfo[]> {
  const rows = await rowsOf(
    connection,
    `SELECT event_type, total, epoch_ms(first_seen) AS first, epoch_ms(last_seen) AS last
     FROM event_types ORDER BY event_type`,
  );
  return rows.map((row) => ({
    name: String(row["event_type"]),
    total: Number(row["total"]),
    firstSeen: Number(row["first"]),
    lastSeen: Number(row["last"]),
  }));
}

/**
 * The newest minute (since 1970) with events; −1 when there are none. Where minutes are gone
 * (coarse.ts) it may be any of a larger window, so the last.
 */
export async function newestMinuteOf(connection: DuckDBConnection): Promise<number> {
  const [row] = await rowsOf(
    connection,
    `SELECT greatest(coalesce((SELECT max(minute) FROM count_deltas), -1),
       coalesce((SELECT max(start) FROM window_minute), -1),
       coalesce((SELECT max(start) + 59 FROM coarse_windows WHERE level = 'minute'), -1),
       coalesce((SELECT max(start) + 1439 FROM coarse_windows WHERE level = 'hour'), -1)
       ) AS newest`,
  );
  return Number(row!["newest"]);
}

/** How far each partition of the log is counted, and how many mutations there were. */
export async function readProgress(
  connection: DuckDBConnection,
): Promise<{ offsets: number[]; mutations: number }> {
  const offsets = await offsetsOf(connection);
  return { offsets, mutations: await readMutations(connection) };
}
