// Random events with users and metadata, and random questions that select among them.
import type {
  FullEvent,
  MetadataQuestion,
  SelectedQuestion,
} from "../oracles/selection-oracle.ts";
import type { Random } from "../support/random.ts";

/** Keys and values that need care in JSON pointers, JSON paths, SQL or URLs. */
const keys = [
  "country",
  "a.b",
  "$",
  "$.country",
  'quote"d',
  "it's",
  "a/b",
  "~",
  "~1",
  "a[0]",
  "",
  "0",
  "*",
  "#-1",
  "back\\slash",
  "__proto__",
  "\u{1f3b5} ü",
  "tab\tnewline\n",
  "%2F&=+",
];
const values = ["DE", "AT", "", "'; --", '"', "\\", "{}", "null", "\u{10ffff}", "%", "a b+c", "ß"];
const ids = [
  ...Array.from({ length: 60 }, (_, i) => `song-${i}`),
  ...Array.from({ length: 20 }, (_, i) => `so_${i}`),
  "so%",
  "'; DROP TABLE meta; --",
  "\u{1f3b5}",
  "\u{1f3b5}\u{1f1e9}",
  "ü",
  "_",
  "%",
];
const users = [...Array.from({ length: 30 }, (_, i) => `user ${i}`), "o'neil", '"', "\u{1f3b5}"];
const types = ["play", "view", "skip 'it'"];

function randomMetadata(random: Random): Map<string, string> {
  const count = random.int(1, 5);
  return new Map(Array.from({ length: count }, () => [random.pick(keys), random.pick(values)]));
}

/** `size` events up to `nowMs` and as far back as `spanMs`; small weights, so that many tie. */
export function randomFullEvents(
  random: Random,
  size: number,
  nowMs: number,
  spanMs: number,
): FullEvent[] {
  return Array.from({ length: size }, () => {
    const back = Math.floor(random.float() ** 2 * spanMs);
    const event: FullEvent = {
      // The first ones more often than the last.
      eventId: ids[Math.floor(random.float() ** 2 * ids.length)]!,
      eventType: random.pick(types),
      timeMs: nowMs - back,
      weight: random.chance(0.9) ? 1 : random.int(2, 5),
    };
    if (random.chance(0.7)) event.userId = random.pick(users);
    if (random.chance(0.5)) event.sessionId = `s${random.int(1, 8)}`;
    if (random.chance(0.8)) event.metadata = randomMetadata(random);
    return event;
  });
}

function escapedSometimes(random: Random, text: string): string {
  const plain = JSON.stringify(text);
  if (random.chance(0.7)) return plain;
  const units = text.split("").map((unit) => unit.charCodeAt(0).toString(16).padStart(4, "0"));
  return `"${units.map((unit) => `\\u${unit}`).join("")}"`;
}

/** The event as a line of NDJSON; metadata with escapes and spaces that need not be. */
export function lineOf(random: Random, event: FullEvent): string {
  const { metadata, timeMs, ...rest } = event;
  const fields = JSON.stringify({ ...rest, timestamp: timeMs }).slice(0, -1);
  if (metadata === undefined) return `${fields}}`;
  const space = random.chance(0.3) ? " " : "";
  const members = [...metadata].map(
    ([key, value]) =>
      `${escapedSometimes(random, key)}${space}:${space}${escapedSometimes(random, value)}`,
  );
  return `${fields},"metadata":{${space}${members.join(`,${space}`)}}}`;
}

function some<T>(random: Random, from: readonly T[], most: number): T[] {
  return random.shuffle([...new Set(from)]).slice(0, random.int(1, most));
}

function randomTest(random: Random, events: readonly FullEvent[]): MetadataQuestion {
  const { metadata } = random.pick(events);
  const [key, value] = random.pick([...(metadata ?? new Map([["nothing", "x"]]))]);
  const more = random.chance(0.5) ? [] : some(random, values, 3);
  return { key, values: [...new Set([value, ...more])], isNot: random.chance(0.3) };
}

/** Tests of one key and kind are one test with several values. */
function randomTests(random: Random, events: readonly FullEvent[]): MetadataQuestion[] {
  const tests = Array.from({ length: random.int(1, 2) }, () => randomTest(random, events));
  const isFirst = (test: MetadataQuestion, i: number) =>
    tests.findIndex(({ key, isNot }) => key === test.key && isNot === test.isNot) === i;
  return tests.filter(isFirst);
}

/** Ranges often begin and end on whole minutes or hours, else on some event. */
function randomRange(random: Random, events: readonly FullEvent[]): [number, number] {
  const moment = () => {
    const { timeMs } = random.pick(events);
    return timeMs - (timeMs % random.pick([1, 1, 60_000, 3_600_000])) + random.pick([0, 0, 1]);
  };
  const [from, to] = [moment(), moment()].sort((a, b) => a - b) as [number, number];
  return [from, to === from ? to + 1 : to];
}

export function randomSelection(random: Random, events: readonly FullEvent[]): SelectedQuestion {
  const [from, to] = randomRange(random, events);
  const known = <T>(pick: (event: FullEvent) => T | undefined): T[] =>
    events.map(pick).filter((value) => value !== undefined);
  const eventIds = known(({ eventId }) => eventId);
  return {
    eventTypes: some(random, types, 2),
    from,
    to,
    k: random.pick([1, 3, 10, 100]),
    offset: random.chance(0.6) ? 0 : random.int(0, 20),
    ties: random.pick(["competition", "dense", "ordinal"] as const),
    by: random.chance(0.3) ? "users" : "events",
    metadata: random.chance(0.4) ? randomTests(random, events) : [],
    userIds: random.chance(0.15)
      ? some(
          random,
          known(({ userId }) => userId),
          5,
        )
      : [],
    sessionIds: random.chance(0.15)
      ? some(
          random,
          known(({ sessionId }) => sessionId),
          3,
        )
      : [],
    include: random.chance(0.2) ? [...some(random, eventIds, 40), "no such item"] : [],
    exclude: random.chance(0.2) ? some(random, eventIds, 10) : [],
    prefix: random.chance(0.2)
      ? random.pick(["so", "song-1", "so_", "so%", "_", "%", "\u{1f3b5}"])
      : "",
  };
}

/** The question as the query of GET /leaderboard. */
export function pairsOf(question: SelectedQuestion): [string, string][] {
  const many = (name: string, list: readonly string[]): [string, string][] =>
    list.map((value) => [name, value]);
  return [
    ...many("eventType", question.eventTypes),
    ["from", String(question.from)],
    ["to", String(question.to)],
    ["k", String(question.k)],
    ["offset", String(question.offset)],
    ["ties", question.ties],
    ...(question.by === "users" ? many("by", ["users"]) : []),
    ...question.metadata.flatMap(({ key, values: list, isNot }) =>
      many(`${isNot ? "filterNot" : "filter"}.${key}`, list),
    ),
    ...many("userId", question.userIds),
    ...many("sessionId", question.sessionIds),
    ...many("include", question.include),
    ...many("exclude", question.exclude),
    ...(question.prefix === "" ? [] : many("prefix", [question.prefix])),
  ];
}
