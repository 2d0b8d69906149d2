/** The store's calls about regions, in its thread (region-counts.ts, region-states.ts). */
import { join } from "node:path";
import { nodeFiles } from "../files.ts";
import { type Database, ownReadBudgetMs } from "./database.ts";
import type { StoreCallHandlers } from "./protocol.ts";
import { readRegionTotals, writeRegionCounts } from "./region-counts.ts";
import {
  addGeneration,
  readGeneration,
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
  return {
    regionTotals: (query, control) =>
      database().read(query.budgetMs, (c) => readRegionTotals(c, query), {
        ...control,
        lane: "slow",
      }),
    regionCounts: (query, control) =>
      database().read(
        query.budgetMs,
        async (c) => ({
          generation: query.region === null ? 0 : await readGeneration(c, query.region),
          ...(await writeRegionCounts(c, query, place)),
        }),
        { ...control, lane: "slow" },
      ),
    regionStates: () => database().read(ownReadBudgetMs, readRegionStates),
    putRegionState: async (state) => {
      await database().write((c) => writeRegionState(c, state));
      return null;
    },
    beginRegionGeneration: (region) => database().write((c) => addGeneration(c, region)),
  };
}
