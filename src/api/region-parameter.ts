/** The parameter that says of which regions an answer is, where there are several. */
import { isRegionName, regionPeersMax } from "../model-regions.ts";
import type { RegionChoice } from "../query/regions.ts";
import { invalidParameter, manyOf, type ParameterTable, type RawQuery } from "./parameters.ts";

const oneRegion = "[a-z0-9](?:[a-z0-9-]{0,14}[a-z0-9])?";
const regionsMax = regionPeersMax + 1;

export const regionParameters = Object.freeze({
  region: {
    description:
      "Where there are several regions: only events of this one; several by comma or " +
      "repetition. Default all.",
    schema: { type: "string", pattern: `^${oneRegion}(,${oneRegion})*$` },
    repeats: true,
    isReadElsewhere: true,
  },
}) satisfies ParameterTable;

/** The regions asked for, sorted and distinct; nothing: all. Throws `invalid_parameter`. */
export function readRegions(query: RawQuery): RegionChoice {
  const given = manyOf(query, "region").flatMap((part) => part.split(","));
  if (given.length === 0) return {};
  const wrong = given.find((name) => !isRegionName(name));
  if (wrong !== undefined) {
    throw invalidParameter("region", "names of regions by comma", JSON.stringify(wrong));
  }
  const regions = [...new Set(given)].sort();
  if (regions.length <= regionsMax) return { regions };
  throw invalidParameter("region", `at most ${regionsMax} names`, `${regions.length}`);
}
