/**
 * The counts that a delete takes from parts of minutes, and from what is not folded yet, in the
 * delete's transaction. Windows know no part of a minute, so its raw events say what goes: from
 * the minute's deltas as far as these reach, the rest from its window.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { minuteMs } from "../model.ts";
import type { MinuteCut } from "./cover.ts";
import { insertRows, rowsOf } from "./database.ts";
import type { EventScope } from "./delete-questions.ts";
import type { RawFiles } from "./raw-files.ts";
import { sqlText } from "./sql.ts";
import { scopeSql } from "./tombstones.ts";

interface CountScope {
  typeId: number;
  eventId: string | null;
  cut: MinuteCut;
}

function deltasSql({ typeId, eventId }: CountScope, minutes: string): string {
  const item = eventId === null ? "" : ` AND event_id = ${sqlText(eventId)}`;
  return `type_id = ${typeId} AND ${minutes}${item}`;
}

/** SQL of (minute, event_id, gone): what goes of the parts of minutes. */
async function edgesSql(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  scope: EventScope,
  { cut }: CountScope,
): Promise<string> {
  const parts = ["SELECT 0 AS minute, '' AS event_id, 0::BIGINT AS gone WHERE false"];
  for (const { from, to } of cut.edges) {
    parts.push(`SELECT ${Math.floor(from / minuteMs)}, event_id, sum(weight)::BIGINT
      FROM ${await rawFiles.source(connection, from, to)}
      WHERE ${scopeSql({ ...scope, from, to })} GROUP BY event_id`);
  }
  return parts.join(" UNION ALL ");
}

/**
 * Takes the scope's count deltas. Leaves in temporary table `edge_gone` (minute, event_id, count)
 * what is to go from the windows of the parts of minutes. Returns the minute after the last one
 * whose deltas changed; 0 when none did.
 */
export async function takeDeltas(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  scope: EventScope,
  counts: CountScope,
): Promise<number> {
  const { cut, typeId } = counts;
  const minutes = cut.edges.map(({ from }) => Math.floor(from / minuteMs));
  const inEdges = minutes.length === 0 ? "false" : `minute IN (${minutes.join(", ")})`;
  const whole = `minute >= ${cut.start} AND minute < ${cut.end}`;
  const [last] = await rowsOf(
    connection,
    `SELECT coalesce(max(minute) + 1, 0) AS until FROM count_deltas
     WHERE ${deltasSql(counts, `((${whole}) OR ${inEdges})`)}`,
  );
  await connection.run(`CREATE OR REPLACE TEMP TABLE edge_parts AS
    SELECT minute, event_id, gone, waiting, partition,
      least(gone, coalesce(waiting, 0)) AS gone_waiting
    FROM (${await edgesSql(connection, rawFiles, scope, counts)}) LEFT JOIN (
      SELECT minute, event_id, sum(count)::BIGINT AS waiting, min(partition) AS partition
      FROM count_deltas WHERE ${deltasSql(counts, inEdges)} GROUP BY minute, event_id)
    USING (minute, event_id)`);
  await connection.run(`DELETE FROM count_deltas WHERE ${deltasSql(counts, whole)}`);
  await connection.run(`DELETE FROM count_deltas USING edge_parts
    WHERE count_deltas.minute = edge_parts.minute AND count_deltas.type_id = ${typeId}
    AND count_deltas.event_id = edge_parts.event_id AND edge_parts.gone_waiting > 0`);
  const waiting = `SELECT minute, ${typeId}, event_id, partition, waiting - gone_waiting
    FROM edge_parts WHERE gone_waiting > 0 AND waiting > gone_waiting`;
  await insertRows(connection, "count_deltas", waiting);
  await connection.run(`CREATE OR REPLACE TEMP TABLE edge_gone AS
    SELECT minute, event_id, (gone - gone_waiting)::BIGINT AS count FROM edge_parts
    WHERE gone > gone_waiting`);
  return Number(last!["until"]);
}
