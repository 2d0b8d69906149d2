/** How AWS's client for S3 is set up, whoever uses it. */
import type { S3ClientConfig } from "@aws-sdk/client-s3";
import type { S3Access } from "../model-lake.ts";

export interface S3Bounds {
  /** Attempts at a request, the first one included. */
  attemptsMax: number;
  connectMsMax: number;
  /** Without a byte from the server. */
  silentMsMax: number;
}

/** Other servers than AWS's take any. */
const otherRegion = "us-east-1";

/** The region to ask, where it is known without asking AWS's own files. */
export function knownRegion({ region, endpoint }: S3Access): string | null {
  return region ?? (endpoint === null ? null : otherRegion);
}

/**
 * The client finds credentials wherever AWS puts them (variables, profiles, roles of machines and
 * pods) where none are given.
 */
export function s3ClientConfig(
  access: S3Access,
  { attemptsMax, connectMsMax, silentMsMax }: S3Bounds,
): S3ClientConfig {
  const { endpoint, credentials } = access;
  const region = knownRegion(access);
  return {
    maxAttempts: attemptsMax,
    // Other servers know less of these; every object is checked by its own digest.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    // Of a socket: a time for the whole request would only be warned of.
    requestHandler: { connectionTimeout: connectMsMax, socketTimeout: silentMsMax },
    ...(endpoint !== null && { endpoint, forcePathStyle: true }),
    ...(region !== null && { region }),
    ...(credentials !== null && { credentials }),
  };
}
