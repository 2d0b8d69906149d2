/** What a checkpoint adds to event types, as rows of VALUES. */
import type { DuckDBValue } from "@duckdb/node-api";
import type { TypePart } from "./store.ts";

/** Of each: type_id, event_type, total, and epoch ms of first_seen and last_seen. */
export function typeRows(
  types: readonly TypePart[],
  idOf: (name: string) => number,
): DuckDBValue[][] {
  return types.map(({ name, total, firstSeen, lastSeen }) => [
    idOf(name),
    name,
    BigInt(total),
    BigInt(firstSeen),
    BigInt(lastSeen),
  ]);
}
