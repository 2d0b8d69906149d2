// Bodies of POST /events: of one kind how many events they hold is counted afterwards, so what is
// broken in them never touches the type; the others are broken anywhere.
import type { Random } from "../support/random.ts";
import { fuzzTypes, mutated, oddText, packed, plainText } from "./fuzz-values.ts";

export const countedType = "counted";
const dayMs = 86_400_000;
const keys = 2000;

export interface FuzzPost {
  headers: Record<string, string>;
  body: Buffer;
  /** All that is accepted of it is of `countedType`. */
  isCounted: boolean;
}

function timestampOf(random: Random, now: number): unknown {
  const at = now - random.int(0, dayMs);
  if (random.chance(0.5)) return new Date(at).toISOString();
  return random.chance(0.9) ? at : oddText(random);
}

/** Text of one event; each member but the type may be of a wrong kind. */
function eventText(random: Random, type: string, now: number): string {
  const odd = (value: unknown, chance = 0.02) => (random.chance(chance) ? oddText(random) : value);
  const members: [string, unknown][] = [
    ["eventId", odd(plainText(random))],
    ["eventType", type],
    ["timestamp", timestampOf(random, now)],
  ];
  if (random.chance(0.5)) members.push(["userId", odd(`u${random.int(0, 300)}`)]);
  if (random.chance(0.2)) members.push(["sessionId", odd(`s${random.int(0, 300)}`)]);
  if (random.chance(0.3)) {
    const value = random.chance(0.1) ? random.pick([null, 1, [], {}, true]) : oddText(random);
    members.push(["metadata", odd({ country: "DE", [oddText(random)]: value })]);
  }
  if (random.chance(0.02)) members.push([oddText(random), random.pick([1, null, "a", [], {}])]);
  if (random.chance(0.3)) random.shuffle(members);
  const text = members.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`);
  return `{${text.join(random.chance(0.1) ? " ,\t" : ",")}}`;
}

const brokenLines = [
  "",
  "{",
  "null",
  "[1]",
  "{}",
  '{"eventId":"a"',
  "\u0000",
  '"',
  "[".repeat(2000),
];

function ndjson(random: Random, type: string, now: number): string {
  const lines = Array.from({ length: random.int(1, 12) }, () =>
    random.chance(0.05) ? random.pick(brokenLines) : eventText(random, type, now),
  );
  return lines.join(random.chance(0.1) ? "\r\n" : "\n");
}

function json(random: Random, type: string, now: number): string {
  if (random.chance(0.5)) return eventText(random, type, now);
  const events = Array.from({ length: random.int(0, 6) }, () => eventText(random, type, now));
  const text = `[${events.join(",")}]`;
  return random.chance(0.05) ? text.slice(0, -1) : text;
}

const producers = 4;

/**
 * The n-th of those that producers number, as the SDK does: nothing is wrong with it, or its
 * number would be a gap, and of gaps only so many are taken.
 */
export function numberedPost(random: Random, now: number, n: number): FuzzPost {
  const events = Array.from({ length: random.int(1, 3) }, () => {
    const at = now - random.int(0, dayMs);
    return JSON.stringify({ eventId: plainText(random), eventType: countedType, timestamp: at });
  });
  const headers = {
    "content-type": "application/x-ndjson",
    "idempotency-key": `producer-${n % producers}/${Math.floor(n / producers)}`,
  };
  return { headers, body: Buffer.from(events.join("\n")), isCounted: true };
}

/** One request's body and headers; `now`: epoch ms. */
export function fuzzPost(random: Random, now: number): FuzzPost {
  const isCounted = random.chance(0.6);
  const type = isCounted ? countedType : random.pick(fuzzTypes);
  const isLines = random.chance(0.6);
  const text = isLines ? ndjson(random, type, now) : json(random, type, now);
  const headers: Record<string, string> = {
    "content-type": isLines ? "application/x-ndjson" : "application/json",
  };
  let body: Buffer = Buffer.from(text);
  if (!isCounted && random.chance(0.5)) body = mutated(random, body);
  if (random.chance(0.2)) {
    headers["content-encoding"] = "gzip";
    body = packed(random, body);
  }
  const hasKey = random.chance(0.2);
  if (hasKey) headers["idempotency-key"] = `key-${random.int(0, keys)}`;
  if (random.chance(0.02)) headers["content-type"] = "text/plain";
  return { headers, body, isCounted };
}
