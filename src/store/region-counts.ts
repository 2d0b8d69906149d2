/**
 * What a region counted, for others to copy: sums of cells (minutes, hours, days) over all of its
 * types, and counts by item. Of another region's counts kept here the same, so that both sides
 * compare like with like. Each answer is read in one transaction.
 */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import type { Files } from "../files.ts";
import {
  type RegionCell,
  type RegionHorizon,
  type RegionLevel,
  type RegionSpan,
  regionLevels,
} from "../model-region-wire.ts";
import { regionTypeName } from "../model-regions.ts";
import { rowsOf } from "./database.ts";
import type { RegionCountsQuery, RegionTotalsQuery } from "./region-questions.ts";
import { sqlText } from "./sql.ts";
import { endOf, type Level, levels, startAt } from "./windows.ts";

/** Whether an event type is of some other region, in SQL: its name begins with U+001F. */
const isReserved = "starts_with(event_type, chr(31))";

/** Of another region's making. */
function minuteSql(minute: number): string {
  if (Number.isSafeInteger(minute)) return String(minute);
  throw new TypeError("a horizon is no minute");
}

/** SQL of (type_id, name, since): the region's types, and from which minute on they count. */
function typesSql(region: string | null, horizons: readonly RegionHorizon[]): string {
  const prefix = region === null ? "" : regionTypeName(region, "");
  const where = region === null ? `NOT ${isReserved}` : `starts_with(event_type, ${hex(prefix)})`;
  const own = `SELECT type_id, substr(event_type, ${prefix.length + 1}) AS name
    FROM event_types WHERE ${where}`;
  if (horizons.length === 0) return `SELECT type_id, name, 0 AS since FROM (${own})`;
  const rows = horizons.map(
    ({ eventType, minute }) => `(${sqlText(eventType)}, ${minuteSql(minute)})`,
  );
  return `SELECT type_id, name, coalesce(minute, 0) AS since FROM (${own})
    LEFT JOIN (VALUES ${rows.join(", ")}) AS horizon (name, minute) USING (name)`;
}

/** A text that holds control characters, in SQL. */
function hex(text: string): string {
  return `decode(from_hex('${Buffer.from(text).toString("hex")}'))`;
}

function levelOf(name: RegionLevel): Level {
  return levels[regionLevels.indexOf(name)]!;
}

/** Where a level's windows lie that have content but are not built yet. */
interface Pending {
  from: number;
  to: number;
}

/** By level; none of a level where all are built. */
async function readPending(connection: DuckDBConnection): Promise<Map<string, Pending>> {
  const rows = await rowsOf(
    connection,
    "SELECT level, min(start) AS first, max(start) AS last FROM pending_windows GROUP BY level",
  );
  const ends = rows.map((row): [string, Pending] => {
    const level = levels.find(({ name }) => name === row["level"])!;
    const to = endOf(level, Number(row["last"]));
    return [level.name, { from: Number(row["first"]), to }];
  });
  return new Map(ends);
}

interface Covered {
  /** Of the cells that are summed up. */
  level: Level;
  /** Minutes; `to` is exclusive. */
  from: number;
  to: number;
  pending: ReadonlyMap<string, Pending>;
}

/**
 * SQL of (start, type_id, …): the rows of every window up to `level`, each stretch from the
 * largest one that is built, and all deltas. `rowsOfLevel` makes the rows of one level,
 * (start, type_id, …), `deltas` those of the deltas. What lies below windows that are built is
 * not looked at, so that history is read by its largest windows alone.
 */
function covering(
  { level, from, to, pending }: Covered,
  rowsOfLevel: (level: Level, within: string) => readonly string[],
  deltas: (within: string) => string,
): string {
  const parts = [deltas(`minute >= ${from} AND minute < ${to}`)];
  const upTo = levels.slice(0, levels.indexOf(level) + 1);
  for (const [i, own] of upTo.entries()) {
    const larger = upTo.slice(i + 1);
    const above = larger[0];
    const span = above === undefined ? { from, to } : pending.get(above.name);
    if (span === undefined) continue;
    const [first, end] = [Math.max(from, span.from), Math.min(to, span.to)];
    const starts = larger.map(({ name, startOf }) => `${startOf} AS of_${name}`);
    const joins = larger.map(
      (one) => `ANTI JOIN (SELECT type_id, start AS of_${one.name} FROM window_${one.name}
          WHERE start >= ${startAt(one, first)} AND start < ${end}) AS built_${one.name}
        ON built_${one.name}.type_id = own.type_id
        AND built_${one.name}.of_${one.name} = own.of_${one.name}`,
    );
    if (above !== undefined) {
      joins.push(`SEMI JOIN (SELECT type_id, start FROM pending_windows
        WHERE level = '${above.name}') AS waiting
        ON waiting.type_id = own.type_id AND waiting.start = own.of_${above.name}`);
    }
    const columns = larger.map(({ name }) => `of_${name}`);
    const shown = columns.length === 0 ? "own.*" : `own.* EXCLUDE (${columns.join(", ")})`;
    for (const rows of rowsOfLevel(own, `start >= ${first} AND start < ${end}`)) {
      const named = ["*", ...starts].join(", ");
      parts.push(
        `SELECT ${shown} FROM (SELECT ${named} FROM (${rows})) AS own ${joins.join(" ")}`,
      );
    }
  }
  return parts.join(" UNION ALL ");
}

async function cellsOf(
  connection: DuckDBConnection,
  types: string,
  { level: name, from, to }: RegionSpan,
  pending: ReadonlyMap<string, Pending>,
): Promise<RegionCell[]> {
  const level = levelOf(name);
  const within = `start >= ${from} AND start < ${to}`;
  const rows = covering(
    { level, from, to, pending },
    (own, where) => [`SELECT start, type_id, total FROM window_${own.name} WHERE ${where}`],
    (where) => `SELECT minute AS start, type_id, count AS total FROM count_deltas WHERE ${where}`,
  );
  const parts = levels.slice(0, levels.indexOf(level)).map(({ name: below }) => `'${below}'`);
  const coarse =
    parts.length === 0
      ? "SELECT NULL AS start WHERE false"
      : `SELECT DISTINCT ${level.startOf} AS start
         FROM (SELECT start, type_id FROM coarse_windows WHERE level IN (${parts.at(-1)}))
         SEMI JOIN (${types}) USING (type_id) WHERE ${within}`;
  const cells = await rowsOf(
    connection,
    `SELECT sums.start, total, coarse.start IS NOT NULL AS is_coarse
     FROM (SELECT ${level.startOf} AS start, sum(total)::BIGINT AS total
           FROM (${rows}) JOIN (${types}) USING (type_id)
           WHERE start >= since GROUP BY ALL) AS sums
     LEFT JOIN (${coarse}) AS coarse ON coarse.start = sums.start
     ORDER BY sums.start`,
  );
  return cells.map((row) => [
    Number(row["start"]),
    Number(row["total"]),
    row["is_coarse"] === true ? 1 : 0,
  ]);
}

/** The cells that have events, by span, in the reader's transaction. */
export async function readRegionTotals(
  connection: DuckDBConnection,
  { region, horizons, spans }: RegionTotalsQuery,
): Promise<RegionCell[][]> {
  const types = typesSql(region, horizons);
  const answer: RegionCell[][] = [];
  const pending = await readPending(connection);
  for (const span of spans) answer.push(await cellsOf(connection, types, span, pending));
  return answer;
}

/** SQL of (start, name, event_id, count), one row an item of a cell. */
function countsSql(query: RegionCountsQuery, pending: ReadonlyMap<string, Pending>): string {
  const level = levelOf(query.level);
  const { from, to } = query;
  const rows = covering(
    { level, from, to, pending },
    ({ name }, where) =>
      ["list", "tail"].map(
        (kind) => `SELECT start, type_id, event_id, count FROM ${kind}_${name} WHERE ${where}`,
      ),
    (where) => `SELECT minute AS start, type_id, event_id, count FROM count_deltas WHERE ${where}`,
  );
  const sums = `SELECT ${level.startOf} AS start, name, event_id, sum(count)::BIGINT AS count
    FROM (${rows}) JOIN (${typesSql(query.region, query.horizons)}) USING (type_id)
    WHERE start >= since GROUP BY ALL`;
  if (query.itemsMax === null) return sums;
  return `FROM (${sums}) QUALIFY row_number() OVER (
    PARTITION BY start, name ORDER BY count DESC, event_id) <= ${query.itemsMax}`;
}

const line = `'[' || start || ',' || to_json(name)::VARCHAR || ',' || to_json(event_id)::VARCHAR
  || ',' || count || ']'`;

/**
 * Writes the counts to a file of a name of its own below `folder`, in the reader's transaction:
 * lines of RegionCount, by start, type and id (bytes of UTF-8).
 */
export async function writeRegionCounts(
  connection: DuckDBConnection,
  query: RegionCountsQuery,
  { folder, files }: { folder: string; files: Files },
): Promise<{ path: string; rows: number }> {
  const sums = countsSql(query, await readPending(connection));
  await files.makeFolder(folder);
  const path = join(folder, `${randomUUID()}.ndjson`);
  // Lines of JSON hold no quote that CSV should double, and are told apart by nothing.
  const options = "FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\\x01'";
  try {
    const done = await connection.run(
      `COPY (SELECT ${line} FROM (${sums}) ORDER BY start, name, event_id)
       TO ${sqlText(path)} (${options})`,
    );
    return { path, rows: done.rowsChanged };
  } catch (error) {
    // Nobody else knows its name.
    await files.remove(path).catch(() => undefined);
    throw error;
  }
}
