/** Idempotency state in a lake: of each partition in tables of its own (lake-partitions.ts). */
import type { DuckDBConnection } from "@duckdb/node-api";
import { rowsOf, runValues } from "./database.ts";
import { seenRowOf, seenRowValues, seenRunOf, seenRunValues } from "./seen.ts";
import type { SeenChanges, SeenState } from "./store.ts";

/** Keys past their time stay for so many more, so that not every checkpoint looks for some. */
const expiredKeysMax = 1000;

/** Writes what partitions' batches were, of the partitions that this process counts. */
export class LakeSeen {
  /** Keys added since it was looked how many are past their time, by partition. */
  readonly #added = new Map<number, number>();

  /** Brings one partition's rows up to date, but for `newestReceivedAt`. */
  async write(connection: DuckDBConnection, changes: SeenChanges): Promise<void> {
    const { partition, rows, runs, producers, drops } = changes;
    if (rows.length === 0 && runs.length === 0 && drops.length === 0) return;
    const [keys, known] = [`seen_keys_${partition}`, `seen_runs_${partition}`];
    await this.#expire(connection, changes);
    await runValues(
      connection,
      `DELETE FROM ${keys} USING (VALUES`,
      drops.map((row) => [row.producer, BigInt(row.ordinalBelow)]),
      `) AS gone (producer, ordinal_below) WHERE ${keys}.producer = gone.producer
         AND ${keys}.ordinal < gone.ordinal_below`,
    );
    await runValues(
      connection,
      `INSERT INTO ${keys} VALUES`,
      rows.map((row) => seenRowValues(partition, row)),
    );
    await runValues(
      connection,
      `DELETE FROM ${known} WHERE producer IN (SELECT * FROM (VALUES`,
      producers.map((producer) => [producer]),
      "))",
    );
    await runValues(
      connection,
      `INSERT INTO ${known} VALUES`,
      runs.map((row) => seenRunValues(partition, row)),
    );
  }

  async #expire(
    connection: DuckDBConnection,
    { partition, rows, ordinalBelow, expireBefore }: SeenChanges,
  ): Promise<void> {
    const added = (this.#added.get(partition) ?? expiredKeysMax) + rows.length;
    this.#added.set(partition, added > expiredKeysMax ? 0 : added);
    if (added <= expiredKeysMax) return;
    const keys = `seen_keys_${partition}`;
    const isOld = `(producer IS NULL AND received_at < ${expireBefore}) OR
      (producer IS NOT NULL AND ordinal < ${ordinalBelow})`;
    const [old] = await rowsOf(connection, `SELECT count(*) AS n FROM ${keys} WHERE ${isOld}`);
    if (Number(old!["n"]) <= expiredKeysMax) return;
    await connection.run(`DELETE FROM ${keys} WHERE ${isOld}`);
  }
}

/** One partition's state, but for `newestReceivedAt`. */
export async function readLakeSeen(
  connection: DuckDBConnection,
  partition: number,
): Promise<Pick<SeenState, "rows" | "runs">> {
  const rows = await rowsOf(connection, `FROM seen_keys_${partition} ORDER BY ordinal`);
  const runs = await rowsOf(connection, `FROM seen_runs_${partition}`);
  return { rows: rows.map(seenRowOf), runs: runs.map(seenRunOf) };
}
