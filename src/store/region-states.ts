/**
 * A few words the store keeps of each other region, in table meta: how far its counts are here
 * (a text that it doesn't read), and how often they were deleted to be copied anew, from which
 * time on.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { rowsOf } from "./database.ts";
import type { KeptRegion, RegionReset } from "./region-questions.ts";

const stateKey = (region: string) => `region:${region}`;
const generationKey = (region: string) => `regionGeneration:${region}`;
/** So many of a region are told apart; of those before it isn't known from when on. */
const resetsMax = 16;

/** As `putResets` writes them, the last first: `generation from`, by comma. */
function readResets(value: unknown): RegionReset[] {
  if (value === undefined) return [];
  const resets = String(value).split(",");
  return resets.map((text) => {
    const [generation = 0, from = 0] = text.split(" ").map(Number);
    return { generation, from };
  });
}

async function put(connection: DuckDBConnection, key: string, value: string): Promise<void> {
  const changed = await connection.run("UPDATE meta SET value = $2 WHERE key = $1", [key, value]);
  if (changed.rowsChanged > 0) return;
  await connection.run("INSERT INTO meta VALUES ($1, $2)", [key, value]);
}

/** What was deleted of what is kept of the region, the last first. */
export async function readRegionResets(
  connection: DuckDBConnection,
  region: string,
): Promise<RegionReset[]> {
  const [row] = await rowsOf(connection, "SELECT value FROM meta WHERE key = $1", [
    generationKey(region),
  ]);
  return readResets(row?.["value"]);
}

/** By region; those of which nothing is kept are left out. */
export async function readRegionStates(connection: DuckDBConnection): Promise<KeptRegion[]> {
  const rows = await rowsOf(
    connection,
    `SELECT key, value FROM meta
     WHERE starts_with(key, 'region:') OR starts_with(key, 'regionGeneration:') ORDER BY key`,
  );
  const values = new Map(rows.map(({ key, value }) => [String(key), value]));
  const names = [...values.keys()].map((key) => key.slice(key.indexOf(":") + 1));
  return [...new Set(names)].sort().map((region) => {
    const state = values.get(stateKey(region));
    return {
      region,
      state: state === undefined ? null : String(state),
      resets: readResets(values.get(generationKey(region))),
    };
  });
}

/** Keeps a region's state in place of the one before, in the writer's transaction. */
export function writeRegionState(
  connection: DuckDBConnection,
  { region, state }: { region: string; state: string },
): Promise<void> {
  return put(connection, stateKey(region), state);
}

/** One more, in the writer's transaction; returns its generation. */
export async function addReset(
  connection: DuckDBConnection,
  { region, from }: { region: string; from: number },
): Promise<number> {
  const before = await readRegionResets(connection, region);
  const generation = (before[0]?.generation ?? 0) + 1;
  const resets = [{ generation, from }, ...before].slice(0, resetsMax);
  const value = resets.map((reset) => `${reset.generation} ${reset.from}`).join(",");
  await put(connection, generationKey(region), value);
  return generation;
}
