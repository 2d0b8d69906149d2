// Places of lakes in given servers: each with a schema and a prefix of its own.
import { randomBytes } from "node:crypto";
import type { LakePlace } from "../../src/model-lake.ts";
import { findExtensions } from "../../tools/duckdb-extensions.mjs";
import type { LakeServers } from "./shared-lake.ts";

/** A fresh place: nobody else has its schema, nor its prefix in the bucket. */
export function lakePlaceIn(servers: LakeServers): LakePlace {
  const name = `lake_${randomBytes(6).toString("hex")}`;
  const extensionDirectory = findExtensions();
  if (extensionDirectory === undefined) {
    throw new Error("no extensions of DuckDB: npm run test:services brings them");
  }
  const { endpoint, bucket, credentials } = servers.s3;
  return {
    catalog: servers.postgres,
    schema: name,
    dataPath: `s3://${bucket}/${name}`,
    s3: { endpoint, region: "us-east-1", credentials },
    extensionDirectory,
  };
}

/** What leads a service or a command there, by the environment. */
export function lakeEnvironment(place: LakePlace): Record<string, string> {
  const { s3 } = place;
  return {
    RANKSTREAM_STORE: `ducklake:postgres:${place.catalog}`,
    RANKSTREAM_STORE_SCHEMA: place.schema,
    RANKSTREAM_DATA: place.dataPath,
    RANKSTREAM_EXTENSION_DIRECTORY: place.extensionDirectory,
    ...(s3?.endpoint && { RANKSTREAM_DATA_S3_ENDPOINT: s3.endpoint }),
    ...(s3?.region && { RANKSTREAM_DATA_S3_REGION: s3.region }),
    ...(s3?.credentials && {
      RANKSTREAM_DATA_S3_ACCESS_KEY_ID: s3.credentials.accessKeyId,
      RANKSTREAM_DATA_S3_SECRET_ACCESS_KEY: s3.credentials.secretAccessKey,
    }),
  };
}
