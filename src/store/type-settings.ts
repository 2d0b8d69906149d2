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

/** What is absent stays as it is, also where another process has just changed it. */
export type TypeSettingsChange = Pick<TypeSettings, "name"> & Partial<TypeSettings>;

export const typeSettingsTables = [
  `CREATE TABLE IF NOT EXISTS type_settings (
     event_type VARCHAR NOT NULL, description VARCHAR, retention_days INTEGER,
     expired_through BIGINT)`,
  "ALTER TABLE type_settings ADD COLUMN IF NOT EXISTS aggregation_window INTEGER",
];

/** Of a type of which nothing was set. */
export const noTypeSettings = Object.freeze({
  description: null,
  retentionDays: null,
  expiredThrough: null,
  aggregationWindow: null,
});

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

/**
 * Keeps what is changed of a type's settings, in the writer's transaction; returns all of them.
 * What has expired once stays so: the later of two moments holds.
 */
export async function writeTypeSettings(
  connection: DuckDBConnection,
  change: TypeSettingsChange,
): Promise<TypeSettings> {
  const { name } = change;
  const known = (await readTypeSettings(connection)).find((one) => one.name === name);
  const settings = { ...noTypeSettings, ...known, ...change };
  const moments = [known?.expiredThrough, change.expiredThrough].map((ms) => ms ?? 0);
  const expiredThrough = Math.max(...moments) || null;
  const { description, retentionDays, aggregationWindow } = settings;
  await removeTypeSettings(connection, name);
  await connection.run("INSERT INTO type_settings VALUES ($1, $2, $3, $4::BIGINT, $5)", [
    name,
    description,
    retentionDays,
    expiredThrough === null ? null : BigInt(expiredThrough),
    aggregationWindow,
  ]);
  return { ...settings, expiredThrough };
}

export async function removeTypeSettings(
  connection: DuckDBConnection,
  name: string,
): Promise<void> {
  await connection.run("DELETE FROM type_settings WHERE event_type = $1", [name]);
}
