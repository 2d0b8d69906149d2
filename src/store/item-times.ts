/**
 * When an item was first and last seen, over everything kept. The windows know the month, then
 * the day, the hour and the minute, each by a look at the ids of few windows; only the raw events
 * of those two minutes are read.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { minuteMs } from "../model.ts";
import { inPiecesSql, piecesOf } from "./bins.ts";
import type { MinuteSpan } from "./cover.ts";
import { type Pending, pendingIn } from "./cover.ts";
import { rowsOf } from "./database.ts";
import type { TypeId } from "./exact.ts";
import type { RawFiles } from "./raw-files.ts";
import { sqlText, timestampLiteral } from "./sql.ts";
import { endOf, levels, minuteLevel } from "./windows.ts";

/** All minutes that events can have, up to the year 10000. */
const allMinutes: MinuteSpan = Object.freeze({ start: 0, end: 4_223_376_000 });

type End = "first" | "last";

/** One question about one item. */
interface Search extends TypeId {
  connection: DuckDBConnection;
  eventId: string;
  pending: Pending;
}

/** The first or last of spans; of two that begin or end together the longer. */
function outermost(end: End, spans: readonly MinuteSpan[]): MinuteSpan | null {
  const isBefore = (a: MinuteSpan, b: MinuteSpan) =>
    end === "first"
      ? a.start < b.start || (a.start === b.start && a.end > b.end)
      : a.end > b.end || (a.end === b.end && a.start < b.start);
  return spans.reduce<MinuteSpan | null>(
    (best, span) => (best === null || isBefore(span, best) ? span : best),
    null,
  );
}

/**
 * Of each level up to `levels[largest]` the first and the last window inside `span` that has the
 * item.
 */
async function windowsWith({ connection, ...search }: Search, span: MinuteSpan, largest: number) {
  const own = `type_id = ${search.typeId} AND event_id = ${sqlText(search.eventId)}`;
  const rows = ["SELECT 0 AS place, 0 AS start WHERE false"];
  for (const { level, pieces } of piecesOf([{ ...span, bin: 0 }], search.pending, largest)) {
    for (const table of [`list_${level.name}`, `tail_${level.name}`]) {
      const source = `SELECT start FROM ${table} WHERE ${own}`;
      const within = inPiecesSql(pieces, "start", source);
      rows.push(`SELECT ${levels.indexOf(level)} AS place, start FROM (${within})`);
    }
  }
  const found = await rowsOf(
    connection,
    `SELECT place, min(start) AS first, max(start) AS last FROM (${rows.join(" UNION ALL ")})
     GROUP BY place`,
  );
  const spansOf = (end: End) =>
    found.map((row) => {
      const place = Number(row["place"]);
      const start = Number(row[end]);
      return { place, start, end: endOf(levels[place]!, start) };
    });
  return { first: spansOf("first"), last: spansOf("last") };
}

/** Goes down from a window to the smallest one inside that is kept and has the item. */
async function descend(search: Search, end: End, windows: MinuteSpan[]): Promise<MinuteSpan> {
  let best = outermost(end, windows) as MinuteSpan & { place: number };
  while (levels[best.place] !== minuteLevel) {
    const inside = (await windowsWith(search, best, best.place - 1))[end];
    if (inside.length === 0) break;
    best = outermost(end, inside) as typeof best;
  }
  return best;
}

/** SQL of (name, at): epoch ms of the item's first or last raw event in the span. */
async function timeSql(
  { connection, eventType, eventId }: Search,
  rawFiles: RawFiles,
  end: End,
  span: MinuteSpan,
): Promise<string> {
  const [from, to] = [span.start * minuteMs, span.end * minuteMs];
  const source = await rawFiles.source(connection, from, to);
  return `SELECT '${end}' AS name,
      epoch_ms(${end === "first" ? "min" : "max"}(event_time)) AS at FROM ${source}
    WHERE event_type = ${sqlText(eventType)} AND event_id = ${sqlText(eventId)}
    AND event_time >= ${timestampLiteral(from)} AND event_time < ${timestampLiteral(to)}`;
}

interface Seen {
  first: number;
  last: number;
}

/**
 * When the item was first and last seen as an event of any of the types, epoch ms, in the reader's
 * transaction; null for never.
 */
export async function readTimes(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  types: readonly TypeId[],
  eventId: string,
): Promise<Seen | null> {
  let seen: Seen | null = null;
  for (const type of types) {
    const one = await timesOfType(connection, rawFiles, type, eventId);
    if (one === null) continue;
    seen ??= one;
    seen = { first: Math.min(seen.first, one.first), last: Math.max(seen.last, one.last) };
  }
  return seen;
}

async function timesOfType(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  type: TypeId,
  eventId: string,
): Promise<Seen | null> {
  const pending = await pendingIn(connection, type.typeId, allMinutes);
  const search: Search = { ...type, connection, eventId, pending };
  const [deltas] = await rowsOf(
    connection,
    `SELECT min(minute) AS first, max(minute) AS last FROM count_deltas
     WHERE type_id = ${type.typeId} AND event_id = ${sqlText(eventId)}`,
  );
  const windows = await windowsWith(search, allMinutes, levels.length - 1);
  const spanAt = async (end: End): Promise<MinuteSpan | null> => {
    const spans: MinuteSpan[] = [];
    const minute = deltas![end];
    if (minute !== null) spans.push({ start: Number(minute), end: Number(minute) + 1 });
    if (windows[end].length > 0) spans.push(await descend(search, end, windows[end]));
    return outermost(end, spans);
  };
  const first = await spanAt("first");
  const last = await spanAt("last");
  if (first === null || last === null) return null;
  const sources = [
    await timeSql(search, rawFiles, "first", first),
    await timeSql(search, rawFiles, "last", last),
  ];
  const times = await rowsOf(connection, sources.join(" UNION ALL "));
  // Should the raw events be gone, the minute is all that is known.
  const timeAt = (end: End, span: MinuteSpan) =>
    Number(times.find((row) => row["name"] === end)?.["at"] ?? span.start * minuteMs);
  return { first: timeAt("first", first), last: timeAt("last", last) };
}
