/**
 * Events that come one by one, on many connections: how many a second the service takes, durable
 * in its log before each reply, over each HTTP server; and how long a call takes at half of that.
 *
 * The rate of a server of the same kind that reads the body and replies, and nothing else, is
 * measured in turn with the service's, under the same load. Figures are given only after the
 * exact board of all events is the generator's own count.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { httpServers, uwsMissing } from "../test/support/http-servers.ts";
import { EventStream, type StreamOptions } from "./event-stream.ts";
import { askExact, checkExact } from "./load.ts";
import type { BenchOptions } from "./options.ts";
import { fixed, type Outcome, percent, say, whole } from "./report.ts";
import { ServiceProcess } from "./service-process.ts";
import type { LoadOrder, LoadReport } from "./single-client.ts";
import { median, spread } from "./statistics.ts";
import { StreamCounts, trueBoard } from "./truth.ts";

const eventType = "song_play";
const boardRows = 1000;
const ratioTarget = 0.7;
const p99MsTarget = 10;
const steadyShare = 0.5;

interface Size {
  connections: number;
  ids: number;
  poolEvents: number;
  warmSeconds: number;
  fullSeconds: number;
  steadySeconds: number;
}

interface Run {
  service: LoadReport;
  bare: LoadReport;
  ratio: number;
  serviceCpuUsPerEvent: number;
}

function sizeOf({ smoke, connections, ids, events, seconds }: BenchOptions): Size {
  const times = smoke
    ? { warmSeconds: 0.1, fullSeconds: 0.3, steadySeconds: 0.3 }
    : { warmSeconds: 2, fullSeconds: seconds ?? 5, steadySeconds: seconds ?? 10 };
  const made = { ids: ids ?? (smoke ? 500 : 10_000), poolEvents: events ?? 20_000 };
  return { connections, ...made, ...(smoke && { poolEvents: events ?? 1000 }), ...times };
}

function streamOf({ seed }: BenchOptions, { ids }: Size): StreamOptions {
  return {
    seed,
    ids,
    zipfExponent: 1,
    eventTypes: [eventType],
    startMs: Date.now() - 60_000,
    stepMs: 1,
    lateShare: 0,
    lateMsMax: 0,
    form: "plain",
  };
}

const program = (name: string) => new URL(`./${name}.js`, import.meta.url).pathname;

async function textOf(child: ChildProcess): Promise<string> {
  let text = "";
  child.stdout!.setEncoding("utf8").on("data", (part: string) => {
    text += part;
  });
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`the load generator ended with ${code}`);
  return text;
}

async function runLoad(order: LoadOrder): Promise<LoadReport> {
  const args = [program("single-client"), JSON.stringify(order)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  return JSON.parse(await textOf(child)) as LoadReport;
}

async function runBare(server: string, order: Omit<LoadOrder, "port">): Promise<LoadReport> {
  const args = [program("bare-server"), server];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  try {
    const [line] = (await once(child.stdout!, "data")) as [Buffer];
    return await runLoad({ ...order, port: Number(line.toString()), steadySeconds: 0 });
  } finally {
    child.kill();
  }
}

/** The board of the first `sent` events, when those of the stream come again and again. */
function truthOf({ stream, poolEvents }: Omit<LoadOrder, "port">, sent: number) {
  const counts = new StreamCounts(1, stream.ids);
  const ids: number[] = [];
  const events = new EventStream(stream, (_type, id) => ids.push(id));
  while (ids.length < poolEvents) events.nextBody(1);
  for (let i = 0; i < sent; i++) counts.add(0, ids[i % poolEvents] as number);
  return trueBoard(counts.ofAll(), boardRows);
}

/** Puts a service under the load and checks its answer: what came of it, CPU of the service. */
export async function loadService(
  service: ServiceProcess,
  order: Omit<LoadOrder, "port">,
): Promise<{ report: LoadReport; cpuUsPerEvent: number }> {
  const cpuUsed = service.meterCpu();
  const report = await runLoad({ ...order, port: Number(new URL(service.url).port) });
  const cpuSeconds = cpuUsed().seconds;
  const { board } = await askExact(service.url, { eventType, timeRange: "all", k: boardRows });
  checkExact(board, truthOf(order, report.sent), "the board of everything");
  return { report, cpuUsPerEvent: (cpuSeconds * 1e6) / report.sent };
}

async function runOnce(
  server: string,
  options: BenchOptions,
  order: Omit<LoadOrder, "port">,
): Promise<Run> {
  const bare = await runBare(server, order);
  const args = [...options.serviceArgs, "--http-server", server];
  const service = await ServiceProcess.start({ args, profileDir: options.profileDir });
  try {
    const { report, cpuUsPerEvent } = await loadService(service, order);
    await service.stop();
    return {
      service: report,
      bare,
      ratio: report.eventsPerSecond / bare.eventsPerSecond,
      serviceCpuUsPerEvent: cpuUsPerEvent,
    };
  } catch (error) {
    throw service.blame(error);
  } finally {
    service.dispose();
  }
}

function notesOf(ratio: number, p99: number, profiled: boolean): string[] {
  const notes: string[] = [];
  if (ratio < ratioTarget) notes.push(`NOT REACHED: ${percent(ratioTarget, 0)} of the bare rate.`);
  if (p99 >= p99MsTarget) notes.push(`NOT REACHED: p99 under ${p99MsTarget} ms.`);
  if (profiled) notes.push("Profiled: the rate is lower than without --cpu-prof.");
  return notes;
}

function describe(server: string, options: BenchOptions, size: Size, runs: Run[]): Outcome {
  const of = (pick: (run: Run) => number) => median(runs.map(pick));
  const spreadOf = (pick: (run: Run) => number) => `±${percent(spread(runs.map(pick)) / 2, 0)}`;
  const latency = (name: "p50" | "p99" | "max") => of((run) => run.service.latencyMs![name]);
  const rate = (run: Run) => run.service.eventsPerSecond;
  const ratio = of((run) => run.ratio);
  const times = (["p50", "p99", "max"] as const).map((name) => fixed(latency(name), 1));
  return {
    name: "single",
    title: `Single events over ${server}, ${size.connections} connections, runs: ${runs.length}`,
    rows: [
      ["ratio to a bare server", `${percent(ratio)} ${spreadOf((run) => run.ratio)}`],
      ["events/s, durable", `${whole(of(rate))} ${spreadOf(rate)}`],
      ["requests/s, bare server", whole(of((run) => run.bare.eventsPerSecond))],
      ["events/s, steady", whole(of((run) => run.service.steadyEventsPerSecond))],
      ["POST at half the rate, ms p50 / p99 / max", times.join(" / ")],
      [
        "CPU of the service, µs/event",
        fixed(
          of((run) => run.serviceCpuUsPerEvent),
          1,
        ),
      ],
      [
        "CPU of the load generator, µs/event",
        fixed(
          of((run) => run.service.cpuUsPerEvent),
          1,
        ),
      ],
    ],
    notes: notesOf(ratio, latency("p99"), options.profileDir !== undefined),
    data: { server, ...size, runs },
  };
}

/** The load that the options ask for, on whatever port. */
export function orderOf(options: BenchOptions): Omit<LoadOrder, "port"> {
  const size = sizeOf(options);
  return { host: "127.0.0.1", stream: streamOf(options, size), steadyShare, ...size };
}

/** Runs the bench for each HTTP server that loads here. */
export async function runSingle(options: BenchOptions): Promise<Outcome[]> {
  const size = sizeOf(options);
  const order = orderOf(options);
  const outcomes: Outcome[] = [];
  for (const server of httpServers) {
    const runs: Run[] = [];
    for (let i = 0; i < options.runs; i++) {
      say(`single: ${server}, run ${i + 1} of ${options.runs}`);
      runs.push(await runOnce(server, options, order));
    }
    outcomes.push(describe(server, options, size, runs));
  }
  if (uwsMissing !== "") outcomes[0]!.notes.push(`NOT MEASURED: uws. ${uwsMissing}`);
  return outcomes;
}
