/**
 * Counts in many consecutive bins, in one read transaction: of all items together from the
 * windows' totals, of single items from lists (and, exact, from what is off them). Items that an
 * incomplete list leaves out have at most its least count T(w) there, as in approx.ts:
 *
 *   lower(i, bin) = Σ listed in w ? count(w, i) : 0      + deltas + edges
 *   upper(i, bin) = lower(i, bin) + Σ T(w) − Σ T(w) of the windows that list i
 *
 * Part of a minute that holds too many raw events to read is bounded by [0, its minute's count].
 * Of several types the rows of all are summed: each has a plan of its own, of its own windows.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { minuteMs } from "../model.ts";
import { inPiecesSql } from "./bins.ts";
import { readDistinct } from "./distinct.ts";
import { typesNamed } from "./exact.ts";
import type { BinCounts, BusiestMinutes, SeriesAnswer, SeriesQuery } from "./item-questions.ts";
import type { RawFiles } from "./raw-files.ts";
import {
  columnsOf,
  deltaTotals,
  ofTypes,
  planAll,
  type SeriesPlan,
  zeros,
} from "./series-plan.ts";
import { sqlText, sqlTexts } from "./sql.ts";
import { minuteLevel } from "./windows.ts";

/** Minutes that are read as one where no bin divides them. */
const quarterMinutes = 15;

/** SQLs of (bin, exact, loose): events of one type. */
function totalRows(plan: SeriesPlan): string[] {
  const { typeId, parts, minutes, loose, raw } = plan;
  const windows = (name: string) => `SELECT start, total FROM window_${name}
    WHERE type_id = ${typeId}`;
  const exact = "total AS exact, 0 AS loose";
  const rows: string[] = [];
  for (const { level, pieces } of parts)
    rows.push(inPiecesSql(pieces, exact, windows(level.name)));
  if (minutes.length > 0) rows.push(inPiecesSql(minutes, exact, deltaTotals([plan])));
  for (const piece of loose) {
    for (const source of [windows(minuteLevel.name), deltaTotals([plan])]) {
      rows.push(inPiecesSql([piece], "0 AS exact, total AS loose", source));
    }
  }
  if (raw !== null) rows.push(`SELECT bin, weight AS exact, 0 AS loose FROM (${raw})`);
  return rows;
}

/** The events of each bin of `plans`, at least one, exactly where the edges are read. */
export async function readTotals(
  connection: DuckDBConnection,
  plans: readonly SeriesPlan[],
): Promise<BinCounts> {
  const none = "SELECT 0 AS bin, 0::BIGINT AS exact, 0::BIGINT AS loose WHERE false";
  const rows = [none, ...plans.flatMap(totalRows)];
  const [bins, exacts, looses] = await columnsOf(
    connection,
    `SELECT bin, sum(exact)::BIGINT, sum(loose)::BIGINT FROM (${rows.join(" UNION ALL ")})
     GROUP BY bin`,
  );
  const lower = zeros(plans[0]!.binCount);
  const upper = zeros(plans[0]!.binCount);
  for (const [i, bin] of bins!.entries()) {
    lower[bin!] = exacts![i]!;
    upper[bin!] = exacts![i]! + looses![i]!;
  }
  return { lower, upper };
}

/** SQLs of (bin, event_id, exact, loose): what a type's rows say of ids, before Σ T(w). */
function itemRows(plan: SeriesPlan, eventIds: readonly string[], isExact: boolean): string[] {
  const { typeId, parts, minutes, loose, raw } = plan;
  const ids = `event_id IN (${sqlTexts(eventIds)})`;
  const own = `type_id = ${typeId} AND ${ids}`;
  const rows: string[] = [];
  const listed = (name: string) => `SELECT start, event_id, count, threshold
    FROM (FROM list_${name} WHERE ${own})
    JOIN (SELECT start, threshold FROM window_${name} WHERE type_id = ${typeId}) USING (start)
    WHERE true`;
  const deltas = `SELECT start, event_id, count FROM
    (SELECT minute AS start, event_id, count FROM count_deltas WHERE ${own}) WHERE true`;
  for (const { level, pieces } of parts) {
    const { name } = level;
    if (!isExact) {
      const columns = "event_id, count AS exact, -threshold AS loose";
      rows.push(inPiecesSql(pieces, columns, listed(name)));
      continue;
    }
    for (const table of [`list_${name}`, `tail_${name}`]) {
      const source = `SELECT start, event_id, count FROM ${table} WHERE ${own}`;
      rows.push(inPiecesSql(pieces, "event_id, count AS exact, 0 AS loose", source));
    }
  }
  if (minutes.length > 0) {
    rows.push(inPiecesSql(minutes, "event_id, count AS exact, 0 AS loose", deltas));
  }
  for (const piece of loose) {
    const columns = "event_id, 0 AS exact, count - threshold AS loose";
    rows.push(inPiecesSql([piece], columns, listed(minuteLevel.name)));
    rows.push(inPiecesSql([piece], "event_id, 0 AS exact, count AS loose", deltas));
  }
  if (raw !== null) {
    rows.push(`SELECT bin, event_id, weight AS exact, 0 AS loose FROM (${raw}) WHERE ${ids}`);
  }
  return rows;
}

/** SQLs of (bin, threshold, items) of one type's windows. */
function thresholdRows(plan: SeriesPlan): string[] {
  const source = (name: string) => `SELECT start, threshold, items FROM window_${name}
    WHERE type_id = ${plan.typeId}`;
  const all = [...plan.parts, ...plan.loose.map((one) => ({ level: minuteLevel, pieces: [one] }))];
  return all.map(({ level, pieces }) =>
    inPiecesSql(pieces, "threshold, items", source(level.name)),
  );
}

/** Σ T(w) by bin, and how many items the windows hold together. */
async function readThresholds(connection: DuckDBConnection, plans: readonly SeriesPlan[]) {
  const none = "SELECT 0 AS bin, 0::BIGINT AS threshold, 0::BIGINT AS items WHERE false";
  const rows = [none, ...plans.flatMap(thresholdRows)];
  const [bins, thresholds, items] = await columnsOf(
    connection,
    `SELECT bin, sum(threshold)::BIGINT, sum(items)::BIGINT FROM (${rows.join(" UNION ALL ")})
     GROUP BY bin`,
  );
  const slack = zeros(plans[0]!.binCount);
  for (const [i, bin] of bins!.entries()) slack[bin!] = thresholds![i]!;
  return { slack, items: items!.reduce<number>((sum, n) => sum + n!, 0) };
}

async function readItemCounts(
  connection: DuckDBConnection,
  plans: readonly SeriesPlan[],
  eventIds: readonly string[],
  isExact: boolean,
): Promise<{ counts: BinCounts[]; exactRows: number }> {
  const { slack, items } = await readThresholds(connection, plans);
  const rows = plans.flatMap((plan) => itemRows(plan, eventIds, isExact));
  const none =
    "SELECT 0 AS bin, '' AS event_id, 0::BIGINT AS exact, 0::BIGINT AS loose WHERE false";
  const index = eventIds.map((id, i) => `(${i}, ${sqlText(id)})`).join(", ");
  const [places, bins, exacts, looses] = await columnsOf(
    connection,
    `SELECT place, bin, sum(exact)::BIGINT, sum(loose)::BIGINT
     FROM (${[none, ...rows].join(" UNION ALL ")})
     JOIN (VALUES ${index}) AS asked (place, event_id) USING (event_id) GROUP BY place, bin`,
  );
  const counts = eventIds.map(() => ({
    lower: slack.map(() => 0),
    upper: isExact ? slack.map(() => 0) : [...slack],
  }));
  for (const [i, bin] of bins!.entries()) {
    const { lower, upper } = counts[places![i]!]!;
    lower[bin!]! += exacts![i]!;
    upper[bin!]! += exacts![i]! + looses![i]!;
  }
  return { counts, exactRows: items };
}

/**
 * The busiest minutes. `totals` says what each bin's minutes must sum up to, or not all of them
 * are there by themselves.
 */
async function readBusiest(
  connection: DuckDBConnection,
  plans: readonly SeriesPlan[],
  bounds: readonly number[],
  totals: BinCounts,
): Promise<BusiestMinutes> {
  const { minutes } = plans[0]!;
  const raw = plans.flatMap((plan) => plan.raw ?? []);
  const first = Math.floor(bounds[0]! / minuteMs);
  // Greatest total first, then the first minute, in one number.
  const key = `total::HUGEINT * ${2 ** 40} + (${2 ** 40} - 1 - start + ${first})`;
  const inner = bounds.slice(1, -1).every((at) => at % (quarterMinutes * minuteMs) === 0);
  const rows = ["SELECT 0 AS bin, 0::HUGEINT AS key, 0::BIGINT AS total WHERE false"];
  if (minutes.length > 0) {
    const span = `start >= ${minutes[0]!.start} AND start < ${minutes.at(-1)!.end}`;
    const windows = `SELECT start, total FROM window_${minuteLevel.name}
      WHERE ${ofTypes(plans)} AND ${span}`;
    const sums = `SELECT start, sum(total)::BIGINT AS total FROM (${windows}) GROUP BY start`;
    const byMinute = `SELECT start, coalesce(own.total, 0) + coalesce(more.total, 0) AS total
      FROM (${plans.length === 1 ? windows : sums}) AS own
      FULL JOIN (${deltaTotals(plans)} AND ${span}) AS more USING (start)`;
    const source = `SELECT start, key, total FROM
      (SELECT min(start) AS start, max(${key}) AS key, sum(total)::BIGINT AS total
       FROM (${byMinute}) GROUP BY start // ${inner ? quarterMinutes : 1}) WHERE true`;
    rows.push(inPiecesSql(minutes, "key, total", source));
  }
  if (raw.length > 0) {
    const events = raw.join(" UNION ALL ");
    rows.push(`SELECT bin, ${key} AS key, total FROM
      (SELECT bin, start, sum(weight)::BIGINT AS total FROM (${events}) GROUP BY bin, start)`);
  }
  const [bins, tops, starts, sums] = await columnsOf(
    connection,
    `SELECT bin, (max(key) // ${2 ** 40})::BIGINT,
       (${2 ** 40} - 1 + ${first} - max(key) % ${2 ** 40})::BIGINT, sum(total)::BIGINT
     FROM (${rows.join(" UNION ALL ")}) GROUP BY bin`,
  );
  const counts: (number | null)[] = totals.upper.map((most) => (most === 0 ? 0 : null));
  const times: (number | null)[] = counts.map(() => null);
  for (const [i, bin] of bins!.entries()) {
    const isWhole = sums![i] === totals.lower[bin!] && sums![i] === totals.upper[bin!];
    if (!isWhole || tops![i] === 0) continue;
    counts[bin!] = tops![i]!;
    times[bin!] = Math.max(bounds[bin!]!, starts![i]! * minuteMs);
  }
  return { counts, times };
}

/** The counts of `query`'s bins, in the reader's transaction. */
export async function readSeries(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  query: SeriesQuery,
): Promise<SeriesAnswer> {
  const { eventIds, bounds, isExact } = query;
  const types = await typesNamed(connection, query.eventTypes);
  if (types.length === 0) return nothing(query);
  const plans = await planAll(connection, rawFiles, types, {
    ...query,
    isExact: isExact || query.hasDistinct,
  });
  if (eventIds !== null) {
    const counted = await readItemCounts(connection, plans, eventIds, isExact);
    return { ...counted, busiest: null, distinct: null };
  }
  const totals = await readTotals(connection, plans);
  return {
    counts: [totals],
    busiest: query.hasBusiest ? await readBusiest(connection, plans, bounds, totals) : null,
    distinct: query.hasDistinct ? await readDistinct(connection, rawFiles, plans, bounds) : null,
    exactRows: 0,
  };
}

/** The answer of types that there are not. */
function nothing({ bounds, eventIds, hasBusiest, hasDistinct }: SeriesQuery): SeriesAnswer {
  const none = () => zeros(bounds.length - 1);
  return {
    counts: (eventIds ?? [null]).map(() => ({ lower: none(), upper: none() })),
    busiest: hasBusiest ? { counts: none(), times: none().map(() => null) } : null,
    distinct: hasDistinct ? { byBin: none(), all: 0 } : null,
    exactRows: 0,
  };
}
