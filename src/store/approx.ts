/**
 * Bounds of items' counts from the windows' lists, the deltas not folded yet and the ragged
 * edges. For an item i over windows w, with T(w) the least listed count (0 when all are listed):
 *
 *   lower(i) = Σ listed in w ? count(w, i) : 0      + deltas + edges
 *   upper(i) = Σ listed in w ? count(w, i) : T(w)   + deltas + edges
 *            = lower(i) + Σ T(w) − Σ T(w) of the windows that list i
 *
 * so one pass over the list rows gives both. An edge too large to read is bounded by
 * [0, the item's count in that minute]. Never reads the counts off the lists.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { minuteMs } from "../model.ts";
import { boundsOf, placesOf } from "./asked-items.ts";
import { offsetsOf } from "./changes.ts";
import { type CoverPart, coverOf, cutInStore, type MinuteCut, type MinuteSpan } from "./cover.ts";
import { type Row, rowsOf } from "./database.ts";
import { deltaSql } from "./delta-spans.ts";
import { EdgeFiles } from "./edge-files.ts";
import { edgesSql, type TypeId, typesNamed } from "./exact.ts";
import { readOpen } from "./open-windows.ts";
import { type Contender, compareIds, stronger } from "./order.ts";
import type { RawFiles } from "./raw-files.ts";
import { type IncompletePart, refine } from "./refine.ts";
import type { Sketches } from "./sketches.ts";
import type { ApproxAnswer, ApproxQuery, BoundedItem } from "./store.ts";
import { type Level, minuteLevel } from "./windows.ts";

/** Items looked at because they may belong to the rows shown. */
const contestedMax = 1000;

/** Sums over the windows used. */
interface WindowSums {
  total: number;
  thresholds: number;
  items: number;
  itemsOfOne: number;
  windows: Record<Level["name"], number>;
}

/** What one question is made of. */
interface Pieces {
  /** SQL of (event_id, exact, loose, known): listed items. */
  lists: string[];
  /** SQL of (event_id, exact, loose, is_raw, n): deltas and raw events, n rows of them. */
  beside: string[];
  /** Whether any item's bounds may differ. */
  isLoose: boolean;
  sums: WindowSums;
  /** Where some windows don't list all of their items. */
  incomplete: IncompletePart[];
  /** Sums of the minutes that hold an edge too large to read. */
  loose: { total: number; thresholds: number };
}

function emptyPieces(): Pieces {
  return {
    lists: [
      `SELECT ''::VARCHAR AS event_id, 0::BIGINT AS exact, 0::BIGINT AS loose,
        0::BIGINT AS known WHERE false`,
    ],
    beside: [],
    isLoose: false,
    sums: {
      total: 0,
      thresholds: 0,
      items: 0,
      itemsOfOne: 0,
      windows: { minute: 0, hour: 0, day: 0, month: 0 },
    },
    incomplete: [],
    loose: { total: 0, thresholds: 0 },
  };
}

/** Windows of one level and type whose start fulfils a condition. */
interface WindowPart extends CoverPart {
  typeId: number;
}

/** Sums over each part's windows. */
async function windowSums(connection: DuckDBConnection, parts: readonly WindowPart[]) {
  if (parts.length === 0) return [];
  const sums = parts.map(
    ({ level, typeId, condition }, i) => `SELECT ${i} AS part, count(*) AS windows,
       coalesce(sum(total), 0)::BIGINT AS total,
       coalesce(sum(threshold), 0)::BIGINT AS thresholds, coalesce(sum(items), 0)::BIGINT AS items,
       coalesce(max(items), 0)::BIGINT AS items_of_one
     FROM window_${level.name} WHERE type_id = ${typeId} AND ${condition}`,
  );
  const rows = await rowsOf(connection, `${sums.join(" UNION ALL ")} ORDER BY part`);
  return rows.map((row) => {
    const number = (name: string) => Number(row[name]);
    return {
      windows: number("windows"),
      total: number("total"),
      thresholds: number("thresholds"),
      items: number("items"),
      itemsOfOne: number("items_of_one"),
    };
  });
}

/** List rows as pieces; the threshold is joined only where there is one. */
function listSql(
  level: Level,
  typeId: number,
  condition: string,
  isIncomplete: boolean,
  exact: boolean,
) {
  const { name } = level;
  const count = exact ? "count AS exact, 0 AS loose" : "0 AS exact, count AS loose";
  const where = `type_id = ${typeId} AND ${condition}`;
  if (!isIncomplete) {
    return `SELECT event_id, ${count}, 0 AS known
      FROM list_${name} WHERE ${where}`;
  }
  return `SELECT event_id, ${count}, threshold AS known
    FROM (FROM list_${name} WHERE ${where})
    JOIN (SELECT start, threshold FROM window_${name} WHERE ${where}) USING (start)`;
}

async function addWindows(
  connection: DuckDBConnection,
  pieces: Pieces,
  types: readonly TypeId[],
  cut: MinuteCut,
): Promise<void> {
  const parts: (WindowPart & TypeId)[] = [];
  for (const type of types) {
    const cover = await coverOf(connection, type.typeId, cut);
    parts.push(...cover.map((part) => ({ ...type, ...part })));
  }
  const sums = await windowSums(connection, parts);
  for (const [i, found] of sums.entries()) {
    if (found.windows === 0) continue;
    const { level, typeId, eventType, condition } = parts[i]!;
    pieces.sums.windows[level.name] += found.windows;
    pieces.sums.total += found.total;
    pieces.sums.thresholds += found.thresholds;
    pieces.sums.items += found.items;
    pieces.sums.itemsOfOne = Math.max(pieces.sums.itemsOfOne, found.itemsOfOne);
    const isIncomplete = found.thresholds > 0;
    pieces.lists.push(listSql(level, typeId, condition, isIncomplete, true));
    if (!isIncomplete) continue;
    pieces.isLoose = true;
    pieces.incomplete.push({ level, typeId, eventType, condition });
  }
}

/**
 * Candidates of open minutes, and the deltas that none stand in for. With `isExact` false all of
 * the span may be counted or none of it.
 */
async function addOpenAndDeltas(
  connection: DuckDBConnection,
  pieces: Pieces,
  typeIds: number[],
  span: MinuteSpan,
  isExact: boolean,
): Promise<void> {
  const open = await readOpen(connection, span, typeIds);
  if (open.deltas !== null) {
    pieces.beside.push(deltaSql(span, typeIds, isExact, open.deltas));
  }
  if (open.candidates === null) return;
  pieces.isLoose = true;
  pieces.sums.windows.minute += open.windows;
  const sums = isExact ? pieces.sums : pieces.loose;
  sums.total += open.total;
  sums.thresholds += open.thresholds;
  // How many items an open minute has is not known: at most one an event.
  pieces.sums.items += open.total;
  const bounds = isExact ? "lower AS exact, upper - lower" : "0 AS exact, upper";
  pieces.lists.push(`SELECT event_id, ${bounds} AS loose, threshold AS known
    FROM (${open.candidates})`);
}

/** Edges from raw events where these are few, else bounded by their minutes' counts. */
async function addEdges(
  connection: DuckDBConnection,
  rawFiles: EdgeFiles,
  pieces: Pieces,
  cut: MinuteCut,
  query: ApproxQuery,
  typeIds: number[],
): Promise<void> {
  const read: MinuteCut["edges"] = [];
  for (const edge of cut.edges) {
    if ((await rawFiles.rowsIn(connection, edge.from, edge.to)) <= query.edgeRowsMax) {
      read.push(edge);
      continue;
    }
    pieces.isLoose = true;
    const minute = Math.floor(edge.from / minuteMs);
    const span = { start: minute, end: minute + 1 };
    for (const typeId of typeIds) await addLooseMinute(connection, pieces, typeId, span);
    await addOpenAndDeltas(connection, pieces, typeIds, span, false);
  }
  if (read.length === 0) return;
  // By themselves first: 7 ms, where as a part of the question's one large statement they take 20.
  const sql = await edgesSql(connection, rawFiles, read, query.eventTypes);
  await connection.run(`CREATE OR REPLACE TEMP TABLE edge_counts AS ${sql}`);
  pieces.beside.push(`SELECT event_id, count AS exact, 0 AS loose, true AS is_raw, events AS n
    FROM edge_counts`);
}

async function addLooseMinute(
  connection: DuckDBConnection,
  pieces: Pieces,
  typeId: number,
  span: MinuteSpan,
): Promise<void> {
  const level = minuteLevel;
  const condition = `start = ${span.start}`;
  const [found] = await windowSums(connection, [{ level, typeId, condition }]);
  if (found === undefined || found.windows === 0) return;
  pieces.sums.windows.minute += found.windows;
  pieces.loose.total += found.total;
  pieces.loose.thresholds += found.thresholds;
  pieces.sums.items += found.items;
  pieces.lists.push(listSql(level, typeId, condition, found.thresholds > 0, false));
}

/** Sums over what lies beside the lists, by item; left out where nothing does. */
const besideColumns = `, sum(beside) AS beside, sum(exact * beside)::BIGINT AS exact_beside,
  sum(loose * beside)::BIGINT AS loose_beside, sum(raw_rows)::BIGINT AS raw_rows,
  sum(delta_rows)::BIGINT AS delta_rows`;

/** WITH clause `items` (event_id, lower, upper, n, …): n pieces an item. */
function itemsSql({ lists, beside, sums, loose }: Pieces): string {
  const thresholds = sums.thresholds + loose.thresholds;
  // As DOUBLE they are exact below 2^53, and a fifth quicker than in 128 bits.
  const [exact, loosely, known] = ["exact", "loose", "known"].map((one) => `sum(${one}::DOUBLE)`);
  const upper = `(${exact} + ${loosely} + ${thresholds} - ${known})::BIGINT`;
  const bounds = `${exact}::BIGINT AS lower, ${upper} AS upper, count(*) AS n`;
  const listed = lists.join(" UNION ALL ");
  if (beside.length === 0) {
    return `WITH items AS MATERIALIZED (
      SELECT event_id, ${bounds} FROM (${listed}) GROUP BY event_id)`;
  }
  return `WITH items AS MATERIALIZED (
    SELECT event_id, ${bounds}${besideColumns}
    FROM (SELECT *, 0 AS beside, 0 AS raw_rows, 0 AS delta_rows FROM (${listed})
      UNION ALL SELECT event_id, exact, loose, 0 AS known, 1 AS beside,
        CASE WHEN is_raw THEN n ELSE 0 END AS raw_rows,
        CASE WHEN is_raw THEN 0 ELSE n END AS delta_rows
      FROM (${beside.join(" UNION ALL ")}))
    GROUP BY event_id)`;
}

const noneBeside = `0 AS beside, 0 AS exact_beside, 0 AS loose_beside, 0 AS raw_rows,
  0 AS delta_rows`;
const allBeside = ["beside", "exact_beside", "loose_beside", "raw_rows", "delta_rows"]
  .map((name) => `coalesce(sum(${name}), 0)::BIGINT AS ${name}`)
  .join(", ");

/**
 * What all items sum up to, and the first `rows` by lower bound ('head') with the one after them;
 * where bounds are loose also the greatest of those ('loose') and of the exact ones ('exact'). A
 * few short lists out of one table: whatever else is asked of them costs more here than outside.
 */
function boardSql(pieces: Pieces, rows: number, moreRows: number): string {
  const list = (tag: string, condition: string, by: string, limit: number) => `
    UNION ALL SELECT * FROM (SELECT '${tag}' AS tag, event_id, lower, upper, ${noneBeside},
      0 AS items, 0 AS sure_items, 0 AS pieces_read
      FROM items WHERE ${condition} ORDER BY ${by} DESC, event_id LIMIT ${limit})`;
  const beside = pieces.beside.length === 0 ? noneBeside : allBeside;
  const first = list("head", "lower > 0", "lower", rows + Math.max(1, moreRows));
  const loose = list("loose", "upper > lower", "upper", rows + contestedMax + 2);
  const exact = list("exact", "upper = lower", "lower", rows + 1);
  return `${itemsSql(pieces)}
    SELECT 'whole' AS tag, NULL AS event_id, 0 AS lower, 0 AS upper, ${beside},
      count(*) AS items, count(*) FILTER (lower > 0) AS sure_items,
      coalesce(sum(n), 0)::BIGINT AS pieces_read FROM items
    ${first}${pieces.isLoose ? loose + exact : ""}`;
}

function itemOf(row: Row): BoundedItem {
  const lower = Number(row["lower"]);
  const eventId = String(row["event_id"]);
  return { eventId, lower, upper: Number(row["upper"]), estimate: lower };
}

/** By estimate, then id. */
function byEstimate(a: BoundedItem, b: BoundedItem): number {
  if (a.estimate !== b.estimate) return b.estimate - a.estimate;
  return compareIds(a.eventId, b.eventId);
}

function answerOf(whole: Row, pieces: Pieces, ranking: Ranking): ApproxAnswer {
  const number = (name: string) => Number(whole[name]);
  const { sums, loose } = pieces;
  const lowerTotal = sums.total + number("exact_beside");
  const unlistedUpper = sums.thresholds + loose.thresholds;
  const lowerItems = Math.max(number("sure_items"), sums.itemsOfOne);
  const isClosed = unlistedUpper === 0 && number("sure_items") === number("items");
  return {
    ...ranking,
    unlistedUpper,
    total: { lower: lowerTotal, upper: lowerTotal + loose.total + number("loose_beside") },
    distinct: {
      lower: isClosed ? number("items") : lowerItems,
      upper: isClosed ? number("items") : Math.max(lowerItems, sums.items + number("beside")),
    },
    windows: sums.windows,
    rowsRead: {
      lists: number("pieces_read") - number("beside"),
      counts: number("delta_rows"),
      raw: number("raw_rows"),
    },
    exactRows: sums.items + number("delta_rows") + number("raw_rows"),
  };
}

type Ranking = Pick<ApproxAnswer, "rows" | "more" | "items" | "rest" | "sketches" | "offsets">;

/** Loose items beside the head: those that may belong to it, and the first that can't. */
function contestants(rows: readonly Row[], head: readonly BoundedItem[], wanted: number) {
  const tagged = (tag: string) => rows.filter((row) => row["tag"] === tag).map(itemOf);
  const isHead = new Set(head.map(({ eventId }) => eventId));
  const others = (items: BoundedItem[]) => items.filter(({ eventId }) => !isHead.has(eventId));
  const least = head.length < wanted ? 0 : head.at(-1)!.lower;
  const loose = others(tagged("loose"));
  const contested = loose.filter(({ upper }) => upper >= least);
  const after = [...contested.splice(contestedMax), ...loose.filter(({ upper }) => upper < least)];
  return { contested, after: [...after.slice(0, 1), ...others(tagged("exact")).slice(0, 1)] };
}

/** Ranks the head and what contests it, after the sketches have had their say. */
async function rank(
  connection: DuckDBConnection,
  sketches: Sketches | null,
  pieces: Pieces,
  rows: readonly Row[],
  wanted: number,
  moreRows: number,
): Promise<Omit<Ranking, "items" | "offsets">> {
  const first = rows.filter((row) => row["tag"] === "head").map(itemOf);
  first.sort((a, b) => b.lower - a.lower || compareIds(a.eventId, b.eventId));
  const head = first.slice(0, wanted);
  if (!pieces.isLoose) {
    const more = first.slice(wanted);
    const [next] = more;
    const rest = next === undefined ? null : stronger(null, next);
    return { rows: head, more: more.slice(0, moreRows), rest, sketches: 0 };
  }
  const { contested, after } = contestants(rows, head, wanted);
  const items = [...head, ...contested];
  const loose = items.filter((item) => item.upper > item.lower);
  const asked =
    sketches === null ? 0 : await refine(connection, sketches, pieces.incomplete, loose);
  items.sort(byEstimate);
  const shown = items.slice(0, wanted);
  const rest = [...items.slice(wanted), ...after].reduce<Contender | null>(stronger, null);
  const isShown = new Set(shown.map(({ eventId }) => eventId));
  const more = first.filter(({ eventId }) => !isShown.has(eventId)).slice(0, moreRows);
  return { rows: shown, more, rest, sketches: asked };
}

/**
 * The bounds of the range's items, in the reader's transaction. Without `sketches` the lists
 * alone answer.
 */
export async function readApprox(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  sketches: Sketches | null,
  query: ApproxQuery,
): Promise<ApproxAnswer> {
  const offsets = await offsetsOf(connection);
  const { from, to } = query;
  const edgeFiles = await EdgeFiles.around(connection, rawFiles.checks, from, to);
  const cut = await cutInStore(connection, edgeFiles, from, to);
  const types = await typesNamed(connection, query.eventTypes);
  const typeIds = types.map(({ typeId }) => typeId);
  const pieces = emptyPieces();
  if (types.length > 0) {
    await addWindows(connection, pieces, types, cut);
    await addOpenAndDeltas(connection, pieces, typeIds, cut, true);
    await addEdges(connection, edgeFiles, pieces, cut, query, typeIds);
  }
  const { moreRows = 0 } = query;
  const rows = await rowsOf(connection, boardSql(pieces, query.rows, moreRows));
  const whole = rows.find((row) => row["tag"] === "whole")!;
  const ranking = await rank(connection, sketches, pieces, rows, query.rows, moreRows);
  const answer = answerOf(whole, pieces, { ...ranking, items: [], offsets });
  if (query.items === undefined || query.items.length === 0) return answer;
  const items = await boundsOf(connection, itemsSql(pieces), query.items, answer.unlistedUpper);
  if (sketches !== null) {
    answer.sketches += await refine(connection, sketches, pieces.incomplete, items);
  }
  const sure = Number(whole["sure_items"]);
  return { ...answer, items: await placesOf(connection, itemsSql(pieces), items, sure, answer) };
}
