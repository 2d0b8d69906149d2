/** Attaches a lake to an instance of DuckDB: its extensions, its PostgreSQL, its files. */
import { mkdir } from "node:fs/promises";
import type { DuckDBConnection } from "@duckdb/node-api";
import { catalogParts, type LakePlace } from "../model-lake.ts";
import { checkExtensions, duckdbBuild, extensionsOf } from "./lake-extensions.ts";
import { lakeName } from "./lake-mirror.ts";
import type { LakeSession } from "./lake-session.ts";
import { reachRawPlace } from "./open-raw-place.ts";
import { sqlText } from "./sql.ts";

/**
 * An insert or delete of so many rows makes no file: they lie in PostgreSQL until they are
 * moved. So many cost the same there and as a file on local disk; an object costs more.
 */
export const inlinedRowsMax = 300;
/** A server that is silent without a word is given up after some twenty seconds. */
const aliveOptions = Object.entries({
  keepalives_idle: "10",
  keepalives_interval: "5",
  keepalives_count: "3",
  tcp_user_timeout: "20000",
});

/** What connections that were told of the folder find the lake's files by. */
const homeFolder = "~/lake/";

/**
 * Before its SQL is confined: as `reachRawPlace`, with all that SQL is to be let reach. What the
 * lake's files are found by `session` tells each connection.
 */
export async function attachLake(
  connection: DuckDBConnection,
  place: LakePlace,
  session: LakeSession,
): Promise<{ directories: string[]; keysEndAt: number | null }> {
  const { extensionDirectory } = place;
  const extensions = extensionsOf(place);
  await checkExtensions(extensionDirectory, await duckdbBuild(connection), extensions);
  await connection.run(`SET extension_directory = ${sqlText(extensionDirectory)}`);
  for (const extension of extensions) await connection.run(`LOAD ${extension}`);
  const { directory, keysEndAt } = await reachRawPlace(connection, place, session);
  const quoted = (value: string) => `'${value.replaceAll(/['\\]/g, "\\$&")}'`;
  const parts = Object.entries(catalogParts(place.catalog));
  const text = [...parts, ...aliveOptions]
    .map(([key, value]) => `${key}=${quoted(value)}`)
    .join(" ");
  const address = sqlText(`ducklake:postgres:${text}`);
  const attach = (path: string, ...more: string[]) =>
    connection.run(`ATTACH ${address} AS ${lakeName} (DATA_PATH ${sqlText(path)},
      METADATA_SCHEMA ${sqlText(place.schema)},
      DATA_INLINING_ROW_LIMIT ${[inlinedRowsMax, ...more].join(", ")})`);
  await session.apply(connection);
  // By its own name it is checked against what the lake itself says.
  await attach(`${directory}lake/`);
  if (place.s3 !== null) return { directories: [directory], keysEndAt };
  await connection.run(`DETACH ${lakeName}`);
  // DuckDB makes folders below a home, but not the first of them.
  await mkdir(`${directory}lake`, { recursive: true });
  session.renew({ home_directory: place.dataPath });
  await session.apply(connection);
  await attach(homeFolder, "OVERRIDE_DATA_PATH true");
  return { directories: [directory, homeFolder], keysEndAt };
}
