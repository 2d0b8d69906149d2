/**
 * Where a connection's unqualified tables lie: in the one file of this process, in a lake that
 * other processes write too, or in this process's mirror of one (lake-mirror.ts). Tables of a
 * lake are only added to by whoever counts; what would be changed in place is kept otherwise
 * there (lake-partitions.ts, lake-types.ts).
 */
import type { DuckDBConnection } from "@duckdb/node-api";

const dialects = new WeakMap<DuckDBConnection, "lake" | "mirror">();

/** Says that this connection's tables are a lake's. */
export function markLake(connection: DuckDBConnection): void {
  dialects.set(connection, "lake");
}

/** Says that this connection's tables are a mirror's. */
export function markMirror(connection: DuckDBConnection): void {
  dialects.set(connection, "mirror");
}

/** Whether what this connection writes is shared with other processes. */
export function isLake(connection: DuckDBConnection): boolean {
  return dialects.get(connection) === "lake";
}

/** Whether rowid says where in its file a row lies. */
export function hasRowPlaces(connection: DuckDBConnection): boolean {
  return !dialects.has(connection);
}
