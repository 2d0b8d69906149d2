/**
 * Merges files of a lake's table. DuckLake 1.0 does not look whether rows were deleted meanwhile
 * where few were, and has them back, whichever of the two commits last. So nobody deletes while
 * files are compacted:
 *
 * - `leadership` says that they are, from a transaction before to one after. Each transaction that
 *   deletes changes its row, and commits only where it says that they are not.
 * - Compacting is given up where anything at all was committed meanwhile, so that of a process
 *   that stood still, and was taken for gone, nothing is committed later.
 * - Checkpoints wait for it: else one would always come between. So do transactions that delete,
 *   once they lost against it: the turn is held until `leadership` says that it is over, so that
 *   whoever waits commits before the next table is compacted.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { namingLakeErrors } from "./lake-errors.ts";
import { runAsNext } from "./lake-session.ts";
import type { LakeTurns } from "./lake-turns.ts";
import type { LakeWriter } from "./lake-writer.ts";

export interface LakeCompactionDeps {
  maintenance: Pick<LakeWriter, "connection" | "enqueue" | "transaction">;
  turns: Pick<LakeTurns, "alone">;
  /** Run in the transactions before and after; what it throws rolls them back. */
  fence: ((connection: DuckDBConnection) => Promise<void>) | null;
  /** Throws where nothing is to be begun any more. */
  check: () => void;
  /** Run just before the statement, in transactions of its own. */
  prepare?: ((connection: DuckDBConnection) => Promise<void>) | undefined;
}

/** Runs a statement that compacts. Rejects where something was committed meanwhile. */
export async function compact(sql: string, deps: LakeCompactionDeps): Promise<void> {
  const { maintenance, turns, fence, check, prepare } = deps;
  const { connection } = maintenance;
  const note = (isCompacting: boolean) =>
    maintenance.transaction(async () => {
      await fence?.(connection);
      await connection.run(`UPDATE leadership SET compacting = ${isCompacting}`);
    });
  const run = async () => {
    check();
    await namingLakeErrors(async () => {
      await prepare?.(connection);
      await runAsNext(connection, sql);
    });
  };
  const noted = async () => {
    check();
    await note(true);
    try {
      await run();
    } finally {
      await note(false);
    }
  };
  await maintenance.enqueue(() => turns.alone(noted));
}

/**
 * Has a transaction that is not the leader's commit only while nothing is compacted; of two that
 * overlap one commits. Throws as DuckLake does at a conflict, so that it is tried again.
 */
export async function passCompaction(connection: DuckDBConnection): Promise<void> {
  const sql = "UPDATE leadership SET epoch = epoch WHERE NOT compacting";
  if ((await connection.run(sql)).rowsChanged === 1) return;
  throw new Error("Transaction conflict - attempting to change what is being compacted");
}
