/** From an address to the place it names. */
import { RankstreamError } from "../errors.ts";
import { s3Place } from "../model-backup.ts";
import type { Destination } from "./destination.ts";
import { FolderDestination } from "./folder-destination.ts";

export interface DestinationSettings {
  /** A folder, or `s3://bucket/prefix`. */
  address: string;
  endpoint: string | null;
  region: string | null;
  credentials: { accessKeyId: string; secretAccessKey: string } | null;
}

/** Opens it; nothing is read or written yet. Throws `backup_unreachable` for no address. */
export async function openDestination(settings: DestinationSettings): Promise<Destination> {
  let place: ReturnType<typeof s3Place>;
  try {
    place = s3Place(settings.address);
  } catch (cause) {
    throw new RankstreamError("backup_unreachable", (cause as Error).message, { cause });
  }
  if (place === null) return new FolderDestination(settings.address);
  // Loaded where it is needed: half a second.
  const { S3Destination } = await import("./s3-destination.ts");
  return new S3Destination({ ...settings, ...place });
}
