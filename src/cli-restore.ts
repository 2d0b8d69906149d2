/** `rankstream restore` and `rankstream backups`: what is done with backups, without a service. */
import { Command } from "commander";
import { type CliIo, CommandFailure, exitCodes } from "./cli-io.ts";
import { outColumns } from "./cli-service.ts";
import { addConfigOptions, loadConfigOf } from "./cli-start.ts";
import { type Column, tableLines, timeText } from "./cli-text.ts";
import { type Config, type ConfigName, configNames } from "./config.ts";
import { isInLake } from "./config-lake.ts";
import { countText, durationText } from "./import/progress.ts";

/** Options that say where backups are. */
export const placeOptions: readonly ConfigName[] = configNames.filter((name) =>
  /^backup(To|S3)/.test(name),
);

const restoreHelp = `
The folder has to be empty, or not there yet. Everything in it was received by the moment given,
and everything received by then is in it: by the service's clock, batch by batch. Labels, settings
and deletes are as of the backup that the log is added to; erased users stay erased. Stop the
service first if it still runs; a start on the folder goes on from there. A restore that was
stopped goes on where it was when it is run again with the same flags; until then no service
starts on the folder.

Examples:
  rankstream restore --backup-to /mnt/backups --data-dir ./restored --to latest
  rankstream restore --backup-to s3://bucket/rankstream --data-dir /var/lib/rankstream \\
    --to 2026-11-30T10:15:00Z

With --json: {"folder", "base", "to", "receivedThrough", "files", "bytes", "batches", "events"}.
Exit codes: 0 restored, 1 failed, 2 usage.
`;

const backupsHelp = `
Examples:
  rankstream backups --backup-to /mnt/backups
  rankstream backups --backup-to s3://bucket/rankstream --json | jq -r '.backups[-1].id'

With --json: {"backups": [{"id", "createdAt", "receivedThrough", "restorableFrom", "restorableTo",
"total", "bytes", "sentBytes", …}]}. Exit codes: 0 listed, 1 failed, 2 usage.
`;

interface OwnFlags {
  json?: boolean;
}

interface RestoreFlags extends OwnFlags {
  to: string;
  base?: string;
}

/** Splits the command's own flags from those of the configuration. */
export function configOf<Own extends object>(
  given: Own & Record<string, unknown>,
  own: readonly (keyof Own)[],
  io: CliIo,
): Config {
  const flags = Object.entries(given).filter(([name]) => !own.includes(name as keyof Own));
  return loadConfigOf(Object.fromEntries(flags) as Record<string, string>, io).config;
}

/** Refuses what is about a store in a data folder where the options say that it is in a lake. */
export function refuseLake(config: Config, what: string): void {
  if (!isInLake(config)) return;
  const why = "a lake's PostgreSQL and files are backed up, restored and looked after as such";
  const message = `store: ${what} expected local, got ducklake:…: ${why} (docs/scale-out.md)`;
  throw new CommandFailure(message, exitCodes.usage);
}

/** One line on a terminal that says how far it is. */
export class ProgressLine {
  readonly #io: CliIo;
  #isShown = false;

  constructor(io: CliIo) {
    this.#io = io;
  }

  show(share: number, what: string): void {
    if (this.#io.terminal?.isError !== true) return;
    const columns = this.#io.terminal.columns - 1;
    const text = `${String(Math.floor(share * 100)).padStart(3)}% ${what}`.slice(0, columns);
    this.#io.writeError(`\r${text.padEnd(columns)}`);
    this.#isShown = true;
  }

  clear(): void {
    if (this.#isShown) this.#io.writeError(`\r${" ".repeat(this.#io.terminal!.columns - 1)}\r`);
    this.#isShown = false;
  }
}

/** Aborted at the first SIGINT or SIGTERM, with the exit code that it stands for. */
export function stopSignal(io: CliIo): AbortSignal {
  const stop = new AbortController();
  const stopAt = (signal: "SIGINT" | "SIGTERM", code: number) =>
    io.onSignal(signal, () => {
      if (stop.signal.aborted) io.exit(code);
      stop.abort(new CommandFailure("stopped before it was done", code));
    });
  stopAt("SIGINT", exitCodes.interrupted);
  stopAt("SIGTERM", exitCodes.terminated);
  return stop.signal;
}

async function runRestore(
  given: RestoreFlags & Record<string, unknown>,
  io: CliIo,
): Promise<number> {
  const config = configOf(given, ["to", "base", "json"], io);
  refuseLake(config, "restore");
  const { restoreBackup } = await import("./service-restore.ts");
  const line = new ProgressLine(io);
  const started = performance.now();
  try {
    const report = await restoreBackup(config, {
      to: given.to,
      base: given.base ?? null,
      onProgress: (share, what) => line.show(share, what),
      signal: stopSignal(io),
    });
    line.clear();
    if (given.json === true) {
      io.writeOut(`${JSON.stringify(report)}\n`);
      return exitCodes.done;
    }
    const { base, events, folder, receivedThrough, to } = report;
    const through = to ?? receivedThrough;
    const seconds = durationText((performance.now() - started) / 1000);
    const log = `${countText(events)} events of the log`;
    io.writeOut(
      `${folder} holds all that was received through ${timeText(through)}: ` +
        `${base} and ${log}, in ${seconds}\n`,
    );
    return exitCodes.done;
  } finally {
    line.clear();
  }
}

const columns: Column[] = [
  { name: "backup", align: "left" },
  { name: "restorable from", align: "left" },
  { name: "to", align: "left" },
  { name: "events", align: "right" },
  { name: "MB", align: "right" },
  { name: "written", align: "right" },
];

function megabytes(bytes: number): string {
  return countText(Math.ceil(bytes / 1e6));
}

async function runList(given: OwnFlags & Record<string, unknown>, io: CliIo): Promise<number> {
  const config = configOf(given, ["json"], io);
  const { listBackups } = await import("./service-restore.ts");
  const backups = await listBackups(config);
  if (given.json === true) {
    io.writeOut(`${JSON.stringify({ backups })}\n`);
    return exitCodes.done;
  }
  const rows = backups.map((backup) => [
    backup.id,
    timeText(backup.restorableFrom ?? backup.receivedThrough),
    backup.restorableTo === null ? "as of then" : timeText(backup.restorableTo),
    countText(backup.total),
    megabytes(backup.bytes),
    megabytes(backup.sentBytes),
  ]);
  const lines = tableLines(columns, rows, outColumns(io));
  io.writeOut(lines.map((row) => `${row}\n`).join(""));
  return exitCodes.done;
}

/** Adds the commands; `done` is told the exit code. */
export function addRestoreCommands(
  program: Command,
  io: CliIo,
  done: (code: number) => void,
): void {
  const restore = new Command("restore")
    .description("Restore a data folder from backups, as it was at a moment.")
    .requiredOption("--to <time>", "a moment, RFC 3339 or epoch ms; or: latest")
    .option("--base <id>", "the backup to begin with (default: the newest that will do)")
    .option("--json", "print what was restored as JSON")
    .addHelpText("after", restoreHelp)
    .action(async (given: RestoreFlags & Record<string, unknown>) => {
      done(await runRestore(given, io));
    });
  addConfigOptions(restore, ["dataDir", ...placeOptions]);
  program.addCommand(restore);
  const list = new Command("backups")
    .description("List the backups there are, and what can be restored from them.")
    .option("--json", "print them as JSON")
    .addHelpText("after", backupsHelp)
    .action(async (given: OwnFlags & Record<string, unknown>) => {
      done(await runList(given, io));
    });
  addConfigOptions(list, placeOptions);
  program.addCommand(list);
}
