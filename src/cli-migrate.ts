/** `rankstream migrate`: carries the store of a data folder into a lake. */
import { Command } from "commander";
import { type CliIo, CommandFailure, exitCodes } from "./cli-io.ts";
import { type Paint, painter, takesColor } from "./cli-paint.ts";
import { configOf, ProgressLine, stopSignal } from "./cli-restore.ts";
import { addConfigOptions } from "./cli-start.ts";
import { padded, printable } from "./cli-text.ts";
import { type Config, type ConfigName, configNames } from "./config.ts";
import { isInLake } from "./config-lake.ts";
import { countText, durationText } from "./import/progress.ts";
import type { MigrationReport } from "./service-migrate.ts";

/** Options that say where the folder is, where the lake, and which log it goes on with. */
const ownOptions: readonly ConfigName[] = configNames.filter(
  (name) =>
    /^(?:data(?:Dir|S3.*)?|store(?:Schema|MemoryBytesMax)?|extensionDirectory)$/.test(name) ||
    /^(?:log|partitions|kafka.*)$/.test(name),
);

const helpAfter = `
Takes the options that services in the lake are to be started with, and the folder at --data-dir,
on which no service may run. Carries its raw events, counts, types, settings and labels there,
compares every table, and counts all raw events anew; then services may start on the lake. The
folder stays as it is. Stopped or killed, it goes on where it was when it is run again with the
same options; until it is done no service starts on the lake.

An embedded log goes on where --log is embedded; with --log kafka all of it has to be counted,
which it is after a stop by SIGTERM. A store over Kafka goes on with its topic.

Examples:
  rankstream migrate --config rankstream.json --data-dir ./rankstream-data --dry-run
  rankstream migrate --config rankstream.json --data-dir ./rankstream-data
  rankstream start --config rankstream.json --role ingest

With --json: {"ok", "isDryRun", "folder", "log": "kept"|"new", "isResumed", "finishedAt",
"eventTypes", "total", "events", "rawFiles", "rawBytes", "countRows", "labels",
"checks": [{"name", "status": "ok"|"fail", "message"}]}.
Exit codes: 0 carried, 1 failed or something differs, 2 usage.
`;

interface MigrateFlags {
  dryRun?: boolean;
  json?: boolean;
  color?: boolean;
}

const nameColumns = 10;

function logText({ log, isDryRun }: MigrationReport, { log: kind }: Config): string {
  if (log === "new") {
    return `another one: ${isDryRun ? "it is to be counted" : "counted"} from its begin`;
  }
  const where = kind === "embedded" ? "the one in the folder" : "the same topic";
  return `${where} goes on where it is`;
}

/** What is or would be carried, a line each. */
function linesOf(report: MigrationReport, config: Config, paint: Paint): string[] {
  const { eventTypes, total, events, rawFiles, rawBytes, countRows, labels } = report;
  const row = (name: string, text: string) => `${padded(name, nameColumns, "left")} ${text}`;
  const megabytes = countText(Math.ceil(rawBytes / 1e6));
  return [
    row("events", `${countText(events)} of ${countText(eventTypes)} types, weight ${total}`),
    row("raw files", `${countText(rawFiles)}, ${megabytes} MB`),
    row("counts", `${countText(countRows)} rows`),
    row("labels", countText(labels)),
    row("log", logText(report, config)),
    ...report.checks.map(({ name, status, message }) => {
      const mark = paint(status === "ok" ? "green" : "red", padded(status, 4, "left"));
      return `${mark} ${padded(name, nameColumns, "left")} ${printable(message)}`;
    }),
  ];
}

/** The last line: what to do now. */
function adviceOf(report: MigrationReport, config: Config): string {
  const { ok, isDryRun, finishedAt, folder } = report;
  if (finishedAt !== null) return `Carried already, at ${finishedAt}: services may start.`;
  if (isDryRun) {
    const how = report.isResumed ? "go on with what an earlier run began" : "begin";
    return `Nothing was carried; without --dry-run this would ${how}.`;
  }
  if (ok !== true) {
    return (
      `No service starts on the lake. rankstream verify --data-dir ${folder} says whether the ` +
      "folder differs already; run this again when it does not."
    );
  }
  const where =
    report.log === "kept" && config.log === "embedded"
      ? `with --data-dir ${folder}, whose log goes on; its store.duckdb and raw/ are read no more`
      : `with data folders of their own; ${folder} is as it was, and is to be started no more`;
  return `Start services with these options, ${where}.`;
}

async function runMigrate(
  given: MigrateFlags & Record<string, unknown>,
  io: CliIo,
): Promise<number> {
  const config = configOf(given, ["dryRun", "json", "color"], io);
  if (!isInLake(config)) {
    const message = `--store: expected ducklake:postgres:…, where to, got ${config.store}`;
    throw new CommandFailure(message, exitCodes.usage);
  }
  const { migrateFolder } = await import("./service-migrate.ts");
  const line = new ProgressLine(io);
  const started = performance.now();
  try {
    const report = await migrateFolder(config, given.dryRun === true, {
      onProgress: (share, what) => line.show(share, what),
      signal: stopSignal(io),
    });
    line.clear();
    const seconds = durationText((performance.now() - started) / 1000);
    if (given.json === true) io.writeOut(`${JSON.stringify(report)}\n`);
    else {
      const paint = painter(takesColor(io, "out", given.color !== false));
      const lines = report.finishedAt === null ? linesOf(report, config, paint) : [];
      const advice = adviceOf(report, config);
      const last = report.ok === true ? `Done in ${seconds}. ${advice}` : advice;
      io.writeOut([...lines, last].map((text) => `${text}\n`).join(""));
    }
    return report.ok === false ? exitCodes.failure : exitCodes.done;
  } finally {
    line.clear();
  }
}

/** Adds the command; `done` is told its exit code. */
export function addMigrateCommand(
  program: Command,
  io: CliIo,
  done: (code: number) => void,
): void {
  const command = new Command("migrate")
    .description("Carry a data folder's store into a lake, for many processes.")
    .option("--dry-run", "carry nothing, say what would be")
    .option("--json", "print the report as JSON")
    .option("--no-color", "no colours")
    .addHelpText("after", helpAfter)
    .action(async (given: MigrateFlags & Record<string, unknown>) => {
      done(await runMigrate(given, io));
    });
  addConfigOptions(command, ownOptions);
  program.addCommand(command);
}
