/** Several regions, where the configuration names them. */
import { noRegions } from "./api/regions.ts";
import type { Config } from "./config.ts";
import { regionsOf } from "./config-regions.ts";
import type { OpenRegions, RegionParts, RegionTools } from "./service-regions-open.ts";

const none: OpenRegions = Object.freeze({
  desk: null,
  port: noRegions,
  begin: async () => undefined,
  duringDelete: <T>(_eventType: string, _from: number, work: () => Promise<T>) => work(),
});

/** Tells other regions of this one, and follows them once `begin` says by which edge. */
export async function openRegions(
  config: Config,
  parts: RegionParts,
  tools: RegionTools,
): Promise<OpenRegions> {
  const named = regionsOf(config);
  if (named === null) return none;
  const { openNamedRegions } = await import("./service-regions-open.ts");
  return openNamedRegions(config, named, parts, tools);
}
