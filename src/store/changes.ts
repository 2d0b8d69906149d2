/** What commits and deletes changed, told to whoever keeps answers. */
import type { DuckDBConnection } from "@duckdb/node-api";
import { minuteMs } from "../model.ts";
import { rowsOf } from "./database.ts";

/** A stretch of an event type's time in which something changed: epoch ms, `to` exclusive. */
export interface Touched {
  eventType: string;
  from: number;
  to: number;
  /** Events were taken back, or are shown otherwise: nobody is to be told the old any more. */
  undoes?: true;
}

/** Told of what a transaction touches, within it. */
export type OnTouch = (connection: DuckDBConnection, touched: readonly Touched[]) => Promise<void>;

/** Epoch ms of the first and the last event that a checkpoint adds to a type. */
interface TypeSpan {
  name: string;
  firstSeen: number;
  lastSeen: number;
}

/** Tables whose rows the main thread keeps in memory. */
export const keptTables = ["type_settings", "item_labels", "jobs"] as const;
/** Tables of whose changes the main thread is told: of regions it keeps some words of meta. */
export const toldTables = [...keptTables, "meta"] as const;
export type KeptTable = (typeof toldTables)[number];

/** What is heard of the other processes that share a store. */
export interface Shares {
  /** Called when another process may have changed what was read of such a table. */
  onRows(listener: (table: KeptTable) => void): void;
  /** Called with offsets that some process waits for. */
  onWanted(listener: (offsets: readonly number[]) => void): void;
  /** Whether this process does what only one of those that share the store does. */
  readonly maintains: boolean;
}

/** How many deletes there were, one row: with the offsets it makes the data's version. */
export const mutationsTable = "CREATE TABLE IF NOT EXISTS mutations (count BIGINT NOT NULL)";

const hourMinutes = 60;
const hourMs = hourMinutes * minuteMs;
/** Hours told one by one of a checkpoint; beyond, each type's whole stretch is. */
const hoursMax = 1000;

/** From the hour of the first event to that of the last one. */
function wholeStretch({ name, firstSeen, lastSeen }: TypeSpan): Touched {
  const from = firstSeen - (firstSeen % hourMs);
  return { eventType: name, from, to: lastSeen - (lastSeen % hourMs) + hourMs };
}

/**
 * What a checkpoint touches: to the hour, also where late events are among those of now. `counts`
 * is SQL of (minute, type_id), what the checkpoint counted.
 */
export async function touchedBy(
  connection: DuckDBConnection,
  types: readonly TypeSpan[],
  idOf: (name: string) => number,
  counts: string,
): Promise<Touched[]> {
  const stretches = types.map(wholeStretch);
  // All of it in this hour and the one before or after: nothing to be told apart.
  if (stretches.every(({ from, to }) => to - from <= 2 * hourMs)) return stretches;
  const rows = await rowsOf(
    connection,
    `SELECT DISTINCT type_id, minute // ${hourMinutes} AS hour FROM ${counts}
     ORDER BY type_id, hour LIMIT ${hoursMax + 1}`,
  );
  if (rows.length > hoursMax) return stretches;
  const names = new Map(types.map(({ name }) => [idOf(name), name]));
  return touchedHours(
    rows.map((row) => [names.get(Number(row["type_id"]))!, Number(row["hour"])]),
  );
}

/** Hours since 1970 with their types, those of a type rising, as stretches. */
export function touchedHours(hours: readonly (readonly [string, number])[]): Touched[] {
  const touched: Touched[] = [];
  for (const [eventType, hour] of hours) {
    const from = hour * hourMs;
    const last = touched.at(-1);
    if (last?.eventType === eventType && last.to === from) last.to += hourMs;
    else touched.push({ eventType, from, to: from + hourMs });
  }
  return touched;
}

/** Offsets that everything read in this transaction includes, by partition. */
export async function offsetsOf(connection: DuckDBConnection): Promise<number[]> {
  const rows = await rowsOf(connection, "SELECT next_offset FROM log_offsets ORDER BY partition");
  return rows.map((row) => Number(row["next_offset"]));
}

/** Deletes so far. */
export async function readMutations(connection: DuckDBConnection): Promise<number> {
  const [row] = await rowsOf(connection, "SELECT coalesce(max(count), 0) AS n FROM mutations");
  return Number(row!["n"]);
}

/** One more delete, in its transaction; returns how many there are then. */
export async function addMutation(connection: DuckDBConnection): Promise<number> {
  const next = (await readMutations(connection)) + 1;
  await connection.run("DELETE FROM mutations");
  await connection.run(`INSERT INTO mutations VALUES (${next})`);
  return next;
}
