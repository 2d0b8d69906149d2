/** Wires the commands: one file each. */
import { Command, CommanderError } from "commander";
import { addDemoCommand } from "./cli-demo.ts";
import { addExportCommand } from "./cli-export.ts";
import { addImportCommand } from "./cli-import.ts";
import { type CliIo, CommandFailure, exitCodes } from "./cli-io.ts";
import { addSnapshotCommand } from "./cli-snapshot.ts";
import { addStartCommand } from "./cli-start.ts";
import { addTopCommand } from "./cli-top.ts";
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
  rankstream snapshot --to ./snapshot  its events and counts, as files for any DuckDB
  rankstream help start                every option, its variable and its default
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

/** Runs the command line (without node and script); resolves with the exit code. */
export async function runCli(args: readonly string[], io: CliIo): Promise<number> {
  let code: number = exitCodes.done;
  const program = new Command("rankstream")
    .description(description)
    .version(io.version, "--version", "print the version")
    .configureOutput({ writeOut: io.writeOut, writeErr: io.writeError })
    .configureHelp({ showGlobalOptions: false })
    .showHelpAfterError("(rankstream --help shows what there is)")
    .addHelpText("after", examples)
    .exitOverride();
  const done = (result: number) => {
    code = result;
  };
  addStartCommand(program, io, done);
  addDemoCommand(program, io, done);
  addImportCommand(program, io, done);
  addExportCommand(program, io, done);
  addTopCommand(program, io, done);
  addSnapshotCommand(program, io, done);
  for (const command of program.commands) {
    command.exitOverride().configureOutput({ writeOut: io.writeOut, writeErr: io.writeError });
  }
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
