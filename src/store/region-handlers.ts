/** The store's calls about regions, in its thread (region-counts.ts, region-states.ts). */
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { nodeFiles } from "../files.ts";
import { type Database, ownReadBudgetMs } from "./database.ts";
import type { StoreCallHandlers } from "./protocol.ts";
import { readRegionTotals, writeRegionCounts } from "./region-counts.ts";
import {
  addReset,
  readRegionResets,
  readRegionStates,
  writeRegionState,
} from "./region-states.ts";

type RegionName =
  | "regionTotals"
  | "regionCounts"
  | "regionStates"
  | "putRegionState"
  | "beginRegionGeneration";

/** All of them, over a data folder whose `exports` a start empties. */
export function regionHandlers(
  database: () => Database,
  dataFolder: string,
): Pick<StoreCallHandlers, RegionName> {
  const place = { folder: join(dataFolder, "exports"), files: nodeFiles };
  // Sums that are older than what others have counted since would only be asked for again.
  const how = { lane: "slow", isNewest: true } as const;
  const resetsOf = (c: DuckDBConnection, region: string | null) =>
    region === null ? Promise.resolve([]) : readRegionResets(c, region);
  return {
    regionTotals: (query, control) =>
      database().read(
        query.budgetMs,
        async (c) => ({
          resets: await resetsOf(c, query.region),
          cells: await readRegionTotals(c, query),
        }),
        { ...control, ...how },
      ),
    regionCounts: (query, control) =>
      database().read(
        query.budgetMs,
        async (c) => ({
          generation: (await resetsOf(c, query.region))[0]?.generation ?? 0,
          ...(await writeRegionCounts(c, query, place)),
        }),
        { ...control, ...how },
      ),
    regionStates: () => database().read(ownReadBudgetMs, readRegionStates),
    putRegionState: async (state) => {
      await database().write((c) => writeRegionState(c, state));
      return null;
    },
    beginRegionGeneration: (reset) => database().write((c) => addReset(c, reset)),
  };
}
