/**
 * Events a second over minutes, each stamped with the moment it is sent, while boards are asked
 * for: so windows seal, files are written and merged, and memory shows whether it grows.
 *
 * The same bodies are sent again and again with new times. The rate runs from the first POST to
 * the exact board with every event in it, and is given only after that board, and each type's, is
 * the generator's own count.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type Body, EventStream } from "./event-stream.ts";
import { askBoard, askExact, checkExact, onConnections, postBody } from "./load.ts";
import type { BenchOptions } from "./options.ts";
import { fixed, type Outcome, say, whole } from "./report.ts";
import { ServiceProcess } from "./service-process.ts";
import { restamp, type Stamps, stampsOf } from "./stamps.ts";
import { latencyOf } from "./statistics.ts";
import { StreamCounts, trueBoard } from "./truth.ts";

const eventTypes = ["song_play", "song_like", "playlist_add"];
const boardRows = 1000;
const askEveryMs = 500;
const askedMs = 5 * 60_000;
const tellEveryMs = 10_000;
const targetRate = 1_000_000;
const targetQueryMs = 50;

interface Ring {
  bodies: Body[];
  stamps: Stamps[];
  counts: StreamCounts;
  events: number;
  bytes: number;
}

function makeRing(options: BenchOptions, events: number, ids: number): Ring {
  const counts = new StreamCounts(eventTypes.length, ids);
  const shape = { seed: options.seed, ids, zipfExponent: 1, eventTypes, form: "full" as const };
  const times = { startMs: Date.now() - 60_000, stepMs: 0, lateShare: 0, lateMsMax: 0 };
  const stream = new EventStream({ ...shape, ...times }, (type, id) => counts.add(type, id));
  const { bodies, bytes } = stream.makeBodies(events, options.bodyBytes);
  return { bodies, stamps: bodies.map(stampsOf), counts, events, bytes };
}

/** Sends the ring, whole, until the time is over; how often, and what each POST took. */
async function sendRing(url: string, ring: Ring, connections: number, seconds: number) {
  const until = performance.now() + seconds * 1000;
  const latenciesMs: number[] = [];
  let passes = 1;
  let at = 0;
  let overloads = 0;
  const next = (): number | null => {
    if (at < ring.bodies.length) return at++;
    if (performance.now() >= until) return null;
    passes++;
    at = 1;
    return 0;
  };
  await onConnections(url, connections, async (client) => {
    for (let i = next(); i !== null; i = next()) {
      const body = ring.bodies[i]!;
      restamp(body, ring.stamps[i]!, Date.now());
      const started = performance.now();
      overloads += await postBody(client, body);
      latenciesMs.push(performance.now() - started);
    }
  });
  return { passes, latenciesMs, overloads };
}

/** Asks for a board of the last minutes now and then, until stopped; what each took. */
function askBeside(url: string) {
  const latenciesMs: number[] = [];
  let refused = 0;
  let isStopped = false;
  const asking = (async () => {
    while (!isStopped) {
      const to = Date.now();
      const range = { from: to - askedMs, to, k: 100, mode: "approx" };
      const started = performance.now();
      const board = await askBoard(url, { eventType: eventTypes[0]!, ...range });
      if (typeof board === "string") refused++;
      else latenciesMs.push(performance.now() - started);
      await sleep(askEveryMs);
    }
  })();
  return async () => {
    isStopped = true;
    await asking;
    return { latenciesMs, refused };
  };
}

/** Looks at the service's memory now and then, until stopped. */
function watchMemory(service: ServiceProcess) {
  const samples: number[] = [];
  const timer = setInterval(() => {
    samples.push(service.residentBytes());
    say(`sustained: ${whole(samples.at(-1)! / 2 ** 20)} MiB of memory`);
  }, tellEveryMs);
  return () => {
    clearInterval(timer);
    samples.push(service.residentBytes());
    return samples;
  };
}

function timesCounts(counts: Uint32Array, passes: number): Uint32Array {
  return counts.map((count) => count * passes);
}

async function check(url: string, { counts }: Ring, passes: number): Promise<void> {
  for (const [type, eventType] of eventTypes.entries()) {
    const { board } = await askExact(url, { timeRange: "all", k: boardRows, eventType });
    const truth = trueBoard(timesCounts(counts.ofType(type), passes), boardRows);
    checkExact(board, truth, `the board of ${eventType}`);
  }
}

async function measure(service: ServiceProcess, options: BenchOptions, ring: Ring) {
  const { url } = service;
  const everything = { eventType: eventTypes.join(","), timeRange: "all", k: boardRows };
  const seconds = options.seconds ?? (options.smoke ? 0 : 300);
  const cpuUsed = service.meterCpu();
  const ownBefore = process.cpuUsage();
  const stopAsking = askBeside(url);
  const stopWatching = watchMemory(service);
  const started = performance.now();
  const sent = await sendRing(url, ring, options.connections, seconds);
  const posted = performance.now();
  const own = process.cpuUsage(ownBefore);
  const { board, timeouts } = await askExact(url, everything);
  const ended = performance.now();
  const asked = await stopAsking();
  const memory = stopWatching();
  const { seconds: cpu, threads } = cpuUsed();
  const truth = trueBoard(timesCounts(ring.counts.ofAll(), sent.passes), boardRows);
  checkExact(board, truth, "the board of everything");
  await check(url, ring, sent.passes);
  const events = ring.events * sent.passes;
  return {
    ...sent,
    events,
    seconds: (ended - started) / 1000,
    drainSeconds: (ended - posted) / 1000,
    timeouts,
    asked,
    memory,
    cpuUsPerEvent: (cpu * 1e6) / events,
    generatorCpuUsPerEvent: (own.user + own.system) / events,
    threads,
  };
}

type Measured = Awaited<ReturnType<typeof measure>>;

function describe(ring: Ring, ids: number, measured: Measured, storeBytes: number): Outcome {
  const { events, seconds, latenciesMs, asked, memory } = measured;
  const post = latencyOf(latenciesMs);
  const query = latencyOf(asked.latenciesMs);
  const rate = events / seconds;
  const mebibytes = memory.map((bytes) => whole(bytes / 2 ** 20));
  const three = (times: typeof post) =>
    [times.p50, times.p99, times.max].map((ms) => fixed(ms, 1)).join(" / ");
  const notes: string[] = [];
  if (rate < targetRate) notes.push(`NOT REACHED: ${whole(targetRate)} events/s.`);
  if (query.p99 > targetQueryMs) {
    notes.push(`NOT REACHED: approximate boards under ${targetQueryMs} ms at p99 meanwhile.`);
  }
  return {
    name: "sustained",
    title:
      `Sustained: ${whole(events)} events of ${fixed(ring.bytes / ring.events, 0)} bytes, ` +
      `${whole(ring.events)} prepared ones of ${whole(ids)} ids sent ${measured.passes} times, ` +
      `each stamped when it was sent`,
    rows: [
      ["events/s, to an exact answer", whole(rate)],
      ["seconds", fixed(seconds, 0)],
      ["CPU of the service, µs/event", fixed(measured.cpuUsPerEvent)],
      ["CPU of the load generator, µs/event", fixed(measured.generatorCpuUsPerEvent)],
      ["POST, ms p50 / p99 / max", three(post)],
      ["POSTs put off (503)", whole(measured.overloads)],
      ["approximate board meanwhile, ms p50 / p99 / max", three(query)],
      ["approximate boards refused meanwhile", whole(asked.refused)],
      ["last reply to exact answer, s", fixed(measured.drainSeconds)],
      ["exact answers that timed out first", whole(measured.timeouts)],
      ["resident memory, MiB: first, middle, last", pick(mebibytes).join(", ")],
      ["store on disk, bytes/event", fixed(storeBytes / events, 1)],
    ],
    notes,
    data: { ids, storeBytes, measured: { ...measured, latenciesMs: post, asked: query } },
  };
}

function pick(samples: readonly string[]): string[] {
  return [samples[0]!, samples[samples.length >> 1]!, samples.at(-1)!];
}

/** Makes the bodies once, then sends them for as long as was asked for. */
export async function runSustained(options: BenchOptions): Promise<Outcome[]> {
  const events = options.events ?? (options.smoke ? 20_000 : 6_000_000);
  const ids = options.ids ?? (options.smoke ? 2000 : 10_000_000);
  say(`sustained: preparing ${whole(events)} events`);
  const ring = makeRing(options, events, ids);
  const { serviceArgs: args, profileDir } = options;
  const service = await ServiceProcess.start({ args, profileDir });
  try {
    const measured = await measure(service, options, ring);
    await service.stop();
    return [describe(ring, ids, measured, service.diskBytes().store)];
  } catch (error) {
    throw service.blame(error);
  } finally {
    service.dispose();
  }
}
