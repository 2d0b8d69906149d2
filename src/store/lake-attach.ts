/** Attaches a lake to an instance of DuckDB: its extensions, its PostgreSQL, its files. */
import type { DuckDBConnection } from "@duckdb/node-api";
import { catalogParts, type LakePlace } from "../model-lake.ts";
import { checkExtensions, duckdbBuild, extensionsOf } from "./lake-extensions.ts";
import { lakeName } from "./lake-mirror.ts";
import { reachRawPlace } from "./open-raw-place.ts";
import { sqlText } from "./sql.ts";

/**
 * An insert of so many rows makes no file: they lie in PostgreSQL until they are moved. So many
 * cost the same there and as a file on local disk; an object costs more.
 */
const inlinedRowsMax = 300;
/** A server that is silent without a word is given up after some twenty seconds. */
const aliveOptions = Object.entries({
  keepalives_idle: "10",
  keepalives_interval: "5",
  keepalives_count: "3",
  tcp_user_timeout: "20000",
});

/** Before its SQL is confined; as `reachRawPlace`. */
export async function attachLake(connection: DuckDBConnection, place: LakePlace) {
  const { extensionDirectory } = place;
  const extensions = extensionsOf(place);
  await checkExtensions(extensionDirectory, await duckdbBuild(connection), extensions);
  await connection.run(`SET extension_directory = ${sqlText(extensionDirectory)}`);
  for (const extension of extensions) await connection.run(`LOAD ${extension}`);
  const reached = await reachRawPlace(connection, place);
  const quoted = (value: string) => `'${value.replaceAll(/['\\]/g, "\\$&")}'`;
  const parts = Object.entries(catalogParts(place.catalog));
  const text = [...parts, ...aliveOptions]
    .map(([key, value]) => `${key}=${quoted(value)}`)
    .join(" ");
  const address = sqlText(`ducklake:postgres:${text}`);
  const options = [
    `DATA_PATH ${sqlText(`${reached.directory}lake/`)}`,
    `METADATA_SCHEMA ${sqlText(place.schema)}`,
    `DATA_INLINING_ROW_LIMIT ${inlinedRowsMax}`,
  ];
  await connection.run(`ATTACH ${address} AS ${lakeName} (${options.join(", ")})`);
  return reached;
}
