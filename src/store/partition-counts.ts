/** How many partitions the log has, and all numbers that it is known to have had. */
import type { DuckDBConnection } from "@duckdb/node-api";
import { rowsOf } from "./database.ts";

/** Remembers that the log had so many partitions; all numbers it had, rising. */
export async function noteCount(
  connection: DuckDBConnection,
  partitionCount: number,
): Promise<number[]> {
  const read = "SELECT value FROM meta WHERE key = 'partitionCounts'";
  const [row] = await rowsOf(connection, read);
  const known = row === undefined ? [] : String(row["value"]).split(",").map(Number);
  if (known.includes(partitionCount)) return known;
  const counts = [...known, partitionCount].sort((a, b) => a - b);
  await connection.run("DELETE FROM meta WHERE key = 'partitionCounts'");
  await connection.run("INSERT INTO meta VALUES ('partitionCounts', ?)", [counts.join(",")]);
  return counts;
}

/** Keeps the number of partitions that there is state of. */
export async function writePartitionCount(
  connection: DuckDBConnection,
  partitionCount: number,
): Promise<void> {
  const meta = "UPDATE meta SET value = ? WHERE key = 'partitionCount'";
  await connection.run(meta, [String(partitionCount)]);
}
