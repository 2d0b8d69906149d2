/**
 * What users say of event types, beside what the store counts of them: kept by name, also for
 * types that have no event yet.
 *
 *   type_settings  (event_type, description, retention_days, expired_through): expired_through
 *                  is epoch ms; what came before it is gone
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
}

export const typeSettingsTable = `CREATE TABLE IF NOT EXISTS type_settings (
  event_type VARCHAR NOT NULL, description VARCHAR, retention_days INTEGER,
  expired_through BIGINT)`;

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
    };
  });
}

/** Keeps the settings in place of those of the same name, in the writer's transaction. */
export async function writeTypeSettings(
  connection: DuckDBConnection,
  { name, description, retentionDays, expiredThrough }: TypeSettings,
): Promise<void> {
  await removeTypeSettings(connection, name);
  await connection.run("INSERT INTO type_settings VALUES ($1, $2, $3, $4::BIGINT)", [
    name,
    description,
    retentionDays,
    expiredThrough === null ? null : BigInt(expiredThrough),
  ]);
}

export async function removeTypeSettings(
  connection: DuckDBConnection,
  name: string,
): Promise<void> {
  await connection.run("DELETE FROM type_settings WHERE event_type = $1", [name]);
}
