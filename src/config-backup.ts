/** The options of backups: what is wrong with them, and what they come to. */
import { quoted } from "./errors.ts";
import { type KeepRules, parseKeepRules, s3Place } from "./model-backup.ts";

interface BackupOptions {
  backupTo: string;
  backupS3Endpoint: string;
  backupS3Region: string;
  backupS3AccessKeyId: string;
  backupS3SecretAccessKey: string;
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
  const { backupS3Endpoint: endpoint, backupKeep } = options;
  const isWeb = URL.canParse(endpoint) && /^https?:$/.test(new URL(endpoint).protocol);
  if (endpoint !== "none" && !isWeb) {
    return `backupS3Endpoint: expected http://host:port, got ${quoted(endpoint)}`;
  }
  const { backupS3AccessKeyId: id, backupS3SecretAccessKey: secret } = options;
  if ((id === "none") !== (secret === "none")) {
    return "backupS3AccessKeyId and backupS3SecretAccessKey: expected both or none";
  }
  if (parseKeepRules(backupKeep) === null) {
    return `backupKeep: ${keepExpected}, got ${quoted(backupKeep)}`;
  }
  return placeProblem(options);
}

/** Where backups are, as the options say; null: nowhere. */
export function backupPlace(options: BackupOptions): {
  address: string;
  endpoint: string | null;
  region: string | null;
  credentials: { accessKeyId: string; secretAccessKey: string } | null;
} | null {
  const given = (value: string) => (value === "none" ? null : value);
  const { backupTo, backupS3AccessKeyId, backupS3SecretAccessKey } = options;
  if (backupTo === "none") return null;
  const accessKeyId = given(backupS3AccessKeyId);
  const credentials =
    accessKeyId === null ? null : { accessKeyId, secretAccessKey: backupS3SecretAccessKey };
  return {
    address: backupTo,
    endpoint: given(options.backupS3Endpoint),
    region: given(options.backupS3Region),
    credentials,
  };
}

/** Which backups are kept, of options that were checked. */
export function keepRulesOf({ backupKeep }: Pick<BackupOptions, "backupKeep">): KeepRules {
  return parseKeepRules(backupKeep)!;
}
