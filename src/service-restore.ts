/** What is done with backups without a service: they are listed, restored, looked through. */
import { openDestination } from "./backup/open-destination.ts";
import { Repository } from "./backup/repository.ts";
import { Restorer } from "./backup/restore.ts";
import { withWayOut } from "./backup/restore-check.ts";
import { type ListedBase, listBases, planRestore } from "./backup/restore-plan.ts";
import type { Config } from "./config.ts";
import { backupPlace } from "./config-backup.ts";
import { RankstreamError } from "./errors.ts";
import { parseTimestamp } from "./query/timestamp.ts";
import { packageVersion } from "./service-storage.ts";

/** The repository that the options name. Throws `backups_off`, `backup_not_found`. */
async function openRepository(config: Config): Promise<Repository> {
  const place = backupPlace(config);
  if (place === null) throw new RankstreamError("backups_off", "expected --backup-to");
  return Repository.open(await openDestination(place), { create: false });
}

/** Opens it, and closes it again. Throws `backups_off`, `backup_not_found`. */
export async function withRepository<T>(
  config: Config,
  work: (repository: Repository) => Promise<T>,
): Promise<T> {
  const repository = await openRepository(config);
  try {
    return await work(repository);
  } finally {
    await repository.destination.close();
  }
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}

/** A backup as it is listed; times are ISO 8601. */
export interface ListedBackup {
  id: string;
  createdAt: string;
  finishedAt: string;
  receivedThrough: string;
  /** Null: only what it counts itself, and what the log in Kafka still holds. */
  restorableFrom: string | null;
  restorableTo: string | null;
  log: "embedded" | "kafka";
  version: string;
  eventTypes: number;
  total: number;
  files: number;
  bytes: number;
  sentBytes: number;
}

function listed({ manifest, moments }: ListedBase): ListedBackup {
  const { id, version, eventTypes, total, files, bytes, sentBytes } = manifest;
  return {
    id,
    createdAt: isoOf(manifest.createdAt),
    finishedAt: isoOf(manifest.finishedAt),
    receivedThrough: isoOf(manifest.receivedThrough),
    restorableFrom: moments === null ? null : isoOf(moments[0]),
    restorableTo: moments === null ? null : isoOf(moments[1]),
    log: manifest.log.kind,
    version,
    eventTypes,
    total,
    files,
    bytes,
    sentBytes,
  };
}

/** The backups, the oldest first. Throws `backups_off`, `backup_not_found`, `backup_damaged`. */
export function listBackups(config: Config): Promise<ListedBackup[]> {
  return withRepository(config, async (repository) => (await listBases(repository)).map(listed));
}

/** What was restored; times are ISO 8601. */
export interface RestoredFolder {
  folder: string;
  base: string;
  /** Null: all there was. */
  to: string | null;
  /** Nothing in it was received later. */
  receivedThrough: string;
  files: number;
  bytes: number;
  /** Of the log, beyond the base. */
  batches: number;
  events: number;
}

export interface RestoreRequest {
  /** A moment as RFC 3339 or epoch ms, or `latest`. */
  to: string;
  /** The backup to begin with; null: the newest that will do. */
  base: string | null;
  onProgress(share: number, what: string): void;
  signal: AbortSignal;
}

/**
 * Restores into the data folder that the options name, which has to be empty. Throws
 * RankstreamError: `invalid_timestamp`, `backup_not_found`, `restore_impossible`,
 * `data_folder_not_empty`, `disk_nearly_full`, `backup_damaged`, `backup_unreachable`.
 */
export function restoreBackup(
  config: Config,
  { to, base, ...hooks }: RestoreRequest,
): Promise<RestoredFolder> {
  return withRepository(config, async (repository) => {
    const digits = /^\d+$/.test(to) ? Number(to) : to;
    const moment = to === "latest" ? null : parseTimestamp(digits, "to");
    const plan = await planRestore(repository, { to: moment, baseId: base });
    const own = { ...hooks, program: packageVersion() };
    const restorer = new Restorer(repository, plan, config.dataDir, own);
    const report = await restorer.run().catch(async (error) => {
      throw await withWayOut(repository, plan, error);
    });
    const { baseId, to: _, lastReceivedAt, ...rest } = report;
    return {
      ...rest,
      base: baseId,
      to: moment === null ? null : isoOf(moment),
      receivedThrough: isoOf(Math.max(plan.base.receivedThrough, lastReceivedAt ?? 0)),
    };
  });
}
