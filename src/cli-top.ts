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
  rankstream top --type song_play --filter country=DE --filter country=AT --by users
  rankstream top --type song_play --range this_week --compare previous

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
  filter: TextsByKey;
  filterNot: TextsByKey;
  user: string[];
  session: string[];
  include: string[];
  exclude: string[];
  prefix?: string;
  by?: "events" | "users";
  compare?: "previous";
  url: string;
  json?: boolean;
  color: boolean;
}

function kArgument(value: string): number {
  const k = /^\d{1,4}$/.test(value) ? Number(value) : 0;
  if (k >= 1 && k <= kMax) return k;
  throw new InvalidArgumentError(`Expected an integer 1..${kMax}.`);
}

type TextsByKey = Record<string, string[]>;

/** Gathers `key=value`; the key ends at the first `=`. */
function pairArgument(value: string, before: TextsByKey): TextsByKey {
  const at = value.indexOf("=");
  if (at < 0) throw new InvalidArgumentError("Expected key=value.");
  const key = value.slice(0, at);
  const known = Object.hasOwn(before, key) ? before[key]! : [];
  return Object.fromEntries([...Object.entries(before), [key, [...known, value.slice(at + 1)]]]);
}

function listArgument(value: string, before: string[]): string[] {
  return [...before, value];
}

/** The flags that say which events and items count; all but --by and --prefix repeat. */
function addSelection(command: Command): Command {
  return command
    .option("--filter <key=value>", "only events with this metadata", pairArgument, {})
    .option("--filter-not <key=value>", "no events with this metadata", pairArgument, {})
    .option("--user <id>", "only this user's events", listArgument, [])
    .option("--session <id>", "only this session's events", listArgument, [])
    .option("--include <item>", "only this item", listArgument, [])
    .option("--exclude <item>", "all items but this", listArgument, [])
    .option("--prefix <text>", "only items whose id begins so")
    .addOption(
      new Option("--by <what>", "what is counted (default: events)").choices(["events", "users"]),
    );
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
      new Option("--compare <period>", "say how ranks changed since then").choices(["previous"]),
    )
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

function queryOf(flags: TopFlags): LeaderboardQuery {
  const { type: eventType, range: timeRange, k, mode, timeZone, prefix, by, compare } = flags;
  const { filter, filterNot, user: userId, session: sessionId, include, exclude } = flags;
  return {
    ...{ eventType, timeRange, k, mode, filter, filterNot, userId, sessionId, include, exclude },
    ...(timeZone !== undefined && { timeZone }),
    ...(prefix !== undefined && { prefix }),
    ...(by !== undefined && { by }),
    ...(compare !== undefined && { compare }),
  };
}

async function runTop(flags: TopFlags, io: CliIo): Promise<number> {
  const client = new RankstreamClient({ url: flags.url, retryMsMax });
  const query = queryOf(flags);
  try {
    const board = await client.leaderboard(query);
    const columnsMax = io.terminal?.isOut === true ? io.terminal.columns : null;
    if (flags.json === true) io.writeOut(`${JSON.stringify(board)}\n`);
    else io.writeOut(boardText(board, { hasColor: takesColor(flags, io), columnsMax }));
    if (board.total === 0) io.writeError(await typeHint(client, flags.type));
    return exitCodes.done;
  } catch (error) {
    throw asFailure(error);
  }
}
