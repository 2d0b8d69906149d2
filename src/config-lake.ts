/** The options of a store in a lake: what is wrong with them, and what they come to. */
import { isAbsolute } from "node:path";
import { type S3Options, s3Access, s3Problem } from "./config-s3.ts";
import { quoted } from "./errors.ts";
import { s3Place } from "./model-backup.ts";
import { CatalogAddressError, catalogParts, type LakePlace } from "./model-lake.ts";

interface LakeOptions extends S3Options<"data"> {
  store: string;
  storeSchema: string;
  data: string;
  extensionDirectory: string;
}

interface CheckedOptions extends LakeOptions {
  backupTo: string;
}

const lakeScheme = "ducklake:postgres:";
const lakeKind = "ducklake:…";
/** A name that PostgreSQL and DuckDB take without quotes, and no longer than PostgreSQL keeps. */
const schemaPattern = /^[a-z_][a-z0-9_]{0,62}$/;

/** Whether the store is in a lake, so that processes share it. */
export function isInLake({ store }: Pick<LakeOptions, "store">): boolean {
  return store.startsWith(lakeScheme);
}

function storeProblem({ store }: LakeOptions): string | undefined {
  if (store === "local") return undefined;
  if (!isInLake({ store })) {
    // What follows the kinds may hold a password anywhere.
    const [kinds] = /^[a-z]{0,20}(?::[a-z]{1,20})?/i.exec(store)!;
    const got = quoted(kinds === store ? store : `${kinds}…`);
    return `store: expected local or ${lakeScheme}<address of PostgreSQL>, got ${got}`;
  }
  try {
    catalogParts(store.slice(lakeScheme.length));
    return undefined;
  } catch (error) {
    if (!(error instanceof CatalogAddressError)) throw error;
    return `store: after ${lakeScheme} ${error.message}`;
  }
}

function dataProblem({ data, store }: LakeOptions): string | undefined {
  const expected = "data: expected s3://bucket/prefix or an absolute folder";
  if (!isInLake({ store })) {
    return data === "none"
      ? undefined
      : `data: expected none beside --store local, got ${quoted(data)}: ` +
          "name the store with --store, or leave --data out";
  }
  if (data === "none") return `${expected} beside --store ${lakeKind}, got none`;
  try {
    if (s3Place(data) !== null || isAbsolute(data)) return undefined;
  } catch {
    // An address of another kind, or a bucket that can't be one.
  }
  return `${expected}, got ${quoted(data)}`;
}

function backupsProblem({ store, backupTo }: CheckedOptions): string | undefined {
  if (!isInLake({ store }) || backupTo === "none") return undefined;
  const why = "a lake's PostgreSQL and bucket are backed up by their own means";
  return `backupTo: expected none beside --store ${lakeKind}, got ${quoted(backupTo)}: ${why}`;
}

/** What is wrong with the options: expected and got, no password; undefined where nothing is. */
export function lakeProblem(options: CheckedOptions): string | undefined {
  const { storeSchema } = options;
  const expected = "a name of lower-case letters, digits and _ that begins with no digit";
  const schema = schemaPattern.test(storeSchema)
    ? undefined
    : `storeSchema: expected ${expected}, got ${quoted(storeSchema)}`;
  return (
    storeProblem(options) ??
    dataProblem(options) ??
    schema ??
    s3Problem("data", options) ??
    backupsProblem(options)
  );
}

/** Where the store's lake is, of options that were checked; null: the store is local. */
export function lakePlace(options: LakeOptions): LakePlace | null {
  const { store, storeSchema, data, extensionDirectory } = options;
  if (!isInLake(options)) return null;
  return {
    catalog: store.slice(lakeScheme.length),
    schema: storeSchema,
    dataPath: data,
    s3: s3Place(data) === null ? null : s3Access("data", options),
    extensionDirectory,
  };
}
