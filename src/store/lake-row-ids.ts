/**
 * Numbers of rows (`rowid`), by which mirrors find the rows that went. Where rows move from
 * PostgreSQL to a file, the file itself has their numbers, and the catalog the first of them.
 * DuckLake 1.0 then takes them for numbers without gaps: a merge with the file that ends just
 * before leaves them out, and rows get the numbers of others, which came between. Without a first
 * number it writes all down.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { rowsOf } from "./database.ts";
import type { LakeFiles } from "./lake-files.ts";
import { lakeName } from "./lake-mirror.ts";
import { sqlTexts } from "./sql.ts";

/** As DuckLake calls the column in a file. */
const numbers = "_ducklake_internal_row_id";

/** Has merges keep the numbers of rows. */
export class LakeRowIds {
  readonly #files: Pick<LakeFiles, "filesOfSeveralStates" | "forgetFirstRows">;
  /** Files that were looked at and hold no numbers, by table: a merge made them so. */
  readonly #plain = new Map<string, ReadonlySet<string>>();

  constructor(files: Pick<LakeFiles, "filesOfSeveralStates" | "forgetFirstRows">) {
    this.#files = files;
  }

  /** To be called just before the files of a table are merged. */
  async keep(connection: DuckDBConnection, table: string): Promise<void> {
    const names = await this.#files.filesOfSeveralStates(table);
    const plain = names.filter((name) => this.#plain.get(table)?.has(name));
    const fresh = names.filter((name) => !plain.includes(name));
    const numbered = await holdingNumbers(connection, table, fresh);
    if (numbered.size > 0) await this.#files.forgetFirstRows([...numbered]);
    const others = fresh.filter((name) => !numbered.has(name));
    this.#plain.set(table, new Set([...plain, ...others]));
  }
}

/** Which of these files of a table have a column of numbers. */
async function holdingNumbers(
  connection: DuckDBConnection,
  table: string,
  names: readonly string[],
): Promise<Set<string>> {
  if (names.length === 0) return new Set();
  const known = await rowsOf(
    connection,
    `SELECT data_file AS path FROM ducklake_list_files('${lakeName}', '${table}')
     WHERE parse_filename(data_file) IN (${sqlTexts(names)})`,
  );
  if (known.length === 0) return new Set();
  const paths = sqlTexts(known.map(({ path }) => String(path)));
  const rows = await rowsOf(
    connection,
    `SELECT DISTINCT parse_filename(file_name) AS file FROM parquet_schema([${paths}])
     WHERE name = '${numbers}'`,
  );
  return new Set(rows.map(({ file }) => String(file)));
}
