/** `rankstream export`: events of a running service, to a file or stdout. */
import { randomBytes } from "node:crypto";
import { createWriteStream } from "node:fs";
import { access, open, rename, rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { type Command, Option } from "commander";
import { ProgressDisplay } from "./cli-import.ts";
import { type CliIo, CommandFailure, exitCodes } from "./cli-io.ts";
import { addSelection, type SelectionFlags, selectionOf } from "./cli-selection.ts";
import {
  asFailure,
  checkedUrl,
  keyFileOption,
  keyOf,
  type ServiceTarget,
  type Stopping,
  stopping,
  urlOption,
} from "./cli-service.ts";
import { parametersOf } from "./client/requests.ts";
import type { Download } from "./import/export-download.ts";
import { countText, durationText } from "./import/progress.ts";
import type { CountStep, ExportFormat } from "./model-export.ts";

const helpAfter = `
FILE ends in .ndjson, .csv or .parquet, NDJSON and CSV also in .gz; without a file they go to
stdout. What is exported can be imported again as it is, by 'rankstream import FILE'. With
--counts it is sums by item and minute, hour or day instead, for other programs.

Examples:
  rankstream export plays.parquet --type song_play --range this_month
  rankstream export plays.ndjson.gz --type song_play --range last_30_days
  rankstream export --range today | jq .userId
  rankstream export mine.csv --user u1 --force
  rankstream export daily.csv --counts day --range this_year

It is of one moment, with everything acknowledged before. The file appears under its name once it
is whole and synced, or not at all.

Exit codes: 0 all of it, 1 failure or broken off, 2 usage, 3 no service answers, 130 stopped by
Ctrl-C (143 by SIGTERM).
`;

interface ExportFlags extends SelectionFlags, ServiceTarget {
  type: string[];
  range: string;
  timeZone?: string;
  format?: ExportFormat;
  counts?: CountStep;
  force?: boolean;
  json?: boolean;
}

/** Adds the command; `done` is told its exit code. */
export function addExportCommand(program: Command, io: CliIo, done: (code: number) => void): void {
  const command = program
    .command("export")
    .description("Write a running service's events to a file, to be imported again.")
    .argument("[file]", "where to; - or none: stdout", "-")
    .option(
      "--type <name>",
      "event type; repeat or a,b (default: all)",
      (value, before: string[]) => [...before, ...value.split(",")],
      [],
    )
    .option("--range <range>", "time range", "all")
    .option("--time-zone <name>", "zone of calendar words such as today (default: UTC)")
    .addOption(
      new Option(
        "--format <format>",
        "form of the file (default: by its name, else ndjson)",
      ).choices(["ndjson", "csv", "parquet"]),
    )
    .addOption(
      new Option("--counts <step>", "sums by item and so much time, instead of events").choices([
        "minute",
        "hour",
        "day",
      ]),
    )
    .option("--force", "replace the file where there is one");
  addSelection(command)
    .addOption(urlOption(io))
    .addOption(keyFileOption())
    .option("--json", "print the summary as JSON; with a file only")
    .addHelpText("after", helpAfter)
    .action(async (path: string, flags: ExportFlags) => {
      done(await runExport(path, flags, io));
    });
}

const stdout = "-";

function formatOf(path: string, { format }: ExportFlags): ExportFormat {
  const ending = /\.(ndjson|jsonl|csv|parquet)(?:\.gz)?$/.exec(path)?.[1];
  const named = ending === "jsonl" ? "ndjson" : (ending as ExportFormat | undefined);
  if (format !== undefined) return format;
  if (named !== undefined) return named;
  if (path === stdout) return "ndjson";
  const message = `what shall ${path} be? Say --format ndjson, --format csv or --format parquet`;
  throw new CommandFailure(message, exitCodes.usage);
}

async function checkTarget(
  path: string,
  format: ExportFormat,
  flags: Pick<ExportFlags, "json" | "force">,
  io: CliIo,
) {
  if (path === stdout) {
    if (flags.json === true) {
      throw new CommandFailure("--json is of exports to a file", exitCodes.usage);
    }
    if (format !== "parquet" || io.terminal?.isOut !== true) return;
    const message = "Parquet is nothing to look at: name a file, or send it on by a pipe";
    throw new CommandFailure(message, exitCodes.usage);
  }
  if (format === "parquet" && path.endsWith(".gz")) {
    throw new CommandFailure("Parquet is packed already: leave .gz out", exitCodes.usage);
  }
  const isThere = await access(path).then(
    () => true,
    () => false,
  );
  if (!isThere || flags.force === true) return;
  throw new CommandFailure(`${path} is there already; --force replaces it`, exitCodes.usage);
}

function addressOf(format: ExportFormat, flags: ExportFlags): string {
  const { type, range, timeZone, counts } = flags;
  const query = {
    eventType: type,
    timeRange: range,
    timeZone,
    format,
    counts,
    ...selectionOf(flags),
  };
  return `/export?${parametersOf(query)}`;
}

async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, "r");
  await handle.sync().finally(() => handle.close());
}

/** Whole or not at all: written beside, synced, renamed. */
async function writeFile(path: string, body: Download["body"], signal: AbortSignal) {
  const target = resolve(path);
  const temporary = `${target}.${randomBytes(4).toString("hex")}.part`;
  try {
    const file = createWriteStream(temporary, { flags: "wx", flush: true });
    if (path.endsWith(".gz")) await pipeline(body, createGzip(), file, { signal });
    else await pipeline(body, file, { signal });
    await rename(temporary, target);
    await syncFolder(dirname(target));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Whoever reads stdout may stop, as `head` does: then it is done. */
async function writeOut(output: Writable, body: Download["body"], signal: AbortSignal) {
  try {
    await pipeline(body, output, { signal, end: false });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPIPE") throw error;
  }
}

/** The summary of an export to a file. */
function tell(
  path: string,
  rows: number | null,
  seconds: number,
  flags: Pick<ExportFlags, "json">,
  io: CliIo,
) {
  if (flags.json === true) {
    io.writeOut(`${JSON.stringify({ file: path, events: rows, seconds })}\n`);
    return;
  }
  const what = rows === null ? "sums" : `${countText(rows)} events`;
  io.writeError(`${what} in ${path}, in ${durationText(seconds)}\n`);
}

async function runExport(path: string, flags: ExportFlags, io: CliIo): Promise<number> {
  const format = formatOf(path, flags);
  return writeExport(path, addressOf(format, flags), { ...flags, format }, io);
}

/** What is exported, and how. */
export interface WriteFlags extends ServiceTarget {
  format: ExportFormat;
  force?: boolean;
  json?: boolean;
}

/** Writes what comes from the `address` of a service to a file, or to stdout for `-`. */
export async function writeExport(
  path: string,
  address: string,
  flags: WriteFlags,
  io: CliIo,
): Promise<number> {
  const { format } = flags;
  await checkTarget(path, format, flags, io);
  const url = checkedUrl(flags.url).replace(/\/$/, "");
  const stop: Stopping = stopping(io);
  let display = new ProgressDisplay(io);
  let all: number | null = null;
  const onProgress = (taken: number) => {
    // Of Parquet only bytes are known on the way.
    if (format !== "parquet") display.show(Math.max(0, taken), all ? taken / all : null);
  };
  try {
    const { signal } = stop;
    const key = keyOf(flags, io);
    const options = { format, signal, onProgress, ...(key !== undefined && { key }) };
    const { download } = await import("./import/export-download.ts");
    const taken = await download(url, address, options);
    all = taken.events;
    // The wait for the first byte says nothing of how fast they come.
    display = new ProgressDisplay(io);
    if (path === stdout) await writeOut(io.output, taken.body, signal);
    else await writeFile(path, taken.body, signal);
    display.clear();
    if (path !== stdout) tell(path, taken.events, display.seconds, flags, io);
    return exitCodes.done;
  } catch (error) {
    display.clear();
    if (stop.signal.aborted) return stop.code;
    const { code } = error as NodeJS.ErrnoException;
    if (code !== undefined && /^E[A-Z]+$/.test(code)) {
      throw new CommandFailure(`${path} can not be written (${code})`, exitCodes.failure);
    }
    throw asFailure(error);
  }
}
