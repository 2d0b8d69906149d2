/** Whether DuckDB's extensions are where they should be, before it is told to load them. */
import { open, readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { RankstreamError } from "../errors.ts";
import type { LakePlace } from "../model-lake.ts";

/** Which files of extensions a DuckDB takes: those of its own version and platform alone. */
export interface DuckdbBuild {
  /** `v1.5.5`. */
  version: string;
  /** `linux_amd64`. */
  platform: string;
}

export type LakeExtension = "ducklake" | "postgres_scanner" | "httpfs";

/** All a lake may need. */
export const lakeExtensions: readonly LakeExtension[] = ["ducklake", "postgres_scanner", "httpfs"];

/** What a lake there needs: without a bucket it does without httpfs. */
export function extensionsOf({ s3 }: Pick<LakePlace, "s3">): readonly LakeExtension[] {
  return s3 === null ? lakeExtensions.filter((name) => name !== "httpfs") : lakeExtensions;
}

/** What this DuckDB says of itself. */
export async function duckdbBuild(connection: DuckDBConnection): Promise<DuckdbBuild> {
  const sql = "SELECT library_version, platform FROM pragma_version(), pragma_platform()";
  const [[version, platform]] = (await connection.runAndReadAll(sql)).getRows() as [unknown[]];
  return { version: String(version), platform: String(platform) };
}

/** The same, of a DuckDB opened for the question alone. */
export async function ownDuckdbBuild(): Promise<DuckdbBuild> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    return await duckdbBuild(connection);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/**
 * At an extension's end: eight fields of 32 bytes, filled up with zeros, then its signature. The
 * fields from the last one: the layout's number, the platform, DuckDB's version.
 */
const signatureBytes = 256;
const fieldBytes = 32;
const fieldsRead = 3;
const layoutNumber = "4";

/** For which DuckDB a file says it is; null where it says nothing, or is no extension. */
async function builtFor(path: string): Promise<DuckdbBuild | null> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const end = Buffer.alloc(fieldsRead * fieldBytes);
    const from = size - signatureBytes - end.length;
    if (from < 0) return null;
    await file.read(end, 0, end.length, from);
    const field = (fromLast: number) => {
      const at = (fieldsRead - 1 - fromLast) * fieldBytes;
      return end.toString("latin1", at, at + fieldBytes).replace(/\0+$/, "");
    };
    const [layout, platform, version] = [field(0), field(1), field(2)];
    const isKnown =
      layout === layoutNumber && /^\w+$/.test(platform) && /^[\w.+-]+$/.test(version);
    return isKnown ? { version, platform } : null;
  } finally {
    await file.close();
  }
}

const namesShownMax = 8;

/** What is in a folder, for a message: `v1.5.4, v1.5.6`. */
async function namesIn(folder: string): Promise<string> {
  let names: string[];
  try {
    names = (await readdir(folder)).sort();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === "ENOENT" ? "is not there" : `can't be read (${code})`;
  }
  const shown = names.slice(0, namesShownMax).join(", ");
  if (names.length === 0) return "is empty";
  return `has ${shown}${names.length > namesShownMax ? ", …" : ""}`;
}

/** The nearest folder above a missing file that tells something, and what is in it. */
async function foundAbove(directory: string, build: DuckdbBuild): Promise<string> {
  const ofVersion = join(directory, build.version);
  const ofPlatform = join(ofVersion, build.platform);
  let found = "";
  for (const folder of [ofPlatform, ofVersion, directory]) {
    const names = await namesIn(folder);
    found = `${folder} ${names}`;
    if (names !== "is not there") break;
  }
  return found;
}

async function problemOf(
  directory: string,
  build: DuckdbBuild,
  extension: LakeExtension,
): Promise<string | null> {
  const path = join(directory, build.version, build.platform, `${extension}.duckdb_extension`);
  const expected = `expected ${path}, of DuckDB ${build.version} for ${build.platform}`;
  try {
    const found = await builtFor(path);
    if (found === null)
      return `${expected}; that file is no extension of DuckDB, or a part of one`;
    if (found.version === build.version && found.platform === build.platform) return null;
    return `${expected}; that file is of DuckDB ${found.version} for ${found.platform}`;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT") return `${expected}; it can't be read (${code})`;
    return `${expected}; ${await foundAbove(directory, build)}`;
  }
}

/**
 * Looks for the files that DuckDB would load from its `extension_directory`, each of `build`.
 * Throws `extensions_unusable`: which file was expected where, and what is there instead.
 */
export async function checkExtensions(
  directory: string,
  build: DuckdbBuild,
  extensions: readonly LakeExtension[] = lakeExtensions,
): Promise<void> {
  for (const extension of extensions) {
    const problem = await problemOf(resolve(directory), build, extension);
    if (problem === null) continue;
    const how = `npm run extensions -- --to ${directory} fetches it`;
    throw new RankstreamError("extensions_unusable", `${problem}; ${how}`);
  }
}
