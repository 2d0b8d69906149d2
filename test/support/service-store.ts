// RANKSTREAM_TEST_STORE=ducklake lets every service of the tests have its store in a lake.
import { resolve } from "node:path";
import type { LakePlace } from "../../src/model-lake.ts";
import { lakeEnvironment, lakePlaceIn } from "./lake-place.ts";

/** A service that starts again over a folder finds the store it had. */
const places = new Map<string, LakePlace>();

/** `args` and `env` win; what isn't the whole service in one process has no store to choose. */
export function storeEnvironment(
  dataDir: string,
  args: string[],
  env: Record<string, string>,
): Record<string, string> {
  const servers = process.env["RANKSTREAM_TEST_LAKE"];
  if (process.env["RANKSTREAM_TEST_STORE"] !== "ducklake" || servers === undefined) return {};
  if (args.some((arg) => /^--(role|upstream|store|data)(=|$)/.test(arg))) return {};
  if (Object.keys(env).some((name) => /^RANKSTREAM_(ROLE|UPSTREAM|STORE)(_FILE)?$/.test(name))) {
    return {};
  }
  const folder = resolve(dataDir);
  const place = places.get(folder) ?? lakePlaceIn(JSON.parse(servers));
  places.set(folder, place);
  return lakeEnvironment(place);
}
