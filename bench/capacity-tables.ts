/** Tables of docs/growth.md: every figure in them is worked out from loads and inputs. */
import {
  type GrowthInputs,
  growthInputs,
  growthInputsWith,
} from "../src/capacity/growth-inputs.ts";
import { type GrowthPlan, growthBreaks, growthPlan } from "../src/capacity/growth-plan.ts";
import { type Load, parseLoad } from "../src/capacity/load.ts";
import { bytesText, countText, moneyText, percentText } from "../src/capacity/words.ts";
import { amountsOf, breakText } from "../src/cli-growth.ts";
import type { Compared } from "./capacity-compare.ts";
import type { Grid } from "./report.ts";

const secondsADay = 86_400;
/** The load that this page is about; others have items and questions in proportion. */
const reference = { eventsPerDay: 8.64e9, items: 1e7, queriesPerSecond: 200, eventTypes: 20 };
const sizes = [1e8, 1e9, 8.64e9, 8.64e10];
export const largeEventsPerDay = reference.eventsPerDay;

/** A load of so many events a day, the peak three times the average. */
export function loadOf(eventsPerDay: number, texts: Record<string, string> = {}): Load {
  const factor = eventsPerDay / reference.eventsPerDay;
  return parseLoad({
    eventsPerSecond: String(eventsPerDay / secondsADay),
    items: String(Math.round(reference.items * factor)),
    queriesPerSecond: String(reference.queriesPerSecond * factor),
    eventTypes: String(reference.eventTypes),
    ...texts,
  });
}

function processesOf(plan: GrowthPlan, what: string): string {
  return String(plan.fleets.find((fleet) => fleet.what === what)!.processes);
}

/** Bytes in objects, their backup, the log with its copies and the catalog. */
function storedBytes({ store }: GrowthPlan): number {
  return store.objectBytes + store.bytes.backups + store.bytes.log + store.bytes.catalog;
}

function beyondText({ limits }: GrowthPlan): string {
  const beyond = limits.filter(({ share }) => share > 1);
  return beyond.map(({ what, share }) => `${what}: ${percentText(share)}`).join("; ") || "–";
}

/** What runs, is stored and is paid, by events a day. */
export function needsTable(inputs: GrowthInputs): Grid {
  const rows = sizes.map((eventsPerDay) => {
    const plan = growthPlan(loadOf(eventsPerDay), inputs);
    return [
      countText(eventsPerDay),
      countText(plan.load.eventsPerSecondPeak),
      processesOf(plan, "edges"),
      processesOf(plan, "ingest"),
      processesOf(plan, "query"),
      processesOf(plan, "Kafka brokers"),
      String(plan.partitions),
      String(plan.processes),
      String(plan.cores),
      bytesText(plan.store.objectBytes),
      bytesText(storedBytes(plan)),
      countText(plan.store.objects.all),
      countText(plan.store.catalogRows.all),
      moneyText(plan.cost.all),
      beyondText(plan),
    ];
  });
  const head = ["events a day", "a second at the peak", "edges", "ingest", "query", "brokers"];
  head.push("partitions", "processes in all", "cores in all", "in objects", "stored in all");
  head.push("objects", "catalog rows", "$ a month", "beyond its limit");
  return { head, rows };
}

/** Bytes and money by kind: of the reference load and of ten times that. */
export function kindsTable(inputs: GrowthInputs): Grid {
  const plans = [1, 10].map((factor) =>
    growthPlan(loadOf(reference.eventsPerDay * factor), inputs),
  );
  const amounts = plans.map((plan) => {
    const { cost, store } = plan;
    const all: [string, number, number][] = [
      ...amountsOf(plan),
      ["log in Kafka, three copies", store.bytes.log, Number.NaN],
      ["catalog", store.bytes.catalog, Number.NaN],
      ["disks of brokers, PostgreSQL and query processes", plan.diskBytes, cost.disks],
      ["cores and memory", Number.NaN, cost.cores],
      ["requests to objects", Number.NaN, cost.requests],
      ["between zones", Number.NaN, cost.zones],
      ["replies", Number.NaN, cost.out],
    ];
    return all;
  });
  const cell = (value: number, text: (value: number) => string) =>
    Number.isNaN(value) ? "" : text(value);
  const rows = amounts[0]!.map(([what], i) => [
    what,
    ...amounts.flatMap((all) => [cell(all[i]![1], bytesText), cell(all[i]![2], moneyText)]),
  ]);
  const names = plans.map(({ eventsPerDay }) => countText(eventsPerDay));
  return { head: ["", ...names.flatMap((name) => [name, "$ a month"])], rows };
}

/** Bytes a second at the peak, by where they go. */
export function trafficTable(inputs: GrowthInputs): Grid {
  const rows = sizes.map((eventsPerDay) => {
    const { traffic } = growthPlan(loadOf(eventsPerDay), inputs);
    const { inBytesPerSecond, logBytesPerSecond, objectBytesPerSecond } = traffic;
    const all = [inBytesPerSecond, logBytesPerSecond, objectBytesPerSecond];
    all.push(traffic.outBytesPerSecond);
    return [countText(eventsPerDay), ...all.map((bytes) => `${bytesText(bytes)}/s`)];
  });
  const head = ["events a day", "events in", "to, between and from brokers"];
  return { head: [...head, "to and from objects", "answers out"], rows };
}

/** Beside the sizing that is planned otherwise. */
export function targetTable(inputs: GrowthInputs): Grid {
  const plan = growthPlan(loadOf(reference.eventsPerDay), inputs);
  const { targetDiskBytes, targetServers, targetServerCores } = inputs;
  const cores = targetServers * targetServerCores;
  const month = cores * 730 * inputs.pricePerCoreHour;
  const disk = (targetDiskBytes / 1e9) * inputs.pricePerDiskGbMonth;
  const events = plan.eventsPerDay * plan.load.retentionDays;
  const perEvent = (bytes: number) => (bytes / events).toFixed(1);
  return {
    head: ["", "planned otherwise", "this"],
    rows: [
      ["stored", bytesText(targetDiskBytes), bytesText(storedBytes(plan))],
      ["bytes an event", perEvent(targetDiskBytes), perEvent(storedBytes(plan))],
      ["machines or processes", String(targetServers), String(plan.processes)],
      ["cores", String(cores), String(plan.cores)],
      ["$ a month", moneyText(month + disk), moneyText(plan.cost.all)],
    ],
  };
}

/** What is reached first, and what to do then. */
export function limitsTable(inputs: GrowthInputs): Grid {
  const limits = growthBreaks(loadOf(reference.eventsPerDay), inputs);
  return {
    head: ["limit", "reached", "is", "of", "at so many events a day", "next lever"],
    rows: limits.map((limit) => [
      limit.what,
      percentText(limit.share),
      amountText(limit.load, limit.unit),
      amountText(limit.limit, limit.unit),
      breakText(limit),
      limit.lever,
    ]),
  };
}

function amountText(value: number, unit: string): string {
  if (unit === "bytes") return bytesText(value);
  return `${countText(Number(value.toPrecision(3)))} ${unit}`;
}

/** What is changed of the inputs and of the load, one after the other. */
interface Lever {
  what: string;
  inputs?: Record<string, string>;
  load?: Record<string, string>;
}

/** Levers pulled at ten times the reference load. */
export const levers: readonly Lever[] = Object.freeze([
  { what: "as it is" },
  { what: "a commit every 5 s", inputs: { checkpointSeconds: "5" } },
  { what: "sixteen that fold, each its own types", inputs: { foldProcesses: "16" } },
  { what: "a log of 24 hours", load: { logRetentionHours: "24" } },
  { what: "minutes kept two days, then hours", load: { aggregationWindow: "3600" } },
]);

/** Each lever with those before it. */
export function leversTable(): Grid {
  let set: Record<string, string> = {};
  let texts: Record<string, string> = {};
  const rows = levers.map((lever) => {
    set = { ...set, ...lever.inputs };
    texts = { ...texts, ...lever.load };
    const load = loadOf(reference.eventsPerDay * 10, texts);
    const inputs = growthInputsWith(set);
    const plan = growthPlan(load, inputs);
    return [
      lever.what,
      String(plan.processes),
      String(plan.cores),
      bytesText(storedBytes(plan)),
      countText(plan.store.catalogRows.all),
      moneyText(plan.cost.all),
      beyondText(plan),
      breakText(growthBreaks(load, inputs)[0]!),
    ];
  });
  const head = ["and", "processes", "cores", "stored", "catalog rows", "$ a month"];
  return { head: [...head, "beyond its limit", "first limit at"], rows };
}

/** Paper beside simulation. */
export function agreementTable(runs: readonly { name: string; figures: Compared[] }[]): Grid {
  const text = ({ unit }: Compared, value: number) =>
    unit === "bytes" ? bytesText(value) : countText(Number(value.toPrecision(3)));
  const rows = runs[0]!.figures.map((figure, i) => [
    figure.what,
    ...runs.flatMap(({ figures }) => {
      const own = figures[i]!;
      return [
        text(own, own.paper),
        text(own, own.simulated),
        (own.paper / own.simulated).toFixed(2),
      ];
    }),
    `± ${percentText(figure.bound)}`,
  ]);
  const heads = runs.flatMap(({ name }) => [`${name}: paper`, "simulated", "ratio"]);
  return { head: ["", ...heads, "bound"], rows };
}

/** Every input with where it is from. */
export function inputsTable(): Grid {
  return {
    head: ["input", "value", "kind", "what", "from"],
    rows: Object.entries(growthInputs).map(([name, { value, unit, kind, what, from }]) => [
      `\`${name}\``,
      `${value.toLocaleString("en", { maximumFractionDigits: 4 })} ${unit}`,
      kind,
      what,
      from,
    ]),
  };
}
