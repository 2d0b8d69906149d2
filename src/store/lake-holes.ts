/**
 * Writes the rows of small files anew that have lost some of theirs, as late events take them from
 * windows: DuckLake merges only files that are whole, and would never have fewer. It is done by a
 * transaction that takes the rows and adds them again, whose older states read as before.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { sqlTexts } from "./sql.ts";

/** A file of which some rows are gone. */
export interface HoledFile {
  /** Without its folder. */
  name: string;
  /** Those left, at least one. */
  rows: number;
}

/** Larger ones stay as they are: they need no merging. */
const fileRowsMax = 100_000;
/** Rows written anew in one transaction. */
const rowsMax = 500_000;
/** Fewer are not worth it. */
const filesMin = 4;

/** Which of a table's files, the smallest first, are to be written anew now. */
export function chooseHoled(files: readonly HoledFile[]): HoledFile[] {
  const chosen: HoledFile[] = [];
  let sum = 0;
  for (const file of files.toSorted((a, b) => a.rows - b.rows)) {
    sum += file.rows;
    if (file.rows > fileRowsMax || sum > rowsMax) break;
    chosen.push(file);
  }
  return chosen.length < filesMin ? [] : chosen;
}

/** Moves the rows of these files of `table` into another one. */
export async function rewriteHoled(
  connection: DuckDBConnection,
  table: string,
  files: readonly HoledFile[],
): Promise<void> {
  const within = `parse_filename(filename) IN (${sqlTexts(files.map(({ name }) => name))})`;
  await connection.run(`CREATE OR REPLACE TEMP TABLE moved AS SELECT * FROM ${table}
    WHERE ${within}`);
  const taken = await connection.run(`DELETE FROM ${table} WHERE ${within}`);
  const added = await connection.run(`INSERT INTO ${table} FROM moved`);
  if (taken.rowsChanged !== added.rowsChanged) {
    throw new Error(`${table}: ${taken.rowsChanged} rows taken, ${added.rowsChanged} added`);
  }
  await connection.run("DROP TABLE moved");
}
