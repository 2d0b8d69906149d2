// RANKSTREAM_TEST_STORE=ducklake lets every service of the tests have its store in a lake.
import { join, resolve } from "node:path";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import type { LakePlace } from "../../src/model-lake.ts";
import { lakeEnvironment, lakePlaceIn } from "./lake-place.ts";

/** Whether the services of this run have their store in a lake. */
export const isLakeRun = process.env["RANKSTREAM_TEST_STORE"] === "ducklake";

/** An answer says what was acknowledged just before, though a commit to a lake takes longer. */
const freshnessWaitMsMax = 9000;

/** A service that starts again over a folder finds the store it had. */
const places = new Map<string, LakePlace>();

/** `args` and `env` win; what isn't the whole service in one process has no store to choose. */
export function storeEnvironment(
  dataDir: string,
  args: string[],
  env: Record<string, string>,
): Record<string, string> {
  const servers = process.env["RANKSTREAM_TEST_LAKE"];
  if (!isLakeRun || servers === undefined) return {};
  if (args.some((arg) => /^--(role|upstream|store|data)(=|$)/.test(arg))) return {};
  if (Object.keys(env).some((name) => /^RANKSTREAM_(ROLE|UPSTREAM|STORE)(_FILE)?$/.test(name))) {
    return {};
  }
  const folder = resolve(dataDir);
  const place = places.get(folder) ?? lakePlaceIn(JSON.parse(servers));
  places.set(folder, place);
  const waits = { RANKSTREAM_FRESHNESS_WAIT_MS_MAX: String(freshnessWaitMsMax) };
  return { ...waits, ...lakeEnvironment(place) };
}

/** Changes by SQL the store of a service that doesn't run, wherever it is. */
export async function inStoreOf<T>(
  dataDir: string,
  work: (connection: DuckDBConnection) => Promise<T>,
): Promise<T> {
  const place = places.get(resolve(dataDir));
  const file = place === undefined ? join(dataDir, "store.duckdb") : ":memory:";
  const instance = await DuckDBInstance.create(file);
  const connection = await instance.connect();
  try {
    if (place !== undefined) {
      await connection.run(`SET extension_directory = '${place.extensionDirectory}'`);
      for (const name of ["ducklake", "postgres_scanner"]) await connection.run(`LOAD ${name}`);
      await connection.run(`ATTACH 'ducklake:postgres:${place.catalog}' AS lake
        (METADATA_SCHEMA '${place.schema}')`);
      await connection.run("USE lake");
    }
    return await work(connection);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
