/**
 * What it costs to be seen: events a second and CPU an event with metrics, logs and traces as they
 * are by default, scraped and exported to somebody, beside the same with all of them off.
 *
 * Both take the same bodies, each in a process and over a folder of its own, one after the other
 * in pairs; every second pair begins with the other side, so that a machine that slows down
 * favours neither. A figure is given only once the exact boards of both are the generator's own
 * counts. A pair's ratio is what is told: its two sides ran within seconds of each other.
 */
import { httpServers, uwsMissing } from "../test/support/http-servers.ts";
import type { BenchOptions } from "./options.ts";
import { hasTraces, offArgs, onArgs, type Seen, Watchers } from "./overhead-watch.ts";
import { fixed, type Outcome, percent, say, whole } from "./report.ts";
import { ServiceProcess } from "./service-process.ts";
import { loadService, orderOf } from "./single.ts";
import { median } from "./statistics.ts";
import { boardRows, eventTypes, generate, measure, type Stream } from "./throughput.ts";

/** At most so much more, of CPU and of time. */
const overheadTarget = 0.03;

/** Seals begin when they like, and would be in one run's time and not in the other's. */
const sealsLater = ["--seal-quiet-ms", "600000"];

interface Side {
  eventsPerSecond: number;
  cpuUsPerEvent: number;
}

interface Pair {
  off: Side;
  on: Side;
}

/** Runs a load against a service, and checks the answers. */
type Load = (service: ServiceProcess) => Promise<Side>;

interface Measured {
  pairs: Pair[];
  seen: Seen;
  /** Lines that the watched services wrote, all runs together. */
  logLines: number;
}

async function runSide(options: BenchOptions, args: readonly string[], load: Load) {
  const all = [...options.serviceArgs, ...args];
  const service = await ServiceProcess.start({ args: all, profileDir: options.profileDir });
  try {
    const side = await load(service);
    await service.stop();
    return { side, logLines: service.logLines };
  } catch (error) {
    throw service.blame(error);
  } finally {
    service.dispose();
  }
}

/** Pairs of runs of a load, the sides in turn the first. */
async function runPairs(
  options: BenchOptions,
  what: string,
  args: readonly string[],
  load: Load,
): Promise<Measured> {
  const watchers = await Watchers.start();
  const pairs: Pair[] = [];
  let logLines = 0;
  const off = async () => (await runSide(options, [...args, ...offArgs], load)).side;
  const on = async () => {
    const watched = async (service: ServiceProcess) => {
      const stop = await watchers.scrape(service.url);
      return load(service).finally(stop);
    };
    const run = await runSide(options, [...args, ...onArgs(watchers.tracesUrl)], watched);
    logLines += run.logLines;
    return run.side;
  };
  try {
    for (let pair = 0; pair < options.runs; pair++) {
      const isOnFirst = pair % 2 === 1;
      const first = await (isOnFirst ? on() : off());
      const second = await (isOnFirst ? off() : on());
      const sides = isOnFirst ? { on: first, off: second } : { off: first, on: second };
      pairs.push(sides);
      const more = sides.on.cpuUsPerEvent / sides.off.cpuUsPerEvent - 1;
      say(`overhead: ${what}, pair ${pair + 1} of ${options.runs}: CPU ${percent(more)} more`);
    }
    return { pairs, seen: { ...watchers.seen }, logLines };
  } finally {
    await watchers.close();
  }
}

interface Ratios {
  middle: number;
  least: number;
  most: number;
}

function ratiosOf(pairs: readonly Pair[], pick: (side: Side) => number): Ratios {
  const ratios = pairs.map(({ off, on }) => pick(on) / pick(off));
  return { middle: median(ratios), least: Math.min(...ratios), most: Math.max(...ratios) };
}

function ratioText({ middle, least, most }: Ratios): string {
  return `${fixed(middle, 3)} (${fixed(least, 3)} to ${fixed(most, 3)})`;
}

const cpuOf = ({ cpuUsPerEvent }: Side) => cpuUsPerEvent;
const rateOf = ({ eventsPerSecond }: Side) => eventsPerSecond;

function notesOf({ seen, logLines }: Measured, cpu: Ratios, profiled: boolean): string[] {
  const notes: string[] = [];
  if (cpu.middle - 1 >= overheadTarget) {
    notes.push(`NOT REACHED: under ${percent(overheadTarget, 0)} of CPU.`);
  }
  if (!hasTraces) notes.push("NOT MEASURED: traces, which this version does not have.");
  if (hasTraces && seen.traceBytes === 0) notes.push("No trace was sampled in these runs.");
  if (logLines === 0) throw new Error("the watched services wrote no line");
  if (profiled) notes.push("Profiled: rates are lower than without --cpu-prof.");
  return notes;
}

function describe(options: BenchOptions, what: string, measured: Measured): Outcome {
  const { pairs, seen, logLines } = measured;
  const cpu = ratiosOf(pairs, cpuOf);
  const rate = ratiosOf(pairs, rateOf);
  const of = (side: "off" | "on", pick: (one: Side) => number) =>
    median(pairs.map((pair) => pick(pair[side])));
  return {
    name: "overhead",
    title: `Overhead of metrics, logs and traces: ${what}, pairs: ${pairs.length}`,
    rows: [
      ["CPU an event, on / off: median (least to most of a pair)", ratioText(cpu)],
      ["events/s, on / off", ratioText(rate)],
      ["CPU of the service off, µs/event", fixed(of("off", cpuOf))],
      ["CPU of the service on, µs/event", fixed(of("on", cpuOf))],
      ["events/s off", whole(of("off", rateOf))],
      ["events/s on", whole(of("on", rateOf))],
      ["scrapes, KiB each", `${seen.scrapes}, ${fixed(seen.scrapeBytes / 1024, 0)}`],
      ["lines of the log", whole(logLines)],
      ["traces exported, KiB", fixed(seen.traceBytes / 1024, 0)],
    ],
    notes: notesOf(measured, cpu, options.profileDir !== undefined),
    data: { what, ...measured, cpu, rate },
  };
}

/** NDJSON in large bodies, as the throughput bench has it. */
async function ofBatches(options: BenchOptions): Promise<Outcome> {
  const events = options.events ?? (options.smoke ? 20_000 : 4_000_000);
  const ids = options.ids ?? (options.smoke ? 2000 : 1_000_000);
  say(`overhead: generating ${whole(events)} events`);
  const stream: Stream = generate(options, events, ids);
  const load: Load = async (service) => {
    const { seconds, serviceCpuUsPerEvent } = await measure(service, stream, options.connections);
    return { eventsPerSecond: events / seconds, cpuUsPerEvent: serviceCpuUsPerEvent };
  };
  const measured = await runPairs(options, "batches", sealsLater, load);
  const sizes = `${whole(events)} events, ${eventTypes.length} types, boards of ${boardRows}`;
  return describe(options, `batches (${sizes})`, measured);
}

/** One event a request, on many connections. */
async function ofSingles(options: BenchOptions, server: string): Promise<Outcome> {
  // What `single` takes where it runs alone.
  const order = { ...orderOf({ ...options, events: undefined }), connections: 64 };
  const load: Load = async (service) => {
    const { report, cpuUsPerEvent } = await loadService(service, { ...order, steadySeconds: 0 });
    return { eventsPerSecond: report.eventsPerSecond, cpuUsPerEvent };
  };
  const args = ["--http-server", server];
  const measured = await runPairs(options, `single events over ${server}`, args, load);
  return describe(options, `single events over ${server}`, measured);
}

/** Runs the bench: batches, then single events over each HTTP server (a smoke run: the first). */
export async function runOverhead(options: BenchOptions): Promise<Outcome[]> {
  const outcomes = [await ofBatches(options)];
  const servers = options.smoke ? httpServers.slice(0, 1) : httpServers;
  for (const server of servers) outcomes.push(await ofSingles(options, server));
  if (uwsMissing !== "") outcomes.at(-1)!.notes.push(`NOT MEASURED: uws. ${uwsMissing}`);
  return outcomes;
}
