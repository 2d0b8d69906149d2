/** Holds what a lake has of a store against the store, row by row, by sums of hashes. */
import type { DuckDBConnection } from "@duckdb/node-api";
import type { CarriedFile } from "./carry-record.ts";
import type { CarriedTable } from "./carry-tables.ts";
import { rowsOf } from "./database.ts";
import { lakeName } from "./lake-mirror.ts";

/** How many rows there are, and what they come to. */
interface Fingerprint {
  rows: number;
  sum: string;
}

async function fingerprint(connection: DuckDBConnection, rows: string): Promise<Fingerprint> {
  const [found] = await rowsOf(
    connection,
    `SELECT count(*) AS n, coalesce(sum(hash(own)::HUGEINT), 0)::VARCHAR AS sum
     FROM (${rows}) AS own`,
  );
  return { rows: Number(found!["n"]), sum: String(found!["sum"]) };
}

/** What was compared, and where it differs in words. */
export interface CheckedTables {
  /** By table. */
  rows: Record<string, number>;
  faults: string[];
}

/**
 * Each table of the lake against what it was to hold. `onProgress` is told before each, and waited
 * for.
 */
export async function checkTables(
  connection: DuckDBConnection,
  tables: readonly CarriedTable[],
  onProgress: (share: number) => Promise<void>,
): Promise<CheckedTables> {
  const checked: CheckedTables = { rows: {}, faults: [] };
  for (const [done, { name, rows }] of tables.entries()) {
    await onProgress(done / tables.length);
    const wanted = await fingerprint(connection, rows);
    const found = await fingerprint(connection, `FROM ${lakeName}.${name}`);
    checked.rows[name] = found.rows;
    if (found.rows !== wanted.rows) {
      checked.faults.push(`${name}: ${found.rows} rows, ${wanted.rows} expected`);
    } else if (found.sum !== wanted.sum) {
      checked.faults.push(`${name}: ${found.rows} rows, not all of them as in the store`);
    }
  }
  return checked;
}

/** The lake's manifest of raw events against what was carried. */
export async function checkManifest(
  connection: DuckDBConnection,
  carried: readonly CarriedFile[],
): Promise<string[]> {
  const files = carried.flatMap(({ file }) => (file === null ? [] : [file]));
  const rows = await rowsOf(connection, `SELECT path, rows, bytes FROM ${lakeName}.raw_files`);
  const found = new Map(rows.map((row) => [String(row["path"]), row]));
  const faults = files.flatMap(({ path, rows: events, bytes }) => {
    const row = found.get(path);
    const isThere = Number(row?.["rows"]) === events && Number(row?.["bytes"]) === bytes;
    return isThere ? [] : [`${path} is not in the manifest as it was written`];
  });
  if (rows.length === files.length) return faults;
  return [...faults, `the manifest has ${rows.length} files, ${files.length} expected`];
}
