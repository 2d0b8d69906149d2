/** The place of a lake's raw events. */
import type { DuckDBConnection } from "@duckdb/node-api";
import { nodeFiles } from "../files.ts";
import { s3Place } from "../model-backup.ts";
import type { LakePlace } from "../model-lake.ts";
import { FolderRawPlace } from "./folder-raw-place.ts";
import { checkExtensions, duckdbBuild } from "./lake-extensions.ts";
import { lakeDirectory, openLakeS3 } from "./lake-s3.ts";
import type { LakeSession } from "./lake-session.ts";
import type { RawPlace } from "./raw-place.ts";
import { sqlText } from "./sql.ts";

type Lake = Pick<LakePlace, "dataPath" | "s3" | "extensionDirectory">;

/** What lies in a bucket or in a folder that other processes write as well. */
export async function openRawPlace({ dataPath, s3 }: Lake): Promise<RawPlace> {
  const place = s3Place(dataPath);
  if (place === null) return new FolderRawPlace(dataPath, nodeFiles, true);
  // AWS's client takes memory and time to load: only where it is used.
  const { S3RawPlace } = await import("./s3-raw-place.ts");
  return new S3RawPlace(place, s3!);
}

/**
 * Lets DuckDB read and write there, and below `lake/` the connections that `session` tells;
 * before its SQL is confined. Resolves to what SQL is to be let reach, and to when the keys end
 * (lake-s3.ts). Throws `extensions_unusable`.
 */
export async function reachRawPlace(
  connection: DuckDBConnection,
  lake: Lake,
  session?: LakeSession,
): Promise<{ directory: string; keysEndAt: number | null }> {
  const directory = lakeDirectory(lake.dataPath);
  if (lake.s3 === null) return { directory, keysEndAt: null };
  await checkExtensions(lake.extensionDirectory, await duckdbBuild(connection), ["httpfs"]);
  await connection.run(`SET extension_directory = ${sqlText(lake.extensionDirectory)}`);
  await connection.run("LOAD httpfs");
  return { directory, keysEndAt: await openLakeS3(connection, lake, session) };
}
