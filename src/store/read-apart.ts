/** Reads that take their time: in a lane of their own, until one of several wants them to end. */
import type { DuckDBConnection } from "@duckdb/node-api";
import type { Database } from "./database.ts";

/** As Database.read, in the lane `apart`; ends as soon as any signal is aborted. */
export function readApart<T>(
  database: Database,
  budgetMs: number,
  signals: readonly (AbortSignal | undefined)[],
  work: (connection: DuckDBConnection) => Promise<T>,
): Promise<T> {
  const given = signals.filter((signal) => signal !== undefined);
  return database.read(budgetMs, work, { lane: "apart", signal: AbortSignal.any(given) });
}
