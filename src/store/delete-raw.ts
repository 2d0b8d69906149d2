/** Finds the raw events that a delete takes, file by file, and hides them. */
import type { DuckDBConnection } from "@duckdb/node-api";
import { rowsOf } from "./database.ts";
import type { DeleteAnswer, EventScope } from "./delete-questions.ts";
import type { RawFile } from "./raw-file.ts";
import type { RawFiles } from "./raw-files.ts";
import { aliveSources, hideEvents, scopeSql } from "./tombstones.ts";

/** Files read in one statement. */
const filesAtOnce = 64;

/** Events of a scope: how many, and the times of the first and the last one (epoch ms). */
export interface EventSums {
  events: number;
  first: number | null;
  last: number | null;
}

export const noEvents: EventSums = Object.freeze({ events: 0, first: null, last: null });

export function addSums(a: EventSums, b: EventSums): EventSums {
  const pick = (choose: (...values: number[]) => number, x: number | null, y: number | null) => {
    const known = [x, y].filter((value) => value !== null);
    return known.length === 0 ? null : choose(...known);
  };
  return {
    events: a.events + b.events,
    first: pick(Math.min, a.first, b.first),
    last: pick(Math.max, a.last, b.last),
  };
}

const sumsSql = `count(*) AS events, epoch_ms(min(event_time)) AS first,
  epoch_ms(max(event_time)) AS last`;

function sumsOf(row: Record<string, unknown>): EventSums {
  const time = (name: string) => (row[name] === null ? null : Number(row[name]));
  return { events: Number(row["events"]), first: time("first"), last: time("last") };
}

/** The scope's events in each of these files, by path; files without any are left out. */
async function countInFiles(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  paths: readonly string[],
  scope: EventScope,
): Promise<Map<string, EventSums>> {
  const found = new Map<string, EventSums>();
  for (let from = 0; from < paths.length; from += filesAtOnce) {
    const part = paths.slice(from, from + filesAtOnce);
    const pathOf = new Map(part.map((path) => [rawFiles.place.locate(path), path]));
    const sources = await aliveSources(connection, rawFiles.checks, part, true);
    const rows = await rowsOf(
      connection,
      `SELECT file, ${sumsSql} FROM (FROM ${sources.join(" UNION ALL FROM ")})
       WHERE ${scopeSql(scope)} GROUP BY file`,
    );
    for (const row of rows) found.set(pathOf.get(String(row["file"]))!, sumsOf(row));
  }
  return found;
}

/** What was counted of a scope before its transaction: files never change, so it holds there. */
export interface CountedFiles {
  /** All that were looked at, also those without any event of the scope. */
  looked: ReadonlySet<string>;
  sums: ReadonlyMap<string, EventSums>;
}

/** Counts the scope's events in the files there are, in the reader's transaction. */
export async function countFiles(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  scope: EventScope,
): Promise<CountedFiles> {
  const paths = (await rawFiles.list(connection, scope.from, scope.to)).map(({ path }) => path);
  return {
    looked: new Set(paths),
    sums: await countInFiles(connection, rawFiles, paths, scope),
  };
}

/** The scope's events that are in no file yet, in the reader's transaction. */
export async function countRecent(
  connection: DuckDBConnection,
  scope: EventScope,
): Promise<EventSums> {
  const [row] = await rowsOf(
    connection,
    `SELECT ${sumsSql} FROM raw_recent WHERE ${scopeSql(scope)}`,
  );
  return sumsOf(row!);
}

export interface HiddenRaw {
  sums: EventSums;
  /** Files that hold some of it. */
  files: string[];
  /** Of these, those that are out of the manifest: nothing else is in them. */
  dropped: string[];
}

/**
 * Hides the scope's raw events, in the writer's transaction. Files that hold nothing else leave
 * the manifest at once; once this is committed, `RawFiles.retire` is to be told.
 */
export async function hideRaw(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  scope: EventScope,
  counted: CountedFiles,
  deleteId: number,
): Promise<HiddenRaw> {
  const files = await rawFiles.list(connection, scope.from, scope.to);
  const fresh = files.map(({ path }) => path).filter((path) => !counted.looked.has(path));
  const freshSums = await countInFiles(connection, rawFiles, fresh, scope);
  const eventsOf = ({ path }: RawFile) => counted.sums.get(path) ?? freshSums.get(path);
  const hit = files.filter((file) => (eventsOf(file)?.events ?? 0) > 0);
  const whole = hit.filter((file) => eventsOf(file)!.events === file.rows);
  const partly = hit.filter((file) => !whole.includes(file)).map(({ path }) => path);
  const dropped = whole.map(({ path }) => path);
  await rawFiles.unregister(connection, dropped);
  await hideEvents(connection, partly, deleteId, scope);
  const recent = await countRecent(connection, scope);
  await connection.run(`DELETE FROM raw_recent WHERE ${scopeSql(scope)}`);
  const sums = hit.map((file) => eventsOf(file)!).reduce(addSums, recent);
  return { sums, files: hit.map(({ path }) => path), dropped };
}

/** What a delete says of what it took. */
export function answerOf(
  { events, first, last }: EventSums,
  files: number,
  { count, items, windows }: Pick<DeleteAnswer, "count" | "items" | "windows">,
): DeleteAnswer {
  return { events, count, items, windows, files, firstSeen: first, lastSeen: last };
}
