/** Idempotency state in the store: written with the checkpoint it belongs to, read at start. */
import type { DuckDBConnection, DuckDBValue } from "@duckdb/node-api";
import type { SeenRow, SeenRun } from "../model-seen.ts";
import { type Row, rowsOf, runValues } from "./database.ts";
import type { SeenChanges, SeenState } from "./store.ts";

export const seenKeysColumns = `partition INTEGER NOT NULL, ordinal BIGINT NOT NULL,
  key VARCHAR NOT NULL, producer VARCHAR, digest VARCHAR, received_at BIGINT NOT NULL,
  partition_count INTEGER NOT NULL`;
export const seenRunsColumns = `partition INTEGER NOT NULL, producer VARCHAR NOT NULL,
  first_sequence BIGINT NOT NULL, last_sequence BIGINT NOT NULL`;

/** Brings one partition's rows up to date. */
export async function writeSeen(
  connection: DuckDBConnection,
  changes: SeenChanges,
): Promise<void> {
  const { partition } = changes;
  if (changes.newestReceivedAt > 0) {
    await connection.run("UPDATE seen_times SET newest_received_at = ? WHERE partition = ?", [
      BigInt(changes.newestReceivedAt),
      partition,
    ]);
  }
  if (changes.rows.length === 0 && changes.runs.length === 0 && changes.drops.length === 0) return;
  await connection.run(
    `DELETE FROM seen_keys WHERE partition = ? AND
       ((producer IS NULL AND received_at < ?) OR (producer IS NOT NULL AND ordinal < ?))`,
    [partition, BigInt(changes.expireBefore), BigInt(changes.ordinalBelow)],
  );
  await runValues(
    connection,
    "DELETE FROM seen_keys USING (VALUES",
    changes.drops.map((row) => [partition, row.producer, BigInt(row.ordinalBelow)]),
    `) AS gone (partition, producer, ordinal_below) WHERE seen_keys.partition = gone.partition
       AND seen_keys.producer = gone.producer AND seen_keys.ordinal < gone.ordinal_below`,
  );
  await runValues(
    connection,
    "INSERT INTO seen_keys VALUES",
    changes.rows.map((row) => seenRowValues(partition, row)),
  );
  await runValues(
    connection,
    "DELETE FROM seen_runs WHERE (partition, producer) IN (VALUES",
    changes.producers.map((producer) => [partition, producer]),
    ")",
  );
  await runValues(
    connection,
    "INSERT INTO seen_runs VALUES",
    changes.runs.map((row) => seenRunValues(partition, row)),
  );
}

/** All partitions' state, by partition. */
export async function readSeen(connection: DuckDBConnection): Promise<SeenState[]> {
  const times = await rowsOf(connection, "SELECT * FROM seen_times ORDER BY partition");
  const states = times.map(
    (row): SeenState => ({
      newestReceivedAt: Number(row["newest_received_at"]),
      rows: [],
      runs: [],
    }),
  );
  for (const row of await rowsOf(connection, "SELECT * FROM seen_keys ORDER BY ordinal")) {
    states[Number(row["partition"])]!.rows.push(seenRowOf(row));
  }
  for (const row of await rowsOf(connection, "SELECT * FROM seen_runs")) {
    states[Number(row["partition"])]!.runs.push(seenRunOf(row));
  }
  return states;
}

/** A row of seen_keys as it is inserted. */
export function seenRowValues(partition: number, row: SeenRow): DuckDBValue[] {
  const { key, producer, digest, partitionCount } = row;
  const [ordinal, receivedAt] = [BigInt(row.ordinal), BigInt(row.receivedAt)];
  return [partition, ordinal, key, producer, digest, receivedAt, partitionCount];
}

/** A row of seen_runs as it is inserted. */
export function seenRunValues(partition: number, row: SeenRun): DuckDBValue[] {
  return [partition, row.producer, BigInt(row.from), BigInt(row.to)];
}

/** A row of seen_keys as it was read. */
export function seenRowOf(row: Row): SeenRow {
  return {
    ordinal: Number(row["ordinal"]),
    key: String(row["key"]),
    producer: row["producer"] === null ? null : String(row["producer"]),
    digest: row["digest"] === null ? null : String(row["digest"]),
    receivedAt: Number(row["received_at"]),
    partitionCount: Number(row["partition_count"]),
  };
}

/** A row of seen_runs as it was read. */
export function seenRunOf(row: Row): SeenRun {
  return {
    producer: String(row["producer"]),
    from: Number(row["first_sequence"]),
    to: Number(row["last_sequence"]),
  };
}
