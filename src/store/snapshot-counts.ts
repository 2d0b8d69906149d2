/**
 * A snapshot's event_counts: exact counts of every item in every minute, hour, day and month that
 * has events, those that are not sealed yet too, but for windows that are gone (coarse.ts).
 * Written from minutes up, in slices of time bounded by rows: a window that is not built is summed
 * up from what was written of the level below. DuckDB's aggregate of texts stays in memory, so
 * what is summed up at once is bounded also within one window, in parts by hash; ranking sorts,
 * which goes to disk where it must.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { keptApart } from "./coarse-table.ts";
import { rowsOf } from "./database.ts";
import { sqlText } from "./sql.ts";
import { endOf, type Level, levels } from "./windows.ts";

export interface CountsTarget {
  folder: string;
  /** Rows summed up at once, about. */
  rowsMax: number;
}

/** Windows of one level that start in `[first, last]`, with so many rows at most, about. */
interface Slice {
  first: number;
  last: number;
  rows: number;
}

/** The minutes, or windows of `level`, of counts that are not folded yet. */
function deltasSql(level: Level): string {
  return `SELECT ${level.startOf} AS start, type_id, event_id, count
    FROM (SELECT minute AS start, type_id, event_id, count FROM count_deltas)`;
}

/** SQL of (start, type_id, items): the windows of all levels below `level`. */
function smallerSql(level: Level): string {
  return levels
    .slice(0, levels.indexOf(level))
    .map(({ name }) => `SELECT start, type_id, items FROM window_${name}`)
    .join(" UNION ALL ");
}

/**
 * Windows above minutes that have content and no row: (start, type_id). Minutes alone don't tell:
 * they may be gone.
 */
function unbuiltSql(level: Level): string {
  return `SELECT DISTINCT ${level.startOf} AS start, type_id FROM (
      SELECT start, type_id FROM (${smallerSql(level)})
      UNION ALL SELECT minute AS start, type_id FROM count_deltas)
    EXCEPT SELECT start, type_id FROM window_${level.name}`;
}

/** Where to cut, so that a slice has so many rows, about: starts of its first and last window. */
async function slicesOf(
  connection: DuckDBConnection,
  level: Level,
  rowsMax: number,
): Promise<Slice[]> {
  const rows = [
    `SELECT start, items AS rows FROM window_${level.name}`,
    `SELECT start, 1 AS rows FROM (${deltasSql(level)})`,
  ];
  if (level !== levels[0]) {
    rows.push(`SELECT start, rows FROM (
        SELECT ${level.startOf} AS start, type_id, items AS rows FROM (${smallerSql(level)}))
      SEMI JOIN (${unbuiltSql(level)}) AS unbuilt USING (start, type_id)`);
  }
  const slices = await rowsOf(
    connection,
    `SELECT min(start) AS first, max(start) AS last, sum(rows)::BIGINT AS rows FROM (
       SELECT start, sum(rows) AS rows, sum(sum(rows)) OVER (ORDER BY start) // ${rowsMax} AS slice
       FROM (${rows.join(" UNION ALL ")}) GROUP BY start)
     GROUP BY slice ORDER BY first`,
  );
  return slices.map((row) => ({
    first: Number(row["first"]),
    last: Number(row["last"]),
    rows: Number(row["rows"]),
  }));
}

function minuteTimestamp(minute: number): string {
  return `make_timestamp(${minute} * 60000000::BIGINT)`;
}

/** All rows of the level's windows that start in the slice: (start, type_id, event_id, count). */
function sliceSql(folder: string, level: Level, { first, last }: Slice): string {
  const own = `start BETWEEN ${first} AND ${last}`;
  const built = `SELECT start, type_id FROM window_${level.name} WHERE ${own}`;
  const deltas = `SELECT * FROM (${deltasSql(level)}) WHERE ${own}`;
  const parts = ["list", "tail"].map(
    (kind) => `SELECT start, type_id, event_id, count FROM ${kind}_${level.name} WHERE ${own}`,
  );
  const below = levels[levels.indexOf(level) - 1];
  // A late event alone would be taken for a minute that is gone.
  if (below === undefined) return [...parts, keptApart(level, `(${deltas})`)].join(" UNION ALL ");
  // What is not folded yet is in the level below already.
  parts.push(`SELECT * FROM (${deltas}) SEMI JOIN (${built}) AS built USING (start, type_id)`);
  const files = sqlText(join(folder, `${below.name}-*.parquet`));
  const lower = `SELECT (epoch_us(time_window) // 60000000)::INTEGER AS start, type_id, event_id,
      count FROM read_parquet(${files}) JOIN event_types USING (event_type)
    WHERE time_window >= ${minuteTimestamp(first)}
      AND time_window < ${minuteTimestamp(endOf(level, last))}`;
  parts.push(`SELECT * FROM (
      SELECT ${level.startOf} AS start, type_id, event_id, count FROM (${lower}))
    SEMI JOIN (${unbuiltSql(level)}) AS unbuilt USING (start, type_id)`);
  return parts.join(" UNION ALL ");
}

/**
 * Sums the slice up: SQL of (start, type_id, event_id, count), and files to be removed after it
 * was read. These are named for the slice, by `name`: DuckDB keeps what it has read of a file by
 * the file's path, and would take the next slice's for it.
 */
async function sumSlice(
  connection: DuckDBConnection,
  { folder, rowsMax }: CountsTarget,
  level: Level,
  slice: Slice,
  name: string,
): Promise<{ sql: string; files: string[] }> {
  const rows = sliceSql(folder, level, slice);
  const sums = (where: string) => `SELECT start, type_id, event_id, sum(count)::BIGINT AS count
    FROM (${rows})${where} GROUP BY ALL`;
  const parts = Math.round(slice.rows / rowsMax);
  if (parts <= 1) return { sql: sums(""), files: [] };
  const files: string[] = [];
  for (let part = 0; part < parts; part++) {
    const file = join(folder, `${name}.${part}.part`);
    const where = ` WHERE hash(event_id) % ${parts} = ${part}`;
    await connection.run(`COPY (${sums(where)}) TO ${sqlText(file)} (FORMAT parquet)`);
    files.push(file);
  }
  return { sql: `FROM read_parquet([${files.map(sqlText).join(", ")}])`, files };
}

/**
 * Writes the counts as Parquet files, in the reader's transaction; returns how many rows there
 * are. Without any there is an empty file of each level.
 */
export async function writeCounts(
  connection: DuckDBConnection,
  target: CountsTarget,
): Promise<number> {
  const { folder, rowsMax } = target;
  let written = 0;
  for (const level of levels) {
    const slices = await slicesOf(connection, level, rowsMax);
    if (slices.length === 0) slices.push({ first: 0, last: 0, rows: 0 });
    for (const [i, slice] of slices.entries()) {
      const name = `${level.name}-${i}`;
      const sums = await sumSlice(connection, target, level, slice, name);
      const ranked = `SELECT make_timestamp(start * 60000000::BIGINT) AS time_window,
          event_type, event_id, count, row_number() OVER (
            PARTITION BY start, type_id ORDER BY count DESC, event_id) AS rank,
          ${level.sizeSeconds}::INTEGER AS window_size
        FROM (${sums.sql}) JOIN event_types USING (type_id)
        ORDER BY event_type, time_window, rank`;
      const path = sqlText(join(folder, `${name}.parquet`));
      const copied = await connection.run(
        `COPY (${ranked}) TO ${path} (FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION v2)`,
      );
      written += copied.rowsChanged;
      for (const file of sums.files) await rm(file);
    }
  }
  return written;
}
