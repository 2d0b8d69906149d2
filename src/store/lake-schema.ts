/**
 * The store's tables in a lake: those of migrations.ts as DuckLake takes them, but for what
 * several processes would change in place (lake-partitions.ts, lake-types.ts) and what a process
 * knows for itself (open minutes, spans of deltas: lake-mirror.ts makes them for readers).
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { leadershipTable } from "./lake-leader.ts";
import { addLakePartitions, partitionTables } from "./lake-partitions.ts";
import { eventTypesView, typeTables } from "./lake-types.ts";

const madeOtherwise = new Set([
  "log_offsets",
  "event_types",
  "seen_keys",
  "seen_runs",
  "seen_times",
  "delta_spans",
  "open_spans",
  "open_windows",
  "open_candidates",
]);

/** A statement of a migration as it is in a lake; null where a lake has no use for it. */
export function lakeDdl(statement: string): string | null {
  const table = /^(?:CREATE|ALTER) TABLE (?:IF NOT EXISTS )?(\w+)/.exec(statement)?.[1];
  if (table !== undefined && madeOtherwise.has(table)) return null;
  // DuckLake has neither keys nor a say in how a column is compressed.
  return statement.replaceAll(/ PRIMARY KEY| USING COMPRESSION \w+/g, "");
}

/** Makes what only a lake has. */
export async function createLakeTables(
  connection: DuckDBConnection,
  partitionCount: number,
  beginOffsets: readonly number[],
): Promise<void> {
  const own = [...partitionTables, leadershipTable, ...typeTables, eventTypesView];
  for (const statement of own) {
    await connection.run(statement);
  }
  await connection.run("INSERT INTO leadership VALUES (0, false)");
  await addLakePartitions(connection, 0, partitionCount, beginOffsets);
}
