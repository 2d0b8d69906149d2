/**
 * Events a second, from NDJSON over HTTP to durable, counted and in an exact answer.
 *
 * The clock runs from the first POST to the exact board that has every event in it. A rate is
 * given only after that board, and each type's, is the generator's own count, and so is the
 * baseline's: JSON.parse and a Map over the same bodies, one thread, in the same run.
 */
import { checkBaseline, countByParsing } from "./baseline.ts";
import { type Body, EventStream } from "./event-stream.ts";
import { askExact, checkExact, type LoadResult, postAll } from "./load.ts";
import type { BenchOptions } from "./options.ts";
import { fixed, type Outcome, percent, say, whole } from "./report.ts";
import { ServiceProcess, type ThreadCpu } from "./service-process.ts";
import { latencyOf, median, spread } from "./statistics.ts";
import { StreamCounts, trueBoard } from "./truth.ts";

export const eventTypes = ["song_play", "song_like", "playlist_add"];
export const boardRows = 1000;
const targetRate = 300_000;
const targetSlowShare = 0.01;
/** Threads below this share of the CPU are not shown. */
const threadShareShown = 0.01;

export interface Stream {
  bodies: Body[];
  counts: StreamCounts;
  events: number;
  bytes: number;
}

interface Run {
  eventsPerSecond: number;
  baselineEventsPerSecond: number;
  ratio: number;
  seconds: number;
  /** From the last reply to a POST to the exact answer with everything in it. */
  drainSeconds: number;
  exactTimeouts: number;
  overloads: number;
  postMs: { p50: number; p99: number; max: number };
  serviceCpuUsPerEvent: number;
  generatorCpuUsPerEvent: number;
  threads: ThreadCpu[];
  slowShare: number | null;
  residentBytes: number;
  storeBytesPerEvent: number;
  logBytesPerEvent: number;
}

export function generate(options: BenchOptions, events: number, ids: number): Stream {
  const counts = new StreamCounts(eventTypes.length, ids);
  const spanMs = (events * 1000) / options.eventsPerSecond;
  const stream = new EventStream(
    {
      seed: options.seed,
      ids,
      zipfExponent: 1,
      eventTypes,
      startMs: Date.now() - spanMs,
      stepMs: 1000 / options.eventsPerSecond,
      lateShare: 0,
      lateMsMax: 0,
      form: "full",
    },
    (type, id) => counts.add(type, id),
  );
  const { bodies, bytes } = stream.makeBodies(events, options.bodyBytes);
  return { bodies, counts, events, bytes };
}

/** Parses and counts the bodies as the baseline does; events a second, once it is checked. */
function runBaseline({ bodies, counts, events }: Stream): number {
  const result = countByParsing(bodies);
  for (const [type, name] of eventTypes.entries()) {
    checkBaseline(result, name, trueBoard(counts.ofType(type), boardRows));
  }
  return events / result.seconds;
}

export async function checkBoards(url: string, { counts }: Stream): Promise<void> {
  const all = { timeRange: "all", k: boardRows };
  for (const [type, name] of eventTypes.entries()) {
    const { board } = await askExact(url, { ...all, eventType: name });
    checkExact(board, trueBoard(counts.ofType(type), boardRows), `the board of ${name}`);
  }
}

function slowShareOf(slow: number | null, events: number): number | null {
  return slow === null ? null : slow / events;
}

export async function measure(service: ServiceProcess, stream: Stream, connections: number) {
  const everything = { eventType: eventTypes.join(","), timeRange: "all", k: boardRows };
  const cpuUsed = service.meterCpu();
  const ownBefore = process.cpuUsage();
  const started = performance.now();
  let at = 0;
  const load: LoadResult = await postAll(service.url, connections, () => {
    return stream.bodies[at++] ?? null;
  });
  const posted = performance.now();
  const { board, timeouts } = await askExact(service.url, everything);
  const ended = performance.now();
  const own = process.cpuUsage(ownBefore);
  const { seconds: serviceCpu, threads } = cpuUsed();
  checkExact(board, trueBoard(stream.counts.ofAll(), boardRows), "the board of everything");
  await checkBoards(service.url, stream);
  const { p50, p99, max } = latencyOf(load.latenciesMs);
  return {
    seconds: (ended - started) / 1000,
    drainSeconds: (ended - posted) / 1000,
    exactTimeouts: timeouts,
    overloads: load.overloads,
    postMs: { p50, p99, max },
    serviceCpuUsPerEvent: (serviceCpu * 1e6) / stream.events,
    generatorCpuUsPerEvent: (own.user + own.system) / stream.events,
    threads: threads.filter(({ cpuSeconds }) => cpuSeconds > threadShareShown * serviceCpu),
  };
}

async function runOnce(options: BenchOptions, stream: Stream): Promise<Run> {
  const { events } = stream;
  const baselineEventsPerSecond = runBaseline(stream);
  const { serviceArgs: args, profileDir, connections } = options;
  const service = await ServiceProcess.start({ args, profileDir });
  try {
    const measured = await measure(service, stream, connections);
    const slowShare = slowShareOf(
      await service.metric("rankstream_scanner_slow_lines_total"),
      events,
    );
    const residentBytes = service.residentBytes();
    await service.stop();
    const disk = service.diskBytes();
    const eventsPerSecond = events / measured.seconds;
    return {
      ...measured,
      eventsPerSecond,
      baselineEventsPerSecond,
      ratio: eventsPerSecond / baselineEventsPerSecond,
      slowShare,
      residentBytes,
      storeBytesPerEvent: disk.store / events,
      logBytesPerEvent: disk.log / events,
    };
  } catch (error) {
    throw service.blame(error);
  } finally {
    service.dispose();
  }
}

function notesOf(rate: number, slow: number | null, profiled: boolean): string[] {
  const notes: string[] = [];
  if (rate < targetRate) notes.push(`NOT REACHED: ${whole(targetRate)} events/s.`);
  if (slow !== null && slow >= targetSlowShare) {
    notes.push(`NOT REACHED: under ${percent(targetSlowShare, 0)} of lines on the slow path.`);
  }
  if (slow === null) notes.push("NOT MEASURED: the share of lines on the slow path.");
  if (profiled) notes.push("Profiled: the rate is lower than without --cpu-prof.");
  return notes;
}

function describe(options: BenchOptions, stream: Stream, ids: number, runs: Run[]): Outcome {
  const of = (pick: (run: Run) => number) => median(runs.map(pick));
  const { events, bytes, bodies } = stream;
  const rate = of((run) => run.eventsPerSecond);
  const slow = runs[0]!.slowShare;
  const spreadOf = (pick: (run: Run) => number) => `±${percent(spread(runs.map(pick)) / 2, 0)}`;
  const rows: Outcome["rows"] = [
    [
      "ratio to JSON.parse + Map, one thread",
      `${fixed(of((run) => run.ratio))} ${spreadOf((run) => run.ratio)}`,
    ],
    ["events/s, to an exact answer", `${whole(rate)} ${spreadOf((run) => run.eventsPerSecond)}`],
    ["events/s, JSON.parse + Map", whole(of((run) => run.baselineEventsPerSecond))],
    ["MB/s of NDJSON", fixed((rate * bytes) / events / 1e6, 0)],
    ["CPU of the service, µs/event", fixed(of((run) => run.serviceCpuUsPerEvent))],
    ["CPU of the load generator, µs/event", fixed(of((run) => run.generatorCpuUsPerEvent))],
    [
      "POST p50, ms",
      fixed(
        of((run) => run.postMs.p50),
        1,
      ),
    ],
    [
      "POST p99, ms",
      fixed(
        of((run) => run.postMs.p99),
        1,
      ),
    ],
    ["last reply to exact answer, s", fixed(of((run) => run.drainSeconds))],
    ["exact answers that timed out first", whole(of((run) => run.exactTimeouts))],
    ["POSTs put off (503)", whole(of((run) => run.overloads))],
    [
      "store on disk, bytes/event",
      fixed(
        of((run) => run.storeBytesPerEvent),
        1,
      ),
    ],
    [
      "log on disk, bytes/event",
      fixed(
        of((run) => run.logBytesPerEvent),
        1,
      ),
    ],
    ["resident memory at the end, MiB", whole(of((run) => run.residentBytes) / 2 ** 20)],
    ["lines on the scanner's slow path", slow === null ? "?" : percent(slow, 2)],
    ...runs[0]!.threads.map(({ name, id, cpuSeconds }): [string, string] => [
      `CPU of thread ${name} ${id}, µs/event`,
      fixed((cpuSeconds * 1e6) / events),
    ]),
  ];
  const span = fixed(events / options.eventsPerSecond, 1);
  const title =
    `Throughput: ${whole(events)} events of ${fixed(bytes / events, 0)} bytes over ${span} s of ` +
    `event time, ${whole(ids)} ids (Zipf 1.0), ${eventTypes.length} types, ` +
    `${bodies.length} POSTs on ${options.connections} connections, median of ${runs.length}`;
  const notes = notesOf(rate, slow, options.profileDir !== undefined);
  return { name: "throughput", title, rows, notes, data: { events, ids, bytes, runs } };
}

/** Generates the stream once, then measures service and baseline `runs` times. */
export async function runThroughput(options: BenchOptions): Promise<Outcome[]> {
  const events = options.events ?? (options.smoke ? 20_000 : 4_000_000);
  const ids = options.ids ?? (options.smoke ? 2000 : 1_000_000);
  say(`throughput: generating ${whole(events)} events`);
  const stream = generate(options, events, ids);
  const runs: Run[] = [];
  for (let run = 1; run <= options.runs; run++) {
    runs.push(await runOnce(options, stream));
    const { eventsPerSecond, ratio } = runs.at(-1)!;
    say(`throughput: run ${run}: ${whole(eventsPerSecond)} events/s, ratio ${fixed(ratio)}`);
  }
  return [describe(options, stream, ids, runs)];
}
