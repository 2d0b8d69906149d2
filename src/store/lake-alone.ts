/**
 * Transactions that run while no process commits a checkpoint. DuckLake takes a table's inserts
 * and deletes for a conflict, whichever rows they are of: what takes rows that checkpoints add, as
 * a fold does, would lose against one checkpoint after another, and do its work each time.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { isLake } from "./dialect.ts";
import type { LakeTurns } from "./lake-turns.ts";

const alone = new WeakSet<DuckDBConnection>();

/** What `demandAlone` throws: the transaction is to be begun again, alone. */
export class NotAlone extends Error {}

/** To be called in a transaction before its work: ends it where it is a lake's and not alone. */
export function demandAlone(connection: DuckDBConnection): void {
  if (isLake(connection) && !alone.has(connection)) throw new NotAlone("to be run alone");
}

/** Runs a transaction of this connection alone, or as `turns` can. */
export function runAlone<T>(
  connection: DuckDBConnection,
  turns: Pick<LakeTurns, "alone">,
  run: () => Promise<T>,
): Promise<T> {
  return turns.alone(async () => {
    alone.add(connection);
    try {
      return await run();
    } finally {
      alone.delete(connection);
    }
  });
}
