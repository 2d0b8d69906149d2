/** What `rankstream capacity --lake` prints. */
import { type GrowthInputs, growthInputs } from "./capacity/growth-inputs.ts";
import type { GrowthBreak, GrowthPlan } from "./capacity/growth-plan.ts";
import { bytesText, countText, moneyText, percentText } from "./capacity/words.ts";
import { type Column, tableLines } from "./cli-text.ts";

const fleetColumns: Column[] = [
  { name: "processes", align: "left" },
  { name: "of", align: "right" },
  { name: "cores", align: "right" },
  { name: "busy", align: "right" },
  { name: "disk each", align: "right" },
];
const amountColumns: Column[] = [
  { name: "", align: "left" },
  { name: "bytes", align: "right" },
  { name: "$ a month", align: "right" },
];
const limitColumns: Column[] = [
  { name: "limit", align: "left" },
  { name: "reached", align: "right" },
  { name: "events a day", align: "right" },
  { name: "then", align: "left" },
];

/** `9.2 billion`, or that nobody comes there. */
export function breakText({ eventsPerDayMax }: GrowthBreak): string {
  return eventsPerDayMax === null ? "beyond" : countText(Number(eventsPerDayMax.toPrecision(2)));
}

/** Bytes by kind with what they cost where that is known, most of it first. */
export function amountsOf({
  store,
  cost,
}: GrowthPlan): [what: string, bytes: number, $: number][] {
  const { bytes } = store;
  const counts = Object.values(bytes.counts).reduce((sum, one) => sum + one, 0);
  const share = cost.objects / store.objectBytes;
  return [
    ["raw events", bytes.raw, bytes.raw * share],
    ["exact counts: lists and tails", counts, counts * share],
    ["sealed sketches", bytes.sketches, bytes.sketches * share],
    ["replaced, until snapshots go", bytes.replaced, bytes.replaced * share],
    ["backup", bytes.backups, cost.backups],
  ];
}

/** Tables of a plan's processes, bytes and limits, and the inputs that were given. */
export function growthText(
  plan: GrowthPlan,
  breaks: readonly GrowthBreak[],
  given: Readonly<Partial<GrowthInputs>>,
): string {
  const { load, store, cost, traffic, fleets } = plan;
  const { objects, catalogRows, perDay } = store;
  const rest = { cores: cost.cores, disks: cost.disks, requests: cost.requests };
  const further = { ...rest, "between zones": cost.zones, replies: cost.out };
  const own = Object.entries(given).map(([name, value]) => `${name} ${value}`);
  const lines = [
    `${countText(plan.eventsPerDay)} events a day of ${bytesText(load.eventBytes)}, ` +
      `${countText(load.eventsPerSecondPeak)} a second at the peak, ` +
      `kept ${countText(load.retentionDays)} days, on DuckLake`,
    ...(own.length === 0 ? [] : [`With ${own.join(", ")}.`]),
    "",
    ...tableLines(
      fleetColumns,
      fleets.map((fleet) => [
        fleet.what,
        String(fleet.processes),
        String(fleet.cores),
        fleet.busyCores === 0 ? "–" : fleet.busyCores.toFixed(2),
        fleet.diskBytes === 0 ? "–" : bytesText(fleet.diskBytes),
      ]),
      null,
    ),
    "",
    `${plan.processes} processes, ${plan.cores} cores, ${plan.partitions} partitions.`,
    "",
    ...tableLines(
      amountColumns,
      amountsOf(plan).map(([what, bytes, dollars]) => [
        what,
        bytesText(bytes),
        moneyText(dollars),
      ]),
      null,
    ),
    "",
    `A month: $${moneyText(cost.all)}; beside the bytes ` +
      `${Object.entries(further)
        .map(([what, money]) => `${what} $${moneyText(money)}`)
        .join(", ")}.`,
    `Log in Kafka ${bytesText(store.bytes.log)}, catalog ${bytesText(store.bytes.catalog)}.`,
    `${countText(objects.all)} objects, ${countText(catalogRows.all)} rows of the catalog, ` +
      `${countText(perDay.commits)} commits and ${countText(perDay.objects)} objects a day.`,
    `At the peak ${bytesText(traffic.inBytesPerSecond)}/s in, ` +
      `${bytesText(traffic.logBytesPerSecond)}/s through Kafka, ` +
      `${bytesText(traffic.objectBytesPerSecond)}/s to and from objects.`,
    "",
    ...tableLines(
      limitColumns,
      breaks.map((limit) => [limit.what, percentText(limit.share), breakText(limit), limit.lever]),
      null,
    ),
  ];
  return `${lines.join("\n")}\n`;
}

/** `name=value` of `--set` as names and texts; what has no `=` stands as a name alone. */
export function settingsOf(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf("=");
      return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}

/** Names of all inputs with their values and units, for `--help`. */
export function inputsHelp(): string {
  const lines = Object.entries(growthInputs).map(
    ([name, { value, unit, what }]) => `  ${name} (${value} ${unit}): ${what}`,
  );
  return `\nInputs of --lake, for --set:\n${lines.join("\n")}\n`;
}
