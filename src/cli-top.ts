/** `rankstream top`: a leaderboard in the terminal. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { boardText } from "./cli-board.ts";
import { asFailure, defaultUrl, urlArgument } from "./cli-import.ts";
import { type CliIo, exitCodes } from "./cli-io.ts";
import { type LeaderboardQuery, RankstreamClient } from "./client/client.ts";
import { didYouMean } from "./errors.ts";

const retryMsMax = 5000;
const kMax = 1000;

const helpAfter = `
Examples:
  rankstream top --type song_play --range last_3_hours
  rankstream top --type flight_to --range 2001-03-01/P1D -k 20 --mode exact
  rankstream top --type song_play --range today --time-zone Europe/Berlin --json

A range is last_<n>_<seconds|minutes|hours|days|weeks|months>, today, yesterday, this_week,
this_month, this_year, previous_day and kin, all, or an ISO 8601 interval.
NO_COLOR or --no-color leaves colours out.
`;

interface TopFlags {
  type: string;
  range: string;
  k: number;
  mode: "auto" | "approx" | "exact";
  timeZone?: string;
  url: string;
  json?: boolean;
  color: boolean;
}

function kArgument(value: string): number {
  const k = /^\d{1,4}$/.test(value) ? Number(value) : 0;
  if (k >= 1 && k <= kMax) return k;
  throw new InvalidArgumentError(`Expected an integer 1..${kMax}.`);
}

/** Adds the command; `done` is told its exit code. */
export function addTopCommand(program: Command, io: CliIo, done: (code: number) => void): void {
  program
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
    .option("--time-zone <name>", "zone of calendar words such as today (default: UTC)")
    .option("--url <url>", "the service", urlArgument, defaultUrl)
    .option("--json", "print the service's reply as it is")
    .option("--no-color", "no colours")
    .addHelpText("after", helpAfter)
    .action(async (flags: TopFlags) => {
      done(await runTop(flags, io));
    });
}

/** Whether stdout takes colours: a terminal, and NO_COLOR (no-color.org) is not set. */
function takesColor(flags: TopFlags, io: CliIo): boolean {
  const forbids = (io.environment["NO_COLOR"] ?? "") !== "";
  return flags.color && !forbids && io.terminal?.isOut === true;
}

/** For a board without events: the type that may have been meant. */
async function typeHint(client: RankstreamClient, type: string): Promise<string> {
  const names = (await client.eventTypes()).map(({ name }) => name);
  const unknown = type.split(",").filter((name) => !names.includes(name));
  return unknown
    .map((name) => `there is no event type "${name}" yet.${didYouMean(name, names)}\n`)
    .join("");
}

async function runTop(flags: TopFlags, io: CliIo): Promise<number> {
  const client = new RankstreamClient({ url: flags.url, retryMsMax });
  const { type: eventType, range: timeRange, k, mode, timeZone } = flags;
  const query: LeaderboardQuery = { eventType, timeRange, k, mode };
  if (timeZone !== undefined) query.timeZone = timeZone;
  try {
    const board = await client.leaderboard(query);
    const columnsMax = io.terminal?.isOut === true ? io.terminal.columns : null;
    if (flags.json === true) io.writeOut(`${JSON.stringify(board)}\n`);
    else io.writeOut(boardText(board, { hasColor: takesColor(flags, io), columnsMax }));
    if (board.total === 0) io.writeError(await typeHint(client, eventType));
    return exitCodes.done;
  } catch (error) {
    throw asFailure(error);
  }
}
