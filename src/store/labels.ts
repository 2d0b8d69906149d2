/**
 * What users call items, beside what is counted of them: kept by event type and id, also for
 * items that have no event yet.
 *
 *   item_labels  (event_type, event_id, label, url, image_url): one row an item, none where all
 *                three are null. No key: the one writer replaces rows, and DuckDB would take some
 *                100 bytes of memory a row for an index
 */

import type { DuckDBConnection } from "@duckdb/node-api";
import { RankstreamError } from "../errors.ts";
import { foreverMs } from "../model.ts";
import type { LabelChange, LabelledItem } from "../model-labels.ts";
import { addMutation, type Touched } from "./changes.ts";
import { type Row, rowsOf, runValues } from "./database.ts";
import { sqlText, sqlTexts } from "./sql.ts";

export const labelsTable = `CREATE TABLE IF NOT EXISTS item_labels (
  event_type VARCHAR NOT NULL, event_id VARCHAR NOT NULL, label VARCHAR, url VARCHAR,
  image_url VARCHAR)`;

/** Items that have a label, of all event types; further ones are refused. */
export const labelsMax = 1_000_000;

export interface LabelQuery {
  eventTypes: readonly string[];
  /** At most a few thousand. */
  eventIds: readonly string[];
}

function textOf(value: Row[string] | undefined): string | null {
  return value === null || value === undefined ? null : String(value);
}

function labelRow(row: Row): LabelledItem {
  return {
    eventType: String(row["event_type"]),
    eventId: String(row["event_id"]),
    label: textOf(row["label"]),
    url: textOf(row["url"]),
    imageUrl: textOf(row["image_url"]),
  };
}

/** The labels there are of these items in these types. */
export async function readLabels(
  connection: DuckDBConnection,
  { eventTypes, eventIds }: LabelQuery,
): Promise<LabelledItem[]> {
  if (eventTypes.length === 0 || eventIds.length === 0) return [];
  const rows = await rowsOf(
    connection,
    `FROM item_labels WHERE event_type IN (${sqlTexts(eventTypes)})
       AND event_id IN (${sqlTexts(eventIds)})`,
  );
  return rows.map(labelRow);
}

/** The event types of which some item has a label. */
export async function readLabelledTypes(connection: DuckDBConnection): Promise<string[]> {
  const rows = await rowsOf(connection, "SELECT DISTINCT event_type FROM item_labels");
  return rows.map((row) => String(row["event_type"]));
}

function keyOf({ eventType, eventId }: LabelChange): string {
  return `${eventType}\0${eventId}`;
}

async function labelsBefore(
  connection: DuckDBConnection,
  changes: readonly LabelChange[],
): Promise<Map<string, LabelledItem>> {
  const known = new Map<string, LabelledItem>();
  for (const eventType of new Set(changes.map((change) => change.eventType))) {
    const eventIds = changes
      .filter((change) => change.eventType === eventType)
      .map(({ eventId }) => eventId);
    for (const row of await readLabels(connection, { eventTypes: [eventType], eventIds })) {
      known.set(keyOf(row), row);
    }
    await connection.run(
      `DELETE FROM item_labels WHERE event_type = ${sqlText(eventType)}
         AND event_id IN (${sqlTexts(eventIds)})`,
    );
  }
  return known;
}

/**
 * Says of these items what is given, in this order, in the writer's transaction; returns them as
 * they are then, each once, and the number of mutations (changes.ts). Throws `too_many_labels`:
 * then the transaction is to be rolled back.
 */
export async function writeLabels(
  connection: DuckDBConnection,
  changes: readonly LabelChange[],
): Promise<{ rows: LabelledItem[]; mutations: number }> {
  const known = await labelsBefore(connection, changes);
  const changed = new Map<string, LabelledItem>();
  for (const change of changes) {
    const key = keyOf(change);
    const before = changed.get(key) ?? known.get(key);
    changed.set(key, { label: null, url: null, imageUrl: null, ...before, ...change });
  }
  const kept = [...changed.values()].filter(
    ({ label, url, imageUrl }) => label !== null || url !== null || imageUrl !== null,
  );
  await runValues(
    connection,
    "INSERT INTO item_labels VALUES",
    kept.map(({ eventType, eventId, label, url, imageUrl }) => [
      eventType,
      eventId,
      label,
      url,
      imageUrl,
    ]),
  );
  const [count] = await rowsOf(connection, "SELECT count(*) AS n FROM item_labels");
  if (kept.length > 0 && Number(count!["n"]) > labelsMax) {
    throw new RankstreamError("too_many_labels", `expected labels of at most ${labelsMax} items`);
  }
  return { rows: [...changed.values()], mutations: await addMutation(connection) };
}

/**
 * Forgets the labels of a type's items, in the writer's transaction; returns the number of
 * mutations.
 */
export async function removeLabels(
  connection: DuckDBConnection,
  eventType: string,
): Promise<number> {
  await connection.run(`DELETE FROM item_labels WHERE event_type = ${sqlText(eventType)}`);
  return addMutation(connection);
}

/** What changed labels touch: answers of all times show them. */
export function touchedByLabels(eventTypes: Iterable<string>): Touched[] {
  return [...new Set(eventTypes)].map((eventType) => ({ eventType, from: 0, to: foreverMs }));
}
