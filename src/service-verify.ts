/** Verifies a data folder that no service runs on, or a repository of backups. */
import { join } from "node:path";
import { type VerifiedRepository, verifyRepository } from "./backup/verify-repository.ts";
import type { Config } from "./config.ts";
import { RankstreamError } from "./errors.ts";
import { nodeFiles } from "./files.ts";
import { type CheckedLog, checkLog } from "./log/check-log.ts";
import { withRepository } from "./service-restore.ts";
import { packageVersion } from "./service-storage.ts";
import type { Recount } from "./store/recount.ts";
import { type VerifiedStore, verifyStore } from "./store/verify-store.ts";

export interface VerifyHooks {
  /** Told how far it is, 0..1, and with what. */
  onProgress(share: number, what: string): void;
  signal: AbortSignal;
}

/** One thing that was looked at. */
export interface VerifyCheck {
  name: string;
  status: "ok" | "fail";
  message: string;
}

export interface VerifyReport {
  ok: boolean;
  checks: VerifyCheck[];
}

const faultsShownMax = 20;
const dayMs = 86_400_000;

function check(name: string, faults: readonly string[], message: string): VerifyCheck {
  if (faults.length === 0) return { name, status: "ok", message };
  const shown = faults.slice(0, faultsShownMax).join("; ");
  const more = faults.length - faultsShownMax;
  const rest = more > 0 ? `; and ${more} more` : "";
  return { name, status: "fail", message: `${shown}${rest}` };
}

function reportOf(checks: VerifyCheck[]): VerifyReport {
  return { ok: checks.every(({ status }) => status === "ok"), checks };
}

function recountCheck({ recount, isDeleting }: VerifiedStore): VerifyCheck {
  const name = "counts";
  if (recount === null) {
    const why = isDeleting
      ? "a delete is under way: start the service, which ends it, then verify again"
      : "not counted anew: raw files are damaged";
    return check(name, [why], "");
  }
  const { events, total, windows, differences, examples }: Recount = recount;
  const faults = differences === 0 ? [] : [`${differences} differences`, ...examples];
  const message = `${events} events of weight ${total}, as ${windows} windows have them`;
  return check(name, faults, message);
}

function logCheck(log: CheckedLog | null, { logId, offsets }: VerifiedStore): VerifyCheck {
  const name = "log";
  if (log === null) {
    // Over Kafka there is none here.
    const isOwn = /^[0-9a-f-]{36}$/.test(logId);
    return check(name, isOwn ? ["there is no log"] : [], "in Kafka: not looked at");
  }
  const faults: string[] = [];
  if (log.id !== logId) faults.push(`it is ${log.id}, the store counts ${logId}`);
  for (const [partition, offset] of offsets.entries()) {
    const [begin = 0, end = 0] = [log.begin[partition], log.end[partition]];
    if (offset >= begin && offset <= end) continue;
    faults.push(`partition ${partition}: counted up to ${offset}, the log has ${begin} to ${end}`);
  }
  const torn = log.tornBytes > 0 ? `, ${log.tornBytes} bytes of a torn write behind them` : "";
  return check(name, faults, `${log.batches} batches in ${log.segments} segments${torn}`);
}

async function logOf(folder: string, { onProgress }: VerifyHooks): Promise<CheckedLog | string> {
  try {
    let bytes = 0;
    const log = await checkLog(nodeFiles, folder, (more) => {
      bytes += more;
      onProgress(0, `the log, ${Math.round(bytes / 1e6)} MB`);
    });
    return log ?? "";
  } catch (error) {
    if (error instanceof RankstreamError) return error.message;
    throw error;
  }
}

/**
 * Holds every file of the data folder against its checksums, the counts against the raw events,
 * and the log against the store. Throws `data_folder_in_use`, `data_folder_newer`, `store_failed`.
 */
export async function verifyFolder(config: Config, hooks: VerifyHooks): Promise<VerifyReport> {
  const { dataDir: folder, storeMemoryBytesMax: memoryBytesMax } = config;
  const program = packageVersion();
  // It holds the folder's lock only while it is open; nothing may write to the log meanwhile.
  const log = await logOf(join(folder, "log"), hooks);
  const store = await verifyStore({ folder, program, memoryBytesMax, ...hooks });
  const { rawFiles, rawBytes, damaged } = store;
  const isFault = typeof log === "string" && log !== "";
  return reportOf([
    check("raw files", damaged, `${rawFiles} files, ${rawBytes} bytes, as they were written`),
    recountCheck(store),
    isFault ? check("log", [log], "") : logCheck(log === "" ? null : (log as CheckedLog), store),
  ]);
}

/**
 * Holds every object of the repository against its digest, and every part of the log against its
 * checksums; `isQuick`: only looks that all is there. Throws `backups_off`, `backup_not_found`,
 * `backup_damaged`, `backup_unreachable`.
 */
export function verifyBackups(
  config: Config,
  isQuick: boolean,
  hooks: VerifyHooks,
): Promise<VerifyReport> {
  return withRepository(config, async (repository) => {
    const since = Date.now() - config.backupLogDays * dayMs;
    const options = { isQuick, since, ...hooks };
    const found: VerifiedRepository = await verifyRepository(repository, options);
    const { bases, objects, logParts, bytes, faults } = found;
    const how = isQuick ? "there" : "as they were written";
    const message =
      `${bases} backups: ${objects} objects of ${bytes} bytes and ` +
      `${logParts} parts of the log, all ${how}`;
    return reportOf([check("backups", faults, message)]);
  });
}
