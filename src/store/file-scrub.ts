/**
 * Takes what was deleted out of the store's own file. DuckDB leaves what a dropped table or an
 * older version of a row held in its file until the blocks are used again, and rows that are
 * deleted for as long as their neighbours live. So tables that may hold such rows are made anew,
 * and every free block is written over by tables of meaningless numbers, which then go.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { DuckDBConnection } from "@duckdb/node-api";
import { failPoint } from "../fail-point.ts";
import { type Database, insertRows, ownReadBudgetMs, rowsOf } from "./database.ts";

const fillerPrefix = "free_blocks_filler_";
/** Blocks written over by one statement: 16 MiB. */
const sliceBlocksMax = 64;
/** Checkpoints of others free blocks meanwhile. */
const roundsMax = 20;
const lookMs = 50;

export interface Rewritten {
  name: string;
  /** What makes the table, with all columns in their order. */
  statements: readonly string[];
}

/** Makes the table anew, with the rows it has; in the writer's transaction. */
export async function rewriteTable(
  connection: DuckDBConnection,
  { name, statements }: Rewritten,
): Promise<void> {
  await connection.run(`CREATE TEMP TABLE rewritten AS FROM ${name}`);
  await connection.run(`DROP TABLE ${name}`);
  for (const statement of statements) await connection.run(statement);
  await insertRows(connection, name, "FROM rewritten");
  await connection.run("DROP TABLE rewritten");
}

export class FileScrubber {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Drops what a crash has left of a scrub. */
  static async sweep(connection: DuckDBConnection): Promise<void> {
    const rows = await rowsOf(
      connection,
      "SELECT table_name FROM duckdb_tables() WHERE starts_with(table_name, $1)",
      [fillerPrefix],
    );
    for (const row of rows) await connection.run(`DROP TABLE ${String(row["table_name"])}`);
  }

  /**
   * Resolves to true once nothing of the file holds what was deleted before the call, save in
   * rows that are still in use; to false where `isToStop` says so before. Waits for reads and
   * backups under way.
   */
  async scrub(tables: readonly Rewritten[], isToStop: () => boolean): Promise<boolean> {
    await this.#database.writeDeferrable(async (connection) => {
      for (const table of tables) await rewriteTable(connection, table);
    });
    failPoint("scrub.tables_rewritten");
    if (!(await this.#settle(isToStop))) return false;
    const isFilled = await this.#fill(isToStop);
    failPoint("scrub.filled");
    await this.#database.writeDeferrable((connection) => FileScrubber.sweep(connection));
    return (await this.#settle(isToStop)) && isFilled;
  }

  /** Once reads of what was before have ended, DuckDB lets go of it at a checkpoint. */
  async #settle(isToStop: () => boolean): Promise<boolean> {
    const begun = this.#database.readsBegun;
    for (;;) {
      if (isToStop()) return false;
      if (this.#database.haveEnded(begun) && (await this.#database.checkpoint())) return true;
      await sleep(lookMs);
    }
  }

  async #fill(isToStop: () => boolean): Promise<boolean> {
    let made = 0;
    for (let round = 0; round < roundsMax; round++) {
      const { blocks, blockBytes } = await this.#free();
      if (blocks === 0) return true;
      for (let left = blocks; left > 0; left -= sliceBlocksMax) {
        if (isToStop()) return false;
        const numbers = Math.floor((Math.min(left, sliceBlocksMax) * blockBytes) / 8);
        // Numbers that no compression makes smaller.
        await this.#database.writeDeferrable(async (connection) => {
          await connection.run(`CREATE TABLE ${fillerPrefix}${made++} AS
            SELECT hash(range) AS number FROM range(${numbers})`);
        });
      }
      if (!(await this.#settle(isToStop))) return false;
    }
    throw new Error(`free blocks of the store's file were still there after ${roundsMax} rounds`);
  }

  async #free(): Promise<{ blocks: number; blockBytes: number }> {
    const [row] = await this.#database.read(ownReadBudgetMs, (connection) =>
      rowsOf(connection, "SELECT free_blocks, block_size FROM pragma_database_size()"),
    );
    return { blocks: Number(row!["free_blocks"]), blockBytes: Number(row!["block_size"]) };
  }
}
