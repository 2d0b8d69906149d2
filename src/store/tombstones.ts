/**
 * What was deleted of the raw events that lie in Parquet files, which never change: a tombstone
 * hides the events of one file that a delete took. Whatever reads raw events reads past them, and
 * maintenance writes the file anew without the events, which ends the tombstone. Files that come
 * later have none, so events that come after a delete count again.
 *
 *   raw_tombstones  (path, delete_id, event_type, event_id, from_time, to_time): event_id NULL
 *                   stands for all items; delete_id grows from delete to delete
 */

import type { DuckDBConnection } from "@duckdb/node-api";
import { foreverMs } from "../model.ts";
import { rowsOf, runValues } from "./database.ts";
import type { EventScope } from "./delete-questions.ts";
import { erasedSql, erasuresOfSql } from "./erasure-sql.ts";
import type { RawChecks } from "./raw-checks.ts";
import type { RawPlace } from "./raw-place.ts";
import { sqlText, timestampLiteral } from "./sql.ts";

export const tombstonesTable = `CREATE TABLE IF NOT EXISTS raw_tombstones (
  path VARCHAR NOT NULL, delete_id BIGINT NOT NULL, event_type VARCHAR NOT NULL,
  event_id VARCHAR, from_time TIMESTAMP_MS NOT NULL, to_time TIMESTAMP_MS NOT NULL)`;

/** A condition on raw events: whether they are of the scope. */
export function scopeSql({ eventType, eventId, from, to }: EventScope): string {
  const item = eventId === null ? "" : ` AND event_id = ${sqlText(eventId)}`;
  const times: string[] = [];
  if (from > 0) times.push(` AND event_time >= ${timestampLiteral(from)}`);
  if (to < foreverMs) times.push(` AND event_time < ${timestampLiteral(to)}`);
  return `event_type = ${sqlText(eventType)}${item}${times.join("")}`;
}

/** A FROM source of all events of these files; `hasFile`: where each lies as column `file`. */
export function readSql(place: RawPlace, paths: readonly string[], hasFile: boolean): string {
  const list = paths.map((path) => sqlText(place.locate(path))).join(", ");
  // Folders named date= and hour= must not become columns of their own.
  const file = hasFile ? ", filename = 'file'" : "";
  return `read_parquet([${list}], hive_partitioning = false${file})`;
}

/**
 * A FROM source of the events of these files that no tombstone hides.
 * Items and whole types are looked up apart: each a lookup by hash, however many were deleted.
 */
function aliveSql(place: RawPlace, paths: readonly string[], hasFile: boolean): string {
  const list = paths.map(sqlText).join(", ");
  const prefix = sqlText(place.base);
  const join = (items: string, same: string) => `ANTI JOIN (
      SELECT ${prefix} || path AS file, event_type, event_id, from_time, to_time
      FROM raw_tombstones WHERE path IN (${list}) AND event_id IS ${items}) AS ${same}
    ON event.file = ${same}.file AND event.event_type = ${same}.event_type
      AND event.event_time >= ${same}.from_time AND event.event_time < ${same}.to_time`;
  return `(SELECT event.*${hasFile ? "" : " EXCLUDE (file)"}
    FROM ${readSql(place, paths, true)} AS event
    ${join("NULL", "whole")}
    ${join("NOT NULL", "item")} AND event.event_id = item.event_id)`;
}

interface ChangedFiles {
  /** Files of which some event is deleted. */
  hidden: Set<string>;
  /** Files of which some event is of an erased user. */
  marked: Set<string>;
}

/** One statement: every question about raw events asks it. */
async function readChanged(connection: DuckDBConnection): Promise<ChangedFiles> {
  const rows = await rowsOf(
    connection,
    `SELECT path, true AS hides FROM raw_tombstones GROUP BY path
     UNION ALL SELECT path, false FROM raw_erasures GROUP BY path`,
  );
  const pathsOf = (hides: boolean) =>
    new Set(rows.filter((row) => row["hides"] === hides).map((row) => String(row["path"])));
  return { hidden: pathsOf(true), marked: pathsOf(false) };
}

/** Files whose events are not told as they lie there: deleted ones, erased users'; by path. */
export async function changedFiles(connection: DuckDBConnection): Promise<Set<string>> {
  const { hidden, marked } = await readChanged(connection);
  return new Set([...hidden, ...marked]);
}

/**
 * FROM sources that hold together the events of these files that are not deleted, those of
 * erased users as erased; none for no files. In the reader's transaction. `hasFile` adds a last
 * column `file`: where the place has it. Throws `raw_corrupt` where a file is
 * not as it was written.
 */
export async function aliveSources(
  connection: DuckDBConnection,
  checks: RawChecks,
  paths: readonly string[],
  hasFile = false,
): Promise<string[]> {
  if (paths.length === 0) return [];
  await checks.check(connection, paths);
  const { place } = checks;
  const { hidden, marked } = await readChanged(connection);
  const sourcesOf = (own: readonly string[]) => {
    const whole = own.filter((path) => !hidden.has(path));
    const partly = own.filter((path) => hidden.has(path));
    return [
      ...(whole.length > 0 ? [readSql(place, whole, hasFile)] : []),
      ...(partly.length > 0 ? [aliveSql(place, partly, hasFile)] : []),
    ];
  };
  const toErase = paths.filter((path) => marked.has(path));
  const rules = erasuresOfSql(toErase);
  return [
    ...sourcesOf(paths.filter((path) => !marked.has(path))),
    ...sourcesOf(toErase).map((source) => erasedSql(source, rules)),
  ];
}

/** Hides the scope's events in these files, in the writer's transaction. */
export async function hideEvents(
  connection: DuckDBConnection,
  paths: readonly string[],
  deleteId: number,
  { eventType, eventId, from, to }: EventScope,
): Promise<void> {
  await runValues(
    connection,
    "INSERT INTO raw_tombstones SELECT path, delete_id, event_type, event_id, " +
      "make_timestamp_ms(from_ms), make_timestamp_ms(to_ms) FROM (VALUES",
    paths.map((path) => [path, BigInt(deleteId), eventType, eventId, BigInt(from), BigInt(to)]),
    ") AS hidden (path, delete_id, event_type, event_id, from_ms, to_ms)",
  );
}

/** The greatest number of a delete that is not done with; 0 without any. */
export async function lastDeleteId(connection: DuckDBConnection): Promise<number> {
  const [row] = await rowsOf(
    connection,
    `SELECT coalesce(max(delete_id), 0) AS last
     FROM (SELECT delete_id FROM raw_tombstones
           UNION ALL SELECT delete_id FROM deletes_under_way)`,
  );
  return Number(row!["last"]);
}

/** How many tombstones there are. */
export async function tombstoneCount(connection: DuckDBConnection): Promise<number> {
  const [row] = await rowsOf(connection, "SELECT count(*) AS n FROM raw_tombstones");
  return Number(row!["n"]);
}

/**
 * The tombstones of `paths` go with these files. Those of deletes after number `applied` are kept
 * for `path`, which holds the files' events without what was deleted up to then; null: there is
 * no such file. In the writer's transaction.
 */
export async function moveTombstones(
  connection: DuckDBConnection,
  paths: readonly string[],
  path: string | null,
  applied: number,
): Promise<void> {
  const names = `path IN (${paths.map(sqlText).join(", ")})`;
  if (path !== null) {
    await connection.run(`INSERT INTO raw_tombstones
      SELECT DISTINCT ${sqlText(path)}, delete_id, event_type, event_id, from_time, to_time
      FROM raw_tombstones WHERE ${names} AND delete_id > ${applied}`);
  }
  await connection.run(`DELETE FROM raw_tombstones WHERE ${names}`);
}
