/** Brings a type's row in event_types up to date after some of its events went. */
import type { DuckDBConnection } from "@duckdb/node-api";
import { foreverMs, minuteMs } from "../model.ts";
import { lacksParts } from "./coarse-table.ts";
import type { MinuteSpan } from "./cover.ts";
import { rowsOf } from "./database.ts";
import type { EventScope } from "./delete-questions.ts";
import { isLake } from "./dialect.ts";
import type { TypeId } from "./exact.ts";
import { buryType, rewriteType } from "./lake-types.ts";
import type { RawFiles } from "./raw-files.ts";
import { timestampLiteral } from "./sql.ts";
import { scopeSql } from "./tombstones.ts";
import { endOf, levels } from "./windows.ts";

type End = "first" | "last";

/**
 * The smallest window that is kept and holds the type's first or last event. A larger window that
 * reaches over a smaller one is where that lies, unless other small ones inside are gone.
 */
async function outermostWindow(
  connection: DuckDBConnection,
  typeId: number,
  end: End,
): Promise<MinuteSpan | null> {
  const pick = end === "first" ? "min" : "max";
  let best: MinuteSpan | null = null;
  const take = (start: number, stop: number, lacks: boolean) => {
    const isBeyond = best === null || (end === "first" ? stop <= best.start : start >= best.end);
    const isAround = best !== null && start <= best.start && stop >= best.end;
    if (isBeyond || (lacks && isAround)) best = { start, end: stop };
  };
  const [deltas] = await rowsOf(
    connection,
    `SELECT ${pick}(minute) AS minute FROM count_deltas WHERE type_id = ${typeId}`,
  );
  const minute = deltas!["minute"];
  if (minute !== null) take(Number(minute), Number(minute) + 1, false);
  for (const level of levels) {
    const [row] = await rowsOf(
      connection,
      `SELECT start, ${lacksParts(level, typeId, "own.start")} AS lacks FROM (
         SELECT ${pick}(start) AS start FROM window_${level.name}
         WHERE type_id = ${typeId}) AS own`,
    );
    if (row!["start"] === null) continue;
    const start = Number(row!["start"]);
    take(start, endOf(level, start), row!["lacks"] === true);
  }
  return best;
}

/** Epoch ms of the type's first or last event; null when it has none. */
async function timeOf(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  { typeId, eventType }: TypeId,
  end: End,
): Promise<number | null> {
  const window = await outermostWindow(connection, typeId, end);
  if (window === null) return null;
  const [from, to] = [window.start * minuteMs, window.end * minuteMs];
  const [row] = await rowsOf(
    connection,
    `SELECT epoch_ms(${end === "first" ? "min" : "max"}(event_time)) AS at
     FROM ${await rawFiles.source(connection, from, to)}
     WHERE ${scopeSql({ eventType, eventId: null, from, to })}`,
  );
  return row!["at"] === null ? from : Number(row!["at"]);
}

/**
 * Takes `count` off the type's total and finds its first and last event anew where these were in
 * the scope. Returns whether the type has any events left; if not, its row is gone.
 */
export async function correctType(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  type: TypeId,
  scope: EventScope,
  count: number,
): Promise<boolean> {
  const own = `type_id = ${type.typeId}`;
  const [row] = await rowsOf(
    connection,
    `SELECT total, epoch_ms(first_seen) AS first, epoch_ms(last_seen) AS last
     FROM event_types WHERE ${own}`,
  );
  const total = Number(row!["total"]) - count;
  if (total <= 0) {
    if (isLake(connection)) await buryType(connection, type.typeId);
    else await connection.run(`DELETE FROM event_types WHERE ${own}`);
    await connection.run(`DELETE FROM pending_windows WHERE ${own}`);
    return false;
  }
  const isIn = (name: End) => {
    const at = Number(row![name]);
    return at >= scope.from && at < scope.to;
  };
  const columns = [["total", `${total}::BIGINT`]];
  for (const end of ["first", "last"] as const) {
    if (!isIn(end)) continue;
    const at = await timeOf(connection, rawFiles, type, end);
    if (at !== null) columns.push([`${end}_seen`, timestampLiteral(at)]);
  }
  await changeType(connection, type.typeId, columns);
  return true;
}

async function changeType(connection: DuckDBConnection, typeId: number, columns: string[][]) {
  if (isLake(connection)) {
    const changes = columns.map(([name, value]) => `${value} AS ${name}`);
    return rewriteType(connection, typeId, changes.join(", "));
  }
  const changes = columns.map(([name, value]) => `${name} = ${value}`).join(", ");
  await connection.run(`UPDATE event_types SET ${changes} WHERE type_id = ${typeId}`);
}

/** The whole type's scope, as scopes of parts of it are cut from. */
export function isWholeType({ eventId, from, to }: EventScope): boolean {
  return eventId === null && from <= 0 && to >= foreverMs;
}
