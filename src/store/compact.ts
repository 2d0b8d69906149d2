/**
 * Moves rows together in tables that have lost single rows here and there. DuckDB keeps, for every
 * 2048 rows of which some are deleted, 17 KiB in memory for good, also after a restart: sixty
 * million rows that lost one in a thousand can't be opened with 200 MB any more. Rows written
 * anew leave stretches behind that are deleted whole, and these cost nothing.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { SerialQueue } from "../serial-queue.ts";
import {
  briefWaitMs,
  type Database,
  insertRows,
  ownReadBudgetMs,
  rowsOf,
  unlessBusy,
} from "./database.ts";
import { levels } from "./windows.ts";

export interface CompactOptions {
  /** Vectors of 2048 rows with deleted ones in all tables; beyond, rows are moved. */
  partialVectorsMax: number;
  /** False where rows don't lie in this process's file: nothing is moved then. Default true. */
  isNeeded?: boolean;
}

export const compactDefaults: CompactOptions = Object.freeze({ partialVectorsMax: 2048 });

const vectorRows = 2048;
/** Moved in one transaction: a fifth of a second. */
const stretchRows = 60 * vectorRows;

interface Stretch {
  table: string;
  /** Row numbers from here on. */
  first: number;
  partialVectors: number;
}

const tables = levels.flatMap(({ name }) => [`list_${name}`, `tail_${name}`]);

/** Stretches of a table that hold vectors with deleted rows: gaps in the rows' numbers. */
async function partialStretches(connection: DuckDBConnection, table: string): Promise<Stretch[]> {
  const rows = await rowsOf(
    connection,
    `SELECT vector * ${vectorRows} // ${stretchRows} AS stretch, count(*) AS n
     FROM (SELECT rowid // ${vectorRows} AS vector FROM ${table}
           GROUP BY vector HAVING count(*) < ${vectorRows})
     GROUP BY stretch`,
  );
  return rows.map((row) => ({
    table,
    first: Number(row["stretch"]) * stretchRows,
    partialVectors: Number(row["n"]),
  }));
}

export class Compactor {
  readonly #database: Database;
  readonly #options: CompactOptions;
  /** What is to be moved, from the last to the first of each table. */
  #due: Stretch[] = [];
  #isToLook = false;
  readonly #queue = new SerialQueue();

  constructor(database: Database, options: CompactOptions) {
    this.#database = database;
    this.#options = options;
  }

  /** Rows were deleted: have a look at the tables when there is time. */
  look(): void {
    this.#isToLook = this.#options.isNeeded ?? true;
  }

  /** Moves one stretch of rows where that is due; whether it did. */
  step(waitMsMax = briefWaitMs): Promise<boolean> {
    return this.#queue.run(() => this.#step(waitMsMax));
  }

  /** Looks, and moves all that is due. */
  async settle(): Promise<void> {
    this.look();
    while (await this.step(ownReadBudgetMs));
  }

  async #step(waitMsMax: number): Promise<boolean> {
    if (this.#due.length === 0 && this.#isToLook) {
      this.#isToLook = false;
      const due = await unlessBusy(this.#choose(waitMsMax));
      if (due === null) this.look();
      else this.#due = due;
    }
    const stretch = this.#due.shift();
    if (stretch === undefined) return false;
    const { table, first } = stretch;
    const within = `rowid >= ${first} AND rowid < ${first + stretchRows}`;
    await this.#database.writeDeferrable(async (connection) => {
      await insertRows(connection, table, `SELECT * FROM ${table} WHERE ${within} ORDER BY rowid`);
      await connection.run(`DELETE FROM ${table} WHERE ${within}`);
    });
    return true;
  }

  /** The densest stretches first, until half of what is allowed is left. */
  async #choose(waitMsMax: number): Promise<Stretch[]> {
    const found: Stretch[] = [];
    for (const table of tables) {
      const read = (connection: DuckDBConnection) => partialStretches(connection, table);
      const options = { lane: "apart", waitMsMax } as const;
      found.push(...(await this.#database.read(ownReadBudgetMs, read, options)));
    }
    const { partialVectorsMax } = this.#options;
    let left = found.reduce((sum, { partialVectors }) => sum + partialVectors, 0);
    const chosen: Stretch[] = [];
    if (left <= partialVectorsMax) return chosen;
    for (const stretch of found.sort((a, b) => b.partialVectors - a.partialVectors)) {
      if (left <= partialVectorsMax / 2) break;
      chosen.push(stretch);
      left -= stretch.partialVectors;
    }
    // What lies behind a stretch may move up once that is empty: what lies before it does not.
    return chosen.sort((a, b) => b.first - a.first);
  }
}
