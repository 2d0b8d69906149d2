/**
 * Merges files of a lake's table. DuckLake 1.0 does not look whether rows were deleted meanwhile
 * where few were, and has them back, whichever of the two commits last. So nobody deletes while
 * files are compacted:
 *
 * - `leadership` says that they are, from a transaction before to one after. Each transaction that
 *   deletes changes its row, and commits only where it says that they are not.
 * - Compacting is given up where anything at all was committed meanwhile, and is begun in a state
 *   that says that this leader compacts: so of a process that stood still, and was taken for gone,
 *   nothing is committed later.
 * - Others wait for it: else one would always come between. So do transactions that delete, once
 *   they lost against it: the turn is held until `leadership` says that it is over, so that
 *   whoever waits commits before the next table is compacted.
 */
import type { DuckDBConnection, DuckDBValue } from "@duckdb/node-api";
import { failPoint } from "../fail-point.ts";
import { rowsOf } from "./database.ts";
import { namingLakeErrors } from "./lake-errors.ts";
import { NotLeader } from "./lake-leader.ts";
import { runAsNext } from "./lake-session.ts";
import type { LakeTurns } from "./lake-turns.ts";
import type { LakeWriter } from "./lake-writer.ts";

/** Throws NotLeader in a transaction that is not the leader's: it is rolled back then. */
export type LeaderFence = (connection: DuckDBConnection) => Promise<void>;

export interface LakeCompactionDeps {
  maintenance: Pick<LakeWriter, "connection" | "enqueue" | "transaction">;
  turns: Pick<LakeTurns, "alone">;
  /** Null: maintenance isn't this process's turn. */
  fence: () => LeaderFence | null;
  /** Throws where nothing is to be begun any more. */
  check: () => void;
}

/** Run just before a statement that compacts, in transactions of its own. */
export type Prepare = (connection: DuckDBConnection) => Promise<void>;

/** Rows move from PostgreSQL to files, or from files to one. */
export type CompactionKind = "flush" | "merge";

export class LakeCompaction {
  readonly #deps: LakeCompactionDeps;
  /** `leadership` may say that files are compacted, while none are. */
  #isLeft = false;

  constructor(deps: LakeCompactionDeps) {
    this.#deps = deps;
  }

  /**
   * Runs a statement that compacts, and returns its rows. Rejects where something was committed
   * meanwhile, and with NotLeader where maintenance is not, or no longer, this process's turn.
   */
  run(
    kind: CompactionKind,
    sql: string,
    prepare?: Prepare,
  ): Promise<Record<string, DuckDBValue>[]> {
    const { maintenance, turns, check } = this.#deps;
    const noted = async () => {
      check();
      try {
        const epoch = await this.#begin();
        failPoint(`${kind}.noted`);
        return await namingLakeErrors(async () => {
          await prepare?.(maintenance.connection);
          return this.#compact(kind, sql, epoch);
        });
      } finally {
        await this.#end();
      }
    };
    return maintenance.enqueue(() => turns.alone(noted));
  }

  /** Whether maintenance is this process's turn. */
  get isAllowed(): boolean {
    return this.#deps.fence() !== null;
  }

  /** Has deletes go on where the last one ended without having been able to say so. */
  async settle(): Promise<void> {
    if (this.#isLeft) await this.#deps.maintenance.enqueue(() => this.#end());
  }

  /** Returns the epoch of this leader. */
  #begin(): Promise<number> {
    return this.#asLeader(async (connection) => {
      this.#isLeft = true;
      await connection.run("UPDATE leadership SET compacting = true");
      const [row] = await rowsOf(connection, "SELECT epoch FROM leadership");
      return Number(row!["epoch"]);
    });
  }

  async #end(): Promise<void> {
    if (!this.#isLeft) return;
    try {
      await this.#asLeader((connection) =>
        connection.run("UPDATE leadership SET compacting = false"),
      );
    } catch (error) {
      if (!(error instanceof NotLeader)) throw error;
      // Whoever is the leader from now on says it first of all.
    }
    this.#isLeft = false;
  }

  #asLeader<T>(work: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
    return this.#deps.maintenance.transaction(async (connection) => {
      const fence = this.#deps.fence();
      if (fence === null) throw new NotLeader("maintenance is another process's turn");
      await fence(connection);
      return work(connection);
    });
  }

  async #compact(
    kind: CompactionKind,
    sql: string,
    epoch: number,
  ): Promise<Record<string, DuckDBValue>[]> {
    const { connection } = this.#deps.maintenance;
    await connection.run("BEGIN TRANSACTION");
    try {
      const known = `SELECT 1 FROM leadership WHERE epoch = ${epoch} AND compacting`;
      if ((await rowsOf(connection, known)).length === 0) {
        throw new NotLeader("another process does the maintenance now");
      }
      const rows = await rowsOf(connection, sql);
      failPoint(`${kind}.before_commit`);
      await runAsNext(connection, "COMMIT");
      failPoint(`${kind}.after_commit`);
      return rows;
    } catch (error) {
      await connection.run("ROLLBACK").catch(() => undefined);
      throw error;
    }
  }
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
