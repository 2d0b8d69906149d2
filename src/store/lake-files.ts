/**
 * What maintenance and commits ask the lake's PostgreSQL of its files and figures, and change
 * there where DuckLake has no call for it.
 */
import type { QueryResultRow } from "pg";
import type { HoledFile } from "./lake-holes.ts";

/** No text is less, and none that anybody would write greater. */
const textBounds = ["", "\u{10ffff}".repeat(8)];

export type CatalogQuery = (text: string, values?: unknown[]) => Promise<QueryResultRow[]>;

export class LakeFiles {
  readonly #query: CatalogQuery;
  readonly #name: string;

  /** `schema` is the catalog's, as it is. */
  constructor(query: CatalogQuery, schema: string) {
    this.#query = query;
    this.#name = schema;
  }

  /** Quoted. */
  get #schema(): string {
    return `"${this.#name}"`;
  }

  /** Bytes of the catalog's tables in PostgreSQL, and of the files that it names. */
  async bytes(): Promise<number> {
    const sizes = ["data_file", "delete_file"].map(
      (table) => `SELECT sum(file_size_bytes) AS bytes FROM ${this.#schema}.ducklake_${table}`,
    );
    const [row] = await this.#query(
      `SELECT coalesce(sum(bytes), 0)::bigint AS bytes FROM (
        SELECT sum(pg_total_relation_size(own.oid)) AS bytes FROM pg_class AS own
        JOIN pg_namespace AS place ON place.oid = own.relnamespace
        WHERE place.nspname = $1 AND own.relkind = 'r'
        UNION ALL ${sizes.join(" UNION ALL ")}) AS parts`,
      [this.#name],
    );
    return Number(row!["bytes"]);
  }

  /** How many files each table has, by name; none: it isn't named. */
  async fileCounts(): Promise<Map<string, number>> {
    const rows = await this.#query(
      `SELECT own.table_name, count(*) AS files FROM ${this.#schema}.ducklake_data_file AS file
       JOIN ${this.#schema}.ducklake_table AS own USING (table_id)
       WHERE file.end_snapshot IS NULL AND own.end_snapshot IS NULL GROUP BY own.table_name`,
    );
    return new Map(rows.map((row) => [String(row["table_name"]), Number(row["files"])]));
  }

  /** Which of these names the lake's files have, those that it is about to remove among them. */
  async namedOf(names: readonly string[]): Promise<Set<string>> {
    const tables = ["data_file", "delete_file", "files_scheduled_for_deletion"];
    const own = tables.map(
      (table) => `SELECT regexp_replace(path, '^.*/', '') AS name FROM
        ${this.#schema}.ducklake_${table}`,
    );
    const rows = await this.#query(
      `SELECT name FROM (${own.join(" UNION ALL ")}) AS own WHERE name = ANY($1::text[])`,
      [names],
    );
    return new Set(rows.map((row) => String(row["name"])));
  }

  /** Tables of which rows, or which rows of their files are gone, lie in PostgreSQL. */
  async inlinedTables(): Promise<Set<string>> {
    const parts = await this.#query(
      `SELECT own.table_name, part.name FROM ${this.#schema}.ducklake_table AS own JOIN (
         SELECT table_id, table_name AS name FROM ${this.#schema}.ducklake_inlined_data_tables
         UNION ALL SELECT table_id, 'ducklake_inlined_delete_' || table_id
         FROM ${this.#schema}.ducklake_table) AS part USING (table_id)
       JOIN pg_tables ON schemaname = $1 AND tablename = part.name
       WHERE own.end_snapshot IS NULL`,
      [this.#name],
    );
    if (parts.length === 0) return new Set();
    const filled = parts.map(
      ({ table_name: table, name }) => `SELECT '${table}' AS table_name
        WHERE EXISTS (SELECT FROM ${this.#schema}."${name}")`,
    );
    const rows = await this.#query(filled.join(" UNION "));
    return new Set(rows.map((row) => String(row["table_name"])));
  }

  /** Files in the newest state of which some rows are gone, but not all, by table. */
  async holedFiles(): Promise<Map<string, HoledFile[]>> {
    const rows = await this.#query(
      `SELECT own.table_name, regexp_replace(file.path, '^.*/', '') AS name,
         record_count - delete_count AS rows
       FROM ${this.#schema}.ducklake_data_file AS file
       JOIN ${this.#schema}.ducklake_delete_file AS gone USING (data_file_id)
       JOIN ${this.#schema}.ducklake_table AS own ON own.table_id = file.table_id
       WHERE delete_count < record_count AND own.end_snapshot IS NULL
         AND file.end_snapshot IS NULL AND gone.end_snapshot IS NULL`,
    );
    const files = new Map<string, HoledFile[]>();
    for (const { table_name: table, name, rows: left } of rows) {
      const own = files.get(String(table)) ?? [];
      files.set(String(table), [...own, { name: String(name), rows: Number(left) }]);
    }
    return files;
  }

  /** Whether a file of any of these tables has a file of the rows that are gone of it. */
  async haveDeleteFiles(tables: readonly string[]): Promise<boolean> {
    const [row] = await this.#query(
      `SELECT EXISTS (SELECT FROM ${this.#schema}.ducklake_delete_file AS gone
         JOIN ${this.#schema}.ducklake_table AS own USING (table_id)
         WHERE own.table_name = ANY($1::text[]) AND own.end_snapshot IS NULL
           AND gone.end_snapshot IS NULL) AS are`,
      [tables],
    );
    return row!["are"] === true;
  }

  /**
   * Takes files out of the newest state of which no row is left: DuckLake 1.0 leaves them where
   * the last rows went a few at once. What older states show is as it was. Returns how many went.
   */
  async endEmptyFiles(): Promise<number> {
    const [row] = await this.#query(`WITH ended AS (
        UPDATE ${this.#schema}.ducklake_data_file AS file SET end_snapshot =
          (SELECT max(snapshot_id) FROM ${this.#schema}.ducklake_snapshot)
        WHERE end_snapshot IS NULL AND EXISTS (
          SELECT FROM ${this.#schema}.ducklake_delete_file AS gone
          WHERE gone.data_file_id = file.data_file_id AND gone.end_snapshot IS NULL
            AND gone.delete_count >= file.record_count) RETURNING 1)
      SELECT count(*) AS n FROM ended`);
    return Number(row!["n"]);
  }

  /**
   * Removes rows of small inserts that no kept state shows, which DuckLake 1.0 leaves: one that
   * was replaced in state `end_snapshot` is none of that state's nor of any later one's. Returns
   * how many went.
   */
  async dropDeadRows(): Promise<number> {
    const tables = await this.#query(
      `SELECT quote_ident(table_name) AS name FROM ${this.#schema}.ducklake_inlined_data_tables`,
    );
    let dropped = 0;
    for (const { name } of tables) {
      const [row] = await this.#query(`WITH dead AS (
          DELETE FROM ${this.#schema}.${name} WHERE end_snapshot <=
            (SELECT min(snapshot_id) FROM ${this.#schema}.ducklake_snapshot) RETURNING 1)
        SELECT count(*) AS n FROM dead`);
      dropped += Number(row!["n"]);
    }
    return dropped;
  }

  /**
   * Files in a table's newest state that may hold the numbers of their rows, and have a first one
   * in the catalog, without their folder: those that say of each row with which state it came,
   * and those of which a state came that took rows as well, as an UPDATE does.
   */
  async filesMaybeNumbered(table: string): Promise<string[]> {
    const rows = await this.#query(
      `SELECT regexp_replace(file.path, '^.*/', '') AS name
       FROM ${this.#schema}.ducklake_data_file AS file
       JOIN ${this.#schema}.ducklake_table AS own USING (table_id)
       WHERE own.table_name = $1 AND own.end_snapshot IS NULL
         AND file.end_snapshot IS NULL AND row_id_start IS NOT NULL
         AND (partial_max IS NOT NULL OR NOT EXISTS (
           SELECT FROM ${this.#schema}.ducklake_snapshot_changes
           WHERE snapshot_id = file.begin_snapshot AND changes_made !~
             ('(deleted_from_table|inlined_delete):' || file.table_id || '(,|$)')))`,
      [table],
    );
    return rows.map((row) => String(row["name"]));
  }

  /** Leaves the numbers of their rows to the files themselves. */
  async forgetFirstRows(names: readonly string[]): Promise<void> {
    await this.#query(
      `UPDATE ${this.#schema}.ducklake_data_file SET row_id_start = NULL
       WHERE regexp_replace(path, '^.*/', '') = ANY($1::text[])`,
      [names],
    );
  }

  /**
   * Has tables' figures say of columns of text that any may be there. DuckLake keeps the least and
   * the greatest value that was ever added: of erased users, too. None at all it would take for a
   * column of NULLs, and those of the next rows for those of all. A process that knew others may
   * write them back with its next rows. Returns how many columns there were to be widened.
   */
  async widenTextBounds(): Promise<number> {
    const [row] = await this.#query(
      `WITH widened AS (
         UPDATE ${this.#schema}.ducklake_table_column_stats AS bounds SET min_value = $1,
           max_value = $2 FROM ${this.#schema}.ducklake_column AS own
         WHERE own.table_id = bounds.table_id AND own.column_id = bounds.column_id
           AND own.end_snapshot IS NULL AND own.column_type IN ('varchar', 'json')
           AND (min_value, max_value) IS DISTINCT FROM ($1, $2) RETURNING 1)
       SELECT count(*) AS n FROM widened`,
      textBounds,
    );
    return Number(row!["n"]);
  }
}
