/** `rankstream users`: what a running service keeps of a user, and its erasure. */
import type { Command } from "commander";
import { writeExport } from "./cli-export.ts";
import { type CliIo, CommandFailure, exitCodes } from "./cli-io.ts";
import { ProgressLine } from "./cli-restore.ts";
import {
  addServiceOptions,
  asFailure,
  clientOf,
  keyFileOption,
  type ServiceFlags,
  type ServiceTarget,
  stopping,
  urlOption,
} from "./cli-service.ts";
import { parametersOf } from "./client/requests.ts";
import type { ErasureReply } from "./client/users.ts";
import { countText } from "./import/progress.ts";
import { eventBounds } from "./model.ts";

const stdin = "-";

const idHelp = "the user; - reads it from stdin, where no list of processes shows it";

const eraseHelp = `
Of all events of the user that the service has accepted so far, user, session and the named keys
of metadata are removed. The events stay, and so do all counts of them. It can't be undone, nor
stopped once it began; a service that is stopped meanwhile goes on with it at its next start.

Examples:
  rankstream users erase u1 --metadata country,email
  rankstream users erase u1 --dry-run
  pass show customers/17 | rankstream users erase - --drop-snapshots

With --json: {"events", "files", "eventTypes", "metadataKeys", "snapshots", "log", …}. Exit codes:
0 erased, 1 failed, 2 usage, 3 no service answers, 130 no longer waited for. Needs a key with the
scope admin where the service wants keys.
`;

const exportHelp = `
Examples:
  rankstream users export u1 u1.ndjson
  rankstream users export u1 | jq .metadata

A file is whole, or not there.
`;

interface EraseFlags extends ServiceFlags {
  metadata: string[];
  dropSnapshots?: boolean;
  dryRun?: boolean;
}

interface ExportFlags extends ServiceTarget {
  force?: boolean;
}

async function userOf(given: string, io: CliIo): Promise<string> {
  let userId = given;
  if (given === stdin) {
    const chunks: Buffer[] = [];
    for await (const chunk of io.input) chunks.push(Buffer.from(chunk as Buffer));
    userId = Buffer.concat(chunks)
      .toString("utf8")
      .replace(/\r?\n$/, "");
  }
  const bytes = Buffer.byteLength(userId);
  if (bytes >= 1 && bytes <= eventBounds.userIdBytesMax) return userId;
  const message = `the user: expected 1..${eventBounds.userIdBytesMax} bytes, got ${bytes}`;
  throw new CommandFailure(message, exitCodes.usage);
}

/** What became of it, for people; ends with a line feed. */
export function erasureText(reply: ErasureReply): string {
  const { dryRun, events, files, snapshots = [], log } = reply;
  const what = `${countText(events)} events in ${countText(files)} files`;
  if (dryRun) return `${what} would be erased\n`;
  const lines = [`${what} erased`];
  for (const { name, events: held, removed } of snapshots) {
    const fate = removed ? "was removed" : "still holds it (--drop-snapshots removes it)";
    lines.push(`snapshot ${name}, ${countText(held)} events: ${fate}`);
  }
  if (log?.holds === true) {
    const until =
      log.kind === "kafka" ? "until the topic's retention lets them go" : "for a while";
    lines.push(`the log still holds events of before, ${until}`);
  }
  return lines.map((line) => `${line}\n`).join("");
}

async function runErase(given: string, flags: EraseFlags, io: CliIo): Promise<number> {
  const userId = await userOf(given, io);
  const line = new ProgressLine(io);
  const stop = stopping(io);
  try {
    const reply = await clientOf(flags, io).users.erase(userId, {
      metadata: flags.metadata,
      dropSnapshots: flags.dropSnapshots === true,
      dryRun: flags.dryRun === true,
      onProgress: (share) => line.show(share, "erasing"),
      signal: stop.signal,
    });
    line.clear();
    io.writeOut(flags.json === true ? `${JSON.stringify(reply)}\n` : erasureText(reply));
    return exitCodes.done;
  } catch (error) {
    line.clear();
    if (stop.signal.aborted) return stop.code;
    throw asFailure(error);
  }
}

async function runExport(given: string, path: string, flags: ExportFlags, io: CliIo) {
  const userId = await userOf(given, io);
  const address = `/users/events?${parametersOf({ userId })}`;
  return writeExport(path, address, { ...flags, format: "ndjson" }, io);
}

/** Adds the commands; `done` is told the exit code. */
export function addUsersCommand(program: Command, io: CliIo, done: (code: number) => void): void {
  const users = program.command("users").description("Show or erase what is kept of a user.");
  const erase = users
    .command("erase")
    .description("Erase a user from the events of a running service.")
    .argument("<userId>", idHelp)
    .option(
      "--metadata <keys>",
      "keys of metadata to remove as well; repeat or a,b; *: all",
      (value: string, before: string[]) => [...before, ...value.split(",")],
      [],
    )
    .option("--drop-snapshots", "remove snapshots that hold events of the user, too")
    .option("--dry-run", "erase nothing, say what would go");
  addServiceOptions(erase, io, "print the reply as JSON")
    .addHelpText("after", eraseHelp)
    .action(async (userId: string, flags: EraseFlags) => done(await runErase(userId, flags, io)));
  users
    .command("export")
    .description("Write all events of a user, as NDJSON.")
    .argument("<userId>", idHelp)
    .argument("[file]", "where to; - or none: stdout", "-")
    .option("--force", "replace the file where there is one")
    .addOption(urlOption(io))
    .addOption(keyFileOption())
    .addHelpText("after", exportHelp)
    .action(async (userId: string, path: string, flags: ExportFlags) => {
      done(await runExport(userId, path, flags, io));
    });
}
