// Random events and the many ways of writing them down: key order, white space, escapes, forms of
// timestamps, formats of a body.
import { gzipSync } from "node:zlib";
import type { CountedEvent } from "../oracles/board-oracle.ts";
import { type Random, ZipfSampler } from "../support/random.ts";
import type { PostOptions } from "../support/service.ts";

const secondMs = 1000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** Ids that differ little, are long, or need care in JSON, SQL or URLs. */
const oddIds = [
  "__proto__",
  "constructor",
  "'; DROP TABLE event_types; --",
  'quote " and \\ backslash',
  "tab\tline\nfeed\r\u0001",
  "naïve",
  "nai\u0308ve",
  "\u{1f3b5}\u{1f1e9}\u{1f1ea}",
  "\u{10ffff}",
  "\uffff",
  " leading and trailing ",
  "12 bytes abcd",
  "12bytes abcd",
  "null",
  "0",
  "%2F?&=+,#",
  "x".repeat(512),
  `${"x".repeat(511)}y`,
  "ü".repeat(256),
  "\u{1f3b5}".repeat(128),
];

export const eventTypes = ["play", "song play", "ünïcode 'type'", "t".repeat(128), "rare"];

function randomTime(random: Random, nowMs: number): number {
  const back = random.pick([10 * secondMs, 5 * minuteMs, 3 * hourMs, 2 * dayMs, 200 * dayMs]);
  const time = nowMs - random.int(0, back);
  // Whole seconds, minutes and hours are where ranges begin and end.
  const step = random.pick([1, 1, 1, secondMs, minuteMs, hourMs]);
  return time - (time % step);
}

/** `size` events with times up to `nowMs` and as far back as 200 days. */
export function randomEvents(random: Random, size: number, nowMs: number): CountedEvent[] {
  const plain = Array.from({ length: 400 }, (_, i) => `item-${i}`);
  const ids = random.shuffle([...oddIds, ...plain]);
  const zipf = new ZipfSampler(ids.length, 0.9);
  return Array.from({ length: size }, () => ({
    eventId: ids[zipf.draw(random)]!,
    eventType: random.chance(0.02) ? "rare" : random.pick(eventTypes.slice(0, 4)),
    timeMs: randomTime(random, nowMs),
    weight: random.chance(0.8) ? 1 : random.pick([1, 2, 3, 100, 1_000_000]),
  }));
}

/** JSON text of a string, some of its characters escaped though they need not be. */
function writeString(random: Random, text: string): string {
  const plain = JSON.stringify(text);
  if (!random.chance(0.2)) return plain;
  const escaped = [...text].map((char) => {
    if (!random.chance(0.3)) return JSON.stringify(char).slice(1, -1);
    // A character beyond the basic plane becomes a pair.
    return char
      .split("")
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
      .join("");
  });
  return `"${escaped.join("")}"`;
}

function writeTime(random: Random, timeMs: number): string {
  if (random.chance(0.4)) return String(timeMs);
  const offsetMinutes = random.pick([0, 0, 60, 330, -480, 14 * 60]);
  const local = new Date(timeMs + offsetMinutes * minuteMs).toISOString().slice(0, -1);
  const whole = local.endsWith(".000") && random.chance(0.5) ? local.slice(0, -4) : local;
  const more = whole.includes(".") && random.chance(0.3) ? `${whole}999` : whole;
  const hours = String(Math.floor(Math.abs(offsetMinutes) / 60)).padStart(2, "0");
  const minutes = String(Math.abs(offsetMinutes) % 60).padStart(2, "0");
  const colon = random.chance(0.8) ? ":" : "";
  const sign = offsetMinutes < 0 ? "-" : "+";
  const zone = offsetMinutes === 0 ? "Z" : `${sign}${hours}${colon}${minutes}`;
  const separator = random.pick(["T", "T", "t", " "]);
  return `"${more.replace("T", separator)}${zone}"`;
}

/** One event as a line of JSON. */
export function writeEvent(random: Random, event: CountedEvent): string {
  const members: [string, string][] = [
    ["eventId", writeString(random, event.eventId)],
    ["eventType", writeString(random, event.eventType)],
    ["timestamp", writeTime(random, event.timeMs)],
  ];
  if (event.weight !== 1 || random.chance(0.1)) members.push(["weight", String(event.weight)]);
  if (random.chance(0.3)) members.push(["userId", writeString(random, `user ${event.weight}`)]);
  if (random.chance(0.1)) members.push(["sessionId", '"s-1"']);
  if (random.chance(0.2)) members.push(["metadata", '{"country":"DE","a \\"b\\"":"{c},[d]"}']);
  if (random.chance(0.5)) random.shuffle(members);
  const space = random.chance(0.2) ? " " : "";
  const texts = members.map(([name, value]) => `"${name}"${space}:${space}${value}`);
  return `{${texts.join(`,${space}`)}}`;
}

export interface WrittenBatch {
  events: CountedEvent[];
  body: Uint8Array;
  options: PostOptions;
}

/** A batch as a body: one event as JSON, an array, or NDJSON; now and then packed. */
export function writeBatch(random: Random, events: CountedEvent[]): WrittenBatch {
  const lines = events.map((event) => writeEvent(random, event));
  let text = lines[0]!;
  let contentType = "application/json";
  if (random.chance(0.5)) {
    const end = random.pick(["\n", "\r\n", "\n\n"]);
    text = lines.join(end) + (random.chance(0.5) ? end : "");
    contentType = random.pick(["application/x-ndjson", "application/jsonl"]);
  } else if (events.length > 1 || random.chance(0.3)) {
    text = `[${lines.join(random.pick([",", ",\n  "]))}]`;
  }
  if (random.chance(0.1)) text = `\uFEFF${text}`;
  const isPacked = random.chance(0.3);
  const bytes = Buffer.from(text);
  const headers: Record<string, string> = isPacked ? { "content-encoding": "gzip" } : {};
  const body = isPacked ? gzipSync(bytes) : bytes;
  return { events, body: new Uint8Array(body), options: { contentType, headers } };
}

/** Cuts `events` into batches of one to `sizeMax`. */
export function writeBatches(
  random: Random,
  events: CountedEvent[],
  sizeMax: number,
): WrittenBatch[] {
  const batches: WrittenBatch[] = [];
  for (let from = 0; from < events.length; ) {
    const size = random.chance(0.3) ? 1 : random.int(1, sizeMax);
    batches.push(writeBatch(random, events.slice(from, from + size)));
    from += size;
  }
  return batches;
}
