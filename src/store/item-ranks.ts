/**
 * Ranks of one item in each of many bins, given its exact counts there: 1 + the items with a
 * greater count. A bin that is one window and got nothing since has a row an item, so that they
 * need not be summed: of the list alone where the item's count is not below the threshold T(w).
 * Any other bin's rows are summed by id, as long as they are not too many; then each item has the
 * bounds of series.ts, from the lists, and so has the rank. Of several types the rows are summed
 * in every bin: an item may be in the windows of all.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { inPiecesSql, type Piece } from "./bins.ts";
import { singleWindows } from "./distinct.ts";
import { typesNamed } from "./exact.ts";
import type { RankBounds, SeriesQuery } from "./item-questions.ts";
import type { RawFiles } from "./raw-files.ts";
import { readTotals } from "./series.ts";
import { columnsOf, planAll, type SeriesPlan, zeros } from "./series-plan.ts";
import { sqlText } from "./sql.ts";

/** Rows of windows that the ranks of one answer read beyond the lists at most. */
export const rankRowsMax = 4_000_000;

const noRows = `SELECT 0 AS bin, '' AS event_id, 0::BIGINT AS count, 0::BIGINT AS cut,
  0 AS listed WHERE false`;

/** Plans, one a type, and the item's exact count in each of their bins. */
interface Counted {
  plans: readonly SeriesPlan[];
  counts: readonly number[];
}

type Part = SeriesPlan["parts"][number];

/** The pieces of the bins wanted, by level; none of a level that has none. */
function within(parts: readonly Part[], isWanted: (bin: number) => boolean): Part[] {
  return parts
    .map(({ level, pieces }) => ({ level, pieces: pieces.filter(({ bin }) => isWanted(bin)) }))
    .filter(({ pieces }) => pieces.length > 0);
}

/** SQL of (bin, asked): the item's count in the bins wanted, at least one. */
function askedSql(counts: readonly number[], bins: readonly number[]): string {
  const rows = bins.map((bin) => `(${bin}, ${counts[bin]})`);
  return `(VALUES ${rows.join(", ")}) AS own (bin, asked)`;
}

/** Σ T(w) and the number of items of each bin's windows. */
async function readSizes(connection: DuckDBConnection, plans: readonly SeriesPlan[]) {
  const { binCount } = plans[0]!;
  const rows = ["SELECT 0 AS bin, 0 AS threshold, 0 AS items WHERE false"];
  for (const { parts, typeId } of plans) {
    for (const { level, pieces } of parts) {
      const source = `SELECT start, threshold, items FROM window_${level.name}
        WHERE type_id = ${typeId}`;
      rows.push(inPiecesSql(pieces, "threshold, items", source));
    }
  }
  const [bins, thresholds, counts] = await columnsOf(
    connection,
    `SELECT bin, sum(threshold)::BIGINT, sum(items)::BIGINT FROM (${rows.join(" UNION ALL ")})
     GROUP BY bin`,
  );
  const slacks = zeros(binCount);
  const items = zeros(binCount);
  for (const [i, bin] of bins!.entries()) {
    slacks[bin!] = thresholds![i]!;
    items[bin!] = counts![i]!;
  }
  return { slacks, items };
}

/** How many items of one type are ahead, by bin, in bins that are one window each. */
async function aheadInSingles(
  connection: DuckDBConnection,
  plan: SeriesPlan,
  counts: readonly number[],
  parts: readonly Part[],
  needsTail: (bin: number) => boolean,
): Promise<number[]> {
  const ahead = zeros(plan.binCount);
  for (const { level, pieces } of parts) {
    const tables = [
      { name: `list_${level.name}`, wanted: pieces },
      { name: `tail_${level.name}`, wanted: pieces.filter(({ bin }) => needsTail(bin)) },
    ];
    for (const { name, wanted } of tables) {
      if (wanted.length === 0) continue;
      const bins = wanted.map(({ bin }) => bin);
      const least = Math.min(...bins.map((bin) => counts[bin]!));
      const source = `SELECT start, count FROM ${name}
        WHERE type_id = ${plan.typeId} AND count > ${least}`;
      const [found, items] = await columnsOf(
        connection,
        `SELECT bin, count(*) FROM (${inPiecesSql(wanted, "count", source)})
         JOIN ${askedSql(counts, bins)} USING (bin) WHERE count > asked GROUP BY bin`,
      );
      for (const [i, bin] of found!.entries()) ahead[bin!]! += items![i]!;
    }
  }
  return ahead;
}

/**
 * SQLs of (bin, event_id, count, cut, listed): all that the bins wanted are made of in one type,
 * or without `hasTail` what is listed; `cut` is T(w) of the window that lists the item, else 0.
 */
function rowsOfType(
  plan: SeriesPlan,
  isWanted: (bin: number) => boolean,
  hasTail: boolean,
): string[] {
  const { typeId, minutes, raw } = plan;
  const own = `type_id = ${typeId}`;
  const rows: string[] = [];
  for (const { level, pieces } of within(plan.parts, isWanted)) {
    const listed = `SELECT start, event_id, count, threshold
      FROM (FROM list_${level.name} WHERE ${own})
      JOIN (SELECT start, threshold FROM window_${level.name} WHERE ${own}) USING (start)
      WHERE true`;
    rows.push(inPiecesSql(pieces, "event_id, count, threshold AS cut, 1 AS listed", listed));
    if (!hasTail) continue;
    const tail = `SELECT start, event_id, count FROM tail_${level.name} WHERE ${own}`;
    rows.push(inPiecesSql(pieces, "event_id, count, 0 AS cut, 0 AS listed", tail));
  }
  const whole: Piece[] = minutes.filter(({ bin }) => isWanted(bin));
  if (whole.length > 0) {
    const deltas = `SELECT start, event_id, count FROM
      (SELECT minute AS start, event_id, count FROM count_deltas WHERE ${own}) WHERE true`;
    rows.push(inPiecesSql(whole, "event_id, count, 0 AS cut, 0 AS listed", deltas));
  }
  if (raw !== null)
    rows.push(`SELECT bin, event_id, weight AS count, 0 AS cut, 0 AS listed FROM (${raw})`);
  return rows;
}

/**
 * Other items whose summed count, and whose upper bound, is greater than the item's, by bin; and
 * how many rows of lists there are.
 */
async function aheadBySums(
  connection: DuckDBConnection,
  { plans, counts }: Counted,
  eventId: string,
  bins: readonly number[],
  slacks: readonly number[] | null,
) {
  const surely = counts.map(() => 0);
  const maybe = counts.map(() => 0);
  const listed = counts.map(() => 0);
  if (bins.length === 0) return { surely, maybe, listed };
  const wanted = new Set(bins);
  const isWanted = (bin: number) => wanted.has(bin);
  const rows = plans.flatMap((plan) => rowsOfType(plan, isWanted, slacks === null));
  const slackOf = (bin: number) => (slacks === null ? 0 : slacks[bin]!);
  const values = bins.map((bin) => `(${bin}, ${counts[bin]}, ${slackOf(bin)})`);
  const upper = slacks === null ? "count" : "count + slack - cut";
  const others = `event_id <> ${sqlText(eventId)}`;
  const [found, lowers, uppers, lists] = await columnsOf(
    connection,
    `SELECT bin, count(*) FILTER (count > asked AND ${others}),
       count(*) FILTER (${upper} > asked AND ${others}), sum(listed)::BIGINT
     FROM (SELECT bin, event_id, sum(count)::BIGINT AS count, sum(cut)::BIGINT AS cut,
         sum(listed)::BIGINT AS listed
       FROM (${[noRows, ...rows].join(" UNION ALL ")}) GROUP BY bin, event_id)
     JOIN (VALUES ${values.join(", ")}) AS own (bin, asked, slack) USING (bin)
     GROUP BY bin`,
  );
  for (const [i, bin] of found!.entries()) {
    surely[bin!] = lowers![i]!;
    maybe[bin!] = uppers![i]!;
    listed[bin!] = lists![i]!;
  }
  return { surely, maybe, listed };
}

/** Of the bins, the latest whose rows together are no more than may be read. */
function affordable(bins: readonly number[], rowsOf: (bin: number) => number, rowsMax: number) {
  let left = rowsMax;
  const chosen = new Set<number>();
  for (const bin of bins.toReversed()) {
    left -= rowsOf(bin);
    if (left < 0) break;
    chosen.add(bin);
  }
  return chosen;
}

/** Bounds of the ranks in bins that are too large to be summed. */
async function boundedRanks(
  connection: DuckDBConnection,
  counted: Counted,
  eventId: string,
  bins: readonly number[],
  { slacks, items }: Awaited<ReturnType<typeof readSizes>>,
): Promise<Map<number, RankBounds>> {
  if (bins.length === 0) return new Map();
  const sums = await aheadBySums(connection, counted, eventId, bins, slacks);
  const totals = await readTotals(connection, counted.plans);
  return new Map(
    bins.map((bin) => {
      const count = counted.counts[bin]!;
      const surely = sums.surely[bin]!;
      const unlisted = slacks[bin]! > count ? items[bin]! - sums.listed[bin]! : 0;
      // So many others fit into what the item leaves of the total.
      const most = Math.floor((totals.upper[bin]! - count) / (count + 1));
      const ahead = Math.min(sums.maybe[bin]! + unlisted, most);
      return [bin, { lower: 1 + surely, upper: 1 + ahead }];
    }),
  );
}

/**
 * The ranks of an item in the bins of `query`, in the reader's transaction; `counts` are its exact
 * counts there. Null where it has no event.
 */
export async function readRanks(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  query: Pick<SeriesQuery, "eventTypes" | "bounds"> & { eventId: string },
  counts: readonly number[],
  rowsMax = rankRowsMax,
): Promise<(RankBounds | null)[]> {
  const types = await typesNamed(connection, query.eventTypes);
  const present = [...counts.keys()].filter((bin) => counts[bin]! > 0);
  const ranks: (RankBounds | null)[] = counts.map(() => null);
  if (types.length === 0 || present.length === 0) return ranks;
  const { eventId, bounds } = query;
  const shape = { bounds, isExact: true, edgeRowsMax: 0 };
  const plans = await planAll(connection, rawFiles, types, shape);
  const counted = { plans, counts };
  const sizes = await readSizes(connection, plans);
  const alone = plans.length === 1 ? await singleWindows(connection, plans[0]!) : [];
  const singles = within(alone, (bin) => counts[bin]! > 0);
  const single = new Set(singles.flatMap(({ pieces }) => pieces.map(({ bin }) => bin)));
  // With no threshold above the item's count the list tells all that are ahead.
  const needsTail = (bin: number) => counts[bin]! < sizes.slacks[bin]!;
  const rowsOf = (bin: number) => (single.has(bin) && !needsTail(bin) ? 0 : sizes.items[bin]!);
  const exact = affordable(present, rowsOf, rowsMax);
  for (const bin of present) if (rowsOf(bin) === 0) exact.add(bin);
  const apart = within(singles, (bin) => exact.has(bin));
  const ahead = await aheadInSingles(connection, plans[0]!, counts, apart, needsTail);
  const summed = present.filter((bin) => exact.has(bin) && !single.has(bin));
  const { surely } = await aheadBySums(connection, counted, eventId, summed, null);
  const loose = present.filter((bin) => !exact.has(bin));
  const bounded = await boundedRanks(connection, counted, eventId, loose, sizes);
  for (const bin of present) {
    const rank = 1 + (single.has(bin) ? ahead[bin]! : surely[bin]!);
    ranks[bin] = bounded.get(bin) ?? { lower: rank, upper: rank };
  }
  return ranks;
}
