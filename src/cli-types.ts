/** `rankstream types`: the event types there are. */
import type { Command } from "commander";
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
import { type Column, printable, tableLines, timeText } from "./cli-text.ts";
import type { EventType } from "./client/client.ts";
import { countText } from "./import/progress.ts";

const columns: Column[] = [
  { name: "type", align: "left", isElastic: true },
  { name: "events", align: "right" },
  { name: "first", align: "left" },
  { name: "last (UTC)", align: "left" },
  { name: "kept", align: "left" },
  { name: "finest", align: "left" },
  { name: "description", align: "left" },
];
const windowNames: Readonly<Record<number, string>> = {
  60: "minutes",
  3600: "hours",
  86400: "days",
};

function cellsOf(type: EventType): string[] {
  const { name, total, firstSeen, lastSeen, retentionDays, aggregationWindow } = type;
  const time = (iso: string | null) => (iso === null ? "-" : timeText(iso.slice(0, 19)));
  return [
    printable(name),
    countText(total),
    time(firstSeen),
    time(lastSeen),
    retentionDays === null ? "always" : `${countText(retentionDays)} days`,
    windowNames[aggregationWindow] ?? `${aggregationWindow} s`,
    printable(type.description ?? ""),
  ];
}

/** A table, those with most events first. Ends with a line feed. */
export function typesText(
  types: readonly EventType[],
  paint: Paint,
  columnsMax: number | null,
): string {
  if (types.length === 0) return "no event types yet\n";
  const sorted = [...types].sort((a, b) => b.total - a.total || (a.name < b.name ? -1 : 1));
  const isDescribed = types.some(({ description }) => description !== null);
  const shown = isDescribed ? columns : columns.slice(0, -1);
  const [names, ...rows] = tableLines(shown, sorted.map(cellsOf), columnsMax);
  return [paint("dim", names!), ...rows].map((line) => `${line}\n`).join("");
}

/** Adds the command; `done` is told its exit code. */
export function addTypesCommand(program: Command, io: CliIo, done: (code: number) => void): void {
  const command = program
    .command("types")
    .description("List the event types, those with most events first.");
  addServiceOptions(command, io, 'print {"eventTypes": […]} as the service has it')
    .addHelpText("after", "\nExample:\n  rankstream types --json | jq -r '.eventTypes[].name'\n")
    .action(async (flags: ServiceFlags) => {
      try {
        const eventTypes = await clientOf(flags, io).eventTypes();
        const text = () => typesText(eventTypes, outPaint(io, flags), outColumns(io));
        io.writeOut(flags.json === true ? `${JSON.stringify({ eventTypes })}\n` : text());
        done(exitCodes.done);
      } catch (error) {
        throw asFailure(error);
      }
    });
}
