/** A leaderboard as plain text: aligned columns, and what is certain about it. */
import { type Paint, painter } from "./cli-paint.ts";
import { type Column, padded, printable, tableLines, timeText } from "./cli-text.ts";
import type { Leaderboard, LeaderboardRow } from "./client/client.ts";
import { countText } from "./import/progress.ts";

export interface BoardStyle {
  hasColor: boolean;
  /** Cuts long ids so that a row fits; null never cuts. */
  columnsMax: number | null;
  /** By eventId: what stands beside the row, such as how its place has changed. */
  marks?: ReadonlyMap<string, string>;
}

const droppedNamesMax = 10;
const markColumns = 5;
/** How far the row climbed (+) or fell (-) since the period before. */
function changeText({ isNew, rankChange }: LeaderboardRow): string {
  if (isNew === true) return "new";
  if (isNew === null) return "?";
  if (!rankChange) return "=";
  return rankChange > 0 ? `+${rankChange}` : String(rankChange);
}

function cellsOf(row: LeaderboardRow, hasBounds: boolean): string[] {
  const share = `${(row.share * 100).toFixed(2)}%`;
  const cells = [
    String(row.rank),
    printable(row.label ?? row.eventId),
    countText(row.count),
    share,
  ];
  if (hasBounds) cells.push(`${countText(row.lower)} to ${countText(row.upper)}`);
  if (row.isNew !== undefined) cells.push(changeText(row), countText(row.previousCount ?? 0));
  return cells;
}

/** How sure the board is, in one line. */
export function certaintyText(board: Leaderboard): string {
  const notes: string[] = [];
  if (board.partial) notes.push("a part of the data did not answer");
  if (board.stale) notes.push("the newest events may be missing");
  const isExact = board.results.every(({ lower, upper }) => lower === upper);
  let text = "certified: every rank is proven";
  if (board.certified && isExact) text = "certified: every count and rank is exact";
  else if (!board.certified) {
    const { certifiedRanks: ranks } = board;
    const which = ranks === 0 ? "no rank is proven" : `ranks up to place ${ranks} are proven`;
    text = `estimated: ${which}, counts lie within the bounds`;
  }
  return [`${text} (${board.mode})`, ...notes].join("; ");
}

function totalText(board: Leaderboard): string {
  const { distinct, distinctLower: lower, distinctUpper: upper } = board;
  let items = "";
  if (distinct !== null) items = ` of ${countText(distinct)} items`;
  else if (lower !== undefined && upper !== undefined) {
    items = ` of ${countText(lower)} to ${countText(upper)} items`;
  }
  // Of users there are no others: each may be in many rows.
  if (board.others === null) return `${countText(board.total)} users${items}`;
  return `${countText(board.total)} events${items}, ${countText(board.others)} not shown`;
}

/** Who was among the first before and is not any more, in one line; none without any. */
function droppedText({ dropped = [] }: Leaderboard): string[] {
  if (dropped.length === 0) return [];
  const named = dropped.slice(0, droppedNamesMax);
  const names = named.map(
    ({ eventId, label, previousRank }) => `${printable(label ?? eventId)} (${previousRank})`,
  );
  const more = dropped.length - named.length;
  return [`dropped out: ${names.join(", ")}${more > 0 ? ` and ${more} more` : ""}`];
}

/** What stands beside a row, always as wide; nothing where no board has marks. */
function markText(marks: BoardStyle["marks"], eventId: string, paint: Paint): string {
  if (marks === undefined) return "";
  const mark = marks.get(eventId) ?? "";
  const text = padded(mark, markColumns, "left");
  if (mark === "") return text;
  return paint(mark.startsWith("▼") ? "red" : "green", text);
}

/** The board: what it is of, a row an item, how sure it is. Ends with a line feed. */
export function boardText(board: Leaderboard, style: BoardStyle): string {
  const paint = painter(style.hasColor);
  const [from, to] = [timeText(board.effectiveFrom), timeText(board.effectiveTo)];
  const title = `${printable(board.eventType)}, ${from} to ${to} UTC`;
  const notes = [totalText(board), ...droppedText(board), certaintyText(board)];
  const end = `${paint("dim", notes.join("\n"))}\n`;
  if (board.results.length === 0) return `${paint("bold", title)}\nno events\n`;
  const hasBounds = board.results.some(({ lower, upper }) => lower !== upper);
  const head = ["#", "item", "count", "share", ...(hasBounds ? ["bounds"] : [])];
  if (board.previous !== undefined) head.push("change", "before");
  const columns = head.map((name): Column => {
    const isItem = name === "item";
    return { name, align: isItem ? "left" : "right", isElastic: isItem };
  });
  const cells = board.results.map((row) => cellsOf(row, hasBounds));
  const { columnsMax, marks } = style;
  const room = columnsMax === null || !marks ? columnsMax : columnsMax - markColumns;
  const [names, ...rows] = tableLines(columns, cells, room);
  const marked = rows.map((row, i) => markText(marks, board.results[i]!.eventId, paint) + row);
  const lines = [
    paint("bold", title),
    paint("dim", markText(marks, "", paint) + names!),
    ...marked,
  ];
  return `${lines.join("\n")}\n${end}`;
}
