/**
 * Which windows answer a range: the largest that exist and lie inside it, the rest by minutes.
 * A range of whole minutes thus takes at most about 118 minutes, 46 hours and 60 days besides
 * the months, once everything in it has sealed.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { minuteMs } from "../model.ts";
import { rowsOf } from "./database.ts";
import type { RawFiles } from "./raw-files.ts";
import { endOf, firstStartFrom, type Level, levels, startAt } from "./windows.ts";

/** Minutes since 1970, `end` exclusive. */
export interface MinuteSpan {
  start: number;
  end: number;
}

/** A range cut at minutes: `[start, end)` whole minutes, and up to two ragged edges. */
export interface MinuteCut extends MinuteSpan {
  /** Epoch ms, each within one minute; `to` exclusive. */
  edges: { from: number; to: number }[];
}

/** Cuts `[from, to)` (epoch ms) at whole minutes. */
export function cutAtMinutes(from: number, to: number): MinuteCut {
  if (from >= to) return { start: 0, end: 0, edges: [] };
  const start = Math.ceil(from / minuteMs);
  const end = Math.floor(to / minuteMs);
  if (start > end) return { start, end: start, edges: [{ from, to }] };
  const edges = [
    { from, to: start * minuteMs },
    { from: end * minuteMs, to },
  ].filter((edge) => edge.from < edge.to);
  return { start, end, edges };
}

/**
 * The cut with those edges made whole whose minute holds no event outside the range: above all
 * the running minute of a range that ends now, which then needs no raw events.
 */
export async function cutInStore(
  connection: DuckDBConnection,
  rawFiles: Pick<RawFiles, "mayHold">,
  from: number,
  to: number,
): Promise<MinuteCut> {
  const cut = cutAtMinutes(from, to);
  const edges: MinuteCut["edges"] = [];
  for (const edge of cut.edges) {
    const minute = Math.floor(edge.from / minuteMs);
    const isOutside =
      (await rawFiles.mayHold(connection, minute * minuteMs, edge.from)) ||
      (await rawFiles.mayHold(connection, edge.to, (minute + 1) * minuteMs));
    if (isOutside) edges.push(edge);
    else if (minute === cut.start - 1) cut.start = minute;
    else if (minute === cut.end) cut.end = minute + 1;
    else edges.push(edge);
  }
  return { ...cut, edges };
}

/** One level's part of a cover: the windows whose start fulfils `condition`. */
export interface CoverPart {
  level: Level;
  /** SQL on column `start`. */
  condition: string;
}

/** More pending windows than this are looked up by hash instead of by ranges. */
const pendingSpansMax = 32;

function inSpans(spans: readonly MinuteSpan[]): string {
  const parts = spans
    .filter(({ start, end }) => start < end)
    .map(({ start, end }) => `(start >= ${start} AND start < ${end})`);
  return parts.length === 0 ? "false" : `(${parts.join(" OR ")})`;
}

function mergeNeighbours(spans: MinuteSpan[]): MinuteSpan[] {
  const merged: MinuteSpan[] = [];
  for (const span of spans) {
    const last = merged.at(-1);
    if (last !== undefined && last.end >= span.start) last.end = Math.max(last.end, span.end);
    else merged.push({ ...span });
  }
  return merged;
}

/** The windows of the level below that lie in these pending windows of `above`. */
function inPending(above: Level, pending: number[]): string {
  const spans = mergeNeighbours(pending.map((start) => ({ start, end: endOf(above, start) })));
  if (spans.length <= pendingSpansMax) return inSpans(spans);
  const bounds = inSpans([{ start: spans[0]!.start, end: spans.at(-1)!.end }]);
  // A plain list inside the cover's OR is searched from its beginning for every row: 730 ms for a
  // million rows and 1,464 windows, 40 ms like this.
  return `(${bounds} AND (${above.startOf}) IN (SELECT unnest([${pending.join(", ")}])))`;
}

/** The condition without what is in these spans already. */
function apartFrom(spans: readonly MinuteSpan[], condition: string): string {
  const known = inSpans(spans);
  return known === "false" ? condition : `(${condition} AND NOT ${known})`;
}

/** The largest span of whole windows of `level` inside `span`; empty (end ≤ start) if none. */
function wholeWindows(level: Level, span: MinuteSpan): MinuteSpan {
  // The window that holds the span's end is not inside, unless it begins there.
  return { start: firstStartFrom(level, span.start), end: startAt(level, span.end) };
}

function isInside(span: MinuteSpan, level: Level, start: number): boolean {
  return start >= span.start && endOf(level, start) <= span.end;
}

/** Starts of windows that have content but are not built yet, ascending, by level. */
export type Pending = ReadonlyMap<Level["name"], readonly number[]>;

/** Pending windows of one event type that begin in the span, in the reader's transaction. */
export async function pendingIn(
  connection: DuckDBConnection,
  typeId: number,
  span: MinuteSpan,
): Promise<Pending> {
  const rows = await rowsOf(
    connection,
    `SELECT level, start FROM pending_windows WHERE type_id = ${typeId}
     AND start >= ${span.start} AND start < ${span.end} ORDER BY start`,
  );
  const pending = new Map<Level["name"], number[]>();
  for (const { name } of levels) {
    const own = rows.filter((row) => row["level"] === name);
    pending.set(
      name,
      own.map((row) => Number(row["start"])),
    );
  }
  return pending;
}

/**
 * The cover of whole minutes `span` for one event type, in the reader's transaction: each level
 * from months down answers the part that no larger window does. What a larger window inside the
 * range would answer but for not being built yet is listed as pending, so nothing else is read.
 */
export async function coverOf(
  connection: DuckDBConnection,
  typeId: number,
  span: MinuteSpan,
): Promise<CoverPart[]> {
  if (span.start >= span.end) return [];
  const unbuilt = await pendingIn(connection, typeId, span);
  const parts: CoverPart[] = [];
  /** Pending windows inside the span that no larger window answers, of the level above. */
  let pending: number[] = [];
  for (let i = levels.length - 1; i >= 0; i--) {
    const level = levels[i]!;
    const above = levels[i + 1];
    const whole = wholeWindows(level, span);
    const covered = above === undefined ? { start: 0, end: 0 } : wholeWindows(above, span);
    const ends =
      covered.start >= covered.end
        ? [whole]
        : [
            { start: whole.start, end: covered.start },
            { start: covered.end, end: whole.end },
          ];
    if (whole.start < whole.end) {
      // A part for each stretch: DuckDB skips what lies outside of one, but reads the whole table
      // for two joined by OR (2 instead of 15 ms for a hundred minutes of two million rows).
      const stretches = ends.filter(({ start, end }) => start < end).map((end) => inSpans([end]));
      if (above !== undefined && pending.length > 0) {
        stretches.push(apartFrom(ends, inPending(above, pending)));
      }
      parts.push(...stretches.map((condition) => ({ level, condition })));
    }
    const isAnswered = (start: number) => {
      if (above === undefined) return false;
      const parent = startAt(above, start);
      return isInside(span, above, parent) && !unanswered.has(parent);
    };
    const unanswered = new Set(pending);
    pending = (unbuilt.get(level.name) ?? []).filter(
      (start) => isInside(span, level, start) && !isAnswered(start),
    );
  }
  return parts;
}
