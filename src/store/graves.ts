/**
 * Clears away the windows of event types that are gone: nobody finds them by a name any more, so
 * it can take its time.
 */
import type { Compactor } from "./compact.ts";
import { briefWaitMs, type Database, ownReadBudgetMs, rowsOf, unlessBusy } from "./database.ts";
import { sliceBounds } from "./delete-slices.ts";
import { vectorsByHour } from "./delete-windows.ts";
import { isLake } from "./dialect.ts";
import { levels } from "./windows.ts";

/** All minutes that windows can have. */
const always = Object.freeze({ start: 0, end: 4_223_376_000 });

/** What goes last of a type, beside its windows. */
const restTables = [
  "pending_windows",
  "coarse_windows",
  "count_deltas",
  "delta_spans",
  "type_graves",
];

export class Graves {
  readonly #database: Database;
  readonly #compactor: Compactor;
  readonly #vectorsMax: number;
  /** The type being cleared away, and where its next slices end. */
  #current: { typeId: number; ends: number[] } | null = null;

  constructor(database: Database, compactor: Compactor, vectorsMax: number) {
    this.#database = database;
    this.#compactor = compactor;
    this.#vectorsMax = vectorsMax;
  }

  /** Clears one slice away, in one transaction; whether there was anything to do. */
  async step(): Promise<boolean> {
    this.#current ??= await this.#next();
    if (this.#current === null) return false;
    const { typeId, ends } = this.#current;
    const end = ends[0]!;
    const isLast = ends.length === 1;
    await this.#database.writeDeferrable(async (connection) => {
      for (const { name } of levels) {
        for (const kind of ["list", "tail", ...(isLast ? ["window", "sketch"] : [])]) {
          await connection.run(
            `DELETE FROM ${kind}_${name} WHERE type_id = ${typeId} AND start < ${end}`,
          );
        }
      }
      if (!isLast) return;
      for (const table of restTables) {
        if (table === "delta_spans" && isLake(connection)) continue;
        await connection.run(`DELETE FROM ${table} WHERE type_id = ${typeId}`);
      }
    });
    ends.shift();
    if (isLast) this.#current = null;
    this.#compactor.look();
    return true;
  }

  async #next(): Promise<{ typeId: number; ends: number[] } | null> {
    const [row] = await this.#database.read(ownReadBudgetMs, (connection) =>
      rowsOf(connection, "SELECT min(type_id) AS id FROM type_graves"),
    );
    if (row!["id"] === null) return null;
    const typeId = Number(row!["id"]);
    const all = { typeId, eventId: null, span: always, edgeMinutes: [], candidatesMax: 0 };
    return unlessBusy(
      this.#database.read(
        ownReadBudgetMs,
        async (connection) => {
          const vectors = await vectorsByHour(connection, all);
          return { typeId, ends: [...sliceBounds(vectors, this.#vectorsMax), always.end] };
        },
        { lane: "apart", waitMsMax: briefWaitMs },
      ),
    );
  }
}
