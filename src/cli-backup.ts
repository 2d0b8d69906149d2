/** `rankstream backup`: has a running service backed up, or a folder that no service runs on. */
import { access } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import { type CliIo, CommandFailure, exitCodes } from "./cli-io.ts";
import { configOf, ProgressLine, placeOptions, refuseLake, stopSignal } from "./cli-restore.ts";
import {
  asFailure,
  clientOf,
  keyFileOption,
  type ServiceTarget,
  urlOption,
} from "./cli-service.ts";
import { addConfigOptions } from "./cli-start.ts";
import type { Backup } from "./client/backups.ts";
import { type RankstreamClient, UnreachableError } from "./client/client.ts";
import type { Config } from "./config.ts";
import { countText, durationText } from "./import/progress.ts";

const pollMs = 500;

const helpAfter = `
Asks the service, which takes the backup to where its own --backup-to says and goes on meanwhile.
Where none answers, the folder at --data-dir is backed up to --backup-to by this command itself;
with --offline without asking. A second backup writes only what is new.

Examples:
  rankstream backup
  rankstream backup --offline --data-dir /var/lib/rankstream --backup-to /mnt/backups
  rankstream backup --json | jq -r .id

With --json: {"id", "status", "createdAt", "finishedAt", "receivedThrough", "total", "bytes",
"sentBytes", …}. Exit codes: 0 backed up, 1 failed, 2 usage, 3 no service answers, and there is no
folder. Needs a key with the scope admin where the service wants keys.
`;

interface BackupFlags extends ServiceTarget {
  offline?: boolean;
  json?: boolean;
}

async function hasStore({ dataDir }: Config): Promise<boolean> {
  return access(join(dataDir, "store.duckdb")).then(
    () => true,
    () => false,
  );
}

/** Asks the service, and waits until the backup has ended. */
async function askService(
  { backups }: RankstreamClient,
  line: ProgressLine,
  signal: AbortSignal,
): Promise<Backup> {
  let backup = await backups.take(signal);
  try {
    while (backup.status === "running") {
      line.show(backup.progress, "backing up");
      await sleep(pollMs, undefined, { signal });
      backup = await backups.get(backup.id, signal);
    }
    return backup;
  } catch (error) {
    if (!signal.aborted) throw error;
    await backups.cancel(backup.id);
    throw signal.reason;
  }
}

async function backUpFolder(config: Config, line: ProgressLine, signal: AbortSignal) {
  refuseLake(config, "backup --offline");
  if (!(await hasStore(config))) {
    const message = `--data-dir: expected a data folder, got ${config.dataDir}`;
    throw new CommandFailure(message, exitCodes.usage);
  }
  const { backUpFolder: run } = await import("./service-offline.ts");
  const onProgress = (share: number) => line.show(share, "backing up");
  return run(config, { onProgress, signal });
}

async function runBackup(
  given: BackupFlags & Record<string, unknown>,
  io: CliIo,
): Promise<number> {
  const config = configOf(given, ["url", "keyFile", "offline", "json"], io);
  const line = new ProgressLine(io);
  const signal = stopSignal(io);
  const started = performance.now();
  const take = async (): Promise<Backup> => {
    if (given.offline === true) return backUpFolder(config, line, signal);
    try {
      return await askService(clientOf(given, io), line, signal);
    } catch (error) {
      const isAlone = error instanceof UnreachableError && config.backupTo !== "none";
      if (isAlone && (await hasStore(config))) return backUpFolder(config, line, signal);
      if (signal.aborted) throw signal.reason;
      throw asFailure(error);
    }
  };
  try {
    const backup = await take();
    line.clear();
    if (backup.status !== "done") {
      const why = backup.error === undefined ? backup.status : backup.error.detail;
      throw new CommandFailure(`the backup ${backup.id} failed: ${why}`, exitCodes.failure);
    }
    if (given.json === true) io.writeOut(`${JSON.stringify(backup)}\n`);
    else {
      const seconds = durationText((performance.now() - started) / 1000);
      const events = `${countText(backup.total ?? 0)} events`;
      const written = `${countText(backup.sentBytes ?? 0)} bytes written`;
      io.writeOut(`${backup.id}: ${events}, ${written}, in ${seconds}\n`);
    }
    return exitCodes.done;
  } finally {
    line.clear();
  }
}

/** Adds the command; `done` is told its exit code. */
export function addBackupCommand(program: Command, io: CliIo, done: (code: number) => void): void {
  const command = new Command("backup")
    .description("Back up a service, or a data folder that none runs on.")
    .addOption(urlOption(io))
    .addOption(keyFileOption())
    .option("--offline", "ask no service; none may run on the folder")
    .option("--json", "print the backup as JSON")
    .addHelpText("after", helpAfter)
    .action(async (given: BackupFlags & Record<string, unknown>) => {
      done(await runBackup(given, io));
    });
  addConfigOptions(command, ["dataDir", "partitions", ...placeOptions]);
  program.addCommand(command);
}
