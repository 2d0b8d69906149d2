/** What only raw events can tell: counts under filters, and distinct users. */
import type { DuckDBConnection } from "@duckdb/node-api";
import type { Selection } from "../model-selection.ts";
import { rowsOf } from "./database.ts";
import type { RawFiles } from "./raw-files.ts";
import { eventCondition } from "./selection-sql.ts";
import { sqlTexts, timestampLiteral } from "./sql.ts";

/** Events of some types in `[from, to)`, epoch ms. */
export interface EventSpan {
  eventTypes: string[];
  from: number;
  to: number;
}

/** FROM and WHERE of the selected raw events, in the reader's transaction. */
async function eventsFrom(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  { eventTypes, from, to }: EventSpan,
  selection: Selection,
): Promise<string> {
  return `FROM ${await rawFiles.source(connection, from, to)}
    WHERE event_type IN (${sqlTexts(eventTypes)})
    AND event_time >= ${timestampLiteral(from)} AND event_time < ${timestampLiteral(to)}
    AND ${eventCondition(selection)}`;
}

/** SQL of (event_id, count, events), one row an item: its count, and the events it is made of. */
export async function eventsSql(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  span: EventSpan,
  selection: Selection,
): Promise<string> {
  const source = await eventsFrom(connection, rawFiles, span, selection);
  if (selection.by !== "users") {
    return `SELECT event_id, sum(weight)::BIGINT AS count, count(*) AS events
      ${source} GROUP BY event_id`;
  }
  // Half the time of count(DISTINCT user_id): 0.8 s instead of 1.5 for 4M events of 0.5M users.
  return `SELECT event_id, count(*) AS count, sum(events)::BIGINT AS events
    FROM (SELECT event_id, user_id, count(*) AS events ${source} GROUP BY event_id, user_id)
    GROUP BY event_id`;
}

/** Distinct users of the selected events. */
export async function countUsers(
  connection: DuckDBConnection,
  rawFiles: RawFiles,
  span: EventSpan,
  selection: Selection,
): Promise<number> {
  const source = await eventsFrom(connection, rawFiles, span, selection);
  const sql = `SELECT count(DISTINCT user_id) AS users ${source}`;
  const [row] = await rowsOf(connection, sql);
  return Number(row!["users"]);
}
