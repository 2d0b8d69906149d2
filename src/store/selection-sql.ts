/**
 * What a selection means in SQL. Metadata is kept as the JSON text that was sent, so a key is
 * asked for by JSON pointer (RFC 6901), whose only special characters are `~` and `/`: DuckDB's
 * own paths would have to escape quotes, dots, brackets, `$`, `#` and `*`.
 */
import type { MetadataTest, Selection } from "../model-selection.ts";
import { sqlText, sqlTexts } from "./sql.ts";

function pointerTo(key: string): string {
  return `/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

function metadataCondition({ key, values, isNot }: MetadataTest): string {
  const value = `json_extract_string(metadata, ${sqlText(pointerTo(key))})`;
  const isOne = `${value} IN (${sqlTexts(values)})`;
  // NULL, where there is no such key or no metadata at all, is no match.
  return isNot ? `(${isOne}) IS NOT TRUE` : isOne;
}

/** The condition on raw events, but for their type and time; `true` where all are selected. */
export function eventCondition(selection: Selection): string {
  const { userIds, sessionIds, metadata = [] } = selection;
  // In this order: what is cheap and leaves little comes first.
  const conditions = [
    userIds && `user_id IN (${sqlTexts(userIds)})`,
    sessionIds && `session_id IN (${sqlTexts(sessionIds)})`,
    selection.by === "users" && "user_id IS NOT NULL",
    itemCondition(selection),
    ...metadata.map(metadataCondition),
  ];
  return conditions.filter((condition) => condition).join(" AND ");
}

/** The condition on event_id; `true` where all items are selected. */
export function itemCondition({ include, exclude, prefix }: Selection): string {
  const conditions = [
    include && `event_id IN (${sqlTexts(include)})`,
    exclude && `event_id NOT IN (${sqlTexts(exclude)})`,
    prefix !== undefined && `starts_with(event_id, ${sqlText(prefix)})`,
  ];
  return conditions.filter((condition) => condition).join(" AND ") || "true";
}
