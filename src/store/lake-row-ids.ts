/**
 * Numbers of rows (`rowid`), by which mirrors find the rows that went. Where rows move from
 * PostgreSQL to a file, or an UPDATE writes one, the file itself has their numbers, and the
 * catalog a first one as of any file. DuckLake 1.0 then takes them for numbers without gaps: a
 * merge with the file that ends just before leaves them out, and rows get the numbers of others.
 * Without a first number it writes all down.
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
  readonly #files: Pick<LakeFiles, "filesMaybeNumbered" | "forgetFirstRows">;
  /** Files that were looked at and hold no numbers, by table. */
  readonly #plain = new Map<string, ReadonlySet<string>>();

  constructor(files: Pick<LakeFiles, "filesMaybeNumbered" | "forgetFirstRows">) {
    this.#files = files;
  }

  /** To be called just before the files of a table are merged. */
  async keep(connection: DuckDBConnection, table: string): Promise<void> {
    const names = await this.#files.filesMaybeNumbered(table);
    const known = this.#plain.get(table) ?? new Set();
    const fresh = names.filter((name) => !known.has(name));
    const { numbered, plain } = await lookInto(connection, table, fresh);
    if (numbered.length > 0) await this.#files.forgetFirstRows(numbered);
    this.#plain.set(table, new Set([...names.filter((name) => known.has(name)), ...plain]));
  }
}

/** Which of these files of a table have a column of numbers, and which have none. */
async function lookInto(connection: DuckDBConnection, table: string, names: readonly string[]) {
  const own = names.length === 0 ? [] : await pathsOf(connection, table, names);
  if (own.length === 0) return { numbered: [], plain: [] };
  const rows = await rowsOf(
    connection,
    `SELECT parse_filename(file_name) AS file, bool_or(name = '${numbers}') AS is_numbered
     FROM parquet_schema([${sqlTexts(own)}]) GROUP BY file_name`,
  );
  const which = (isNumbered: boolean) =>
    rows.filter((row) => row["is_numbered"] === isNumbered).map(({ file }) => String(file));
  return { numbered: which(true), plain: which(false) };
}

async function pathsOf(connection: DuckDBConnection, table: string, names: readonly string[]) {
  const rows = await rowsOf(
    connection,
    `SELECT data_file AS path FROM ducklake_list_files('${lakeName}', '${table}')
     WHERE parse_filename(data_file) IN (${sqlTexts(names)})`,
  );
  return rows.map(({ path }) => String(path));
}
