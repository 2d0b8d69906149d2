/** `rankstream import`: a file's rows, into a running service. */
import { type Command, Option } from "commander";
import { type CliIo, exitCodes } from "./cli-io.ts";
import {
  asFailure,
  clientOf,
  keyFileOption,
  type ServiceTarget,
  stopping,
  urlOption,
} from "./cli-service.ts";
import type { RankstreamClient } from "./client/client.ts";
import { type EventFile, type FileOptions, openEventFile } from "./import/event-file.ts";
import { type ImportTally, importFile } from "./import/importer.ts";
import { countText, durationText, progressBar, progressText } from "./import/progress.ts";

/** A restart of the service in the middle of an import is waited out. */
const retryMsMax = 60_000;
const connectionsMax = 4;
const barEveryMs = 100;
const lineEveryMs = 3000;

const helpAfter = `
FILE is NDJSON (.ndjson, .jsonl), CSV with a line of names (.csv, .tsv) or Parquet (.parquet);
NDJSON and CSV may end in .gz. Without any column named, NDJSON holds events as POST /events takes
them, and tables have columns named as their fields (eventId, eventType, timestamp, userId,
sessionId, metadata as JSON, weight), as 'rankstream export' writes them; otherwise every row
becomes an event of the columns named.

Examples:
  rankstream import events.ndjson
  rankstream import plays.csv --type song_play --id song --time played_at --meta country
  rankstream import flights.parquet --type route --id origin,destination --time date
  rankstream import log.csv --type-column kind --id page --time at --time-zone Europe/Berlin

Times are ISO 8601, or integers since 1970 in --time-unit; one without zone is of --time-zone.
Without --time the events count at the time the service receives them.

An import can be stopped and run again: what was counted is not counted twice, since every batch
has a key made of the file, the mapping and its place. So is the import of a file that is
imported already; with another mapping it is another import.

Exit codes: 0 all rows counted, 1 failure or rows that are no events, 2 usage, 3 no service
answers, 130 stopped by Ctrl-C (143 by SIGTERM).
`;

interface ImportFlags extends FileOptions, ServiceTarget {
  json?: boolean;
}

function names(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value];
}

/** Checked where other names of the formats are known, too. */
function formatOption(): Option {
  const option = new Option("--format <format>", "of the file (default: by its name)");
  option.argChoices = ["csv", "parquet", "ndjson"];
  return option;
}

/** Adds the command; `done` is told its exit code. */
export function addImportCommand(program: Command, io: CliIo, done: (code: number) => void): void {
  program
    .command("import")
    .description("Send a file's rows to a running service; again counts nothing twice.")
    .argument("<file>", "NDJSON, CSV or Parquet")
    .option("--type <name>", "event type of every row")
    .option("--type-column <column>", "column that names the event type")
    .option("--id <column>", "column of the eventId; several (a,b) are joined", names)
    .option("--id-separator <text>", "what joins them (default: -)")
    .option("--time <column>", "column of the timestamp")
    .option("--time-zone <name>", "zone of times without one (default: UTC)")
    .addOption(
      new Option("--time-unit <unit>", "of times that are numbers (default: ms)").choices([
        "s",
        "ms",
        "us",
      ]),
    )
    .option("--time-format <format>", "strptime format of times as text, such as %d.%m.%Y %H:%M")
    .option("--user <column>", "column of the userId")
    .option("--session <column>", "column of the sessionId")
    .option("--weight <column>", "column of the weight, an integer from 1")
    .option("--meta <column>", "column kept as metadata; repeat, a,b, or key=column", names)
    .addOption(formatOption())
    .option("--delimiter <character>", "between CSV values (default: by the first line)")
    .addOption(urlOption(io))
    .addOption(keyFileOption())
    .option("--json", "print the summary as JSON")
    .addHelpText("after", helpAfter)
    .action(async (path: string, flags: ImportFlags) => {
      done(await runImport(path, flags, io));
    });
}

/** Shows progress on stderr: a bar on a terminal, else a line now and then. */
export class ProgressDisplay {
  readonly #io: CliIo;
  readonly #started = Date.now();
  readonly #label: string;
  #shownAt = Date.now();

  constructor(io: CliIo, label = "") {
    this.#io = io;
    this.#label = label;
  }

  get seconds(): number {
    return (Date.now() - this.#started) / 1000;
  }

  show(rows: number, part: number | null): void {
    const terminal = this.#io.terminal?.isError === true ? this.#io.terminal : null;
    const now = Date.now();
    if (now - this.#shownAt < (terminal === null ? lineEveryMs : barEveryMs)) return;
    this.#shownAt = now;
    const progress = { rows, part, seconds: this.seconds };
    if (terminal === null) this.#io.writeError(`${this.#label}${progressText(progress)}\n`);
    else {
      const bar = progressBar(progress, terminal.columns - this.#label.length);
      this.#io.writeError(`\r\u001b[K${this.#label}${bar}`);
    }
  }

  clear(): void {
    if (this.#io.terminal?.isError === true) this.#io.writeError("\r\u001b[K");
  }
}

/** Sends an open file, showing how far it is. */
export async function sendFile(
  file: EventFile,
  client: RankstreamClient,
  signal: AbortSignal,
  display: ProgressDisplay,
): Promise<ImportTally> {
  try {
    return await importFile(file, {
      client,
      signal,
      onProgress: (rows, fileBytes) => {
        const byRows = file.rowCount ? Math.min(1, rows / file.rowCount) : null;
        const byBytes = fileBytes > 0 ? fileBytes / file.bytes : null;
        display.show(rows, byRows ?? byBytes);
      },
    });
  } finally {
    display.clear();
  }
}

function reasonLines(tally: ImportTally): string {
  return tally.reasons
    .map(({ code, count, examples }) => {
      const what = code === "unlisted" ? "not itemised by the service" : code;
      const lines = examples.map(
        ({ unit, place, message }) => `    ${unit} ${place}: ${message}\n`,
      );
      return `  ${countText(count)} ${what}\n${lines.join("")}`;
    })
    .join("");
}

/** The summary in words, a line each. */
export function summaryText(tally: ImportTally, seconds: number): string {
  const rate = seconds > 0 ? ` (${countText(tally.rows / seconds)} rows/s)` : "";
  const lines = [`${countText(tally.events)} events counted in ${durationText(seconds)}${rate}`];
  if (tally.batchesBefore > 0) {
    const batches = `${countText(tally.batchesBefore)} of ${countText(tally.batches)} batches`;
    const events = `${countText(tally.eventsBefore)} events`;
    lines.push(`${batches} were already counted (${events}); nothing is counted twice`);
  }
  if (tally.refused > 0) lines.push(`${countText(tally.refused)} rows rejected`);
  return `${lines.join("\n")}\n`;
}

async function runImport(path: string, flags: ImportFlags, io: CliIo): Promise<number> {
  const { url, keyFile, json, ...options } = flags;
  const stop = stopping(io);
  const { directFetch } = await import("./import/direct-fetch.ts");
  const http = directFetch(connectionsMax);
  const target = { url, ...(keyFile !== undefined && { keyFile }) };
  const client = clientOf(target, io, { retryMsMax, fetch: http.fetch });
  let file: EventFile | undefined;
  try {
    file = await openEventFile(path, options, stop.signal);
    if (file.isTimeless) io.writeError("no --time: events count at the time of receipt\n");
    const display = new ProgressDisplay(io);
    const tally = await sendFile(file, client, stop.signal, display);
    const { seconds } = display;
    if (json === true) {
      io.writeOut(
        `${JSON.stringify({ file: path, producer: file.producer, seconds, ...tally })}\n`,
      );
    } else io.writeOut(summaryText(tally, seconds));
    io.writeError(reasonLines(tally));
    if (!tally.isComplete) {
      io.writeError("stopped: run the same command again to go on, nothing counts twice\n");
      return stop.code;
    }
    return tally.refused > 0 ? exitCodes.failure : exitCodes.done;
  } catch (error) {
    if (stop.signal.aborted) return stop.code;
    throw asFailure(error);
  } finally {
    file?.close();
    await http.close();
  }
}
