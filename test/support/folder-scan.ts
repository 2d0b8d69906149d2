// What lies in a data folder, whoever wrote it: its files' bytes, and what DuckDB reads of them.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";

/** Paths of all files below the folder. */
export function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(path) : [path];
  });
}

/** Files that hold the text as it is, or packed in Parquet. */
export async function filesHolding(folder: string, text: string): Promise<string[]> {
  const all = filesBelow(folder);
  const holding = new Set(all.filter((path) => readFileSync(path).includes(text)));
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  for (const path of all.filter((one) => one.endsWith(".parquet"))) {
    const sql = `SELECT count(*) FROM read_parquet('${path}', hive_partitioning = false) AS event
      WHERE contains(to_json(event)::VARCHAR, $1)`;
    const rows = await connection.runAndReadAll(sql, [text]);
    if (Number(rows.getRows()[0]![0]) > 0) holding.add(path);
  }
  connection.closeSync();
  instance.closeSync();
  return [...holding];
}
