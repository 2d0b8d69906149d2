/** A leaderboard as plain text: aligned columns, and what is certain about it. */
import type { Leaderboard, LeaderboardRow } from "./client/client.ts";
import { countText } from "./import/progress.ts";

export interface BoardStyle {
  hasColor: boolean;
  /** Cuts long ids so that a row fits; null never cuts. */
  columnsMax: number | null;
}

const idColumnsMin = 8;
const droppedNamesMax = 10;
/** East Asian wide and full-width forms, and pictures. */
const wide = new RegExp(
  "[\\u1100-\\u115f\\u2e80-\\u303e\\u3041-\\u33ff\\u3400-\\u4dbf\\u4e00-\\u9fff" +
    "\\ua000-\\ua4cf\\uac00-\\ud7a3\\uf900-\\ufaff\\ufe30-\\ufe6f\\uff00-\\uff60" +
    "\\uffe0-\\uffe6\\u{1f300}-\\u{1faff}\\u{20000}-\\u{3fffd}]",
  "u",
);
const zeroWidth = /^[\p{Mn}\p{Me}\p{Cf}]$/u;
const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });

/** Columns of one user-perceived character in a terminal. */
function graphemeColumns(grapheme: string): number {
  const first = String.fromCodePoint(grapheme.codePointAt(0)!);
  if (zeroWidth.test(first)) return 0;
  return wide.test(first) || grapheme.includes("\ufe0f") ? 2 : 1;
}

/** How many columns a text takes in a terminal: wide characters two, combining ones none. */
export function columnsOf(text: string): number {
  let columns = 0;
  for (const { segment } of graphemes.segment(text)) columns += graphemeColumns(segment);
  return columns;
}

/** Control characters as escapes: an id must not steer the terminal. */
function printable(text: string): string {
  return text.replaceAll(
    /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function cut(text: string, columnsMax: number): string {
  if (columnsOf(text) <= columnsMax) return text;
  let columns = 0;
  let kept = "";
  for (const { segment } of graphemes.segment(text)) {
    columns += graphemeColumns(segment);
    if (columns > columnsMax - 1) break;
    kept += segment;
  }
  return `${kept}…`;
}

type Align = "left" | "right";

function padded(text: string, columns: number, align: Align): string {
  const space = " ".repeat(Math.max(0, columns - columnsOf(text)));
  return align === "left" ? text + space : space + text;
}

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

/** `2001-06-30 00:00:00` of an ISO 8601 time in UTC. */
function timeText(iso: string): string {
  return iso.replace("T", " ").replace(/(?:\.000)?Z$/, "");
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

/** The board: what it is of, a row an item, how sure it is. Ends with a line feed. */
export function boardText(board: Leaderboard, style: BoardStyle): string {
  const paint = (code: number, text: string) =>
    style.hasColor ? `\u001b[${code}m${text}\u001b[0m` : text;
  const [from, to] = [timeText(board.effectiveFrom), timeText(board.effectiveTo)];
  const title = `${printable(board.eventType)}, ${from} to ${to} UTC`;
  const notes = [totalText(board), ...droppedText(board), certaintyText(board)];
  const end = `${paint(2, notes.join("\n"))}\n`;
  if (board.results.length === 0) return `${paint(1, title)}\nno events\n`;
  const hasBounds = board.results.some(({ lower, upper }) => lower !== upper);
  const head = ["#", "item", "count", "share", ...(hasBounds ? ["bounds"] : [])];
  if (board.previous !== undefined) head.push("change", "before");
  const aligns: Align[] = ["right", "left", ...head.slice(2).map(() => "right" as const)];
  const rows = board.results.map((row) => cellsOf(row, hasBounds));
  const widths = head.map((name, i) =>
    Math.max(name.length, ...rows.map((cells) => columnsOf(cells[i]!))),
  );
  if (style.columnsMax !== null) {
    const others = widths.reduce((sum, width) => sum + width + 2, 0) - widths[1]! - 2;
    widths[1] = Math.min(widths[1]!, Math.max(idColumnsMin, style.columnsMax - others - 2));
  }
  const lineOf = (cells: string[]) =>
    cells
      .map((cell, i) => padded(i === 1 ? cut(cell, widths[1]!) : cell, widths[i]!, aligns[i]!))
      .join("  ")
      .trimEnd();
  const lines = [paint(1, title), paint(2, lineOf(head)), ...rows.map(lineOf)];
  return `${lines.join("\n")}\n${end}`;
}
