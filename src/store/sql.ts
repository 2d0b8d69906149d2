/** SQL literals. */

/** A text literal; event types and paths may hold quotes. */
export function sqlText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A list of text literals for IN. */
export function sqlTexts(values: readonly string[]): string {
  return values.map(sqlText).join(", ");
}

/** A moment of epoch ms, of the columns' own type so that min/max statistics apply. */
export function timestampLiteral(epochMs: number): string {
  const text = new Date(epochMs).toISOString().replace("T", " ").replace("Z", "");
  return `TIMESTAMP_MS '${text}'`;
}
