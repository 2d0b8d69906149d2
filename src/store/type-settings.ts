/**
 * What users say of event types, beside what the store counts of them: kept by name, also for
 * types that have no event yet.
 *
 *   type_settings  (event_type, description, retention_days, expired_through,
 *                  aggregation_window): expired_through is epoch ms; what came before it is gone
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { rowsOf } from "./database.ts";

export interface TypeSettings {
  name: string;
  description: string | null;
  /** Null: kept for ever. */
  retentionDays: number | null;
  /** Epoch ms; null: nothing has expired yet. */
  expiredThrough: number | null;
  /** Seconds of the finest windows kept (coarse.ts); null: minutes. */
  aggregationWindow: number | null;
}

export const typeSettingsTables = [
  `CREATE TABLE IF NOT EXISTS type_settings (
     event_type VARCHAR NOT NULL, description VARCHAR, retention_days INTEGER,
     expired_through BIGINT)`,
  "ALTER TABLE type_settings ADD COLUMN IF NOT EXISTS aggregation_window INTEGER",
];

/** By name. */
export async function readTypeSettings(connection: DuckDBConnection): Promise<TypeSettings[]> {
  const rows = await rowsOf(connection, "FROM type_settings ORDER BY event_type");
  return rows.map((row) => {
    const number = (name: string) => (row[name] === null ? null : Number(row[name]));
    return {
      name: String(row["event_type"]),
      description: row["description"] === null ? null : String(row["description"]),
      retentionDays: number("retention_days"),
      expiredThrough: number("expired_through"),
      aggregationWindow: number("aggregation_window"),
    };
  });
}

/** Keeps the settings in place of those of the same name, in the writer's transaction. */
export async function writeTypeSettings(
  connection: DuckDBConnection,
  { name, description, retentionDays, expiredThrough, aggregationWindow }: TypeSettings,
): Promise<void> {
  await removeTypeSettings(connection, name);
  await connection.run("INSERT INTO type_settings VALUES ($1, $2, $3, $4::BIGINT, $5)", [
    name,
    description,
    retentionDays,
    expiredThrough === null ? null : BigInt(expiredThrough),
    aggregationWindow,
  ]);
}

export async function removeTypeSettings(
  connection: DuckDBConnection,
  name: string,
): Promise<void> {
  await connection.run("DELETE FROM type_settings WHERE event_type = $1", [name]);
}
