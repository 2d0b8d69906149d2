/**
 * A store in a lake, counted by one, two and three processes and asked through another, beside a
 * local store of one process: the same events through the same edge and broker, to an exact
 * answer that has every one of them, and what questions take then. All on the same cores, so
 * what more processes bring is to be read from the CPU an event takes, not from the rate.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "undici";
import type { Body } from "./event-stream.ts";
import { BenchBroker } from "./kafka-peer.ts";
import { askExact, checkExact, onConnections, postAll, postBody } from "./load.ts";
import type { BenchOptions } from "./options.ts";
import { fixed, type Grid, type Outcome, say, whole } from "./report.ts";
import { ServiceProcess } from "./service-process.ts";
import { latencyOf } from "./statistics.ts";
import { boardRows, checkBoards, eventTypes, generate, type Stream } from "./throughput.ts";
import { trueBoard } from "./truth.ts";

const readyMsMax = 180_000;
const partitions = 12;
const questions = 40;
const exactQuestions = 10;
/** Single events that are looked for, while so many others a second come in. */
const lookedFor = 20;
const lookedForSmoke = 3;
const lookEveryMs = 5;
const paced = { eventsPerSecond: 2000, everyMs: 100 };
const seenMsMax = 180_000;

interface Run {
  name: string;
  eventsPerSecond: number;
  drainSeconds: number;
  countingCpuUsPerEvent: number;
  answeringCpuUsPerEvent: number;
  edgeCpuUsPerEvent: number;
  approxMs: ReturnType<typeof latencyOf>;
  exactMs: ReturnType<typeof latencyOf>;
  /** From an event's acknowledgement until a board has it. */
  seenMs: ReturnType<typeof latencyOf>;
}

/** What a run is made of. */
interface Members {
  edge: ServiceProcess;
  counting: ServiceProcess[];
  /** Of a local store the counting one. */
  answering: ServiceProcess;
}

/** Until the partitions are shared out: what comes before would be timed with the joining. */
async function areReading(counting: readonly ServiceProcess[]): Promise<void> {
  for (const until = Date.now() + readyMsMax; Date.now() < until; await sleep(100)) {
    const name = "rankstream_ingest_adoptions_total";
    const adoptions = await Promise.all(counting.map((service) => service.metric(name)));
    if (adoptions.every((number) => (number ?? 0) > 0)) return;
  }
  throw new Error("not every process reads the topic");
}

/** Milliseconds of questions never asked before, one after another. */
async function ask(url: string, mode: "approx" | "exact", count: number) {
  const begun = Date.now();
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const query = new URLSearchParams({
      eventType: eventTypes[i % eventTypes.length]!,
      from: String(begun - 3_600_000 - i * 60_000),
      to: String(begun + 60_000),
      k: "100",
      mode,
    });
    const started = performance.now();
    const response = await fetch(`${url}/leaderboard?${query}`);
    const text = await response.text();
    if (response.status !== 200) throw new Error(`${response.status}: ${text.slice(0, 500)}`);
    times.push(performance.now() - started);
  }
  return latencyOf(times);
}

function bodyOf(lines: readonly object[]): Omit<Body, "first"> {
  const text = lines.map((line) => JSON.stringify(line)).join("\n");
  return { bytes: Buffer.from(text), events: lines.length };
}

/** Milliseconds from the acknowledgement of an event until the approximate board has it. */
async function seen(edge: string, answering: string, count: number) {
  const times: number[] = [];
  const board = "eventType=looked-for&timeRange=all&k=1&mode=approx";
  let isOver = false;
  const load = async (client: Client) => {
    const many = (paced.eventsPerSecond * paced.everyMs) / 1000;
    const body = bodyOf(
      Array.from({ length: many }, (_, i) => ({ eventId: `item-${i}`, eventType: "beside" })),
    );
    for (let next = performance.now(); !isOver; next += paced.everyMs) {
      await postBody(client, body);
      await sleep(Math.max(0, next + paced.everyMs - performance.now()));
    }
  };
  const look = async (client: Client) => {
    const body = bodyOf([{ eventId: "one", eventType: "looked-for" }]);
    for (let i = 1; i <= count; i++) {
      await postBody(client, body);
      const started = performance.now();
      for (let total = 0; total < i; ) {
        const reply = (await (await fetch(`${answering}/leaderboard?${board}`)).json()) as {
          total?: number;
        };
        total = reply.total ?? 0;
        if (performance.now() - started > seenMsMax) throw new Error("an event isn't seen");
        if (total < i) await sleep(lookEveryMs);
      }
      times.push(performance.now() - started);
    }
  };
  await Promise.all([
    onConnections(edge, 1, load),
    onConnections(edge, 1, look).finally(() => {
      isOver = true;
    }),
  ]);
  return latencyOf(times);
}

async function measure(
  name: string,
  members: Members,
  stream: Stream,
  { connections, smoke }: BenchOptions,
) {
  const { edge, counting, answering } = members;
  const meters = new Map(
    [edge, ...counting, answering].map((service) => [service, service.meterCpu()]),
  );
  const cpuOf = (services: readonly ServiceProcess[]) =>
    services.reduce((sum, service) => sum + meters.get(service)!().seconds, 0);
  const everything = { eventType: eventTypes.join(","), timeRange: "all", k: boardRows };
  const started = performance.now();
  let at = 0;
  await postAll(edge.url, connections, () => stream.bodies[at++] ?? null);
  const posted = performance.now();
  const { board } = await askExact(answering.url, everything);
  const ended = performance.now();
  const [own, others, edges] = [cpuOf(counting), cpuOf([answering]), cpuOf([edge])];
  checkExact(board, trueBoard(stream.counts.ofAll(), boardRows), "the board of everything");
  await checkBoards(answering.url, stream);
  const perEvent = (seconds: number) => (seconds * 1e6) / stream.events;
  return {
    name,
    eventsPerSecond: (stream.events * 1000) / (ended - started),
    drainSeconds: (ended - posted) / 1000,
    countingCpuUsPerEvent: perEvent(own),
    answeringCpuUsPerEvent: counting.includes(answering) ? 0 : perEvent(others),
    edgeCpuUsPerEvent: perEvent(edges),
    approxMs: await ask(answering.url, "approx", questions),
    exactMs: await ask(answering.url, "exact", exactQuestions),
    seenMs: await seen(edge.url, answering.url, smoke ? lookedForSmoke : lookedFor),
  };
}

/** Of a local store with 0 processes, else of so many counting ones over a lake. */
async function runOne(
  options: BenchOptions,
  address: string,
  stream: Stream,
  processes: number,
): Promise<Run> {
  const name = processes === 0 ? "local store" : `lake, ${processes} counting`;
  const topic = `bench-lake-${process.pid}-${processes}`;
  const log = ["--log", "kafka", "--kafka-brokers", address, "--kafka-topic", topic];
  const common = [...log, "--partitions", String(partitions)];
  const folder = mkdtempSync(join(tmpdir(), "rankstream-bench-lake-"));
  const lake = [
    ["--store", `ducklake:postgres:${options.postgres}`],
    ["--store-schema", `bench_${process.pid}_${processes}`],
    ["--data", options.folder === undefined ? folder : `${options.folder}/${topic}`],
    ["--extension-directory", options.extensions!],
    options.serviceArgs,
  ].flat();
  const services: ServiceProcess[] = [];
  const start = async (role: string, more: readonly string[]) => {
    const args = ["--role", role, ...common, ...more];
    const service = await ServiceProcess.start({ args });
    services.push(service);
    return service;
  };
  try {
    const counting: ServiceProcess[] = [];
    if (processes === 0) counting.push(await start("ingest,query", []));
    for (let i = 0; i < processes; i++) {
      counting.push(await start("ingest", [...lake, "--workers", "1"]));
    }
    const answering = processes === 0 ? counting[0]! : await start("query", lake);
    const edge = await start("edge", []);
    await areReading(counting);
    const members = { edge, counting, answering };
    const run = await measure(name, members, stream, options);
    say(`lake: ${name}: ${whole(run.eventsPerSecond)} events/s`);
    for (const service of services.toReversed()) await service.stop();
    return run;
  } catch (error) {
    throw services[0]?.blame(error) ?? error;
  } finally {
    for (const service of services) service.dispose();
    rmSync(folder, { recursive: true, force: true });
  }
}

function gridOf(runs: readonly Run[]): Grid {
  const local = runs[0]!;
  const ms = ({ p50, p99, max }: Run["approxMs"]) =>
    [p50, p99, max].map((value) => fixed(value, 0)).join(" / ");
  return {
    head: [
      "store",
      "events/s",
      "ratio",
      "last reply to exact answer, s",
      "CPU µs/event: counting, answering, edge",
      "approx, ms p50 / p99 / max",
      "exact, ms p50 / p99 / max",
      `seen at ${whole(paced.eventsPerSecond)} events/s, ms p50 / p99 / max`,
    ],
    rows: runs.map((run) => [
      run.name,
      whole(run.eventsPerSecond),
      fixed(run.eventsPerSecond / local.eventsPerSecond),
      fixed(run.drainSeconds),
      [run.countingCpuUsPerEvent, run.answeringCpuUsPerEvent, run.edgeCpuUsPerEvent]
        .map((value) => fixed(value))
        .join(", "),
      ms(run.approxMs),
      ms(run.exactMs),
      ms(run.seenMs),
    ]),
  };
}

/** Throws when an answer is not the generator's own count, and without PostgreSQL. */
export async function runLake(options: BenchOptions): Promise<Outcome[]> {
  if (options.postgres === undefined || options.extensions === undefined) {
    throw new Error("lake: --postgres and --extensions are needed: where its catalog is to be");
  }
  const events = options.events ?? (options.smoke ? 20_000 : 2_000_000);
  const ids = options.ids ?? Math.max(1000, events / 10);
  say(`lake: preparing ${whole(events)} events`);
  const stream = generate(options, events, ids);
  const broker = await BenchBroker.start(options.brokers);
  const runs: Run[] = [];
  try {
    for (const processes of options.smoke ? [0, 1] : [0, 1, 2, 3]) {
      runs.push(await runOne(options, broker.address, stream, processes));
    }
  } finally {
    await broker.stop();
  }
  const last = runs.at(-1)!;
  return [
    {
      name: "lake",
      title:
        `Lake: ${whole(events)} events over HTTP, ${whole(ids)} ids, through one edge, one ` +
        "broker and one PostgreSQL on the same cores, counted by several processes",
      rows: [
        [
          "ratio of the last to a local store",
          fixed(last.eventsPerSecond / runs[0]!.eventsPerSecond),
        ],
      ],
      tables: [gridOf(runs)],
      notes: [],
      data: { runs },
    },
  ];
}
