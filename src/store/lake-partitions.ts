/**
 * How far each partition of the log is counted, in a lake. DuckLake lets one of two transactions
 * commit that change the same table, so each partition has tables of its own, which only the
 * process that counts it changes:
 *
 *   partition_<p>   one row: next_offset, tail, newest_received_at; `epoch` grows with each
 *                   worker that takes the partition over, `generation` with each delete
 *   seen_keys_<p>, seen_runs_<p>   which of its batches were counted
 *   offsets_reached (partition, next_offset, tail): a row a checkpoint, for whoever follows
 *
 * A checkpoint moves next_offset by compare-and-set on offset and epoch: of two processes that
 * both take a partition for theirs, one that was stopped for long and its successor, only the
 * successor commits. Views log_offsets, seen_times, seen_keys and seen_runs show all partitions
 * as a local store's tables do.
 */
import type { DuckDBConnection, DuckDBValue } from "@duckdb/node-api";
import { rowsOf, runValues } from "./database.ts";
import { isLake } from "./dialect.ts";
import { seenKeysColumns, seenRunsColumns } from "./seen.ts";
import type { OffsetRange } from "./store.ts";

/** The row of a partition as a transaction sees it. */
export interface PartitionRow {
  nextOffset: number;
  tail: string | null;
  newestReceivedAt: number;
  epoch: number;
  generation: number;
}

export const offsetsReachedTable = `CREATE TABLE IF NOT EXISTS offsets_reached (
  partition INTEGER NOT NULL, next_offset BIGINT NOT NULL, tail VARCHAR)`;

const views: Readonly<Record<string, (partition: number) => string>> = Object.freeze({
  log_offsets: (p: number) =>
    `SELECT ${p}::INTEGER AS partition, next_offset, tail FROM partition_${p}`,
  seen_times: (p: number) =>
    `SELECT ${p}::INTEGER AS partition, newest_received_at FROM partition_${p}`,
  seen_keys: (p: number) => `FROM seen_keys_${p}`,
  seen_runs: (p: number) => `FROM seen_runs_${p}`,
});

/** Adds tables for the partitions from `from` to `to` − 1, which begin at these offsets. */
export async function addLakePartitions(
  connection: DuckDBConnection,
  from: number,
  to: number,
  beginOffsets: readonly number[],
): Promise<void> {
  const rows: DuckDBValue[][] = [];
  for (let p = from; p < to; p++) {
    const begin = BigInt(beginOffsets[p] ?? 0);
    await connection.run(`CREATE TABLE partition_${p} (next_offset BIGINT NOT NULL, tail VARCHAR,
      newest_received_at BIGINT NOT NULL, epoch BIGINT NOT NULL, generation BIGINT NOT NULL)`);
    await connection.run(`INSERT INTO partition_${p} VALUES (${begin}, NULL, 0, 0, 0)`);
    await connection.run(`CREATE TABLE seen_keys_${p} (${seenKeysColumns})`);
    await connection.run(`CREATE TABLE seen_runs_${p} (${seenRunsColumns})`);
    rows.push([p, begin, null]);
  }
  await runValues(connection, "INSERT INTO offsets_reached VALUES", rows);
  for (const [name, select] of Object.entries(views)) {
    const parts = Array.from({ length: to }, (_, p) => select(p));
    await connection.run(`CREATE OR REPLACE VIEW ${name} AS ${parts.join(" UNION ALL ")}`);
  }
}

export async function readPartition(
  connection: DuckDBConnection,
  partition: number,
): Promise<PartitionRow> {
  const [row] = await rowsOf(connection, `FROM partition_${partition}`);
  return {
    nextOffset: Number(row!["next_offset"]),
    tail: row!["tail"] === null ? null : String(row!["tail"]),
    newestReceivedAt: Number(row!["newest_received_at"]),
    epoch: Number(row!["epoch"]),
    generation: Number(row!["generation"]),
  };
}

/** What the partition's row has to say for a checkpoint to move it. */
export interface Expected {
  epoch: number;
  generation: number;
}

/**
 * Moves the offset of one partition, by compare-and-set; whether it did. `newestReceivedAt` of 0
 * leaves that as it is.
 */
export async function moveOffset(
  connection: DuckDBConnection,
  { partition, from, next, tail = null }: OffsetRange,
  { epoch, generation }: Expected,
  newestReceivedAt: number,
): Promise<boolean> {
  const { rowsChanged } = await connection.run(
    `UPDATE partition_${partition} SET next_offset = $1::BIGINT, tail = $2,
       newest_received_at = greatest(newest_received_at, $3::BIGINT)
     WHERE next_offset = $4::BIGINT AND epoch = ${epoch} AND generation = ${generation}`,
    [BigInt(next), tail, BigInt(newestReceivedAt), BigInt(from)],
  );
  return rowsChanged === 1;
}

/** Says for whoever follows how far partitions are. */
export function noteReached(
  connection: DuckDBConnection,
  offsets: readonly OffsetRange[],
): Promise<void> {
  const rows = offsets.map(({ partition, next, tail = null }) => [partition, BigInt(next), tail]);
  return runValues(connection, "INSERT INTO offsets_reached VALUES", rows);
}

/** Takes a partition over: from now on nobody commits with an earlier epoch. */
export async function takeOver(
  connection: DuckDBConnection,
  partition: number,
): Promise<PartitionRow> {
  await connection.run(`UPDATE partition_${partition} SET epoch = epoch + 1`);
  return readPartition(connection, partition);
}

/** How many partitions there are tables for. */
export async function lakePartitionCount(connection: DuckDBConnection): Promise<number> {
  const [row] = await rowsOf(
    connection,
    "SELECT count(DISTINCT partition) AS known FROM offsets_reached",
  );
  return Number(row!["known"]);
}

/**
 * In a lake no checkpoint that began before this transaction commits after it: each has to look
 * again at what it knows of event types and erased users. Elsewhere there are no others.
 */
export async function fenceOthers(connection: DuckDBConnection): Promise<void> {
  if (!isLake(connection)) return;
  const count = await lakePartitionCount(connection);
  for (let p = 0; p < count; p++) {
    await connection.run(`UPDATE partition_${p} SET generation = generation + 1`);
  }
}

/** How far each partition is counted. */
export async function readReached(connection: DuckDBConnection): Promise<number[]> {
  const rows = await rowsOf(
    connection,
    "SELECT max(next_offset) AS next FROM offsets_reached GROUP BY partition ORDER BY partition",
  );
  return rows.map((row) => Number(row["next"]));
}
