/** Text in a terminal: how wide it is, cut and padded, and safe to show. */

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
export function printable(text: string): string {
  return text.replaceAll(
    /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** No more than so many columns; what is cut off is a `…`. */
export function cut(text: string, columnsMax: number): string {
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

export type Align = "left" | "right";

/** Filled up with spaces to so many columns. */
export function padded(text: string, columns: number, align: Align): string {
  const space = " ".repeat(Math.max(0, columns - columnsOf(text)));
  return align === "left" ? text + space : space + text;
}

export interface Column {
  name: string;
  align: Align;
  /** Gives way where a row is wider than the terminal; one at most. */
  isElastic?: boolean;
}

const elasticColumnsMin = 8;
const gap = "  ";

/** Lines of aligned columns, the first of them the names. `columnsMax` null never cuts. */
export function tableLines(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  columnsMax: number | null,
): string[] {
  const widths = columns.map(({ name }, i) =>
    Math.max(columnsOf(name), ...rows.map((cells) => columnsOf(cells[i]!))),
  );
  const elastic = columns.findIndex(({ isElastic }) => isElastic === true);
  if (columnsMax !== null && elastic >= 0) {
    const all = widths.reduce((sum, width) => sum + width + gap.length, 0);
    const room = columnsMax - (all - widths[elastic]!);
    widths[elastic] = Math.min(widths[elastic]!, Math.max(elasticColumnsMin, room));
  }
  const lineOf = (cells: readonly string[]) =>
    columns
      .map(({ align }, i) => padded(cut(cells[i]!, widths[i]!), widths[i]!, align))
      .join(gap)
      .trimEnd();
  return [columns.map(({ name }) => name), ...rows].map(lineOf);
}

/** `2001-06-30 00:00:00` of an ISO 8601 time in UTC. */
export function timeText(iso: string): string {
  return iso.replace("T", " ").replace(/(?:\.000)?Z$/, "");
}

const bars = "▁▂▃▄▅▆▇█";

/**
 * One character a value, at most `columnsMax`: beyond, neighbours are added up. A value of 0 is a
 * space, all others are at least the lowest bar.
 */
export function sparkline(values: readonly number[], columnsMax: number): string {
  const each = Math.max(1, Math.ceil(values.length / Math.max(1, columnsMax)));
  const sums: number[] = [];
  for (let at = 0; at < values.length; at += each) {
    sums.push(values.slice(at, at + each).reduce((sum, value) => sum + value, 0));
  }
  const most = Math.max(...sums);
  const barOf = (sum: number) => bars[Math.ceil((sum / most) * bars.length) - 1] ?? " ";
  return sums.map(barOf).join("");
}
