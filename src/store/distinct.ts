/**
 * How many different items there were in each of many bins, exactly. A bin that is one window
 * and got nothing since knows it; any other reads the ids in its windows.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { inPiecesSql, type Piece } from "./bins.ts";
import type { RawFiles } from "./raw-files.ts";
import {
  columnsOf,
  deltaTotals,
  ofTypes,
  planAll,
  type SeriesPlan,
  zeros,
} from "./series-plan.ts";
import { endOf, type Level } from "./windows.ts";

/** Bins that are one window, with its level, and nothing beside it. */
export async function singleWindows(
  connection: DuckDBConnection,
  plan: SeriesPlan,
): Promise<{ level: Level; pieces: Piece[] }[]> {
  const { parts, edges, minutes } = plan;
  const piecesIn = new Map<number, number>();
  const add = (bin: number) => piecesIn.set(bin, (piecesIn.get(bin) ?? 0) + 1);
  for (const { pieces } of parts) for (const { bin } of pieces) add(bin);
  for (const { bin } of edges) add(bin);
  if (minutes.length === 0) return [];
  const deltas = inPiecesSql(minutes, "1", deltaTotals([plan]));
  const [touched] = await columnsOf(connection, `SELECT DISTINCT bin FROM (${deltas})`);
  for (const bin of touched!) add(bin!);
  return parts.map(({ level, pieces }) => ({
    level,
    pieces: pieces.filter(
      ({ start, end, bin }) => piecesIn.get(bin) === 1 && endOf(level, start) === end,
    ),
  }));
}

/** SQLs of (bin, event_id): the ids of one type in the bins that are not `done`. */
function idRows(plan: SeriesPlan, done: ReadonlySet<number>): string[] {
  const { parts, minutes, raw, typeId } = plan;
  const own = `type_id = ${typeId}`;
  const ids: string[] = [];
  const left = (pieces: readonly Piece[]) => pieces.filter(({ bin }) => !done.has(bin));
  const read = (pieces: readonly Piece[], source: string) => {
    const wanted = left(pieces);
    if (wanted.length > 0) ids.push(inPiecesSql(wanted, "event_id", source));
  };
  for (const { level, pieces } of parts) {
    for (const table of [`list_${level.name}`, `tail_${level.name}`]) {
      read(pieces, `SELECT start, event_id FROM ${table} WHERE ${own}`);
    }
  }
  read(
    minutes,
    `SELECT start, event_id FROM (SELECT minute AS start, event_id FROM count_deltas
     WHERE ${own}) WHERE true`,
  );
  if (raw !== null) ids.push(`SELECT bin, event_id FROM (${raw})`);
  return ids;
}

async function countByBin(
  connection: DuckDBConnection,
  plans: readonly SeriesPlan[],
): Promise<number[]> {
  const [plan] = plans;
  // An item may be in the windows of several types.
  const singles = plans.length === 1 ? await singleWindows(connection, plan!) : [];
  const done = new Set(singles.flatMap(({ pieces }) => pieces.map(({ bin }) => bin)));
  const known = ["SELECT 0 AS bin, 0::BIGINT AS items WHERE false"];
  for (const { level, pieces } of singles) {
    if (pieces.length === 0) continue;
    const source = `SELECT start, items FROM window_${level.name} WHERE ${ofTypes(plans)}`;
    known.push(inPiecesSql(pieces, "items", source));
  }
  const ids = [
    "SELECT 0 AS bin, '' AS event_id WHERE false",
    ...plans.flatMap((one) => idRows(one, done)),
  ];
  const [bins, items] = await columnsOf(
    connection,
    `${known.join(" UNION ALL ")} UNION ALL
     SELECT bin, count(DISTINCT event_id) FROM (${ids.join(" UNION ALL ")}) GROUP BY bin`,
  );
  const counts = zeros(plan!.binCount);
  for (const [i, bin] of bins!.entries()) counts[bin!] = items![i]!;
  return counts;
}

/** Distinct items of each bin of `plans`, at least one, and of all bins together. */
export async function readDistinct(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  plans: readonly SeriesPlan[],
  bounds: readonly number[],
): Promise<{ byBin: number[]; all: number }> {
  const byBin = await countByBin(connection, plans);
  if (byBin.length === 1) return { byBin, all: byBin[0]! };
  const whole = await planAll(connection, rawFiles, plans, {
    bounds: [bounds[0]!, bounds.at(-1)!],
    isExact: true,
    edgeRowsMax: 0,
  });
  const [all] = await countByBin(connection, whole);
  return { byBin, all: all! };
}
