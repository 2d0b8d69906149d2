/**
 * What a rate is compared with: one thread that reads the same bodies with JSON.parse and counts
 * in a Map. Nothing durable, nothing by time, nothing to ask while it runs.
 */
import type { Body } from "./event-stream.ts";
import { checkExact } from "./load.ts";
import type { TrueBoard } from "./truth.ts";

export interface BaselineResult {
  seconds: number;
  /** Counts by id, by type. */
  counts: Map<string, Map<string, number>>;
}

/** Counts the bodies. */
export function countByParsing(bodies: readonly Body[]): BaselineResult {
  const counts = new Map<string, Map<string, number>>();
  const started = performance.now();
  for (const { bytes } of bodies) {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
    for (const line of text.split("\n")) {
      if (line === "") continue;
      const { eventType, eventId } = JSON.parse(line) as { eventType: string; eventId: string };
      let ofType = counts.get(eventType);
      if (ofType === undefined) {
        ofType = new Map();
        counts.set(eventType, ofType);
      }
      ofType.set(eventId, (ofType.get(eventId) ?? 0) + 1);
    }
  }
  return { seconds: (performance.now() - started) / 1000, counts };
}

/** Throws unless the counts of one type are the truth. */
export function checkBaseline({ counts }: BaselineResult, type: string, truth: TrueBoard): void {
  const ofType = counts.get(type) ?? new Map<string, number>();
  const rows = [...ofType].map(([eventId, count]) => ({ eventId, count }));
  rows.sort((a, b) => b.count - a.count || (a.eventId < b.eventId ? -1 : 1));
  const results = rows.slice(0, truth.rows.length).map((row) => {
    return { ...row, lower: row.count, upper: row.count };
  });
  const total = rows.reduce((sum, { count }) => sum + count, 0);
  const certified = { certified: true, certifiedRanks: results.length, stale: false };
  checkExact(
    { mode: "exact", ...certified, total, distinct: rows.length, results },
    truth,
    `JSON.parse and Map, ${type}`,
  );
}
