/** What a store in a lake leans on, for `doctor`: extensions, catalog, the files' place. */
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { openDestination } from "./backup/open-destination.ts";
import { type Config, hasStore } from "./config.ts";
import { lakePlace } from "./config-lake.ts";
import { secretsOf } from "./config-secrets.ts";
import type { LakePlace } from "./model-lake.ts";
import type { Check } from "./service-checks.ts";
import { openCatalogClient } from "./store/catalog-client.ts";
import { checkExtensions, extensionsOf, ownDuckdbBuild } from "./store/lake-extensions.ts";
import { Redactor } from "./telemetry-redaction.ts";

/** Longest look at PostgreSQL; the bucket's client has bounds of its own. */
const catalogMsMax = 5000;

async function extensionsFound(place: LakePlace): Promise<string> {
  const build = await ownDuckdbBuild();
  await checkExtensions(place.extensionDirectory, build, extensionsOf(place));
  return `DuckDB ${build.version}'s for ${build.platform} are in ${place.extensionDirectory}`;
}

const catalogSql = `SELECT current_setting('server_version') AS version,
  to_regnamespace($1) IS NOT NULL AS "hasSchema",
  has_database_privilege(current_database(), 'CREATE') AS "mayCreate"`;

async function catalogFound({ catalog, schema }: LakePlace): Promise<string> {
  const client = await openCatalogClient(catalog, () => undefined, { queryMsMax: catalogMsMax });
  try {
    const { rows } = await client.query<{
      version: string;
      hasSchema: boolean;
      mayCreate: boolean;
    }>(catalogSql, [schema]);
    const { version, hasSchema, mayCreate } = rows[0]!;
    const postgres = `PostgreSQL ${version} answers`;
    if (hasSchema) return `${postgres}; schema ${schema} is there`;
    if (mayCreate) return `${postgres}; the first start makes schema ${schema}`;
    throw new Error(`${postgres}; schema ${schema} is not there, and may not be made`);
  } finally {
    await client.end();
  }
}

async function filesFound({ dataPath, s3 }: LakePlace): Promise<string> {
  if (s3 === null) {
    await access(dataPath, constants.R_OK | constants.W_OK | constants.X_OK);
    return `${dataPath} can be written`;
  }
  const destination = await openDestination({ address: dataPath, ...s3 });
  try {
    const first = await destination.list("")[Symbol.asyncIterator]().next();
    return `${dataPath} can be listed, and ${first.done === true ? "is empty" : "has files"}`;
  } finally {
    await destination.close();
  }
}

/** Looks at what the store of this process would lean on; nothing where it is none in a lake. */
export async function checkLake(config: Config): Promise<Check[]> {
  const place = lakePlace(config);
  if (place === null || !hasStore(config)) return [];
  const redactor = new Redactor(secretsOf(config));
  const check = async (
    name: string,
    look: (place: LakePlace) => Promise<string>,
    hint: string,
  ): Promise<Check> => {
    try {
      return { name, status: "ok", message: await look(place) };
    } catch (error) {
      // Where every address of a name refuses, the message is empty.
      const { message, code } = error as NodeJS.ErrnoException;
      return { name, status: "fail", message: redactor.text(message || String(code)), hint };
    }
  };
  return Promise.all([
    check("extensions", extensionsFound, "npm run extensions, and --extension-directory"),
    check("catalog", catalogFound, "start PostgreSQL, or correct --store and its user's rights"),
    check("data", filesFound, "correct --data, its keys and rights, or its --data-s3-endpoint"),
  ]);
}
