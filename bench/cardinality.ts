/**
 * Many more ids than a window lists, so that answers are bounds and not counts: how often are
 * they certified all the same, how far off are they, and does memory level off? Bounds and
 * certificates of every answer are held against a recount of the stream's own events, at rest
 * (ingest paused or over) in full, during ingest between what was acknowledged and what was sent.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { Random } from "../test/support/random.ts";
import { checkBounds, judge, type Verdict } from "./board-verdict.ts";
import { askBoard, askExact, type Board, checkExact, passBarrier, postAll } from "./load.ts";
import type { BenchOptions } from "./options.ts";
import { RecordedStream, type TimeSpan } from "./recorded-stream.ts";
import { fixed, megabytes, type Outcome, percent, say, whole } from "./report.ts";
import { ServiceProcess } from "./service-process.ts";
import { latencyOf, mean } from "./statistics.ts";
import { trueBoard } from "./truth.ts";

const eventType = "page_view";
const ks = [10, 100, 1000];
const hourMs = 3_600_000;
const minuteMs = 60_000;
const spanMs = 6 * hourMs;
const pauses = [0.25, 0.5, 0.75, 1];
const residentBytesMax = 1.5e9;
/** From the middle of the ingest to its end resident memory may grow by so much. */
const growthMax = 0.2;
/** Samples of resident memory, one a second, between two lines of progress. */
const progressEvery = 20;
/** At least so many answers certified on Zipf 1.0, by k. */
const certifiedMin = new Map([
  [10, 0.9],
  [100, 0.6],
]);

interface Plan {
  events: number;
  ids: number;
  rangesPaused: number;
  rangesAfter: number;
  exactRanges: number;
  /** Between the last event and the questions after it, so that windows seal. */
  settleMs: number;
  liveGapMs: number;
  eventsPerBody: number;
  args: string[];
}

interface Memory {
  /** Share of the events sent, or 1 and more once all are. */
  atShare: number;
  seconds: number;
  residentBytes: number;
}

interface Result {
  zipfExponent: number;
  ingestSeconds: number;
  paused: Verdict[];
  after: Verdict[];
  /** Approximate questions that were answered 503, at rest (by k) and during ingest. */
  gaveUp: number[];
  liveGaveUp: number;
  liveAnswers: number;
  liveStale: number;
  liveMs: number[];
  exactMs: number[];
  exactTimeouts: number;
  memory: Memory[];
}

function planOf(options: BenchOptions): Plan {
  const { smoke, serviceArgs } = options;
  return {
    events: options.events ?? (smoke ? 24_000 : 20_000_000),
    ids: options.ids ?? (smoke ? 20_000 : 5_000_000),
    rangesPaused: smoke ? 2 : 12,
    rangesAfter: smoke ? 2 : 40,
    exactRanges: smoke ? 1 : 5,
    settleMs: smoke ? 0 : 20_000,
    liveGapMs: smoke ? 100 : 2000,
    eventsPerBody: smoke ? 1000 : 5000,
    // Few candidates, so that the lists of the small stream are incomplete as well.
    args: smoke ? ["--candidates-max", "100", ...serviceArgs] : serviceArgs,
  };
}

/** Whole hours, whole minutes, or ragged to the millisecond; begins before `share` of the span. */
function randomSpan(random: Random, startMs: number, share: number): TimeSpan {
  const step = random.pick([hourMs, minuteMs, minuteMs, 1, 1]);
  const moment = () => {
    const at = startMs + random.float() * spanMs * share;
    return Math.floor(at / step) * step;
  };
  const [a, b] = [moment(), moment()];
  return { from: Math.min(a, b), to: Math.max(a, b) + step };
}

function questionText(span: TimeSpan, k: number, seed: number): string {
  const time = (ms: number) => new Date(ms).toISOString();
  return `top ${k} from ${time(span.from)} to ${time(span.to)} (seed ${seed})`;
}

/** Asks and takes the time; `board` is null when the service gave up (503). */
async function askApprox(url: string, span: TimeSpan, k: number) {
  const started = performance.now();
  const answer = await askBoard(url, { eventType, ...span, k, mode: "approx" });
  const board = typeof answer === "string" ? null : answer;
  return { board, ms: performance.now() - started };
}

class CardinalityRun {
  readonly #url: string;
  readonly #stream: RecordedStream;
  readonly #plan: Plan;
  readonly #random: Random;
  /** Its own: how many live questions there are depends on time. */
  readonly #liveRandom: Random;
  readonly result: Result;

  constructor(url: string, stream: RecordedStream, plan: Plan) {
    this.#url = url;
    this.#stream = stream;
    this.#plan = plan;
    this.#random = new Random(stream.options.seed).fork(1);
    this.#liveRandom = new Random(stream.options.seed).fork(2);
    this.result = {
      zipfExponent: stream.options.zipfExponent,
      ingestSeconds: 0,
      paused: [],
      after: [],
      gaveUp: [],
      liveGaveUp: 0,
      liveAnswers: 0,
      liveStale: 0,
      liveMs: [],
      exactMs: [],
      exactTimeouts: 0,
      memory: [],
    };
  }

  /** Sends up to `share` of the events, with questions in between. */
  async ingest(connections: number, share: number): Promise<void> {
    const stream = this.#stream;
    const until = Math.floor(this.#plan.events * share);
    const started = performance.now();
    const over = new AbortController();
    const asking = this.#askWhile(over.signal, share);
    try {
      await Promise.race([
        postAll(
          this.#url,
          connections,
          () => stream.next(until),
          (body) => stream.acknowledge(body),
        ),
        asking,
      ]);
    } finally {
      over.abort();
    }
    await asking;
    this.result.ingestSeconds += (performance.now() - started) / 1000;
    if (stream.acknowledged !== until) throw new Error(`${until} sent, not all acknowledged`);
  }

  async #askWhile(over: AbortSignal, share: number): Promise<void> {
    const { startMs, seed } = this.#stream.options;
    // Asks before it waits: a small ingest may be over before the first gap is.
    for (; !over.aborted; await gap(this.#plan.liveGapMs, over)) {
      const span = randomSpan(this.#liveRandom, startMs, share);
      const k = this.#liveRandom.pick(ks);
      const acknowledged = this.#stream.acknowledged;
      const { board, ms } = await askApprox(this.#url, span, k);
      this.result.liveMs.push(ms);
      if (board === null) {
        this.result.liveGaveUp++;
        continue;
      }
      const before = this.#stream.recount(span, 0, acknowledged);
      const after = this.#stream.recount(span, acknowledged, this.#stream.sent);
      for (let id = 0; id < after.length; id++) after[id]! += before[id]!;
      checkBounds(board, before, after, `${questionText(span, k, seed)}, during ingest`);
      this.result.liveAnswers++;
      if (board.stale) this.result.liveStale++;
    }
  }

  /** Asks with nothing coming in, each range at every k, and judges in full. */
  async ask(ranges: number, share: number, into: Verdict[]): Promise<void> {
    const { startMs, seed } = this.#stream.options;
    // Waits until all is counted: from here on an answer has no reason to be stale.
    await passBarrier(this.#url, eventType);
    for (let range = 0; range < ranges; range++) {
      const span = randomSpan(this.#random, startMs, share);
      const answers: { k: number; board: Board | null; ms: number }[] = [];
      for (const k of ks) answers.push({ k, ...(await askApprox(this.#url, span, k)) });
      const counts = this.#stream.recount(span, 0, this.#stream.sent);
      const truth = trueBoard(counts, Math.max(...ks));
      for (const { k, board, ms } of answers) {
        if (board === null) this.result.gaveUp.push(k);
        else into.push(judge(board, counts, truth, k, ms, questionText(span, k, seed)));
      }
    }
  }

  async askExact(): Promise<void> {
    const { startMs, seed } = this.#stream.options;
    for (let range = 0; range < this.#plan.exactRanges; range++) {
      const span = randomSpan(this.#random, startMs, 1);
      const k = Math.max(...ks);
      const started = performance.now();
      const { board, timeouts } = await askExact(this.#url, { eventType, ...span, k });
      this.result.exactMs.push(performance.now() - started);
      this.result.exactTimeouts += timeouts;
      const counts = this.#stream.recount(span, 0, this.#stream.sent);
      checkExact(board, trueBoard(counts, k), `exact ${questionText(span, k, seed)}`);
    }
  }
}

/** Waits so long, or until `over`. */
function gap(ms: number, over: AbortSignal): Promise<void> {
  return sleep(ms, undefined, { signal: over }).catch(() => undefined);
}

function watchMemory(service: ServiceProcess, stream: RecordedStream, memory: Memory[]) {
  const started = performance.now();
  return setInterval(() => {
    const atShare = stream.sent / stream.options.events;
    const seconds = Math.round((performance.now() - started) / 100) / 10;
    const residentBytes = service.residentBytes();
    memory.push({ atShare, seconds, residentBytes });
    if (memory.length % progressEvery !== 0) return;
    say(`cardinality: ${percent(atShare)} sent after ${seconds} s, ${megabytes(residentBytes)}`);
  }, 1000);
}

async function runOne(options: BenchOptions, plan: Plan, zipfExponent: number): Promise<Result> {
  const { seed, connections, profileDir } = options;
  const { events, ids, eventsPerBody } = plan;
  const late = { lateShare: 0.01, lateMsMax: hourMs };
  const time = { startMs: Date.now() - spanMs, spanMs };
  const stream = new RecordedStream({
    ...{ seed, events, ids, zipfExponent, eventType, eventsPerBody },
    ...late,
    ...time,
  });
  const service = await ServiceProcess.start({ args: plan.args, profileDir });
  const run = new CardinalityRun(service.url, stream, plan);
  const watching = watchMemory(service, stream, run.result.memory);
  try {
    for (const share of pauses) {
      await run.ingest(connections, share);
      await run.ask(plan.rangesPaused, share, run.result.paused);
      say(`cardinality, Zipf ${zipfExponent}: ${percent(share, 0)} sent and asked`);
    }
    await sleep(plan.settleMs);
    await run.ask(plan.rangesAfter, 1, run.result.after);
    await run.askExact();
    await service.stop();
    return run.result;
  } catch (error) {
    throw service.blame(error);
  } finally {
    clearInterval(watching);
    service.dispose();
  }
}

function accuracyRows(verdicts: Verdict[], when: string): Outcome["rows"] {
  return ks.flatMap((k): Outcome["rows"] => {
    const of = verdicts.filter((verdict) => verdict.k === k);
    const share = (pick: (verdict: Verdict) => number) => mean(of.map(pick));
    const error = fixed(share((verdict) => verdict.errorMean));
    const errorShare = percent(
      share((verdict) => verdict.errorShareMean),
      3,
    );
    return [
      [`certified at k = ${k}, ${when}`, percent(share(({ certified }) => (certified ? 1 : 0)))],
      [`  ranks certified`, percent(share((verdict) => verdict.certifiedRanks / k))],
      [`  rows with lower = upper`, percent(share((verdict) => verdict.exactShare))],
      [
        `  recall`,
        percent(
          share((verdict) => verdict.recall),
          2,
        ),
      ],
      [`  mean error of counts`, `${error} (${errorShare})`],
    ];
  });
}

function memoryAt(memory: Memory[], share: number): number {
  return memory.find(({ atShare }) => atShare >= share)?.residentBytes ?? 0;
}

function notesOf(result: Result): string[] {
  const { after, paused, gaveUp, liveGaveUp, memory, zipfExponent } = result;
  const notes: string[] = [];
  if (gaveUp.length + liveGaveUp > 0) {
    const where = `${gaveUp.length} at rest, ${liveGaveUp} during ingest`;
    notes.push(`NOT REACHED: an answer to every approximate question (503: ${where}).`);
  }
  const most = Math.max(0, ...memory.map(({ residentBytes }) => residentBytes));
  if (most > residentBytesMax) notes.push("NOT REACHED: resident memory under 1.5 GB.");
  const during = memory.filter(({ atShare }) => atShare > 0.4 && atShare < 0.6);
  const half = Math.max(0, ...during.map(({ residentBytes }) => residentBytes));
  if (half > 0 && most > half * (1 + growthMax)) {
    notes.push(
      `NOT REACHED: memory that levels off (${megabytes(half)}, later ${megabytes(most)}).`,
    );
  }
  if (half === 0) notes.push("NOT MEASURED: whether memory levels off; the run was too short.");
  for (const [k, least] of zipfExponent === 1 ? certifiedMin : []) {
    const of = [...paused, ...after].filter((verdict) => verdict.k === k);
    const asked = of.length + gaveUp.filter((unanswered) => unanswered === k).length;
    const share = of.filter(({ certified }) => certified).length / Math.max(1, asked);
    if (share < least) {
      notes.push(`NOT REACHED: ${percent(least, 0)} certified at k = ${k}: ${percent(share)}.`);
    }
  }
  return notes;
}

function describe(plan: Plan, result: Result): Outcome {
  const { paused, after, memory, zipfExponent, liveAnswers, liveStale, liveMs } = result;
  const milliseconds = (samples: number[]) => {
    const { p50, p99, max, count } = latencyOf(samples);
    return `${fixed(p50, 1)} / ${fixed(p99, 1)} / ${fixed(max, 1)} (${count})`;
  };
  const most = Math.max(0, ...memory.map(({ residentBytes }) => residentBytes));
  const rows: Outcome["rows"] = [
    ...accuracyRows(paused, "ingest paused"),
    ...accuracyRows(after, "after ingest"),
    ["answers judged in full, during ingest", `${paused.length + after.length}, ${liveAnswers}`],
    ["not answered (503) at rest, during ingest", `${result.gaveUp.length}, ${result.liveGaveUp}`],
    ["stale during ingest", percent(liveStale / Math.max(1, liveAnswers))],
    ["approx during ingest, ms p50 / p99 / max", milliseconds(liveMs)],
    [
      "approx at rest, ms p50 / p99 / max",
      milliseconds([...paused, ...after].map(({ ms }) => ms)),
    ],
    ["exact k = 1000 at rest, ms p50 / p99 / max", milliseconds(result.exactMs)],
    ["exact answers that timed out first", whole(result.exactTimeouts)],
    ["events/s while asked (not a throughput)", whole(plan.events / result.ingestSeconds)],
    [
      "resident memory at 25, 50, 75, 100 % sent",
      pauses.map((s) => megabytes(memoryAt(memory, s))).join(", "),
    ],
    ["resident memory, largest", megabytes(most)],
  ];
  const title =
    `Cardinality: ${whole(plan.events)} events, Zipf ${fixed(zipfExponent, 1)} over ` +
    `${whole(plan.ids)} ids, 6 hours of event time, 1 % late by up to an hour; ` +
    "every bound and certificate held";
  return { name: "cardinality", title, rows, notes: notesOf(result), data: { plan, ...result } };
}

/** One service and stream for each exponent. Throws at the first broken bound or certificate. */
export async function runCardinality(options: BenchOptions): Promise<Outcome[]> {
  const plan = planOf(options);
  const outcomes: Outcome[] = [];
  for (const exponent of options.zipfExponents) {
    say(`cardinality, Zipf ${exponent}: ${whole(plan.events)} events over ${whole(plan.ids)} ids`);
    outcomes.push(describe(plan, await runOne(options, plan, exponent)));
  }
  return outcomes;
}
