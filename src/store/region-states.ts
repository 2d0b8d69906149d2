/**
 * A few words the store keeps of each other region, in table meta: how far its counts are here
 * (a text that it doesn't read), and how often they were deleted to be copied anew.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { rowsOf } from "./database.ts";

const stateKey = (region: string) => `region:${region}`;
const generationKey = (region: string) => `regionGeneration:${region}`;

async function put(connection: DuckDBConnection, key: string, value: string): Promise<void> {
  const changed = await connection.run("UPDATE meta SET value = $2 WHERE key = $1", [key, value]);
  if (changed.rowsChanged > 0) return;
  await connection.run("INSERT INTO meta VALUES ($1, $2)", [key, value]);
}

/** By region. */
export async function readRegionStates(
  connection: DuckDBConnection,
): Promise<{ region: string; state: string }[]> {
  const rows = await rowsOf(
    connection,
    "SELECT key, value FROM meta WHERE starts_with(key, 'region:') ORDER BY key",
  );
  return rows.map((row) => ({
    region: String(row["key"]).slice(stateKey("").length),
    state: String(row["value"]),
  }));
}

/** Keeps a region's state in place of the one before, in the writer's transaction. */
export function writeRegionState(
  connection: DuckDBConnection,
  { region, state }: { region: string; state: string },
): Promise<void> {
  return put(connection, stateKey(region), state);
}

/** How often what is kept of the region was deleted to be copied anew. */
export async function readGeneration(
  connection: DuckDBConnection,
  region: string,
): Promise<number> {
  const [row] = await rowsOf(connection, "SELECT value FROM meta WHERE key = $1", [
    generationKey(region),
  ]);
  return Number(row?.["value"] ?? 0);
}

/** One more, in the writer's transaction; returns it. */
export async function addGeneration(
  connection: DuckDBConnection,
  region: string,
): Promise<number> {
  const next = (await readGeneration(connection, region)) + 1;
  await put(connection, generationKey(region), String(next));
  return next;
}
