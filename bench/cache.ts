/** How often answers are kept ones, from which level, and how long each takes. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "undici";
import { Random, ZipfSampler } from "../test/support/random.ts";
import { EventStream } from "./event-stream.ts";
import { askExact, type Board, checkExact, onConnections, postAll, postBody } from "./load.ts";
import type { BenchOptions } from "./options.ts";
import { fixed, type Outcome, percent, say, whole } from "./report.ts";
import { ServiceProcess } from "./service-process.ts";
import { latencyOf } from "./statistics.ts";
import { StreamCounts, trueBoard } from "./truth.ts";

const eventTypes = ["song_play", "song_like", "page_view", "purchase"];
const hourMs = 3_600_000;
const historyMs = 7 * 24 * hourMs;
const zipfExponent = 1;
const boardRows = 1000;
const postEveryMs = 50;
/** Of so many posts one brings a late event as well. */
const latePosts = 10;
/** Kept nowhere: what the answers are held against. */
const keepsNothing = ["--cache-bytes-max", "0", "--cache-store-bytes-max", "0"];
const keptMsMax = 1;
/** From one late event to the next, in their own time: hours of the week by turns. */
const lateStepMs = 5 * hourMs;

interface Plan {
  events: number;
  ids: number;
  questions: number;
  seconds: number;
  eventsPerPost: number;
}

interface Question {
  path: string;
  /** About a stretch that is over: the same answer at any time, as long as no event comes late. */
  isPast: boolean;
}

/** Samples by who answered: `made`, or the level that had it. */
type Samples = Map<string, number[]>;

interface Part {
  name: string;
  samples: Samples;
  stale: number;
}

function planOf({ smoke, events, ids, seconds }: BenchOptions): Plan {
  if (smoke) return { events: 5000, ids: 500, questions: 40, seconds: 0.5, eventsPerPost: 10 };
  return {
    events: events ?? 2_000_000,
    ids: ids ?? 100_000,
    questions: 400,
    seconds: seconds ?? 10,
    eventsPerPost: 100,
  };
}

/** Boards of whole hours in the past, of now, exact and filtered ones, and single items. */
function makeQuestions(random: Random, plan: Plan, startMs: number): Question[] {
  const paths = new Map<string, boolean>();
  while (paths.size < plan.questions) {
    const eventType = random.pick(eventTypes);
    const isPast = random.chance(0.7);
    const hours = random.pick([1, 6, 24, 72]);
    const from = startMs + random.int(0, historyMs / hourMs - hours - 2) * hourMs;
    const range: Record<string, string> = isPast
      ? { from: String(from), to: String(from + hours * hourMs) }
      : { timeRange: random.pick(["last_hour", "last_24_hours", "last_3_days", "today"]) };
    const more = random.pick<Record<string, string>>([
      {},
      { k: "100" },
      { mode: "approx" },
      { mode: "exact" },
      { "filter.country": random.pick(["DE", "US"]) },
    ]);
    paths.set(`/leaderboard?${new URLSearchParams({ eventType, ...range, ...more })}`, isPast);
  }
  return random.shuffle([...paths].map(([path, isPast]) => ({ path, isPast })));
}

async function ask(client: Client, path: string) {
  const started = performance.now();
  const { statusCode, headers, body } = await client.request({ path, method: "GET" });
  const text = await body.text();
  const tookMs = performance.now() - started;
  if (statusCode !== 200) throw new Error(`${path} answered ${statusCode}: ${text.slice(0, 500)}`);
  const status = String(headers["cache-status"]);
  const level = /^rankstream-(\w+); hit/.exec(status)?.[1] ?? "made";
  return { tookMs, text, level };
}

/** Asks on all connections, each its next question once it has an answer, until time is up. */
async function measure(
  name: string,
  url: string,
  questions: readonly Question[],
  plan: Plan,
  { seed, connections }: BenchOptions,
): Promise<Part> {
  const part: Part = { name, samples: new Map(), stale: 0 };
  const zipf = new ZipfSampler(questions.length, zipfExponent);
  const until = performance.now() + plan.seconds * 1000;
  let lanes = 0;
  await onConnections(url, connections, async (client) => {
    const random = new Random(seed + 100 + lanes++);
    while (performance.now() < until) {
      const { tookMs, text, level } = await ask(client, questions[zipf.draw(random)]!.path);
      const own = part.samples.get(level) ?? [];
      part.samples.set(level, own);
      own.push(tookMs);
      if (text.includes('"stale":true')) part.stale++;
    }
  });
  return part;
}

interface LiveStreams {
  now: EventStream;
  /** Events of the past week. */
  late: EventStream;
}

async function postWhile(
  url: string,
  { now, late }: LiveStreams,
  plan: Plan,
  asking: Promise<unknown>,
) {
  const state = { isOver: false };
  const over = asking.finally(() => {
    state.isOver = true;
  });
  await onConnections(url, 1, async (client) => {
    for (let post = 0; !state.isOver; post++) {
      await postBody(client, now.nextBody(plan.eventsPerPost));
      if (post % latePosts === 0) await postBody(client, late.nextBody(1));
      await sleep(postEveryMs);
    }
  });
  await over;
}

/** What is certain of a board: bounds are wide or narrow as windows were built or not yet. */
function certainOf(text: string): string {
  const { total, certifiedRanks, results } = JSON.parse(text) as Board;
  const rows = results.slice(0, certifiedRanks).map(({ eventId, count }) => [eventId, count]);
  return JSON.stringify([total, rows]);
}

/** The answers about the past, by path. */
async function answersOf(url: string, questions: readonly Question[], options: BenchOptions) {
  const answers = new Map<string, string>();
  const past = questions.filter(({ isPast }) => isPast)[Symbol.iterator]();
  await onConnections(url, options.connections, async (client) => {
    for (let next = past.next(); next.done !== true; next = past.next()) {
      answers.set(next.value.path, (await ask(client, next.value.path)).text);
    }
  });
  return answers;
}

function checkSame(kept: Map<string, string>, made: Map<string, string>): void {
  for (const [path, text] of kept) {
    const other = made.get(path)!;
    const [one, two] = [certainOf(text), certainOf(other)];
    // Of two boards about the same events one may prove more ranks than the other.
    if (one.startsWith(two.slice(0, -2)) || two.startsWith(one.slice(0, -2))) continue;
    throw new Error(`${path}: kept ${one.slice(0, 500)}, made ${two.slice(0, 500)}`);
  }
}

function rowsOf({ name, samples, stale }: Part): [string, string][] {
  const all = [...samples.values()].reduce((sum, own) => sum + own.length, 0);
  const rows: [string, string][] = [];
  const levels = [...samples].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [level, own] of levels) {
    const { p50, p99, max, count } = latencyOf(own);
    const figures = `${fixed(p50)} / ${fixed(p99)} / ${fixed(max, 1)}`;
    rows.push([`${name}: ${level}, ms p50 / p99 / max`, figures]);
    rows.push(["  share of answers", `${percent(count / all)} (${whole(count)})`]);
  }
  if (stale > 0) rows.push([`${name}: marked stale`, percent(stale / all, 2)]);
  return rows;
}

function describe(plan: Plan, parts: Part[]): Outcome {
  const notes = ["Times are the client's: they hold HTTP over loopback and its own waits."];
  const alone = latencyOf(parts[1]!.samples.get("l1") ?? []);
  if (alone.p50 >= keptMsMax) notes.push(`NOT REACHED: under ${keptMsMax} ms from memory.`);
  const data = parts.map(({ name, samples, stale }) => ({
    name,
    stale,
    levels: Object.fromEntries([...samples].map(([level, own]) => [level, latencyOf(own)])),
  }));
  return {
    name: "cache",
    title:
      `Kept answers: ${plan.questions} questions drawn by Zipf ${zipfExponent}, ` +
      `${whole(plan.events)} events of a week; each part ${plan.seconds} s`,
    rows: parts.flatMap(rowsOf),
    notes,
    data: { plan, parts: data },
  };
}

/** Four parts over one folder, and a last service, without caches, as the judge. */
export async function runCache(options: BenchOptions): Promise<Outcome[]> {
  const plan = planOf(options);
  const startMs = Math.floor((Date.now() - historyMs) / hourMs) * hourMs;
  const counts = new StreamCounts(1, plan.ids);
  const count = (_type: number, id: number) => counts.add(0, id);
  const shared = { ids: plan.ids, zipfExponent, eventTypes, form: "full" as const };
  const stepMs = (historyMs - hourMs) / plan.events;
  const steady = { lateShare: 0, lateMsMax: 0, startMs, stepMs };
  const past = new EventStream({ ...shared, ...steady, seed: options.seed }, count);
  const questions = makeQuestions(new Random(options.seed + 1), plan, startMs);
  const parts: Part[] = [];
  const first = await ServiceProcess.start({ args: options.serviceArgs });
  const over = ["--data-dir", first.dataDir, ...options.serviceArgs];
  let service = first;
  try {
    say(`cache: posting ${whole(plan.events)} events`);
    await postAll(service.url, options.connections, () => {
      const left = plan.events - past.made;
      return left === 0 ? null : past.nextBody(Math.min(left, 2000));
    });
    const everything = { eventType: eventTypes.join(","), timeRange: "all", k: boardRows };
    await askExact(service.url, everything);
    say("cache: asking");
    parts.push(await measure("quiet", service.url, questions, plan, options));
    const alone = { ...options, connections: 1 };
    parts.push(await measure("one asker", service.url, questions, plan, alone));
    const live = { ...shared, ...steady, startMs: Date.now(), stepMs: 1 };
    const now = new EventStream({ ...live, seed: options.seed + 2 }, count);
    const week = { ...shared, ...steady, stepMs: lateStepMs };
    const late = new EventStream({ ...week, seed: options.seed + 3 }, count);
    const busy = measure("busy", service.url, questions, plan, options);
    await postWhile(service.url, { now, late }, plan, busy);
    parts.push(await busy);
    await answersOf(service.url, questions, options);
    await service.stop();
    service = await ServiceProcess.start({ args: over });
    parts.push(await measure("restarted", service.url, questions, plan, options));
    const kept = await answersOf(service.url, questions, options);
    await service.stop();
    service.dispose();
    service = await ServiceProcess.start({ args: [...over, ...keepsNothing] });
    checkSame(kept, await answersOf(service.url, questions, options));
    const { board } = await askExact(service.url, everything);
    checkExact(board, trueBoard(counts.ofAll(), boardRows), "the board of everything");
    await service.stop();
    return [describe(plan, parts)];
  } catch (error) {
    throw service.blame(error);
  } finally {
    service.dispose();
    first.dispose();
  }
}
