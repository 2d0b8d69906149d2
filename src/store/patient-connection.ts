/**
 * Connections whose statements are run by DuckDB's own threads alone: for slow work that nobody
 * waits for at once (jobs, merges of files). Any other statement holds one of libuv's four
 * threads from its beginning to its end; these hold none, so they are never in the way of the
 * log's syncs, of commits or of other reads, and leave one of two cores to these. DuckDB's
 * thread goes from one statement's tasks to another's (`scheduler_process_partial`). A statement
 * takes about twice as long as with libuv's thread beside (10M rows grouped by 100k values: 0.45
 * instead of 0.27 s).
 */
import { setTimeout as sleep } from "node:timers/promises";
import type {
  DuckDBConnection,
  DuckDBMaterializedResult,
  DuckDBPendingResult,
  DuckDBValue,
} from "@duckdb/node-api";
import duckdb from "@duckdb/node-bindings";

/** From one look at a running statement to the next: longer the longer it runs. */
const lookMsMin = 1;
const lookMsMax = 20;
const lookGrowth = 1.2;

/** Without "no tasks available": others have them all. */
const endStates: readonly duckdb.PendingState[] = [
  duckdb.PendingState.RESULT_READY,
  // What has ended well is told as an error too; taking the result says which.
  duckdb.PendingState.ERROR,
];

/** Resolves once the statement has ended, well or not. Runs none of its tasks itself. */
async function ended(result: DuckDBPendingResult): Promise<void> {
  // The API has no name for looking without running a task.
  const pending = result["pending_result"] as duckdb.PendingResult;
  for (let lookMs = lookMsMin; ; lookMs = Math.min(lookMsMax, lookMs * lookGrowth)) {
    if (endStates.includes(duckdb.pending_execute_check_state(pending))) return;
    await sleep(lookMs);
  }
}

/**
 * Makes `run`, and with it `runAndRead…`, of this connection patient. Needs a DuckDB with two
 * threads at least: with one there would be nobody to run a statement.
 */
export function makePatient(connection: DuckDBConnection): void {
  connection.run = async (
    sql: string,
    values?: DuckDBValue[] | Record<string, DuckDBValue>,
  ): Promise<DuckDBMaterializedResult> => {
    const prepared = await connection.prepare(sql);
    try {
      if (values !== undefined) prepared.bind(values);
      const pending = prepared.start();
      await ended(pending);
      return (await pending.getResult()) as DuckDBMaterializedResult;
    } finally {
      prepared.destroySync();
    }
  };
}
