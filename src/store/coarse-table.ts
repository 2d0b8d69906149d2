/**
 * Which windows are gone since larger ones stand for theirs (coarse.ts).
 *
 *   coarse_windows  (type_id, level, start): the windows of `level`, minute or hour, inside the
 *                   next larger window (hour, day) that begins at `start` are gone
 *
 * What is folded into such a window later is no whole smaller one: `keptApart` leaves it out.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { type Level, levels } from "./windows.ts";

export const coarseTable = `CREATE TABLE IF NOT EXISTS coarse_windows (
  type_id INTEGER NOT NULL, level VARCHAR NOT NULL, start INTEGER NOT NULL)`;

/** Levels that may go, each with the one above, whose windows then stand for theirs. */
export const coarseSteps: readonly { level: Level; above: Level }[] = Object.freeze([
  { level: levels[0]!, above: levels[1]! },
  { level: levels[1]!, above: levels[2]! },
]);

/**
 * SQL of the rows of `table`, or of a query in parentheses, (start, type_id, …) whose windows of
 * `level` are kept apart from larger ones.
 */
export function keptApart(level: Level, table: string): string {
  const step = coarseSteps.find((one) => one.level === level);
  if (step === undefined) return `FROM ${table}`;
  const { startOf } = step.above;
  return `SELECT own.* EXCLUDE (parent) FROM (SELECT *, ${startOf} AS parent FROM ${table}) AS own
    ANTI JOIN (SELECT type_id, start AS parent FROM coarse_windows WHERE level = '${level.name}')
      AS gone ON own.type_id = gone.type_id AND own.parent = gone.parent`;
}

/** SQL: whether windows right below `level` are gone inside the type's one at `start`, SQL too. */
export function lacksParts(level: Level, typeId: number, start: string): string {
  const step = coarseSteps.find((one) => one.above === level);
  if (step === undefined) return "false";
  return `EXISTS (FROM coarse_windows AS gone WHERE gone.type_id = ${typeId}
    AND gone.level = '${step.level.name}' AND gone.start = ${start})`;
}

/** Forgets stretches of a type whose larger windows are gone as well: nothing is in them. */
export async function forgetEmpty(connection: DuckDBConnection, typeId: number): Promise<void> {
  for (const { level, above } of coarseSteps.toReversed()) {
    // A day whose hours are gone answers for the minutes of those hours too.
    const byDay = `EXISTS (FROM coarse_windows AS day WHERE day.type_id = ${typeId}
      AND day.level = '${above.name}' AND day.start = own.start - own.start % 1440)`;
    await connection.run(`DELETE FROM coarse_windows WHERE type_id = ${typeId}
      AND level = '${level.name}' AND start IN (
        SELECT start FROM coarse_windows AS own
        WHERE own.type_id = ${typeId} AND own.level = '${level.name}'
        AND NOT EXISTS (FROM window_${above.name} AS built
          WHERE built.type_id = ${typeId} AND built.start = own.start)
        ${above.name === "hour" ? `AND NOT ${byDay}` : ""})`);
  }
}
