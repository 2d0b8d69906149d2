/**
 * Which windows answer a range: the largest that exist and lie inside it, the rest by minutes.
 * A range of whole minutes thus takes at most about 118 minutes, 46 hours and 60 days besides
 * the months, once everything in it has sealed.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { minuteMs } from "../model.ts";
import { rowsOf } from "./database.ts";
import type { RawFiles } from "./raw-files.ts";
import { endOf, type Level, levels, minuteLevel } from "./windows.ts";

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

/** One level's part of a cover: the windows that start in any of these spans. */
export interface CoverPart {
  level: Level;
  spans: MinuteSpan[];
}

export interface Cover {
  /** From months down to minutes; the minutes' spans may hold minutes without a window. */
  parts: CoverPart[];
}

function subtract(spans: MinuteSpan[], windows: MinuteSpan[]): MinuteSpan[] {
  const left: MinuteSpan[] = [];
  let next = 0;
  for (const span of spans) {
    let { start } = span;
    while (next < windows.length && windows[next]!.start < span.end) {
      const window = windows[next++]!;
      if (window.start > start) left.push({ start, end: window.start });
      start = window.end;
    }
    if (start < span.end) left.push({ start, end: span.end });
  }
  return left;
}

function mergeNeighbours(windows: MinuteSpan[]): MinuteSpan[] {
  const merged: MinuteSpan[] = [];
  for (const window of windows) {
    const last = merged.at(-1);
    if (last !== undefined && last.end === window.start) last.end = window.end;
    else merged.push({ ...window });
  }
  return merged;
}

/**
 * A condition on column `start`, true in any of the spans. Spans are merged, so there are few:
 * where windows are missing in many places the condition is long, but each part prunes.
 */
export function inSpans(spans: readonly MinuteSpan[]): string {
  if (spans.length === 0) return "false";
  const parts = spans.map(({ start, end }) => `(start >= ${start} AND start < ${end})`);
  return `(${parts.join(" OR ")})`;
}

/** The cover of whole minutes `[start, end)` for one event type, in the reader's transaction. */
export async function coverOf(
  connection: DuckDBConnection,
  typeId: number,
  span: MinuteSpan,
): Promise<Cover> {
  const parts: CoverPart[] = [];
  let left = span.start < span.end ? [{ start: span.start, end: span.end }] : [];
  for (const level of levels.slice(1).reverse()) {
    if (left.length === 0) break;
    const rows = await rowsOf(
      connection,
      `SELECT start FROM window_${level.name} WHERE type_id = ${typeId} AND ${inSpans(left)}
       ORDER BY start`,
    );
    const windows: MinuteSpan[] = [];
    let at = 0;
    for (const row of rows) {
      const start = Number(row["start"]);
      const end = endOf(level, start);
      while (at < left.length && left[at]!.end <= start) at++;
      const holder = left[at];
      if (holder !== undefined && holder.start <= start && end <= holder.end) {
        windows.push({ start, end });
      }
    }
    if (windows.length === 0) continue;
    parts.push({ level, spans: mergeNeighbours(windows) });
    left = subtract(left, windows);
  }
  if (left.length > 0) parts.push({ level: minuteLevel, spans: left });
  return { parts };
}
