/**
 * How far each partition of the log is counted in a lake, and by whom. DuckLake lets one of two
 * overlapping transactions commit that change the same table, and a changed row costs it far more
 * than an added one, so all is added but one row a commit:
 *
 *   offsets_reached (partition, next_offset, tail, newest_received_at): a row a checkpoint
 *   partition_epochs (partition, epoch, slot): a row each time that somebody takes it over
 *   fence_<slot>    one row, which each commit of whoever has the slot changes, and whoever takes
 *                   one of its partitions over, deletes or erases: then `epoch` grows
 *   seen_keys_<p>, seen_runs_<p>   which batches of a partition were counted
 *
 * A checkpoint commits where its fence has the epoch that was read with all it relies on: which
 * partitions are its own, event types, erased users. So of two processes that both take a
 * partition for theirs, one that was stopped for long and its successor, only the successor
 * commits. A process has a slot for itself where it can; two that share one are only slower.
 * Views log_offsets, seen_times, seen_keys and seen_runs show all partitions as a local store's
 * tables do.
 */
import type { DuckDBConnection, DuckDBValue } from "@duckdb/node-api";
import { rowsOf, runValues } from "./database.ts";
import { isLake } from "./dialect.ts";
import { seenKeysColumns, seenRunsColumns } from "./seen.ts";

/** How far a partition is counted. */
export interface Reached {
  partition: number;
  next: number;
  tail: string | null;
  /** When the newest of its records was received, epoch ms; 0: there is none. */
  newestReceivedAt: number;
}

/** Who counts a partition. */
export interface Holder {
  /** Grows with each who takes it over. */
  epoch: number;
  slot: number;
}

/** What a checkpoint relies on: its fence has this epoch still. */
export interface Fence {
  slot: number;
  epoch: number;
}

export const partitionTables: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS offsets_reached (partition INTEGER NOT NULL,
    next_offset BIGINT NOT NULL, tail VARCHAR, newest_received_at BIGINT NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS partition_epochs (partition INTEGER NOT NULL,
    epoch BIGINT NOT NULL, slot INTEGER NOT NULL)`,
];

/** A tail may be NULL, of a part without events of the partition, and is that of no other part. */
const reachedSql = `SELECT partition, max(next_offset) AS next_offset,
  arg_max_null(tail, next_offset) AS tail, max(newest_received_at) AS newest_received_at
  FROM offsets_reached GROUP BY partition`;

/** As a local store's table of that name. */
export const logOffsetsSql = `SELECT partition, next_offset, tail FROM (${reachedSql})`;

/** Views of all partitions, of which there are so many. */
function viewsOf(count: number): [string, string][] {
  const parts = (name: string) =>
    Array.from({ length: count }, (_, p) => `FROM ${name}_${p}`).join(" UNION ALL ");
  return [
    ["log_offsets", logOffsetsSql],
    ["seen_times", `SELECT partition, newest_received_at FROM (${reachedSql})`],
    ["seen_keys", parts("seen_keys")],
    ["seen_runs", parts("seen_runs")],
  ];
}

/** Adds what there is of the partitions from `from` to `to` − 1, which begin at these offsets. */
export async function addLakePartitions(
  connection: DuckDBConnection,
  from: number,
  to: number,
  beginOffsets: readonly number[],
): Promise<void> {
  // Whoever deletes meanwhile doesn't know of these, and is to look again.
  if (from > 0) await fenceOthers(connection);
  const rows: DuckDBValue[][] = [];
  const epochs: DuckDBValue[][] = [];
  for (let p = from; p < to; p++) {
    await connection.run(
      `CREATE TABLE fence_${p} (epoch BIGINT NOT NULL, commits BIGINT NOT NULL)`,
    );
    await connection.run(`INSERT INTO fence_${p} VALUES (0, 0)`);
    await connection.run(`CREATE TABLE seen_keys_${p} (${seenKeysColumns})`);
    await connection.run(`CREATE TABLE seen_runs_${p} (${seenRunsColumns})`);
    rows.push([p, BigInt(beginOffsets[p] ?? 0), null, 0n]);
    epochs.push([p, 0n, p]);
  }
  await runValues(connection, "INSERT INTO offsets_reached VALUES", rows);
  await runValues(connection, "INSERT INTO partition_epochs VALUES", epochs);
  for (const [name, sql] of viewsOf(to)) {
    await connection.run(`CREATE OR REPLACE VIEW ${name} AS ${sql}`);
  }
}

/** How far each partition is counted, in their order. */
export async function readReached(connection: DuckDBConnection): Promise<Reached[]> {
  const rows = await rowsOf(connection, `FROM (${reachedSql}) ORDER BY partition`);
  return rows.map((row) => ({
    partition: Number(row["partition"]),
    next: Number(row["next_offset"]),
    tail: row["tail"] === null ? null : String(row["tail"]),
    newestReceivedAt: Number(row["newest_received_at"]),
  }));
}

/** Says how far partitions are, for whoever follows or takes over. */
export function noteReached(
  connection: DuckDBConnection,
  reached: readonly Reached[],
): Promise<void> {
  const rows = reached.map(({ partition, next, tail, newestReceivedAt }) => [
    partition,
    BigInt(next),
    tail,
    BigInt(newestReceivedAt),
  ]);
  return runValues(connection, "INSERT INTO offsets_reached VALUES", rows);
}

/** Who counts each partition. */
export async function readHolders(connection: DuckDBConnection): Promise<Map<number, Holder>> {
  const rows = await rowsOf(
    connection,
    `SELECT partition, max(epoch) AS epoch, arg_max(slot, epoch) AS slot
     FROM partition_epochs GROUP BY partition`,
  );
  return new Map(
    rows.map((row) => [
      Number(row["partition"]),
      { epoch: Number(row["epoch"]), slot: Number(row["slot"]) },
    ]),
  );
}

/** The fences as they are. */
export async function readFences(
  connection: DuckDBConnection,
  slots: Iterable<number>,
): Promise<Fence[]> {
  const fences: Fence[] = [];
  for (const slot of new Set(slots)) {
    const [row] = await rowsOf(connection, `SELECT epoch FROM fence_${slot}`);
    fences.push({ slot, epoch: Number(row!["epoch"]) });
  }
  return fences;
}

/** Has the transaction commit only where the fence is as it was; whether it is so far. */
export async function passFence(
  connection: DuckDBConnection,
  { slot, epoch }: Fence,
): Promise<boolean> {
  const sql = `UPDATE fence_${slot} SET commits = commits + 1 WHERE epoch = ${epoch}`;
  return (await connection.run(sql)).rowsChanged === 1;
}

async function closeFences(connection: DuckDBConnection, slots: Iterable<number>): Promise<void> {
  for (const slot of new Set(slots)) {
    await connection.run(`UPDATE fence_${slot} SET epoch = epoch + 1`);
  }
}

/** A slot for whoever takes these over: one that no other has, as long as all know of it. */
function slotFor(
  partitions: readonly number[],
  holders: ReadonlyMap<number, Holder>,
  own: ReadonlyMap<number, Holder>,
): number {
  const isOwn = (partition: number, { epoch }: Holder) => own.get(partition)?.epoch === epoch;
  const others = [...holders].filter(
    ([partition, holder]) => !partitions.includes(partition) && !isOwn(partition, holder),
  );
  const taken = new Set(others.map(([, { slot }]) => slot));
  const before = [...own.values()].map(({ slot }) => slot);
  // There are as many as partitions, and others have fewer.
  return [...before, ...partitions, ...holders.keys()].find((slot) => !taken.has(slot))!;
}

/**
 * Takes partitions over: from now on nobody who held them commits anything before having looked
 * again. `own`: what the process has besides, as far as it knows. Returns their new holders.
 */
export async function takeOver(
  connection: DuckDBConnection,
  partitions: readonly number[],
  own: ReadonlyMap<number, Holder>,
): Promise<Map<number, Holder>> {
  if (partitions.length === 0) return new Map();
  const holders = await readHolders(connection);
  const before = partitions.map((partition) => holders.get(partition)!);
  await closeFences(
    connection,
    before.map(({ slot }) => slot),
  );
  const slot = slotFor(partitions, holders, own);
  const taken = partitions.map((partition, i): [number, Holder] => [
    partition,
    { epoch: before[i]!.epoch + 1, slot },
  ]);
  const rows = taken.map(([partition, { epoch }]) => [partition, BigInt(epoch), slot]);
  await runValues(connection, "INSERT INTO partition_epochs VALUES", rows);
  return new Map(taken);
}

/** How many partitions there are tables for. */
export async function lakePartitionCount(connection: DuckDBConnection): Promise<number> {
  const [row] = await rowsOf(
    connection,
    "SELECT count(DISTINCT partition) AS known FROM partition_epochs",
  );
  return Number(row!["known"]);
}

/**
 * In a lake no checkpoint that began before this transaction commits after it: each has to look
 * again at what it knows of event types and erased users. Elsewhere there are no others.
 */
export async function fenceOthers(connection: DuckDBConnection): Promise<void> {
  if (!isLake(connection)) return;
  const holders = await readHolders(connection);
  await closeFences(
    connection,
    [...holders.values()].map(({ slot }) => slot),
  );
}

/** Rows of offsets_reached and partition_epochs kept a partition. */
const rowsMax = 1000;

/** Drops what was said before of each partition, where that is much. */
export async function forgetReached(connection: DuckDBConnection): Promise<void> {
  const count = await lakePartitionCount(connection);
  for (const [table, order] of [
    ["offsets_reached", "next_offset"],
    ["partition_epochs", "epoch"],
  ] as const) {
    const [row] = await rowsOf(connection, `SELECT count(*) AS n FROM ${table}`);
    if (Number(row!["n"]) <= rowsMax * count) continue;
    await connection.run(`DELETE FROM ${table} WHERE ${order} < (
      SELECT max(${order}) FROM ${table} AS latest WHERE latest.partition = ${table}.partition)`);
  }
}
