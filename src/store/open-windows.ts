/**
 * Open minutes: while a minute streams, its worker's candidates with their bounds stand in for
 * its count deltas in approximate answers, so that these cost what is listed and not what was
 * counted. They are written with the checkpoint they belong to, so they and the deltas are of
 * one moment; folding a minute (its seal) removes them in the same transaction. For each
 * (minute, partition, type) thus exactly one source answers: candidates while there are any, else
 * windows and deltas. Candidates that hold deleted events answer for nothing.
 *
 *   open_spans       (minute, partition) answered by candidates
 *   open_windows     (minute, type): total, and the upper bound of any item not listed
 *   open_candidates  (minute, type): listed items with bounds
 *
 * All are of the running process: what a worker knew ends with it, so a start empties them.
 */
import type { DuckDBConnection, DuckDBValue } from "@duckdb/node-api";
import { readCandidates } from "../kernel/candidates.ts";
import type { MinuteSpan } from "./cover.ts";
import { insertRows, rowsOf, runValues } from "./database.ts";
import { isLake } from "./dialect.ts";
import type { StagedCandidates, StagedTables } from "./staged.ts";
import type { OpenPart } from "./store.ts";

const tables = ["open_spans", "open_windows", "open_candidates"];

export const openTables = [
  `CREATE TABLE IF NOT EXISTS open_spans (
     worker INTEGER NOT NULL, minute INTEGER NOT NULL, partition INTEGER NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS open_windows (
     worker INTEGER NOT NULL, minute INTEGER NOT NULL, type_id INTEGER NOT NULL,
     total BIGINT NOT NULL, threshold BIGINT NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS open_candidates (
     worker INTEGER NOT NULL, minute INTEGER NOT NULL, type_id INTEGER NOT NULL,
     event_id VARCHAR NOT NULL, lower BIGINT NOT NULL, upper BIGINT NOT NULL)`,
];

/** Forgets all open minutes: at a start, whose workers know nothing of them. */
export async function clearOpen(connection: DuckDBConnection): Promise<void> {
  for (const table of tables) await connection.run(`DELETE FROM ${table}`);
}

/** Forgets those of one worker. */
export async function clearOpenOf(connection: DuckDBConnection, worker: number): Promise<void> {
  for (const table of tables) {
    await connection.run(`DELETE FROM ${table} WHERE worker = ${worker}`);
  }
}

/** Forgets the open minutes before `end`: they are folded in this transaction. */
export async function closeOpenBefore(connection: DuckDBConnection, end: number): Promise<void> {
  for (const table of tables) await connection.run(`DELETE FROM ${table} WHERE minute < ${end}`);
}

/** Forgets those of a type before minute `until`: they hold events that are deleted. */
export async function closeOpenOf(
  connection: DuckDBConnection,
  typeId: number,
  until: number,
): Promise<void> {
  if (isLake(connection)) return;
  for (const table of ["open_windows", "open_candidates"]) {
    await connection.run(`DELETE FROM ${table} WHERE type_id = ${typeId} AND minute < ${until}`);
  }
}

export interface OpenRules {
  staged: Pick<StagedTables, "stage" | "release">;
  idOf: (eventType: string) => number;
  /** Whether candidates may answer for this type in this minute. */
  isOpen: (eventType: string, minute: number) => boolean;
  sealedBefore: number;
}

/**
 * Replaces a worker's open minutes, leaving out those before `sealedBefore`: their events up to
 * the seal are in windows, later ones stay deltas.
 */
export async function writeOpen(
  connection: DuckDBConnection,
  worker: number,
  open: OpenPart,
  { staged, idOf, isOpen, sealedBefore }: OpenRules,
): Promise<void> {
  await clearOpenOf(connection, worker);
  const minutes = open.minutes.filter(({ minute }) => minute >= sealedBefore);
  if (minutes.length === 0) return;
  const spans = minutes.flatMap(({ minute }) =>
    open.partitions.map((partition) => [worker, minute, partition]),
  );
  await runValues(connection, "INSERT INTO open_spans VALUES", spans);
  const windows: DuckDBValue[][] = [];
  const candidates: StagedCandidates[] = [];
  for (const { minute, candidates: buffer } of minutes) {
    for (const list of readCandidates(buffer).lists) {
      const name = open.typeNames.get(list.typeIndex)!;
      if (!isOpen(name, minute)) continue;
      const typeId = idOf(name);
      windows.push([worker, minute, typeId, BigInt(list.total), BigInt(list.outside)]);
      candidates.push({ minute, typeId, list });
    }
  }
  await runValues(connection, "INSERT INTO open_windows VALUES", windows);
  const token = staged.stage({ candidates });
  const columns = `${worker}, minute, type_id, event_id, lower, upper`;
  const rows = `SELECT ${columns} FROM staged_candidates(${token})`;
  await insertRows(connection, "open_candidates", rows).finally(() => staged.release(token));
}

/** What open minutes contribute to a range. */
export interface OpenPieces {
  windows: number;
  total: number;
  thresholds: number;
  /** SQL of (event_id, lower, upper, threshold); null when no minute of the range is open. */
  candidates: string | null;
  /** A condition on count_deltas: those that no candidates stand in for; null: there are none. */
  deltas: string | null;
}

/** (minute, partition, type_id) that candidates stand in for, of rows that fulfil `own`. */
function standIns(own: string): string {
  return `SELECT minute, partition, type_id FROM open_spans
    JOIN (FROM open_windows WHERE ${own}) USING (worker, minute)`;
}

/** A condition for the deltas of `own` that no candidates stand in for; null: there are none. */
async function uncovered(connection: DuckDBConnection, own: string): Promise<string | null> {
  const [found] = await rowsOf(
    connection,
    `WITH alone AS MATERIALIZED (
       FROM (SELECT DISTINCT minute, partition, type_id FROM delta_spans WHERE ${own})
       ANTI JOIN (${standIns(own)}) USING (minute, partition, type_id))
     SELECT min(minute) AS first, max(minute) AS last, EXISTS (FROM open_spans
       WHERE minute >= (SELECT min(minute) FROM alone)
       AND minute <= (SELECT max(minute) FROM alone)) AS is_mixed FROM alone`,
  );
  if (found!["first"] === null) return null;
  const within = `minute >= ${found!["first"]} AND minute <= ${found!["last"]}`;
  if (found!["is_mixed"] === false) return within;
  return `${within} AND NOT EXISTS (FROM (${standIns(own)}) AS open
    WHERE open.minute = count_deltas.minute AND open.partition = count_deltas.partition
    AND open.type_id = count_deltas.type_id)`;
}

/** Reads which minutes of the span are open, in the reader's transaction. */
export async function readOpen(
  connection: DuckDBConnection,
  span: MinuteSpan,
  typeIds: readonly number[],
): Promise<OpenPieces> {
  const own = `minute >= ${span.start} AND minute < ${span.end} AND type_id IN (${typeIds})`;
  const deltas = await uncovered(connection, own);
  const [sums] = await rowsOf(
    connection,
    `SELECT count(*) AS windows, coalesce(sum(total), 0)::BIGINT AS total,
       coalesce(sum(threshold), 0)::BIGINT AS thresholds FROM open_windows WHERE ${own}`,
  );
  const windows = Number(sums!["windows"]);
  if (windows === 0) return { windows, total: 0, thresholds: 0, candidates: null, deltas };
  return {
    windows,
    total: Number(sums!["total"]),
    thresholds: Number(sums!["thresholds"]),
    candidates: `SELECT event_id, lower, upper, threshold
      FROM (FROM open_candidates WHERE ${own})
      JOIN (SELECT worker, minute, type_id, threshold FROM open_windows WHERE ${own})
      USING (worker, minute, type_id)`,
    deltas,
  };
}
