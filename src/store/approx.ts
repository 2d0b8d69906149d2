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
import { coverOf, cutInStore, type MinuteCut, type MinuteSpan } from "./cover.ts";
import { type Row, rowsOf } from "./database.ts";
import { edgesSql, offsetsOf, type TypeId, typesNamed } from "./exact.ts";
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
    beside: [
      `SELECT ''::VARCHAR AS event_id, 0::BIGINT AS exact, 0::BIGINT AS loose,
        false AS is_raw, 0::BIGINT AS n WHERE false`,
    ],
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

async function windowSums(
  connection: DuckDBConnection,
  level: Level,
  typeId: number,
  condition: string,
) {
  const [row] = await rowsOf(
    connection,
    `SELECT count(*) AS windows, coalesce(sum(total), 0)::BIGINT AS total,
       coalesce(sum(threshold), 0)::BIGINT AS thresholds, coalesce(sum(items), 0)::BIGINT AS items,
       coalesce(max(items), 0)::BIGINT AS items_of_one
     FROM window_${level.name} WHERE type_id = ${typeId} AND ${condition}`,
  );
  const number = (name: string) => Number(row![name]);
  return {
    windows: number("windows"),
    total: number("total"),
    thresholds: number("thresholds"),
    items: number("items"),
    itemsOfOne: number("items_of_one"),
  };
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
  { typeId, eventType }: TypeId,
  cut: MinuteCut,
): Promise<void> {
  for (const { level, condition } of await coverOf(connection, typeId, cut)) {
    const found = await windowSums(connection, level, typeId, condition);
    if (found.windows === 0) continue;
    pieces.sums.windows[level.name] += found.windows;
    pieces.sums.total += found.total;
    pieces.sums.thresholds += found.thresholds;
    pieces.sums.items += found.items;
    pieces.sums.itemsOfOne = Math.max(pieces.sums.itemsOfOne, found.itemsOfOne);
    const isIncomplete = found.thresholds > 0;
    pieces.lists.push(listSql(level, typeId, condition, isIncomplete, true));
    if (isIncomplete) pieces.incomplete.push({ level, typeId, eventType, condition });
  }
}

/** Candidates of open minutes, and the deltas that none stand in for. */
async function addOpenAndDeltas(
  connection: DuckDBConnection,
  pieces: Pieces,
  typeIds: number[],
  cut: MinuteCut,
): Promise<void> {
  const open = await readOpen(connection, cut, typeIds);
  pieces.beside.push(deltaSql(cut, typeIds, true, open.deltas));
  if (open.candidates === null) return;
  pieces.sums.windows.minute += open.windows;
  pieces.sums.total += open.total;
  pieces.sums.thresholds += open.thresholds;
  // How many items an open minute has is not known: at most one an event.
  pieces.sums.items += open.total;
  pieces.lists.push(`SELECT event_id, lower AS exact, upper - lower AS loose, threshold AS known
    FROM (${open.candidates})`);
}

/** Edges from raw events where these are few, else bounded by their minutes' counts. */
async function addEdges(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  pieces: Pieces,
  cut: MinuteCut,
  query: ApproxQuery,
  typeIds: number[],
): Promise<void> {
  for (const edge of cut.edges) {
    if ((await rawFiles.rowsIn(connection, edge.from, edge.to)) <= query.edgeRowsMax) {
      const sql = await edgesSql(connection, rawFiles, [edge], query.eventTypes);
      pieces.beside.push(`SELECT event_id, count AS exact, 0 AS loose, true AS is_raw, events AS n
        FROM (${sql})`);
      continue;
    }
    const minute = Math.floor(edge.from / minuteMs);
    const span = { start: minute, end: minute + 1 };
    for (const typeId of typeIds) await addLooseMinute(connection, pieces, typeId, span);
    pieces.beside.push(deltaSql(span, typeIds, false));
  }
}

async function addLooseMinute(
  connection: DuckDBConnection,
  pieces: Pieces,
  typeId: number,
  span: MinuteSpan,
): Promise<void> {
  const level = minuteLevel;
  const condition = `start = ${span.start}`;
  const found = await windowSums(connection, level, typeId, condition);
  if (found.windows === 0) return;
  pieces.sums.windows.minute += found.windows;
  pieces.loose.total += found.total;
  pieces.loose.thresholds += found.thresholds;
  pieces.sums.items += found.items;
  pieces.lists.push(listSql(level, typeId, condition, found.thresholds > 0, false));
}

function deltaSql(
  span: MinuteSpan,
  typeIds: number[],
  isExact: boolean,
  condition = "true",
): string {
  const sum = "sum(count)::BIGINT";
  const count = isExact ? `${sum} AS exact, 0 AS loose` : `0 AS exact, ${sum} AS loose`;
  return `SELECT event_id, ${count}, false AS is_raw, count(*) AS n
    FROM count_deltas WHERE minute >= ${span.start} AND minute < ${span.end}
    AND type_id IN (${typeIds}) AND ${condition} GROUP BY event_id`;
}

/** WITH clauses `beside` and `items` (event_id, lower, upper, n). */
function itemsSql(pieces: Pieces): string {
  const thresholds = pieces.sums.thresholds + pieces.loose.thresholds;
  return `WITH beside AS MATERIALIZED (${pieces.beside.join(" UNION ALL ")}),
    items AS MATERIALIZED (
      SELECT event_id, sum(exact)::BIGINT AS lower,
        (sum(exact) + sum(loose) + ${thresholds} - sum(known))::BIGINT AS upper, count(*) AS n
      FROM (${pieces.lists.join(" UNION ALL ")}
        UNION ALL SELECT event_id, exact, loose, 0 AS known FROM beside) GROUP BY event_id)`;
}

function boardSql(pieces: Pieces, rows: number): string {
  return `${itemsSql(pieces)},
    head AS MATERIALIZED (
      SELECT event_id, lower, upper FROM items WHERE lower > 0
      ORDER BY lower DESC, event_id LIMIT ${rows}),
    least AS (SELECT CASE WHEN count(*) < ${rows} THEN 0 ELSE min(lower) END AS lower FROM head),
    others AS (
      SELECT items.event_id, items.lower, items.upper, items.upper > items.lower
        AND items.upper >= (SELECT lower FROM least) AS is_contested
      FROM items ANTI JOIN head USING (event_id)),
    tagged AS (
      SELECT 'head' AS tag, event_id, lower, upper FROM head
      UNION ALL (SELECT 'contested', event_id, lower, upper FROM others WHERE is_contested
        ORDER BY upper DESC, event_id LIMIT ${contestedMax + 1})
      UNION ALL (SELECT 'rest', event_id, lower, upper FROM others WHERE NOT is_contested
        ORDER BY upper DESC, event_id LIMIT 1)),
    whole AS (
      SELECT count(*) AS items, count(*) FILTER (lower > 0) AS sure_items,
        coalesce(sum(n), 0)::BIGINT AS pieces_read FROM items),
    other AS (
      SELECT coalesce(sum(exact), 0)::BIGINT AS exact_beside,
        coalesce(sum(loose), 0)::BIGINT AS loose_beside, count(*) AS pieces_beside,
        coalesce(sum(n) FILTER (is_raw), 0)::BIGINT AS raw_rows,
        coalesce(sum(n) FILTER (NOT is_raw), 0)::BIGINT AS delta_rows FROM beside)
    SELECT whole.*, other.*, tagged.*
    FROM whole CROSS JOIN other LEFT JOIN tagged ON true
    ORDER BY tagged.upper DESC, tagged.event_id`;
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

function answerOf(rows: Row[], pieces: Pieces, ranking: Ranking): ApproxAnswer {
  const whole = rows[0]!;
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
      upper: isClosed
        ? number("items")
        : Math.max(lowerItems, sums.items + number("pieces_beside")),
    },
    windows: sums.windows,
    rowsRead: {
      lists: number("pieces_read") - number("pieces_beside"),
      counts: number("delta_rows"),
      raw: number("raw_rows"),
    },
    exactRows: sums.items + number("delta_rows") + number("raw_rows"),
  };
}

type Ranking = Pick<ApproxAnswer, "rows" | "items" | "rest" | "sketches" | "offsets">;

/** Ranks the head and what contests it, after the sketches have had their say. */
async function rank(
  connection: DuckDBConnection,
  sketches: Sketches | null,
  pieces: Pieces,
  rows: Row[],
  wanted: number,
): Promise<Omit<Ranking, "items" | "offsets">> {
  const tagged = (tag: string) => rows.filter((row) => row["tag"] === tag).map(itemOf);
  const contested = tagged("contested");
  // One more than can be looked at: it bounds all that can't.
  const beyond = contested.splice(contestedMax);
  const items = [...tagged("head"), ...contested];
  const loose = items.filter((item) => item.upper > item.lower);
  const asked =
    sketches === null ? 0 : await refine(connection, sketches, pieces.incomplete, loose);
  items.sort(byEstimate);
  const shown = items.slice(0, wanted);
  const after = [...items.slice(wanted), ...beyond, ...tagged("rest")];
  const rest = after.reduce<Contender | null>(stronger, null);
  return { rows: shown, rest, sketches: asked };
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
  const cut = await cutInStore(connection, rawFiles, query.from, query.to);
  const types = await typesNamed(connection, query.eventTypes);
  const typeIds = types.map(({ typeId }) => typeId);
  const pieces = emptyPieces();
  if (types.length > 0) {
    for (const type of types) await addWindows(connection, pieces, type, cut);
    await addOpenAndDeltas(connection, pieces, typeIds, cut);
    await addEdges(connection, rawFiles, pieces, cut, query, typeIds);
  }
  const rows = await rowsOf(connection, boardSql(pieces, query.rows));
  const ranking = await rank(connection, sketches, pieces, rows, query.rows);
  const answer = answerOf(rows, pieces, { ...ranking, items: [], offsets });
  if (query.items === undefined || query.items.length === 0) return answer;
  const items = await boundsOf(connection, itemsSql(pieces), query.items, answer.unlistedUpper);
  if (sketches !== null) {
    answer.sketches += await refine(connection, sketches, pieces.incomplete, items);
  }
  const sure = Number(rows[0]!["sure_items"]);
  return { ...answer, items: await placesOf(connection, itemsSql(pieces), items, sure, answer) };
}
