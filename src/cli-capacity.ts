/** `rankstream capacity`: what a load takes, without a service. */
import { type Command, Option } from "commander";
import { GrowthInputError, growthInputsWith } from "./capacity/growth-inputs.ts";
import { growthBreaks, growthPlan } from "./capacity/growth-plan.ts";
import {
  LoadError,
  type LoadField,
  type LoadName,
  loadFields,
  parseLoad,
} from "./capacity/load.ts";
import { type Plan, type PlannedStep, planFor } from "./capacity/plan.ts";
import {
  bytesText,
  countText,
  fleetsText,
  leftOut,
  moneyText,
  stepTitles,
  verdictText,
} from "./capacity/words.ts";
import { growthText, inputsHelp, settingsOf } from "./cli-growth.ts";
import { type CliIo, CommandFailure, exitCodes } from "./cli-io.ts";
import { type Column, tableLines } from "./cli-text.ts";

const columns: Column[] = [
  { name: "step", align: "left" },
  { name: "processes", align: "right" },
  { name: "cores", align: "right" },
  { name: "memory", align: "right" },
  { name: "disk", align: "right" },
  { name: "a month", align: "right" },
];

function cellsOf(step: PlannedStep): string[] {
  return [
    stepTitles[step.name],
    countText(step.processes),
    countText(step.cores),
    bytesText(step.memoryBytes),
    bytesText(step.diskBytes),
    moneyText(step.cost.all),
  ];
}

function diskLine({ disk, stores }: PlannedStep): string {
  const { minute, hour, day, month } = disk.countBytes;
  const counts = bytesText(minute + hour + day + month);
  return (
    `${stores === 1 ? "The store" : "Each store"} holds ${bytesText(disk.storeBytes)}: ` +
    `raw events ${bytesText(disk.rawBytes)} in about ${countText(disk.rawFiles)} files, ` +
    `counts ${counts}, sketches ${bytesText(disk.sketchBytes)}.`
  );
}

/** The four steps as a table, what each is bound by, and the usual estimate. */
export function capacityText(plan: Plan): string {
  const { load, steps, smallest, classic } = plan;
  const { eventsPerSecond, eventsPerSecondPeak, eventBytes, retentionDays } = load;
  const shown = steps.find(({ name }) => name === smallest) ?? steps.at(-1)!;
  const answer =
    smallest === null
      ? "No step carries it."
      : `Smallest step that carries it: ${stepTitles[smallest]}.`;
  const { partitions, workers } = shown;
  const threads = `${workers} ${workers === 1 ? "worker" : "workers"}`;
  const lines = [
    `${countText(eventsPerSecond)} events/s of ${bytesText(eventBytes)}, ` +
      `${countText(eventsPerSecondPeak)} at the peak, kept ${countText(retentionDays)} days`,
    "",
    ...tableLines(columns, steps.map(cellsOf), null),
    "",
    answer,
    ...steps.map((step) => `  ${stepTitles[step.name]}: ${verdictText(step)}.`),
    "",
    `It runs ${fleetsText(shown)}; ${partitions} partitions, ${threads} a store.`,
    diskLine(shown),
    `The usual estimate, JSON in three copies: ${bytesText(classic.copiedBytes)} ` +
      `(${bytesText(classic.storedBytes)} at 1,918 bytes an event), ` +
      `${classic.ingestNodes} + ${classic.queryNodes} nodes.`,
    "",
    "Left out:",
    ...leftOut.map((what) => `- ${what}`),
  ];
  return `${lines.join("\n")}\n`;
}

function flagOf(name: LoadName): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

function optionOf(field: LoadField): Option {
  const { name, label, unit, choices, min, max, defaultText } = field;
  const range = choices === undefined ? `${min}..${max}` : choices.join(", ");
  const preset = defaultText === undefined ? "from the others" : defaultText;
  const text = `${label}${unit === "" ? "" : `, ${unit}`} (${range}; default ${preset})`;
  return new Option(`${flagOf(name)} <${choices === undefined ? "number" : "word"}>`, text);
}

type Flags = Partial<Record<LoadName, string>> & { json?: true; lake?: true; set?: string[] };

/** What is printed for these flags. Throws `LoadError` and `GrowthInputError`. */
function textOf({ json, lake, set = [], ...texts }: Flags): string {
  const load = parseLoad(texts);
  const given = settingsOf(set);
  if (lake !== true && set.length > 0) {
    throw new GrowthInputError("--set: expected --lake beside it, which has these inputs");
  }
  if (lake !== true) {
    const plan = planFor(load);
    return json === true ? `${JSON.stringify(plan)}\n` : capacityText(plan);
  }
  const inputs = growthInputsWith(given);
  const plan = growthPlan(load, inputs);
  const breaks = growthBreaks(load, inputs);
  if (json === true) return `${JSON.stringify({ ...plan, limits: breaks })}\n`;
  const values = Object.entries(given).map(([name, text]) => [name, Number(text)]);
  return growthText(plan, breaks, Object.fromEntries(values));
}

/** Adds the command; `done` is told its exit code. */
export function addCapacityCommand(
  program: Command,
  io: CliIo,
  done: (code: number) => void,
): void {
  const command = program
    .command("capacity")
    .description("Estimate what a load takes: cores, memory, disk and cost.");
  for (const field of loadFields) command.addOption(optionOf(field));
  command
    .option("--lake", "many processes over DuckLake: what runs, is stored and breaks first")
    .option("--set <name=value...>", "other inputs of --lake, listed below")
    .option("--json", "print the estimate as one JSON document")
    .addHelpText(
      "after",
      `${inputsHelp()}\nExamples:\n  rankstream capacity --events-per-second 11574\n` +
        "  rankstream capacity --lake --events-per-second 100000 --set checkpointSeconds=5\n" +
        "  rankstream capacity --must-survive node --json | jq .smallest\n",
    )
    .action((flags: Flags) => {
      try {
        io.writeOut(textOf(flags));
        done(exitCodes.done);
      } catch (error) {
        if (!(error instanceof LoadError || error instanceof GrowthInputError)) throw error;
        throw new CommandFailure(error.message, exitCodes.usage);
      }
    });
}
