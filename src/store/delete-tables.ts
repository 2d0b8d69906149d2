/**
 * What deletes have left to do.
 *
 *   deletes_under_way  (delete_id, event_type, event_id, from_ms, to_ms): what is left of a delete
 *                      in slices; a start goes on with it. event_id NULL: all items
 *   type_graves        (type_id): types that are gone, whose windows are not cleared away yet
 */
export const deleteTables = [
  `CREATE TABLE IF NOT EXISTS deletes_under_way (
     delete_id BIGINT NOT NULL, event_type VARCHAR NOT NULL, event_id VARCHAR,
     from_ms BIGINT NOT NULL, to_ms BIGINT NOT NULL)`,
  "CREATE TABLE IF NOT EXISTS type_graves (type_id INTEGER NOT NULL)",
];
