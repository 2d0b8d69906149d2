/** Wires the commands: one file each. */
import { Command, CommanderError } from "commander";
import { addBackupCommand } from "./cli-backup.ts";
import { addCapacityCommand } from "./cli-capacity.ts";
import { addCompletionCommand } from "./cli-completion.ts";
import { addConfigCommand } from "./cli-config.ts";
import { addDemoCommand } from "./cli-demo.ts";
import { addDoctorCommand } from "./cli-doctor.ts";
import { addExportCommand } from "./cli-export.ts";
import { addImportCommand } from "./cli-import.ts";
import { type CliIo, CommandFailure, exitCodes } from "./cli-io.ts";
import { addItemCommand } from "./cli-item.ts";
import { addKeysCommand } from "./cli-keys.ts";
import { addMigrateCommand } from "./cli-migrate.ts";
import { addRestoreCommands } from "./cli-restore.ts";
import { addSendCommand } from "./cli-send.ts";
import { addSnapshotCommand } from "./cli-snapshot.ts";
import { addStartCommand } from "./cli-start.ts";
import { addTailCommand } from "./cli-tail.ts";
import { addTopCommand } from "./cli-top.ts";
import { addTypesCommand } from "./cli-types.ts";
import { addUsersCommand } from "./cli-users.ts";
import { addVerifyCommand } from "./cli-verify.ts";
import { ConfigError } from "./config.ts";
import { RankstreamError } from "./errors.ts";
import { errorKinds } from "./errors-table.ts";

const description =
  "Top-K leaderboards over any time range: approximate in milliseconds with proven bounds, " +
  "exact on demand, nothing lost.";

const examples = `
Examples:
  rankstream start                     an empty service on http://127.0.0.1:8080
  rankstream start --port 0            the same on a free port, named on stdout
  rankstream demo                      the service with three million flights in it
  rankstream import plays.csv --type song_play --id song --time at
                                       a file's rows, into a running service
  rankstream export plays.ndjson --type song_play
                                       its events, to a file that import takes
  rankstream top --type song_play --range all
                                       a leaderboard in the terminal
  rankstream top --type song_play --watch
                                       the same, live
  rankstream tail                      events as they come
  rankstream send song_play song_123   one event
  rankstream users erase u1            a user, out of all events
  rankstream keys create shop --scope ingest
                                       a key for a service that asks for one
  rankstream doctor                    is everything there that the service needs?
  rankstream config check              what start would run with, and from where
  rankstream capacity --events-per-second 11574
                                       what a billion events a day take
  rankstream snapshot --to ./snapshot  its events and counts, as files for any DuckDB
  rankstream backup                    back it up, to where its --backup-to says
  rankstream restore --to latest       a data folder again, from backups
  rankstream verify                    checksums, and everything counted anew
  rankstream migrate --config rankstream.json
                                       a data folder's store into a lake, for many processes
  rankstream help start                every option, its variable and its default

Exit codes: 0 done, 1 failure, 2 usage or configuration, 3 no service answers, 130 and 143 stopped.
Data goes to stdout, all else to stderr; --json prints data for scripts, NO_COLOR forbids colours,
RANKSTREAM_URL says where the service is.
`;

/** One line for stderr: what failed and what to do. */
function lineOf(error: unknown): string {
  if (error instanceof RankstreamError) {
    return `rankstream: ${error.message}. ${errorKinds[error.code].hint}`;
  }
  if (error instanceof ConfigError || error instanceof CommandFailure) {
    return `rankstream: ${error.message}`;
  }
  return `rankstream: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
}

/** All commands; `done` is told the exit code of the one that ran. */
export function makeProgram(io: CliIo, done: (code: number) => void): Command {
  const program = new Command("rankstream")
    .description(description)
    .version(io.version, "--version", "print the version")
    .configureOutput({ writeOut: io.writeOut, writeErr: io.writeError })
    .configureHelp({ showGlobalOptions: false })
    .showHelpAfterError("(rankstream --help shows what there is)")
    .addHelpText("after", examples)
    .exitOverride();
  addStartCommand(program, io, done);
  addDemoCommand(program, io, done);
  addImportCommand(program, io, done);
  addExportCommand(program, io, done);
  addTopCommand(program, io, done);
  addSnapshotCommand(program, io, done);
  addBackupCommand(program, io, done);
  addRestoreCommands(program, io, done);
  addVerifyCommand(program, io, done);
  addMigrateCommand(program, io, done);
  addItemCommand(program, io, done);
  addTypesCommand(program, io, done);
  addTailCommand(program, io, done);
  addSendCommand(program, io, done);
  addKeysCommand(program, io, done);
  addUsersCommand(program, io, done);
  addDoctorCommand(program, io, done);
  addConfigCommand(program, io, done);
  addCapacityCommand(program, io, done);
  addCompletionCommand(program, io, done);
  const commands = program.commands.flatMap((command) => [command, ...command.commands]);
  for (const command of commands) {
    command.exitOverride().configureOutput({ writeOut: io.writeOut, writeErr: io.writeError });
  }
  return program;
}

/** Runs the command line (without node and script); resolves with the exit code. */
export async function runCli(args: readonly string[], io: CliIo): Promise<number> {
  let code: number = exitCodes.done;
  const program = makeProgram(io, (result) => {
    code = result;
  });
  if (args.length === 0) {
    io.writeError(program.helpInformation());
    return exitCodes.usage;
  }
  try {
    await program.parseAsync([...args], { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitCodes.usage;
    io.writeError(`${lineOf(error)}\n`);
    if (error instanceof CommandFailure) return error.exitCode;
    return error instanceof ConfigError ? exitCodes.usage : exitCodes.failure;
  }
}
