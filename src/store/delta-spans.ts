/**
 * Which minutes, types and partitions have count deltas at all (table `delta_spans`): a few rows
 * that tell a reader in a millisecond whether it must look at millions. A row may be there
 * without a delta, or several times; a delta is never there without its row.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { layout } from "../kernel/layout.ts";
import type { MinuteSpan } from "./cover.ts";
import { insertRows, runValues } from "./database.ts";
import { align16, type Staged } from "./staged.ts";

export const deltaSpansTable = `CREATE TABLE IF NOT EXISTS delta_spans (
  minute INTEGER NOT NULL, type_id INTEGER NOT NULL, partition INTEGER NOT NULL)`;

/** Spans of one checkpoint written as values; more are selected from what is staged. */
const spansMax = 1000;
/** More than there are partitions. */
const placesOfType = 4096;

/** Makes the spans those of the deltas there are: at a start. */
export async function resetDeltaSpans(connection: DuckDBConnection): Promise<void> {
  await connection.run("DELETE FROM delta_spans");
  const spans = "SELECT DISTINCT minute, type_id, partition FROM count_deltas";
  await insertRows(connection, "delta_spans", spans);
}

type StagedCounts = Required<Pick<Staged, "counts" | "typeIds">>;

/** The distinct spans in chunks of counts (assembly/exact-counts.ts); null: too many. */
function spansOf({ counts, typeIds }: StagedCounts): number[][] | null {
  const found = new Map<number, Set<number>>();
  const spans: number[][] = [];
  const recent = new Float64Array(64);
  let minute = -1;
  let places = new Set<number>();
  for (const chunk of counts) {
    const rows = new DataView(chunk).getUint32(0, true);
    const column = (i: number) =>
      new Uint32Array(chunk, layout.COUNTS_HEADER_SIZE + i * align16(rows * 4), rows);
    const [minutes, types, partitions] = [column(0), column(1), column(2)];
    for (let row = 0; row < rows; row++) {
      if (minutes[row] !== minute) {
        minute = minutes[row]!;
        recent.fill(-1);
        places = found.get(minute) ?? new Set();
        found.set(minute, places);
      }
      const place = types[row]! * placesOfType + partitions[row]!;
      // A few places take turns: most rows are of one that was just looked at.
      const slot = (place ^ (place >>> 9)) & (recent.length - 1);
      if (recent[slot] === place) continue;
      recent[slot] = place;
      if (places.has(place)) continue;
      places.add(place);
      spans.push([minute, typeIds[types[row]!]!, partitions[row]!]);
    }
    if (spans.length > spansMax) return null;
  }
  return spans;
}

/** Adds the spans of what a checkpoint stages under `token`, in its transaction. */
export async function addDeltaSpans(
  connection: DuckDBConnection,
  staged: StagedCounts,
  token: number,
): Promise<void> {
  const spans = spansOf(staged);
  if (spans !== null) return runValues(connection, "INSERT INTO delta_spans VALUES", spans);
  const all = `SELECT DISTINCT minute, type_id, partition FROM staged_counts(${token})`;
  await insertRows(connection, "delta_spans", all);
}

/** Forgets the spans of minutes before `end`: their deltas are folded in this transaction. */
export async function dropDeltaSpans(connection: DuckDBConnection, end: number): Promise<void> {
  await connection.run(`DELETE FROM delta_spans WHERE minute < ${end}`);
}

/**
 * SQL of (event_id, exact, loose, is_raw, n): the span's deltas that fulfil `condition`, summed;
 * as sure counts, or as ones that may lie outside the range.
 */
export function deltaSql(
  span: MinuteSpan,
  typeIds: number[],
  isExact: boolean,
  condition: string,
): string {
  const sum = "sum(count)::BIGINT";
  const count = isExact ? `${sum} AS exact, 0 AS loose` : `0 AS exact, ${sum} AS loose`;
  return `SELECT event_id, ${count}, false AS is_raw, count(*) AS n
    FROM count_deltas WHERE minute >= ${span.start} AND minute < ${span.end}
    AND type_id IN (${typeIds}) AND ${condition} GROUP BY event_id`;
}
