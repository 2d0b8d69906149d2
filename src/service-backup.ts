/** Backups of this service: from the configuration to what takes them, and what is told of it. */
import { resolve } from "node:path";
import type { BackupPort } from "./api/backups.ts";
import { type BackupFigures, type BackupRun, Backups } from "./backup/backups.ts";
import type { BaseManifest } from "./backup/manifest.ts";
import type { BackupThreadData } from "./backup/protocol.ts";
import type { ListedBase } from "./backup/restore-plan.ts";
import type { Config } from "./config.ts";
import { backupPlace, keepRulesOf } from "./config-backup.ts";
import { quoted, RankstreamError } from "./errors.ts";
import type { OpenLog } from "./service-log.ts";
import type { LocalStore } from "./store/local-store.ts";
import type { Logger } from "./telemetry.ts";
import type { Metrics } from "./telemetry-metrics.ts";

const dayMs = 86_400_000;

export interface BackupParts {
  store: LocalStore;
  opened: Pick<OpenLog, "embedded"> & { id: string; partitionCount: number };
  version: string;
  logger: Logger;
}

/**
 * Takes backups as the options say, from now on; null where they name no place. `isOnce`: none
 * but those asked for.
 */
export function openBackups(
  config: Config,
  { store, opened, version, logger }: BackupParts,
  isOnce = false,
): Backups | null {
  const destination = backupPlace(config);
  if (destination === null) return null;
  const { embedded: log, id, partitionCount } = opened;
  const kind = log === null ? "kafka" : "embedded";
  const thread: BackupThreadData = {
    destination,
    folder: resolve(config.dataDir),
    version,
    log: { kind, id, partitionCount },
    keep: keepRulesOf(config),
    logMs: config.backupLogDays * dayMs,
  };
  return new Backups(
    { store, log, logger },
    {
      thread,
      intervalMs: isOnce ? 0 : config.backupIntervalMs,
      logIntervalMs: config.backupLogIntervalMs,
      // The rest is for what comes while the store is behind.
      logLagBytesMax: Math.min(config.backupLogLagBytesMax, Math.floor(config.logBytesMax / 2)),
      closeMsMax: Math.floor(config.shutdownMsMax / 4),
    },
  );
}

function isoOf(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

function figuresOf(base: BaseManifest | null) {
  return {
    receivedThrough: isoOf(base?.receivedThrough ?? null),
    total: base?.total ?? null,
    bytes: base?.bytes ?? null,
    sentBytes: base?.sentBytes ?? null,
  };
}

/** A backup that this process took or takes. */
export function viewOfRun(run: BackupRun) {
  const { id, status, progress, base, error } = run;
  return {
    id,
    status,
    progress,
    createdAt: isoOf(run.createdAt)!,
    finishedAt: isoOf(run.finishedAt),
    ...figuresOf(base),
    restorableFrom: isoOf(base?.receivedThrough ?? null),
    restorableTo: isoOf(base?.receivedThrough ?? null),
    ...(error !== null && { error: { code: error.code, detail: error.message } }),
  };
}

/** A backup of the repository. */
export function viewOfBase({ manifest, moments }: ListedBase) {
  return {
    id: manifest.id,
    status: "done",
    progress: 1,
    createdAt: isoOf(manifest.createdAt)!,
    finishedAt: isoOf(manifest.finishedAt),
    ...figuresOf(manifest),
    restorableFrom: isoOf(moments?.[0] ?? null),
    restorableTo: isoOf(moments?.[1] ?? null),
  };
}

/** What the API asks of backups; without any it is told so. */
export function backupPort(backups: Backups | null): BackupPort {
  const all = (): Backups => {
    if (backups !== null) return backups;
    throw new RankstreamError("backups_off", "this service takes no backups");
  };
  const find = async (id: string) => {
    const own = all();
    const run = own.find(id);
    if (run !== null && run.status !== "done") return viewOfRun(run);
    const base = (await own.list()).find(({ manifest }) => manifest.id === id);
    if (base !== undefined) return viewOfBase(base);
    throw new RankstreamError("backup_not_found", `there is no backup ${quoted(id)}`);
  };
  return {
    take: async () => viewOfRun(all().take()),
    list: async () => {
      const own = all();
      const listed = await own.list();
      const kept = new Set(listed.map(({ manifest }) => manifest.id));
      const runs = own.runs.filter(({ id, status }) => !kept.has(id) && status !== "done");
      const { logThrough, logLagBytes, logGaps } = own.figures();
      return {
        address: own.address,
        backups: [...listed.map(viewOfBase), ...runs.map(viewOfRun)],
        log: {
          receivedThrough: isoOf(logThrough),
          waitingBytes: logLagBytes,
          gaps: logGaps,
        },
      };
    },
    find,
    cancel: async (id) => {
      const own = all();
      const run = own.find(id);
      if (run?.status === "running") {
        own.cancel(run);
        await own.ended();
      }
      return find(id);
    },
  };
}

/** What /metrics says of backups; nothing where none are taken. */
export function describeBackups(metrics: Metrics, backups: Backups | null): void {
  if (backups === null) return;
  const gauge = (name: string, help: string, read: (figures: BackupFigures) => number) =>
    metrics.readGauge(`rankstream_backup_${name}`, help, () => read(backups.figures()));
  const counter = (name: string, help: string, read: (figures: BackupFigures) => number) =>
    metrics.readCounter(`rankstream_backup_${name}_total`, help, () => read(backups.figures()));
  const seconds = (ms: number | null) => (ms ?? 0) / 1000;
  counter("done", "Backups taken since the start.", ({ done }) => done);
  counter("failed", "Backups that failed since the start.", ({ failed }) => failed);
  gauge("running", "Backups under way.", () => (backups.running === null ? 0 : 1));
  const lastHelp = "When the newest backup was taken, since 1970; 0: none is known.";
  gauge("last_success_timestamp_seconds", lastHelp, ({ lastDoneAt }) => seconds(lastDoneAt));
  const tookHelp = "How long the last backup took.";
  gauge("last_duration_seconds", tookHelp, ({ lastMs }) => seconds(lastMs));
  gauge(
    "last_bytes",
    "Bytes of the files that the last backup is made of.",
    ({ lastBytes }) => lastBytes,
  );
  const sentHelp = "Bytes that had to be written for the last backup.";
  gauge("last_sent_bytes", sentHelp, ({ lastSentBytes }) => lastSentBytes);
  const lagHelp = "Bytes of the log that are not backed up.";
  gauge("log_lag_bytes", lagHelp, ({ logLagBytes }) => logLagBytes);
  const throughHelp = "Everything received by then is backed up, since 1970; 0: not known yet.";
  gauge("log_through_timestamp_seconds", throughHelp, ({ logThrough }) => seconds(logThrough));
  counter("log_bytes", "Bytes of the log backed up since the start.", ({ logBytes }) => logBytes);
  const gapsHelp = "Parts of the log that were freed before they were backed up.";
  counter("log_gaps", gapsHelp, ({ logGaps }) => logGaps);
  const failedHelp = "Attempts to back the log up that failed.";
  counter("log_failures", failedHelp, ({ logFailures }) => logFailures);
}
