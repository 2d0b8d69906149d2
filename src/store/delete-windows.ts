/**
 * Takes what is deleted out of the windows, in the delete's transaction. Windows inside the range
 * lose their rows; those that the range's ends cut keep the exact rest. Counts off a shorter list
 * stay below its old least count, so thresholds and sketches go on bounding them.
 *
 *   edge_gone     (minute, event_id, count): what goes from parts of minutes, of folded counts
 *   gone_<level>  (start, event_id, count): what goes from the windows that are cut
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { forgetEmpty } from "./coarse-table.ts";
import { coverOf, type MinuteSpan } from "./cover.ts";
import { rowsOf } from "./database.ts";
import { hasRowPlaces } from "./dialect.ts";
import { sqlText } from "./sql.ts";
import { endOf, type Fold, firstStartFrom, type Level, levels, startAt } from "./windows.ts";

export interface WindowScope {
  typeId: number;
  /** Null: all items. */
  eventId: string | null;
  /** Whole minutes. */
  span: MinuteSpan;
  /** Minutes of which only a part goes. */
  edgeMinutes: readonly number[];
  /** Items listed a window. */
  candidatesMax: number;
}

function itemSql({ eventId }: WindowScope): string {
  return eventId === null ? "" : ` AND event_id = ${sqlText(eventId)}`;
}

/** Windows of `level` inside the span: SQL on start. */
function insideSql(level: Level, { span }: WindowScope): string {
  return `start >= ${firstStartFrom(level, span.start)} AND start < ${startAt(level, span.end)}`;
}

/** Starts of the windows of `level`, whether there are any or not, of which only a part goes. */
export function cutStarts(
  level: Level,
  { span, edgeMinutes }: Pick<WindowScope, "span" | "edgeMinutes">,
): number[] {
  const ends = span.start < span.end ? [span.start, span.end - 1] : [];
  const minutes = [...edgeMinutes, ...ends];
  if (minutes.length === 0) return [];
  const starts = [Math.min(...minutes), Math.max(...minutes)].map((m) => startAt(level, m));
  const isInside = (start: number) => start >= span.start && endOf(level, start) <= span.end;
  return [...new Set(starts)].filter((start) => !isInside(start));
}

function inStarts(starts: readonly number[]): string {
  return starts.length === 0 ? "false" : `start IN (${starts.join(", ")})`;
}

/** SQL of (start, event_id, count): what goes from one window that is cut. */
async function goneFrom(
  connection: DuckDBConnection,
  level: Level,
  start: number,
  scope: WindowScope,
): Promise<string[]> {
  const { typeId, span } = scope;
  const end = endOf(level, start);
  const part = { start: Math.max(span.start, start), end: Math.min(span.end, end) };
  const rows = (await coverOf(connection, typeId, part)).flatMap((piece) =>
    ["list", "tail"].map(
      (kind) => `SELECT ${start} AS start, event_id, count FROM ${kind}_${piece.level.name}
        WHERE type_id = ${typeId} AND ${piece.condition}${itemSql(scope)}`,
    ),
  );
  rows.push(`SELECT ${start}, event_id, count FROM edge_gone
    WHERE minute >= ${start} AND minute < ${end}`);
  return rows;
}

/** Notes what goes from the windows that are cut: before anything is taken from any. */
export async function noteGone(connection: DuckDBConnection, scope: WindowScope): Promise<void> {
  for (const level of levels) {
    const parts = ["SELECT 0 AS start, '' AS event_id, 0::BIGINT AS count WHERE false"];
    for (const start of cutStarts(level, scope)) {
      parts.push(...(await goneFrom(connection, level, start, scope)));
    }
    await connection.run(`CREATE OR REPLACE TEMP TABLE gone_${level.name} AS
      SELECT start, event_id, sum(count)::BIGINT AS count FROM (${parts.join(" UNION ALL ")})
      GROUP BY start, event_id`);
  }
}

/**
 * Makes the windows whose starts are in temporary table `rebuilding` anew from what they hold,
 * less `gone_<level>`; a window that then holds nothing is gone.
 */
async function rebuild(
  connection: DuckDBConnection,
  level: Level,
  typeId: number,
  fold: Fold,
): Promise<void> {
  const { name } = level;
  const [bounds] = await rowsOf(
    connection,
    "SELECT min(start) AS first, max(start) AS last FROM rebuilding",
  );
  if (bounds!["first"] === null) return;
  const within = `start BETWEEN ${bounds!["first"]} AND ${bounds!["last"]}`;
  const held = (kind: string) => `SELECT start, event_id, count
    FROM (FROM ${kind}_${name} WHERE type_id = ${typeId} AND ${within})
    SEMI JOIN rebuilding USING (start)`;
  await connection.run(`CREATE OR REPLACE TEMP TABLE delta AS
    SELECT start, ${typeId} AS type_id, event_id, sum(count)::BIGINT AS count
    FROM (${held("list")} UNION ALL ${held("tail")}
      UNION ALL SELECT start, event_id, -count
        FROM gone_${name} SEMI JOIN rebuilding USING (start))
    GROUP BY start, event_id HAVING sum(count) > 0`);
  for (const kind of ["window", "list", "tail", "sketch"]) {
    await connection.run(`DELETE FROM ${kind}_${name} USING rebuilding
      WHERE ${kind}_${name}.start = rebuilding.start AND ${kind}_${name}.type_id = ${typeId}
      AND ${kind}_${name}.${within}`);
  }
  await fold(connection, level);
}

/** Takes all items of the range out of the windows of `level`. */
async function takeAll(
  connection: DuckDBConnection,
  level: Level,
  scope: WindowScope,
  fold: Fold,
): Promise<void> {
  const inside = `type_id = ${scope.typeId} AND ${insideSql(level, scope)}`;
  for (const kind of ["window", "list", "tail", "sketch"]) {
    await connection.run(`DELETE FROM ${kind}_${level.name} WHERE ${inside}`);
  }
  await connection.run(`DELETE FROM pending_windows WHERE level = '${level.name}' AND ${inside}`);
  await connection.run(`CREATE OR REPLACE TEMP TABLE rebuilding AS
    SELECT DISTINCT start FROM gone_${level.name}`);
  await rebuild(connection, level, scope.typeId, fold);
}

/** Sets thresholds of windows that list all of their items by now; lengthens short lists. */
async function mendLists(
  connection: DuckDBConnection,
  level: Level,
  { typeId, candidatesMax }: WindowScope,
  within: string,
  fold: Fold,
): Promise<void> {
  const { name } = level;
  await connection.run(`CREATE OR REPLACE TEMP TABLE mending AS
    SELECT start, items, coalesce(listed, 0) AS listed
    FROM (SELECT start, items FROM (FROM window_${name} WHERE ${within} AND threshold > 0)
          SEMI JOIN taken USING (start))
    LEFT JOIN (SELECT start, count(*) AS listed
               FROM (FROM list_${name} WHERE ${within}) SEMI JOIN taken USING (start)
               GROUP BY start) USING (start)`);
  await connection.run(`UPDATE window_${name} SET threshold = 0 FROM mending
    WHERE window_${name}.start = mending.start AND window_${name}.type_id = ${typeId}
    AND mending.listed = mending.items`);
  await connection.run(`DELETE FROM sketch_${name} USING mending
    WHERE sketch_${name}.start = mending.start AND sketch_${name}.type_id = ${typeId}
    AND mending.listed = mending.items`);
  // A list keeps its length when events come to its window: much shorter it would bound little,
  // and an empty one would take whatever comes first.
  await connection.run(`CREATE OR REPLACE TEMP TABLE rebuilding AS
    SELECT start FROM mending WHERE listed < items AND 2 * listed < ${candidatesMax}`);
  await rebuild(connection, level, typeId, fold);
}

/** Takes one item out of the windows of `level`. */
async function takeItem(
  connection: DuckDBConnection,
  level: Level,
  scope: WindowScope,
  fold: Fold,
): Promise<void> {
  const { name } = level;
  const { typeId } = scope;
  const cut = `start IN (SELECT start FROM gone_${name})`;
  const own = `type_id = ${typeId} AND ((${insideSql(level, scope)}) OR ${cut})`;
  await connection.run(`CREATE OR REPLACE TEMP TABLE taken AS
    SELECT start, event_id, count FROM list_${name} WHERE ${own}${itemSql(scope)}
    UNION ALL SELECT start, event_id, count FROM tail_${name} WHERE ${own}${itemSql(scope)}`);
  const [bounds] = await rowsOf(
    connection,
    "SELECT min(start) AS first, max(start) AS last FROM taken",
  );
  if (bounds!["first"] === null) return;
  const span = `start BETWEEN ${bounds!["first"]} AND ${bounds!["last"]}`;
  const within = `type_id = ${typeId} AND ${span}`;
  for (const kind of ["list", "tail"]) {
    await connection.run(`DELETE FROM ${kind}_${name} WHERE ${own}${itemSql(scope)}`);
  }
  await connection.run(`UPDATE window_${name}
    SET total = window_${name}.total - taken.count, items = window_${name}.items - 1
    FROM taken WHERE window_${name}.start = taken.start AND window_${name}.type_id = ${typeId}`);
  await connection.run(`DELETE FROM window_${name} WHERE ${within} AND items = 0`);
  await connection.run(`CREATE OR REPLACE TEMP TABLE staying AS
    SELECT start, ${typeId} AS type_id, event_id, taken.count - gone.count AS count
    FROM taken JOIN gone_${name} AS gone USING (start, event_id) WHERE taken.count > gone.count`);
  // They hold nothing of the item any more: nothing goes from what is built anew below.
  await connection.run(`DELETE FROM gone_${name}`);
  await mendLists(connection, level, scope, within, fold);
  await connection.run("CREATE OR REPLACE TEMP TABLE delta AS FROM staying");
  await fold(connection, level);
}

/** Takes what was noted (`noteGone`) and all that lies inside the range out of all windows. */
export async function takeFromWindows(
  connection: DuckDBConnection,
  scope: WindowScope,
  fold: Fold,
): Promise<void> {
  for (const level of levels) {
    if (scope.eventId === null) await takeAll(connection, level, scope, fold);
    else await takeItem(connection, level, scope, fold);
  }
  await forgetEmpty(connection, scope.typeId);
}

/** How many windows hold something of the scope, or overlap it where that is all items. */
export async function windowsHit(
  connection: DuckDBConnection,
  scope: WindowScope,
): Promise<number> {
  const parts = levels.flatMap((level) => {
    const starts = `((${insideSql(level, scope)}) OR ${inStarts(cutStarts(level, scope))})`;
    const own = `type_id = ${scope.typeId} AND ${starts}${itemSql(scope)}`;
    const tables = scope.eventId === null ? ["window"] : ["list", "tail"];
    return tables.map((kind) => `SELECT count(*) AS n FROM ${kind}_${level.name} WHERE ${own}`);
  });
  const [row] = await rowsOf(
    connection,
    `SELECT sum(n)::BIGINT AS windows FROM (${parts.join(" UNION ALL ")})`,
  );
  return Number(row!["windows"]);
}

/** Where the rows of the scope lie that a delete takes one by one: hour (minute) → vectors. */
export async function vectorsByHour(
  connection: DuckDBConnection,
  scope: WindowScope,
): Promise<Map<number, number>> {
  // Where rows have no places, those of an hour are taken to lie together.
  const vectors = hasRowPlaces(connection)
    ? "count(DISTINCT rowid // 2048)"
    : "(count(*) + 2047) // 2048";
  const parts = levels.flatMap((level) =>
    ["list", "tail"].map(
      (kind) => `SELECT start - start % 60 AS hour, ${vectors} AS vectors
        FROM ${kind}_${level.name} WHERE type_id = ${scope.typeId}
        AND ${insideSql(level, scope)}${itemSql(scope)} GROUP BY hour`,
    ),
  );
  const rows = await rowsOf(
    connection,
    `SELECT hour, sum(vectors)::BIGINT AS vectors FROM (${parts.join(" UNION ALL ")})
     GROUP BY hour ORDER BY hour`,
  );
  return new Map(rows.map((row) => [Number(row["hour"]), Number(row["vectors"])]));
}
