/** The options of backups: what is wrong with them, and what they come to. */
import { type S3Options, s3Access, s3Problem } from "./config-s3.ts";
import { quoted } from "./errors.ts";
import { type KeepRules, parseKeepRules, s3Place } from "./model-backup.ts";
import type { S3Access } from "./model-lake.ts";

interface BackupOptions extends S3Options<"backup"> {
  backupTo: string;
  backupKeep: string;
}

const keepExpected = "expected such as last=3,daily=14, of last, hourly, daily, weekly, monthly";

function placeProblem({ backupTo }: BackupOptions): string | undefined {
  try {
    s3Place(backupTo);
    return undefined;
  } catch (error) {
    return `backupTo: ${(error as Error).message}`;
  }
}

/** What is wrong with the options: expected and got; undefined where nothing is. */
export function backupProblem(options: BackupOptions): string | undefined {
  const { backupKeep } = options;
  const problem = s3Problem("backup", options);
  if (problem !== undefined) return problem;
  if (parseKeepRules(backupKeep) === null) {
    return `backupKeep: ${keepExpected}, got ${quoted(backupKeep)}`;
  }
  return placeProblem(options);
}

/** Where backups are, as the options say; null: nowhere. */
export function backupPlace(options: BackupOptions): (S3Access & { address: string }) | null {
  const { backupTo } = options;
  return backupTo === "none" ? null : { address: backupTo, ...s3Access("backup", options) };
}

/** Which backups are kept, of options that were checked. */
export function keepRulesOf({ backupKeep }: Pick<BackupOptions, "backupKeep">): KeepRules {
  return parseKeepRules(backupKeep)!;
}
