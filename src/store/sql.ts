/** SQL literals. */

/**
 * DuckDB takes a statement as ended at its first NUL, and DuckLake those that it asks its catalog:
 * it puts what is constant into them.
 */
const nul = "chr((0 * random())::INTEGER)";

/** A text literal; event types and paths may hold quotes, names asked for also NUL. */
export function sqlText(text: string): string {
  const literal = `'${text.replaceAll("'", "''")}'`;
  return text.includes("\0") ? `(${literal.replaceAll("\0", `' || ${nul} || '`)})` : literal;
}

/** A list of text literals for IN. */
export function sqlTexts(values: readonly string[]): string {
  return values.map(sqlText).join(", ");
}

/** A moment of epoch ms, of the columns' own type so that min/max statistics apply. */
export function timestampLiteral(epochMs: number): string {
  // The year 10000, where ranges end at the latest, would come as +010000.
  const iso = new Date(epochMs).toISOString().replace(/^\+0*/, "");
  const text = iso.replace("T", " ").replace("Z", "");
  return `TIMESTAMP_MS '${text}'`;
}
