/** `rankstream item`: where one item stands, and how it came there. */
import { type Command, Option } from "commander";
import { type CliIo, exitCodes } from "./cli-io.ts";
import type { Paint } from "./cli-paint.ts";
import {
  addServiceOptions,
  asFailure,
  clientOf,
  outColumns,
  outPaint,
  type ServiceFlags,
} from "./cli-service.ts";
import { type Column, printable, sparkline, tableLines, timeText } from "./cli-text.ts";
import type { Item } from "./client/client.ts";
import { countText } from "./import/progress.ts";

const helpAfter = `
Examples:
  rankstream item song_play song_123
  rankstream item song_play song_123 --range this_month --time-zone Europe/Berlin --step day
  rankstream item song_play song_123 --json | jq .rank
`;

const stepNames = ["minute", "hour", "day", "week", "month"] as const;

interface ItemFlags extends ServiceFlags {
  range: string;
  timeZone?: string;
  mode: "auto" | "approx" | "exact";
  step?: (typeof stepNames)[number];
}

const columns: Column[] = [
  { name: "#", align: "right" },
  { name: "item", align: "left", isElastic: true },
  { name: "count", align: "right" },
];

function between(lower: number | null, upper: number | null): string {
  if (lower === null || upper === null || lower === upper) return "";
  return ` (between ${countText(lower)} and ${countText(upper)})`;
}

function historyLines({ history, step }: Item, paint: Paint, columnsMax: number): string[] {
  const counts = history.map(({ count }) => count);
  const most = Math.max(...counts);
  if (!(most > 0)) return [];
  const best = history[counts.indexOf(most)]!;
  return [
    "",
    paint("cyan", sparkline(counts, columnsMax)),
    paint(
      "dim",
      `by ${step}, ${timeText(history[0]!.from)} to ${timeText(history.at(-1)!.to)} UTC; ` +
        `most ${countText(most)} from ${timeText(best.from)}`,
    ),
  ];
}

const columnsDefault = 80;

/** An item in some lines. `columnsMax` null never cuts. */
export function itemText(item: Item, paint: Paint, columnsMax: number | null): string {
  const { eventType, eventId, count, lower, upper, rank, total, neighbours } = item;
  const [from, to] = [timeText(item.effectiveFrom), timeText(item.effectiveTo)];
  const share = `${(item.share * 100).toFixed(2)}% of ${countText(total)}`;
  const place = rank === null ? "no rank" : `rank ${countText(rank)}`;
  const lines = [
    paint("bold", `${printable(eventId)} in ${printable(eventType)}, ${from} to ${to} UTC`),
    `count ${countText(count)}${between(lower, upper)}, ${share}`,
    `${place}${between(item.rankLower, item.rankUpper)}`,
  ];
  if (item.firstSeen !== null && item.lastSeen !== null) {
    lines.push(`first seen ${timeText(item.firstSeen)}, last ${timeText(item.lastSeen)} UTC`);
  }
  const around = [
    ...neighbours.above,
    ...(rank === null ? [] : [{ eventId, count, rank }]),
    ...neighbours.below,
  ];
  if (around.length > 0) {
    const cells = around.map((row) => {
      const label = "label" in row ? row.label : undefined;
      return [String(row.rank), printable(label ?? row.eventId), countText(row.count)];
    });
    const [names, ...rows] = tableLines(columns, cells, columnsMax);
    const isOwn = (i: number) => i === neighbours.above.length && rank !== null;
    const shown = rows.map((line, i) => (isOwn(i) ? paint("bold", line) : line));
    lines.push("", paint("dim", names!), ...shown);
  }
  lines.push(...historyLines(item, paint, columnsMax ?? columnsDefault));
  lines.push(paint("dim", item.certified ? "certified" : "estimated"));
  return lines.map((line) => `${line}\n`).join("");
}

async function runItem(type: string, id: string, flags: ItemFlags, io: CliIo): Promise<number> {
  const { range: timeRange, mode, timeZone, step } = flags;
  const query = {
    timeRange,
    mode,
    ...(timeZone !== undefined && { timeZone }),
    ...(step !== undefined && { step }),
  };
  try {
    const item = await clientOf(flags, io).item(type, id, query);
    if (flags.json === true) io.writeOut(`${JSON.stringify(item)}\n`);
    else io.writeOut(itemText(item, outPaint(io, flags), outColumns(io)));
    return exitCodes.done;
  } catch (error) {
    throw asFailure(error);
  }
}

/** Adds the command; `done` is told its exit code. */
export function addItemCommand(program: Command, io: CliIo, done: (code: number) => void): void {
  const command = program
    .command("item")
    .description("Show where an item stands: count, rank, neighbours, history.")
    .argument("<type>", "event type")
    .argument("<id>", "the item")
    .option("--range <range>", "time range", "last_24_hours")
    .option("--time-zone <name>", "zone of calendar words such as today (default: UTC)")
    .addOption(
      new Option("--mode <mode>", "how to answer")
        .choices(["auto", "approx", "exact"])
        .default("auto"),
    )
    .addOption(
      new Option("--step <step>", "of the history (default: the finest that fits)").choices([
        ...stepNames,
      ]),
    );
  addServiceOptions(command, io, "print the service's reply as it is")
    .addHelpText("after", helpAfter)
    .action(async (type: string, id: string, flags: ItemFlags) => {
      done(await runItem(type, id, flags, io));
    });
}
