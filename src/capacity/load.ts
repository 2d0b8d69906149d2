/** What a deployment is to carry: fields with their bounds and defaults, as text and as values. */
import { distinctItems } from "./distinct.ts";

/** Filled in: every field has a value. */
export interface Load {
  eventsPerSecond: number;
  eventsPerSecondPeak: number;
  eventBytes: number;
  randomBytes: number;
  eventsPerRequest: number;
  eventTypes: number;
  idBytes: number;
  ids: "names" | "random";
  /** Distinct pairs of type and item, of all that is kept. */
  items: number;
  itemsPerMinute: number;
  itemsPerHour: number;
  itemsPerDay: number;
  itemsPerMonth: number;
  retentionDays: number;
  aggregationWindow: 60 | 3600 | 86400;
  logRetentionHours: number;
  queriesPerSecond: number;
  keptShare: number;
  mustSurvive: "restart" | "node" | "machine";
  diskTibMax: number;
  pricePerCoreHour: number;
  pricePerMemoryGibHour: number;
  pricePerDiskGibMonth: number;
  pricePerTrafficGib: number;
}

export type LoadName = keyof Load;

export interface LoadField {
  name: LoadName;
  label: string;
  unit: string;
  /** Of numbers: the least and the greatest. */
  min: number;
  max: number;
  isInteger: boolean;
  /** Of fields that take one of a few words or numbers. */
  choices?: readonly string[];
  /** Left out: worked out from the fields above it. */
  defaultText?: string;
}

const field = (
  name: LoadName,
  label: string,
  unit: string,
  [min, max]: readonly [number, number],
  defaultText?: string,
  more: Partial<LoadField> = {},
): LoadField => ({
  name,
  label,
  unit,
  min,
  max,
  isInteger: true,
  ...(defaultText === undefined ? {} : { defaultText }),
  ...more,
});

const choice = (name: LoadName, label: string, unit: string, choices: readonly string[]) =>
  field(name, label, unit, [0, 0], choices[0], { choices });

const items = [1, 1e12] as const;
const price = [0, 1e6] as const;
const fraction = { isInteger: false };

/** In the order they are asked for; each one's default may rest on those above it. */
export const loadFields: readonly LoadField[] = Object.freeze([
  field("eventsPerSecond", "Events, on average", "a second", [0.001, 1e9], "11574", fraction),
  field(
    "eventsPerSecondPeak",
    "Events, at the peak",
    "a second",
    [0.001, 1e9],
    undefined,
    fraction,
  ),
  field("eventBytes", "An event as JSON", "bytes", [40, 1_000_000], "200"),
  field("randomBytes", "Random text in it (UUIDs)", "bytes", [0, 1_000_000], "0"),
  field("eventsPerRequest", "Events a request", "events", [1, 100_000], "100"),
  field("eventTypes", "Event types", "types", [1, 1_000_000], "10"),
  field("idBytes", "An eventId", "bytes", [1, 512], "12"),
  choice("ids", "Ids are", "", ["names", "random"]),
  field("items", "Distinct items in all", "items", items, "1000000"),
  field("itemsPerMinute", "Distinct items in a minute", "items", items),
  field("itemsPerHour", "Distinct items in an hour", "items", items),
  field("itemsPerDay", "Distinct items in a day", "items", items),
  field("itemsPerMonth", "Distinct items in a month", "items", items),
  field("retentionDays", "Kept", "days", [1, 36_500], "365"),
  choice("aggregationWindow", "Finest window kept", "seconds", ["60", "3600", "86400"]),
  field("logRetentionHours", "A log in Kafka is kept", "hours", [1, 87_600], "168"),
  field("queriesPerSecond", "Questions, at the peak", "a second", [0, 1e6], "20", fraction),
  field("keptShare", "Answered before", "share of them", [0, 1], "0.78", fraction),
  choice("mustSurvive", "Goes on without", "", ["restart", "node", "machine"]),
  field("diskTibMax", "Largest disk of a machine", "TiB", [0.01, 10_000], "16", fraction),
  field("pricePerCoreHour", "A core", "an hour", price, "0.04", fraction),
  field("pricePerMemoryGibHour", "Memory", "a GiB and hour", price, "0.005", fraction),
  field("pricePerDiskGibMonth", "Disk", "a GiB and month", price, "0.1", fraction),
  field("pricePerTrafficGib", "Traffic in and out", "a GiB", price, "0.01", fraction),
]);

/** A peak of so many times the average, where none is said. */
const peakFactor = 3;
const minuteSeconds = 60;
const secondsOf = { minute: minuteSeconds, hour: 3600, day: 86_400, month: 30 * 86_400 };

/** Says of which field a text can't be used, what was expected and what came. */
export class LoadError extends Error {
  override readonly name = "LoadError";
}

function parseField(found: LoadField, text: string): string | number {
  const { name, choices, min, max, isInteger } = found;
  if (choices !== undefined) {
    if (!choices.includes(text)) {
      throw new LoadError(`${name}: expected one of ${choices.join(", ")}, got ${quoted(text)}`);
    }
    return name === "aggregationWindow" ? Number(text) : text;
  }
  const value = /^\s*$/.test(text) ? Number.NaN : Number(text);
  const isRight = isInteger ? Number.isSafeInteger(value) : Number.isFinite(value);
  if (!isRight || value < min || value > max) {
    const kind = isInteger ? "an integer" : "a number";
    throw new LoadError(`${name}: expected ${kind} ${min}..${max}, got ${quoted(text)}`);
  }
  return value;
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}

type Given = Partial<Record<LoadName, string | number>>;

/** What follows from the fields above, where nothing is said. */
function derived(name: LoadName, known: Given): number {
  const value = (of: LoadName) => known[of] as number;
  if (name === "eventsPerSecondPeak") return value("eventsPerSecond") * peakFactor;
  const window = name.slice("itemsPer".length).toLowerCase() as keyof typeof secondsOf;
  const events = value("eventsPerSecond") * secondsOf[window];
  return Math.max(1, Math.round(distinctItems(events, value("items"))));
}

/** `itemsPer…` below a smaller window's, or above what there are, can't be. */
function checkOrder(load: Load): void {
  const { eventsPerSecond, eventsPerSecondPeak, eventBytes, randomBytes } = load;
  if (eventsPerSecondPeak < eventsPerSecond) {
    throw new LoadError(
      `eventsPerSecondPeak: expected at least eventsPerSecond ${eventsPerSecond}, ` +
        `got ${eventsPerSecondPeak}`,
    );
  }
  if (randomBytes > eventBytes) {
    throw new LoadError(
      `randomBytes: expected at most eventBytes ${eventBytes}, got ${randomBytes}`,
    );
  }
  const windows = ["itemsPerMinute", "itemsPerHour", "itemsPerDay", "itemsPerMonth"] as const;
  windows.slice(1).forEach((name, i) => {
    const before = windows[i]!;
    if (load[name] >= load[before]) return;
    throw new LoadError(`${name}: expected at least ${before} ${load[before]}, got ${load[name]}`);
  });
}

/**
 * A load from texts, by field; what is not said has its default. Throws `LoadError` for the first
 * field that can't be used, and for names that are no fields.
 */
export function parseLoad(texts: Readonly<Record<string, string>>): Load {
  const names = new Set<string>(loadFields.map(({ name }) => name));
  for (const name of Object.keys(texts)) {
    if (!names.has(name)) throw new LoadError(`${quoted(name)} is no field of a load`);
  }
  const known: Given = {};
  for (const one of loadFields) {
    const text = texts[one.name] ?? one.defaultText;
    known[one.name] = text === undefined ? derived(one.name, known) : parseField(one, text);
  }
  const load = known as unknown as Load;
  checkOrder(load);
  return load;
}

/** Loads as large as each of the four steps is meant for: 100 events a user and day. */
export const exampleLoads: Readonly<Record<string, Readonly<Record<string, string>>>> =
  Object.freeze({
    "MVP: 1,000 users": {
      eventsPerSecond: "1.2",
      items: "10000",
      queriesPerSecond: "1",
      eventsPerRequest: "1",
    },
    "Growth: 100,000 users": {
      eventsPerSecond: "116",
      items: "100000",
      mustSurvive: "node",
      eventsPerRequest: "1",
    },
    "Scale: 1,000,000 users": {
      eventsPerSecond: "1157",
      items: "1000000",
      queriesPerSecond: "100",
      mustSurvive: "machine",
      eventsPerRequest: "10",
    },
    "Enterprise: a billion events a day": {
      eventsPerSecond: "11574",
      items: "10000000",
      eventTypes: "100",
      queriesPerSecond: "200",
      mustSurvive: "machine",
    },
  });
