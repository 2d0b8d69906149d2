/**
 * Tightens bounds by sealed sketches: for an item that an incomplete window doesn't list, the
 * window's sketch bounds it better than the least listed count does. Only the items that the
 * least listed counts leave contested are looked at.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { type ItemIds, itemIds } from "../kernel/item-region.ts";
import { rowsOf } from "./database.ts";
import type { Sketches } from "./sketches.ts";
import { sqlTexts } from "./sql.ts";
import type { BoundedItem } from "./store.ts";
import type { Level } from "./windows.ts";

/** Windows of one level and type, some of which don't list all of their items. */
export interface IncompletePart {
  level: Level;
  typeId: number;
  eventType: string;
  condition: string;
}

/** Looked-up (item, window) pairs of one part at most; beyond, its sketches aren't asked. */
const pairsMax = 400_000;

/** start → indices of the items that the window lists. */
async function listedIn(
  connection: DuckDBConnection,
  { level, typeId, condition }: IncompletePart,
  indexOf: Map<string, number>,
): Promise<Map<number, Set<number>>> {
  const rows = await rowsOf(
    connection,
    `SELECT event_id, list(start) AS starts FROM list_${level.name}
     WHERE type_id = ${typeId} AND ${condition}
     AND event_id IN (${sqlTexts([...indexOf.keys()])}) GROUP BY event_id`,
  );
  const listed = new Map<number, Set<number>>();
  for (const row of rows) {
    const index = indexOf.get(String(row["event_id"]))!;
    for (const start of (row["starts"] as { items: number[] }).items) {
      const known = listed.get(Number(start));
      if (known === undefined) listed.set(Number(start), new Set([index]));
      else known.add(index);
    }
  }
  return listed;
}

async function refineByPart(
  connection: DuckDBConnection,
  sketches: Sketches,
  part: IncompletePart,
  items: BoundedItem[],
  ids: ItemIds,
): Promise<number> {
  const { level, typeId, condition, eventType } = part;
  const windows = await rowsOf(
    connection,
    `SELECT start, threshold FROM window_${level.name}
     WHERE type_id = ${typeId} AND threshold > 0 AND ${condition}`,
  );
  if (windows.length === 0 || windows.length * items.length > pairsMax) return 0;
  const bounds = await sketches.bounds(connection, level, typeId, eventType, condition, ids);
  if (bounds.size === 0) return 0;
  const indexOf = new Map(items.map((item, i) => [item.eventId, i]));
  const listed = await listedIn(connection, part, indexOf);
  let asked = 0;
  for (const window of windows) {
    const start = Number(window["start"]);
    const bound = bounds.get(start);
    if (bound === undefined) continue;
    asked++;
    const threshold = Number(window["threshold"]);
    const own = listed.get(start);
    for (const [i, item] of items.entries()) {
      if (own?.has(i)) continue;
      const most = Math.min(threshold, bound[i]!);
      item.upper -= threshold - most;
      item.estimate += most;
    }
  }
  return asked;
}

/**
 * Lowers the items' upper bounds in place and sets their estimates; returns how many sketches
 * were asked.
 */
export async function refine(
  connection: DuckDBConnection,
  sketches: Sketches,
  parts: readonly IncompletePart[],
  items: BoundedItem[],
): Promise<number> {
  if (items.length === 0) return 0;
  const ids = itemIds(items.map((item) => item.eventId));
  let asked = 0;
  for (const part of parts) asked += await refineByPart(connection, sketches, part, items, ids);
  return asked;
}
