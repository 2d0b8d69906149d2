/**
 * Which windows answer each of many consecutive bins, such as the days of a series. As a cover
 * (cover.ts) does for one range: the largest windows that exist and lie inside the bin, the rest
 * by smaller ones. Bins are told apart by joining a window's start with the pieces, so that a
 * question about ten thousand bins is still one statement.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { minuteMs } from "../model.ts";
import { cutAtMinutes, cutInStore, type MinuteSpan, type Pending, pendingIn } from "./cover.ts";
import type { RawFiles } from "./raw-files.ts";
import { endOf, firstStartFrom, type Level, levels, minuteLevel, startAt } from "./windows.ts";

/** Minutes of one bin, `end` exclusive. */
export interface Piece extends MinuteSpan {
  bin: number;
}

export interface BinEdge {
  /** Epoch ms, within one minute; `to` is exclusive. */
  from: number;
  to: number;
  bin: number;
}

export interface BinPlan {
  /** By level the windows to read, ascending and apart. */
  parts: { level: Level; pieces: Piece[] }[];
  /** The whole minutes of each bin that has any. */
  minutes: Piece[];
  /** What is left: parts of minutes. */
  edges: BinEdge[];
}

/** Index of the first of the ascending numbers that is not below `least`. */
function firstFrom(ascending: readonly number[], least: number): number {
  let [low, high] = [0, ascending.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle]! < least) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Adds the pieces that cover `piece` to those of each level: of `levels[largest]` the windows
 * inside it that are built, of the levels below what these leave.
 */
function addPieces(piece: Piece, largest: number, pending: Pending, byLevel: Piece[][]): void {
  if (piece.start >= piece.end) return;
  const level = levels[largest]!;
  if (level === minuteLevel) {
    byLevel[0]!.push(piece);
    return;
  }
  const { bin } = piece;
  const below = (start: number, end: number) =>
    addPieces({ start, end, bin }, largest - 1, pending, byLevel);
  const first = firstStartFrom(level, piece.start);
  const end = startAt(level, piece.end);
  if (first >= end) {
    below(piece.start, piece.end);
    return;
  }
  below(piece.start, first);
  const unbuilt = pending.get(level.name) ?? [];
  let from = first;
  for (let i = firstFrom(unbuilt, first); i < unbuilt.length && unbuilt[i]! < end; i++) {
    const start = unbuilt[i]!;
    if (from < start) byLevel[largest]!.push({ start: from, end: start, bin });
    from = endOf(level, start);
    below(start, from);
  }
  if (from < end) byLevel[largest]!.push({ start: from, end, bin });
  below(end, piece.end);
}

/** The pieces of windows that cover each of `minutes`; none larger than `levels[largest]`. */
export function piecesOf(
  minutes: readonly Piece[],
  pending: Pending,
  largest = levels.length - 1,
): BinPlan["parts"] {
  const byLevel: Piece[][] = levels.map(() => []);
  for (const piece of minutes) addPieces(piece, largest, pending, byLevel);
  return levels
    .map((level, i) => ({ level, pieces: byLevel[i]!.sort((a, b) => a.start - b.start) }))
    .filter(({ pieces }) => pieces.length > 0);
}

/** Bins as whole minutes and parts of minutes; `bounds` are epoch ms, ascending. */
async function cutBins(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  bounds: readonly number[],
): Promise<Pick<BinPlan, "minutes" | "edges">> {
  const [first, last] = [bounds[0]!, bounds.at(-1)!];
  // The ends of the range are widened to whole minutes where nothing lies beyond them.
  const cut = await cutInStore(connection, rawFiles, first, last);
  const isSome = cut.start < cut.end;
  const from = isSome ? Math.min(first, cut.start * minuteMs) : first;
  const to = isSome ? Math.max(last, cut.end * minuteMs) : last;
  const minutes: Piece[] = [];
  const edges: BinEdge[] = [];
  for (let bin = 0; bin < bounds.length - 1; bin++) {
    const own = cutAtMinutes(
      bin === 0 ? from : bounds[bin]!,
      bin === bounds.length - 2 ? to : bounds[bin + 1]!,
    );
    if (own.start < own.end) minutes.push({ start: own.start, end: own.end, bin });
    edges.push(...own.edges.map((edge) => ({ ...edge, bin })));
  }
  return { minutes, edges };
}

/**
 * How to answer the bins between each two of `bounds` (epoch ms, ascending, at least two) for one
 * event type, in the reader's transaction.
 */
export async function planBins(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  typeId: number,
  bounds: readonly number[],
): Promise<BinPlan> {
  const { minutes, edges } = await cutBins(connection, rawFiles, bounds);
  if (minutes.length === 0) return { parts: [], minutes, edges };
  const span = { start: minutes[0]!.start, end: minutes.at(-1)!.end };
  const pending = await pendingIn(connection, typeId, span);
  return { parts: piecesOf(minutes, pending), minutes, edges };
}

/** SQL of a column of integers. A text split is read in no time; ten thousand literals aren't. */
export function numbersSql(numbers: readonly number[]): string {
  return `unnest(string_split('${numbers.join(",")}', ','))::BIGINT`;
}

/** SQL of (piece_start, piece_end, bin). */
function piecesSql(pieces: readonly Piece[]): string {
  return `(SELECT ${numbersSql(pieces.map(({ start }) => start))} AS piece_start,
    ${numbersSql(pieces.map(({ end }) => end))} AS piece_end,
    ${numbersSql(pieces.map(({ bin }) => bin))} AS bin)`;
}

/** Few pieces are each asked for by themselves. */
const piecesApartMax = 4;
/** Stretches of a table that are read for many pieces; between two lies what none needs. */
const stretchesMax = 8;

function within({ start, end }: MinuteSpan): string {
  return `start >= ${start} AND start < ${end}`;
}

/** The pieces as few stretches, cut where the widest gaps between them are. */
function stretchesOf(pieces: readonly Piece[]): MinuteSpan[] {
  const gaps = pieces
    .map(({ start }, i) => ({ i, length: i === 0 ? 0 : start - pieces[i - 1]!.end }))
    .filter(({ length }) => length > 0)
    .sort((a, b) => b.length - a.length)
    .slice(0, stretchesMax - 1)
    .map(({ i }) => i)
    .sort((a, b) => a - b);
  return [0, ...gaps].map((first, n) => ({
    start: pieces[first]!.start,
    end: pieces[(gaps[n] ?? pieces.length) - 1]!.end,
  }));
}

/**
 * SQL of `columns` and `bin`: the rows of `source`, whose column `start` is in minutes, that lie
 * in a piece. There must be pieces; `source` ends in a WHERE.
 */
export function inPiecesSql(pieces: readonly Piece[], columns: string, source: string): string {
  if (pieces.length <= piecesApartMax) {
    return pieces
      .map(
        (piece) => `SELECT ${piece.bin} AS bin, ${columns} FROM (${source} AND ${within(piece)})`,
      )
      .join(" UNION ALL ");
  }
  const stretches = stretchesOf(pieces).map((span) => `(${within(span)})`);
  return `SELECT bin, ${columns} FROM (${source} AND (${stretches.join(" OR ")})) AS own
    ASOF JOIN ${piecesSql(pieces)} AS piece ON own.start >= piece.piece_start
    WHERE own.start < piece.piece_end`;
}
