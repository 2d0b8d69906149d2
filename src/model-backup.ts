/** What configuration, service and backups say of places and rules alike. */

/** While it is in a data folder, a restore into it is not finished. */
export const restoreFolderName = ".restore";

const bucketPattern = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const s3Scheme = "s3://";

/**
 * Bucket and prefix (empty, or ending in a slash) of an address; null: it is a folder. Throws
 * Error that says what was expected.
 */
export function s3Place(address: string): { bucket: string; prefix: string } | null {
  const wrong = (expected: string) =>
    new Error(`expected ${expected}, got ${JSON.stringify(address)}`);
  if (!address.startsWith(s3Scheme)) {
    if (/^[a-z0-9]+:\/\//i.test(address)) throw wrong("a folder or s3://bucket/prefix");
    return null;
  }
  const [bucket = "", ...parts] = address.slice(s3Scheme.length).split("/");
  const names = parts.filter((part) => part !== "");
  if (!bucketPattern.test(bucket)) throw wrong("s3://bucket/prefix");
  return { bucket, prefix: names.length === 0 ? "" : `${names.join("/")}/` };
}

/** How many bases are kept of each kind (backup/keep-rules.ts). */
export interface KeepRules {
  last: number;
  hourly: number;
  daily: number;
  weekly: number;
  monthly: number;
}

const keepCountMax = 10_000;

/** Reads `last=3,daily=14`; null where that makes no sense. */
export function parseKeepRules(text: string): KeepRules | null {
  const rules: KeepRules = { last: 0, hourly: 0, daily: 0, weekly: 0, monthly: 0 };
  for (const item of text.split(",")) {
    const match = /^\s*(last|hourly|daily|weekly|monthly)\s*=\s*(\d{1,5})\s*$/.exec(item);
    const count = Number(match?.[2]);
    if (match === null || count > keepCountMax) return null;
    rules[match[1] as keyof KeepRules] = count;
  }
  return Object.values(rules).some((count) => count > 0) ? rules : null;
}
