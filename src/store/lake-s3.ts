/** How DuckDB reaches the objects of a lake: its secret for S3, its bounds, and where they lie. */
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { s3Place } from "../model-backup.ts";
import type { LakePlace, S3Access } from "../model-lake.ts";
import type { LakeSession } from "./lake-session.ts";
import { knownRegion, type S3Bounds, s3ClientConfig } from "./s3-client.ts";
import { sqlText } from "./sql.ts";

export type LakeData = Pick<LakePlace, "dataPath" | "s3">;

const secretName = "raw_place";

/**
 * DuckDB's own bounds of one request, all of it, body included: a server that is silent holds a
 * read for `httpRetries + 1` times so long, and a COPY, which tries its parts again, for some
 * times that. A part of 10 MB (below) comes through in time at 1 MB/s.
 */
const httpTimeoutSeconds = 10;
const httpRetries = 2;
const httpRetryWaitMs = 200;
const httpRetryBackoff = 3;
/** Of a ten thousandth of this is one part of an upload; smaller files go in one request. */
const uploadFileBytesMax = "100GB";
/** Parts that are sent at once, of all files being written; each is held in memory. */
const uploadThreadsMax = 8;

/** Bounds of the requests that do not go through DuckDB. */
export const s3RawBounds: S3Bounds = Object.freeze({
  attemptsMax: 3,
  connectMsMax: 5000,
  silentMsMax: httpTimeoutSeconds * 1000,
});

/** Keys of a role end; a secret is to be made anew so long before. */
const renewBeforeMs = 5 * 60_000;

/** What DuckDB's SQL may reach of the lake, ending in a slash: for `allowed_directories`. */
export function lakeDirectory(dataPath: string): string {
  const place = s3Place(dataPath);
  return place === null ? join(dataPath, "/") : `s3://${place.bucket}/${place.prefix}`;
}

function endpointSql(endpoint: string | null): string {
  if (endpoint === null) return "";
  const { host, protocol } = new URL(endpoint);
  return `, ENDPOINT ${sqlText(host)}, URL_STYLE 'path', USE_SSL ${protocol === "https:"}`;
}

/** Where the bucket is, as settings say it. */
function endpointSettings(endpoint: string | null): Record<string, string> {
  if (endpoint === null) return { s3_endpoint: "", s3_url_style: "vhost", s3_use_ssl: "true" };
  const { host, protocol } = new URL(endpoint);
  const isTls = protocol === "https:";
  return { s3_endpoint: host, s3_url_style: "path", s3_use_ssl: String(isTls) };
}

interface Keys {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string | undefined;
  expiration?: Date | undefined;
}

const noKeys: Keys = Object.freeze({ accessKeyId: "", secretAccessKey: "" });

function keySettings({ accessKeyId, secretAccessKey, sessionToken }: Keys) {
  return {
    s3_access_key_id: accessKeyId,
    s3_secret_access_key: secretAccessKey,
    s3_session_token: sessionToken ?? "",
  };
}

/** Keys and region as they were given, or as AWS's client finds them. */
async function findKeys(access: S3Access): Promise<{ keys: Keys; region: string }> {
  const region = knownRegion(access);
  if (access.credentials !== null && region !== null) return { keys: access.credentials, region };
  const { S3Client } = await import("@aws-sdk/client-s3");
  const client = new S3Client(s3ClientConfig(access, s3RawBounds));
  try {
    const keys = await client.config.credentials();
    return { keys, region: await client.config.region() };
  } finally {
    client.destroy();
  }
}

/**
 * Lets DuckDB read and write the objects of raw events, and connections that `session` tells the
 * lake's others, and sets how long it waits for them; does nothing where the lake is a folder. To
 * be called after `LOAD httpfs` and before the configuration is locked. Resolves to when the
 * secret is to be made anew by `createS3Secret` (epoch ms), null where its keys don't end. Throws
 * what AWS's client says of keys or a region that it doesn't find.
 */
export async function openLakeS3(
  connection: DuckDBConnection,
  place: LakeData,
  session?: LakeSession,
): Promise<number | null> {
  if (place.s3 === null) return null;
  const settings = {
    http_timeout: httpTimeoutSeconds,
    http_retries: httpRetries,
    http_retry_wait_ms: httpRetryWaitMs,
    http_retry_backoff: httpRetryBackoff,
    s3_uploader_max_filesize: sqlText(uploadFileBytesMax),
    s3_uploader_thread_limit: uploadThreadsMax,
    // Else each request makes a connection of its own, with TLS's greetings.
    httpfs_connection_caching: true,
    ...mapped(endpointSettings(place.s3.endpoint), sqlText),
    // The environment's, which httpfs takes by itself: who has no secret has no keys.
    ...mapped(keySettings(noKeys), sqlText),
  };
  for (const [name, value] of Object.entries(settings)) {
    await connection.run(`SET GLOBAL ${name} = ${value}`);
  }
  return createS3Secret(connection, place, session);
}

function mapped<T>(settings: Record<string, string>, change: (value: string) => T) {
  return Object.fromEntries(Object.entries(settings).map(([name, v]) => [name, change(v)]));
}

/** The keys alone, which may be told anew at any time: as `openLakeS3`. */
export async function createS3Secret(
  connection: DuckDBConnection,
  { dataPath, s3 }: LakeData,
  session?: LakeSession,
): Promise<number | null> {
  if (s3 === null) return null;
  const { keys, region } = await findKeys(s3);
  const token = keys.sessionToken;
  const place = { ...endpointSettings(s3.endpoint), s3_region: region };
  session?.renew({ ...place, ...keySettings(keys) });
  await connection.run(`CREATE OR REPLACE SECRET ${secretName} (TYPE s3,
    KEY_ID ${sqlText(keys.accessKeyId)}, SECRET ${sqlText(keys.secretAccessKey)},
    REGION ${sqlText(region)}, SCOPE ${sqlText(`${lakeDirectory(dataPath)}raw/`)}
    ${token === undefined ? "" : `, SESSION_TOKEN ${sqlText(token)}`}
    ${endpointSql(s3.endpoint)})`);
  return keys.expiration === undefined ? null : keys.expiration.getTime() - renewBeforeMs;
}
