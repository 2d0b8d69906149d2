/** How long single POSTs and queries take while events come in at a steady rate. */
import { setTimeout as sleep } from "node:timers/promises";
import { Pool } from "undici";
import { type Body, EventStream } from "./event-stream.ts";
import { askBoard, askExact, checkExact, postAll, postBody } from "./load.ts";
import type { BenchOptions } from "./options.ts";
import { fixed, type Outcome, percent, say, whole } from "./report.ts";
import { ServiceProcess } from "./service-process.ts";
import { latencyOf } from "./statistics.ts";
import { StreamCounts, trueBoard } from "./truth.ts";

const eventType = "song_play";
const historyMs = 6 * 3_600_000;
const batchesPerSecond = 100;
const singlesPerSecond = 50;
const approxPerSecond = 10;
const exactPerSecond = 1;
const boardRows = 1000;

/** Samples of one kind of call, from the moment it was due: a queue counts against it. */
interface Paced {
  name: string;
  perSecond: number;
  samplesMs: number[];
  /** The same from the moment each was sent: what one call takes, without the queue. */
  sentMs: number[];
  failed: number;
}

/** Calls of one kind under way at once: one that waits must not hold up the next. */
const lanes = 8;

/** Calls `call` at its times until `seconds` are over; where all lanes are busy, later. */
async function pace(
  paced: Paced,
  seconds: number,
  call: (at: number) => Promise<boolean>,
): Promise<void> {
  const started = performance.now();
  const calls = Math.max(1, Math.round(seconds * paced.perSecond));
  let next = 0;
  const lane = async () => {
    for (let at = next++; at < calls; at = next++) {
      const due = started + (at * 1000) / paced.perSecond;
      const wait = due - performance.now();
      if (wait > 1) await sleep(wait);
      const sent = performance.now();
      if (!(await call(at))) paced.failed++;
      const ended = performance.now();
      paced.sentMs.push(ended - sent);
      paced.samplesMs.push(ended - due);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

interface Plan {
  events: number;
  history: number;
  ids: number;
  seconds: number;
  perSecond: number;
}

function planOf(options: BenchOptions): Plan {
  const seconds = options.seconds ?? (options.smoke ? 1.5 : 20);
  const perSecond = options.smoke ? 2000 : options.eventsPerSecond;
  const history = options.smoke ? 5000 : 1_000_000;
  const events = Math.floor(perSecond * seconds);
  return { events, history, seconds, perSecond, ids: options.ids ?? (options.smoke ? 500 : 1e6) };
}

function makeBodies(stream: EventStream, events: number, perBody: number): Body[] {
  const bodies: Body[] = [];
  for (let left = events; left > 0; left -= bodies.at(-1)!.events) {
    bodies.push(stream.nextBody(Math.min(left, perBody)));
  }
  return bodies;
}

/** History of some hours, then what is sent while it is measured. */
function generate(options: BenchOptions, plan: Plan, counts: StreamCounts) {
  const shared = {
    ids: plan.ids,
    zipfExponent: 1,
    eventTypes: [eventType],
    lateShare: 0,
    lateMsMax: 0,
    form: "full" as const,
  };
  const count = (_type: number, id: number) => counts.add(0, id);
  const past = new EventStream(
    {
      ...shared,
      seed: options.seed,
      startMs: Date.now() - historyMs,
      stepMs: historyMs / plan.history,
    },
    count,
  );
  const history = makeBodies(past, plan.history, 2000);
  const stepMs = 1000 / plan.perSecond;
  const present = { ...shared, seed: options.seed + 1, startMs: Date.now(), stepMs };
  const now = new EventStream(present, count);
  const batches = makeBodies(now, plan.events, Math.ceil(plan.perSecond / batchesPerSecond));
  const singles = makeBodies(now, Math.max(1, Math.floor(plan.seconds * singlesPerSecond)), 1);
  return { history, batches, singles };
}

interface Measured {
  calls: Paced[];
  achievedPerSecond: number;
  stale: number;
  certified: number;
  approxAnswers: number;
}

type Bodies = ReturnType<typeof generate>;

async function measure(url: string, bodies: Bodies, plan: Plan): Promise<Measured> {
  const { seconds } = plan;
  const measured = { stale: 0, certified: 0, approxAnswers: 0 };
  const paced = (name: string, perSecond: number): Paced => {
    return { name, perSecond, samplesMs: [], sentMs: [], failed: 0 };
  };
  const single = paced("POST of one event", bodies.singles.length / seconds);
  const queries = ["approx", "exact"].flatMap((mode) =>
    ["last_hour", "all"].map((timeRange) => {
      const perSecond = mode === "approx" ? approxPerSecond : exactPerSecond;
      return { mode, timeRange, paced: paced(`${mode} ${timeRange}`, perSecond) };
    }),
  );
  const batch = paced(
    `POST of ${bodies.batches[0]!.events} events`,
    bodies.batches.length / seconds,
  );
  const started = performance.now();
  let batchSeconds = 0;
  const singlesPool = new Pool(url, { connections: lanes, pipelining: 1 });
  const batchesPool = new Pool(url, { connections: lanes, pipelining: 1 });
  const post = (pool: Pool, from: Body[]) => async (at: number) =>
    (await postBody(pool, from[at]!)) === 0;
  await Promise.all([
    pace(batch, seconds, post(batchesPool, bodies.batches)).then(() => {
      batchSeconds = (performance.now() - started) / 1000;
    }),
    pace(single, seconds, post(singlesPool, bodies.singles)),
    ...queries.map(({ mode, timeRange, paced: calls }) =>
      pace(calls, seconds, async () => {
        const board = await askBoard(url, { eventType, k: 10, mode, timeRange });
        if (typeof board === "string") return false;
        if (mode === "approx") {
          measured.approxAnswers++;
          if (board.stale) measured.stale++;
          if (board.certified) measured.certified++;
        }
        return true;
      }),
    ),
  ]);
  await Promise.all([singlesPool.close(), batchesPool.close()]);
  const calls = [single, batch, ...queries.map((query) => query.paced)];
  return { calls, achievedPerSecond: plan.events / batchSeconds, ...measured };
}

function describe(plan: Plan, measured: Measured): Outcome {
  const { calls, achievedPerSecond, stale, certified, approxAnswers } = measured;
  const rows: Outcome["rows"] = [];
  const notes: string[] = [];
  for (const { name, samplesMs, sentMs, failed, perSecond } of calls) {
    const { p50, p99, max, count } = latencyOf(samplesMs);
    const figures = `${fixed(p50, 1)} / ${fixed(p99, 1)} / ${fixed(max, 1)} (${count} calls)`;
    const sent = latencyOf(sentMs);
    rows.push([`${name}, ms p50 / p99 / max`, figures]);
    rows.push(["  from when it was sent", `${fixed(sent.p50, 1)} / ${fixed(sent.p99, 1)}`]);
    if (failed > 0) notes.push(`${name}: ${failed} of ${count} put off or timed out (503).`);
    const limitMs = name.startsWith("approx") ? 100 : name.startsWith("exact") ? 5000 : null;
    if (limitMs !== null && p99 >= limitMs) {
      notes.push(`NOT REACHED: ${name} under ${limitMs} ms at p99 (${perSecond} a second).`);
    }
  }
  rows.push(["events/s while measured", whole(achievedPerSecond)]);
  rows.push(["approximate answers certified", percent(certified / Math.max(1, approxAnswers))]);
  rows.push(["approximate answers stale", percent(stale / Math.max(1, approxAnswers))]);
  if (achievedPerSecond < 0.95 * plan.perSecond) {
    notes.push(`NOT REACHED: a steady ${whole(plan.perSecond)} events/s.`);
  }
  const title =
    `Latency while ${whole(plan.perSecond)} events/s come in for ${plan.seconds} s, over ` +
    `${whole(plan.history)} earlier events; from the moment each call was due`;
  const data = {
    plan,
    ...measured,
    calls: calls.map(({ name, samplesMs, sentMs, failed }) => {
      return { name, failed, ...latencyOf(samplesMs), sent: latencyOf(sentMs) };
    }),
  };
  return { name: "latency", title, rows, notes, data };
}

/** Loads history, measures, then checks the exact board of everything against its own counts. */
export async function runLatency(options: BenchOptions): Promise<Outcome[]> {
  const plan = planOf(options);
  const counts = new StreamCounts(1, plan.ids);
  say(`latency: generating ${whole(plan.history + plan.events)} events`);
  const bodies = generate(options, plan, counts);
  const { serviceArgs: args, profileDir } = options;
  const service = await ServiceProcess.start({ args, profileDir });
  try {
    const history = bodies.history[Symbol.iterator]();
    await postAll(service.url, options.connections, () => history.next().value ?? null);
    const everything = { eventType, timeRange: "all", k: boardRows };
    await askExact(service.url, everything);
    say(`latency: measuring for ${plan.seconds} s`);
    const measured = await measure(service.url, bodies, plan);
    const { board } = await askExact(service.url, everything);
    checkExact(board, trueBoard(counts.ofAll(), boardRows), "the board of everything");
    await service.stop();
    return [describe(plan, measured)];
  } catch (error) {
    throw service.blame(error);
  } finally {
    service.dispose();
  }
}
