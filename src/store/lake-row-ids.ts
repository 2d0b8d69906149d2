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

/** To be called before a merge: has it keep the numbers of a table's rows. */
export async function keepRowIds(
  connection: DuckDBConnection,
  files: Pick<LakeFiles, "filesOfSeveralStates" | "forgetFirstRows">,
  table: string,
): Promise<void> {
  const names = await files.filesOfSeveralStates(table);
  if (names.length === 0) return;
  const known = await rowsOf(
    connection,
    `SELECT data_file AS path FROM ducklake_list_files('${lakeName}', '${table}')
     WHERE parse_filename(data_file) IN (${sqlTexts(names)})`,
  );
  if (known.length === 0) return;
  const paths = sqlTexts(known.map(({ path }) => String(path)));
  const numbered = await rowsOf(
    connection,
    `SELECT DISTINCT parse_filename(file_name) AS file FROM parquet_schema([${paths}])
     WHERE name = '${numbers}'`,
  );
  if (numbered.length > 0) await files.forgetFirstRows(numbered.map(({ file }) => String(file)));
}
