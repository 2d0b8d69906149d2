/** Distinct items of the newest windows that are sealed, by event type. */
import type { DuckDBConnection } from "@duckdb/node-api";
import { rowsOf } from "./database.ts";

/** Types told one by one of each window; the others' items are a sum. */
export const figureTypesMax = 50;

export interface TypeFigure {
  window: "minute" | "hour";
  /** Null: all types beyond the bound. */
  eventType: string | null;
  items: number;
}

/** Of the newest minute and the newest hour sealed, the types with the most events first. */
export async function readTypeFigures(connection: DuckDBConnection): Promise<TypeFigure[]> {
  const figures: TypeFigure[] = [];
  for (const window of ["minute", "hour"] as const) {
    const rows = await rowsOf(
      connection,
      `SELECT event_type, items FROM window_${window} JOIN event_types USING (type_id)
       WHERE start = (SELECT max(start) FROM window_${window})
       ORDER BY window_${window}.total DESC, event_type`,
    );
    const own = rows.slice(0, figureTypesMax);
    for (const row of own) {
      const eventType = String(row["event_type"]);
      figures.push({ window, eventType, items: Number(row["items"]) });
    }
    const rest = rows.slice(figureTypesMax);
    const items = rest.reduce((sum, row) => sum + Number(row["items"]), 0);
    if (rest.length > 0) figures.push({ window, eventType: null, items });
  }
  return figures;
}
