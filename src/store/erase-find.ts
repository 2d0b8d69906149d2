/** Finds events of users that are to be erased. */
import { join } from "node:path";
import type { DuckDBConnection, DuckDBValue } from "@duckdb/node-api";
import { type Row, rowsOf } from "./database.ts";
import { userHashSql } from "./erasure-sql.ts";
import type { RawFiles } from "./raw-files.ts";
import { sqlText } from "./sql.ts";
import { aliveSources, changedFiles, readSql } from "./tombstones.ts";

/** Files read in one statement. */
const filesAtOnce = 64;

/** An erasure's user; after a restart only the hash is known, in table erased_users. */
export interface Sought {
  erasureId: number;
  userId: string | null;
}

/** Events of one type in one file, or in none yet. */
export interface Found {
  path: string | null;
  erasureId: number;
  eventType: string;
  events: number;
  /** Epoch ms of the first and the last of them, and of the latest receipt. */
  first: number;
  last: number;
  receivedThrough: number;
}

/** What was found in files: `hits` tells also what nobody reads any more, but lies there. */
export interface FoundInFiles {
  found: Found[];
  /** Erasures by path. */
  hits: Map<string, Set<number>>;
}

/** Joins by id where it is known, since that is ten times as quick as hashing every id. */
function joins(sought: readonly Sought[]): { sql: string; values: DuckDBValue[] }[] {
  const named = sought.filter(({ userId }) => userId !== null);
  const hashed = sought.filter(({ userId }) => userId === null);
  const marks = named.map(({ erasureId }, i) => `(${erasureId}, $${i + 1})`);
  const ids = hashed.map(({ erasureId }) => erasureId).join(", ");
  return [
    {
      isAny: named.length > 0,
      sql: `JOIN (VALUES ${marks.join(", ")}) AS sought (erasure_id, user_id)
        ON event.user_id = sought.user_id`,
      values: named.map(({ userId }) => userId),
    },
    {
      isAny: hashed.length > 0,
      sql: `JOIN (SELECT erasure_id, user_hash, erased_at FROM erased_users
          WHERE erasure_id IN (${ids})) AS sought
        ON sought.user_hash = ${userHashSql("event.user_id")}
          AND epoch_ms(event.received_at) <= sought.erased_at`,
      values: [],
    },
  ].filter(({ isAny }) => isAny);
}

function foundOf(row: Row, path: string | null): Found {
  const number = (name: string) => Number(row[name]);
  return {
    path,
    erasureId: number("erasure_id"),
    eventType: String(row["event_type"]),
    events: number("events"),
    first: number("first"),
    last: number("last"),
    receivedThrough: number("received"),
  };
}

async function findIn(
  connection: DuckDBConnection,
  source: string,
  file: string,
  sought: readonly Sought[],
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { sql, values } of joins(sought)) {
    const found = await rowsOf(
      connection,
      `SELECT ${file} AS file, sought.erasure_id, event_type, count(*) AS events,
         epoch_ms(min(event_time)) AS first, epoch_ms(max(event_time)) AS last,
         epoch_ms(max(received_at)) AS received
       FROM ${source} AS event ${sql} GROUP BY ALL`,
      values,
    );
    rows.push(...found);
  }
  return rows;
}

/** Those in no file yet. */
export async function findRecent(
  connection: DuckDBConnection,
  sought: readonly Sought[],
): Promise<Found[]> {
  const rows = await findIn(connection, "raw_recent", "NULL", sought);
  return rows.map((row) => foundOf(row, null));
}

/** Those in these files. `onProgress` is told the share looked at. Throws `raw_corrupt`. */
export async function findInFiles(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  paths: readonly string[],
  sought: readonly Sought[],
  onProgress: (share: number) => void = () => undefined,
): Promise<FoundInFiles> {
  const found: Found[] = [];
  const hits = new Map<string, Set<number>>();
  const changed = await changedFiles(connection);
  for (let from = 0; from < paths.length; from += filesAtOnce) {
    const part = paths.slice(from, from + filesAtOnce);
    const pathOf = new Map(part.map((path) => [rawFiles.place.locate(path), path]));
    const hit = (row: Row) => {
      const path = pathOf.get(String(row["file"]))!;
      hits.set(path, (hits.get(path) ?? new Set()).add(Number(row["erasure_id"])));
      return path;
    };
    const sources = await aliveSources(connection, rawFiles.checks, part, true);
    for (const source of sources) {
      const rows = await findIn(connection, source, "file", sought);
      found.push(...rows.map((row) => foundOf(row, hit(row))));
    }
    // What is hidden there is there all the same.
    const own = part.filter((path) => changed.has(path));
    if (own.length > 0) {
      const source = readSql(rawFiles.place, own, true);
      for (const row of await findIn(connection, source, "file", sought)) hit(row);
    }
    onProgress((from + part.length) / paths.length);
  }
  return { found, hits };
}

/** How many events of a snapshot in `folder` (absolute) are the user's, as they came. */
export async function countHolding(
  connection: DuckDBConnection,
  folder: string,
  sought: Sought,
): Promise<number> {
  const files = sqlText(join(folder, "raw_events", "*.parquet"));
  const source = `read_parquet(${files}, hive_partitioning = false)`;
  const rows = await findIn(connection, source, "NULL", [sought]);
  return rows.reduce((sum, row) => sum + Number(row["events"]), 0);
}
