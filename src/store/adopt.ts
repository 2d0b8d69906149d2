/**
 * What a worker needs to take over partitions of a log that several read: how far they are
 * counted, which batches were, and that nobody's open minutes speak of them any more.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { newestMinuteOf } from "./contents.ts";
import { rowsOf } from "./database.ts";
import { clearOpenOf } from "./open-windows.ts";
import { noteCount, writePartitionCount } from "./partition-counts.ts";
import { readSeen } from "./seen.ts";
import type { Adopted, Adoption } from "./store.ts";

/** Adds rows for the partitions from `from` to `to` − 1. */
export async function addPartitions(
  connection: DuckDBConnection,
  from: number,
  to: number,
  beginOffsets: readonly number[],
): Promise<void> {
  for (let partition = from; partition < to; partition++) {
    const begin = BigInt(beginOffsets[partition] ?? 0);
    const row = [partition, begin];
    await connection.run("INSERT INTO log_offsets (partition, next_offset) VALUES (?, ?)", row);
    await connection.run("INSERT INTO seen_times VALUES (?, 0)", [partition]);
  }
}

/** The number of partitions known until now, then the greater one. */
async function grow(connection: DuckDBConnection, partitionCount: number): Promise<void> {
  const [row] = await rowsOf(connection, "SELECT count(*) AS known FROM log_offsets");
  const known = Number(row!["known"]);
  if (partitionCount <= known) return;
  await addPartitions(connection, known, partitionCount, []);
  await writePartitionCount(connection, partitionCount);
}

/** Candidates of another reader stand in for deltas that are now someone else's to add. */
async function forgetOpen(connection: DuckDBConnection, { worker, partitions }: Adoption) {
  const named = partitions.length === 0 ? "false" : `partition IN (${partitions.map(Number)})`;
  const rows = await rowsOf(
    connection,
    `SELECT DISTINCT worker FROM open_spans WHERE ${named} OR worker = ${worker}`,
  );
  for (const row of rows) {
    await clearOpenOf(connection, Number(row["worker"]));
  }
}

/** In one transaction of the writer, after all that was handed over before. */
export async function adopt(connection: DuckDBConnection, adoption: Adoption): Promise<Adopted> {
  await grow(connection, adoption.partitionCount);
  const counts = await noteCount(connection, adoption.partitionCount);
  await forgetOpen(connection, adoption);
  const wanted = new Set(adoption.partitions);
  const rows = await rowsOf(
    connection,
    "SELECT partition, next_offset, tail FROM log_offsets ORDER BY partition",
  );
  const seen = await readSeen(connection);
  const types = await rowsOf(connection, "SELECT event_type FROM event_types ORDER BY type_id");
  return {
    offsets: rows.map((row) => Number(row["next_offset"])),
    starts: rows
      .map((row) => ({
        partition: Number(row["partition"]),
        offset: Number(row["next_offset"]),
        tail: row["tail"] === null ? null : String(row["tail"]),
      }))
      .filter(({ partition }) => wanted.has(partition)),
    seen: adoption.partitions.map((partition) => ({ partition, ...seen[partition]! })),
    newestMinute: await newestMinuteOf(connection),
    counts,
    types: types.map((row) => String(row["event_type"])),
  };
}
