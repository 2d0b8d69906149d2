/** `rankstream top`: a leaderboard in the terminal. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { boardText } from "./cli-board.ts";
import { type CliIo, exitCodes } from "./cli-io.ts";
import { takesColor } from "./cli-paint.ts";
import { addSelection, type SelectionFlags, selectionOf } from "./cli-selection.ts";
import {
  addServiceOptions,
  asFailure,
  clientOf,
  outColumns,
  type ServiceFlags,
} from "./cli-service.ts";
import { runWatch } from "./cli-watch.ts";
import type { LeaderboardQuery, RankstreamClient } from "./client/client.ts";
import { didYouMean } from "./errors.ts";

const kMax = 1000;

const helpAfter = `
Examples:
  rankstream top --type song_play --range last_3_hours
  rankstream top --type flight_to --range 2001-03-01/P1D -k 20 --mode exact
  rankstream top --type song_play --range today --time-zone Europe/Berlin --json
  rankstream top --type song_play --filter country=DE --filter country=AT --by users
  rankstream top --type song_play --range this_week --compare previous
  rankstream top --type song_play --range last_10_minutes --watch

A range is last_<n>_<seconds|minutes|hours|days|weeks|months>, today, yesterday, this_week,
this_month, this_year, previous_day and kin, all, or an ISO 8601 interval.
NO_COLOR or --no-color leaves colours out.
`;

interface TopFlags extends ServiceFlags, SelectionFlags {
  type: string;
  range: string;
  k: number;
  mode: "auto" | "approx" | "exact";
  timeZone?: string;
  by?: "events" | "users";
  compare?: "previous";
  watch?: boolean;
}

function kArgument(value: string): number {
  const k = /^\d{1,4}$/.test(value) ? Number(value) : 0;
  if (k >= 1 && k <= kMax) return k;
  throw new InvalidArgumentError(`Expected an integer 1..${kMax}.`);
}

/** Adds the command; `done` is told its exit code. */
export function addTopCommand(program: Command, io: CliIo, done: (code: number) => void): void {
  const command = program
    .command("top")
    .description("Show the most popular items of a time range.")
    .requiredOption("--type <name>", "event type; several (a,b) are summed by item")
    .option("--range <range>", "time range", "last_24_hours")
    .option("-k <number>", "how many items, 1..1000", kArgument, 10)
    .addOption(
      new Option("--mode <mode>", "how to answer")
        .choices(["auto", "approx", "exact"])
        .default("auto"),
    )
    .option("--time-zone <name>", "zone of calendar words such as today (default: UTC)");
  addSelection(command)
    .addOption(
      new Option("--by <what>", "what is counted (default: events)").choices(["events", "users"]),
    )
    .addOption(
      new Option("--compare <period>", "say how ranks changed since then").choices(["previous"]),
    )
    .option("--watch", "draw it anew as it changes, until Ctrl-C; with --json a board a line");
  addServiceOptions(command, io, "print the service's reply as it is")
    .addHelpText("after", helpAfter)
    .action(async (flags: TopFlags) => {
      done(await runTop(flags, io));
    });
}

/** For a board without events: the type that may have been meant. */
async function typeHint(client: RankstreamClient, type: string): Promise<string> {
  const names = (await client.eventTypes()).map(({ name }) => name);
  const unknown = type.split(",").filter((name) => !names.includes(name));
  return unknown
    .map((name) => `there is no event type "${name}" yet.${didYouMean(name, names)}\n`)
    .join("");
}

function queryOf(flags: TopFlags): LeaderboardQuery {
  const { type: eventType, range: timeRange, k, mode, timeZone, by, compare } = flags;
  return {
    ...{ eventType, timeRange, k, mode },
    ...selectionOf(flags),
    ...(timeZone !== undefined && { timeZone }),
    ...(by !== undefined && { by }),
    ...(compare !== undefined && { compare }),
  };
}

async function runTop(flags: TopFlags, io: CliIo): Promise<number> {
  const client = clientOf(flags, io);
  const query = queryOf(flags);
  const hasColor = takesColor(io, "out", flags.color);
  if (flags.watch === true) {
    return runWatch(client, query, io, { isJson: flags.json === true, hasColor });
  }
  try {
    const board = await client.leaderboard(query);
    const style = { hasColor, columnsMax: outColumns(io) };
    if (flags.json === true) io.writeOut(`${JSON.stringify(board)}\n`);
    else io.writeOut(boardText(board, style));
    if (board.total === 0) io.writeError(await typeHint(client, flags.type));
    return exitCodes.done;
  } catch (error) {
    throw asFailure(error);
  }
}
