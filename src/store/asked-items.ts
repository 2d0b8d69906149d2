/**
 * Bounds and places of items that were asked for by name, over the same items that a board is
 * taken from.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { rowsOf } from "./database.ts";
import { sqlText, sqlTexts } from "./sql.ts";
import type { ApproxAnswer, BoundedItem, PlacedItem } from "./store.ts";

/** Bounds by the lists alone, in the order asked; `items` is SQL with a clause of that name. */
export async function boundsOf(
  connection: DuckDBConnection,
  items: string,
  eventIds: readonly string[],
  unlistedUpper: number,
): Promise<BoundedItem[]> {
  const rows = await rowsOf(
    connection,
    `${items} SELECT event_id, lower, upper FROM items WHERE event_id IN (${sqlTexts(eventIds)})`,
  );
  const known = new Map(rows.map((row) => [String(row["event_id"]), row]));
  return eventIds.map((eventId) => {
    const row = known.get(eventId);
    if (row === undefined) return { eventId, lower: 0, upper: unlistedUpper, estimate: 0 };
    const lower = Number(row["lower"]);
    return { eventId, lower, upper: Number(row["upper"]), estimate: lower };
  });
}

/**
 * The places that follow from the items' bounds; of the `sureItems` that surely have events no
 * more than those that `distinct` allows are on no list.
 */
export async function placesOf(
  connection: DuckDBConnection,
  items: string,
  asked: readonly BoundedItem[],
  sureItems: number,
  { distinct, unlistedUpper }: Pick<ApproxAnswer, "distinct" | "unlistedUpper">,
): Promise<PlacedItem[]> {
  const values = asked.map(
    ({ eventId, lower, upper }, i) => `(${i}, ${sqlText(eventId)}, ${lower}, ${upper})`,
  );
  const isBefore = (one: string, other: string) =>
    `(items.${one} > asked.${other} OR
      (items.${one} = asked.${other} AND items.event_id < asked.event_id))`;
  const rows = await rowsOf(
    connection,
    `${items}, asked (i, event_id, lower, upper) AS MATERIALIZED (VALUES ${values.join(", ")})
     SELECT i, count(*) FILTER (${isBefore("lower", "upper")}) AS surely,
       count(*) FILTER (${isBefore("upper", "lower")}) AS maybe
     FROM asked JOIN items ON items.event_id <> asked.event_id GROUP BY i ORDER BY i`,
  );
  const before = new Map(rows.map((row) => [Number(row["i"]), row]));
  return asked.map((item, i) => {
    const row = before.get(i);
    const surely = Number(row?.["surely"] ?? 0);
    const unlisted = unlistedUpper >= item.lower && unlistedUpper > 0;
    const maybe = Number(row?.["maybe"] ?? 0) + (unlisted ? distinct.upper - sureItems : 0);
    const others = distinct.upper - (item.lower > 0 ? 1 : 0);
    return { ...item, rankLower: 1 + surely, rankUpper: 1 + Math.min(maybe, others) };
  });
}
