/**
 * A few words the store keeps of each other region, in table meta: how far its counts are here
 * (a text that it doesn't read), and when they were deleted to be copied anew, from which time
 * on. Generations are of the clock: what a store that is put back to an older state deletes again
 * must not be copied under the keys that its log still has of the first time.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { rowsOf } from "./database.ts";
import type { KeptRegion, RegionReset } from "./region-questions.ts";

const stateKey = (region: string) => `region:${region}`;
const generationKey = (region: string) => `regionGeneration:${region}`;
/** So many of a region are told apart; of those before it isn't known from when on. */
const resetsMax = 16;

/** As `addReset` writes them, the last first: `generation from after`, by comma. */
function readResets(value: unknown): RegionReset[] {
  if (value === undefined) return [];
  const resets = String(value).split(",");
  return resets.map((text) => {
    const [generation = 0, from = 0, after = 0] = text.split(" ").map(Number);
    return { generation, from, after };
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

/** One more, in the writer's transaction, at this time (epoch ms). */
export async function addReset(
  connection: DuckDBConnection,
  { region, from }: { region: string; from: number },
  now = Date.now(),
): Promise<RegionReset> {
  const before = await readRegionResets(connection, region);
  const after = before[0]?.generation ?? 0;
  const reset = { generation: Math.max(now, after + 1), after, from };
  const resets = [reset, ...before].slice(0, resetsMax);
  const value = resets.map((one) => `${one.generation} ${one.from} ${one.after}`).join(",");
  await put(connection, generationKey(region), value);
  return reset;
}
