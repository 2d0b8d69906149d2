/** Options of a bucket, of backups and of the store alike: what is wrong, what they come to. */
import { quoted } from "./errors.ts";
import type { S3Access } from "./model-lake.ts";

type S3Name = "S3Endpoint" | "S3Region" | "S3AccessKeyId" | "S3SecretAccessKey";
/** `backupS3Endpoint` and so on; each is `none` where it isn't said. */
export type S3Options<P extends string> = Record<`${P}${S3Name}`, string>;

/** What is wrong with the options: expected and got; undefined where nothing is. */
export function s3Problem<P extends string>(of: P, options: S3Options<P>): string | undefined {
  const endpoint = options[`${of}S3Endpoint`];
  const isWeb = URL.canParse(endpoint) && /^https?:$/.test(new URL(endpoint).protocol);
  if (endpoint !== "none" && !isWeb) {
    return `${of}S3Endpoint: expected http://host:port, got ${quoted(endpoint)}`;
  }
  const hasId = options[`${of}S3AccessKeyId`] !== "none";
  if (hasId !== (options[`${of}S3SecretAccessKey`] !== "none")) {
    return `${of}S3AccessKeyId and ${of}S3SecretAccessKey: expected both or none`;
  }
  return undefined;
}

/** How the bucket is spoken to, of options that were checked. */
export function s3Access<P extends string>(of: P, options: S3Options<P>): S3Access {
  const given = (name: S3Name) => {
    const value = options[`${of}${name}`];
    return value === "none" ? null : value;
  };
  const accessKeyId = given("S3AccessKeyId");
  const secretAccessKey = given("S3SecretAccessKey");
  return {
    endpoint: given("S3Endpoint"),
    region: given("S3Region"),
    credentials:
      accessKeyId === null || secretAccessKey === null ? null : { accessKeyId, secretAccessKey },
  };
}
