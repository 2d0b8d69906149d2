/**
 * Events a second through a log in Kafka, broker included on the same cores: from NDJSON over
 * HTTP, and from one event a record of a foreign producer, both to an exact answer that has every
 * event in it. The baseline is the client alone, moving the same bytes through the same broker in
 * the same run.
 */
import { setTimeout as sleep } from "node:timers/promises";
import {
  BenchBroker,
  blocksOf,
  kcat,
  messagesOf,
  moveAlone,
  openPeer,
  sendByKcat,
} from "./kafka-peer.ts";
import { askExact, checkExact } from "./load.ts";
import type { BenchOptions } from "./options.ts";
import { fixed, type Outcome, say, whole } from "./report.ts";
import { ServiceProcess } from "./service-process.ts";
import { median, spread } from "./statistics.ts";
import {
  boardRows,
  checkBoards,
  eventTypes,
  generate,
  measure,
  type Stream,
} from "./throughput.ts";
import { trueBoard } from "./truth.ts";

const targetRate = 400_000;
const targetForeignRate = 100_000;
const foreignShare = 5;
const readyMsMax = 30_000;

interface Run {
  eventsPerSecond: number;
  aloneEventsPerSecond: number;
  serviceCpuUsPerEvent: number;
  brokerCpuUsPerEvent: number | null;
  postMs: { p50: number; p99: number; max: number };
  foreignEventsPerSecond: number;
  foreignAloneEventsPerSecond: number;
  foreignCpuUsPerEvent: number;
}

function logArgs(address: string, topic: string): string[] {
  return ["--log", "kafka", "--kafka-brokers", address, "--kafka-topic", topic];
}

/** Until it reads its partitions: what comes before would be timed with the group's joining. */
async function isReading(service: ServiceProcess): Promise<void> {
  for (const until = Date.now() + readyMsMax; Date.now() < until; await sleep(50)) {
    if (((await service.metric("rankstream_ingest_adoptions_total")) ?? 0) > 0) return;
  }
  throw new Error("the service does not read the topic");
}

/** From POSTs to an exact board. */
async function runOwn(options: BenchOptions, broker: BenchBroker, stream: Stream, topic: string) {
  const { serviceArgs, profileDir, connections } = options;
  const args = [...logArgs(broker.address, topic), ...serviceArgs];
  const service = await ServiceProcess.start({ args, profileDir });
  try {
    await isReading(service);
    const before = broker.cpuSeconds();
    const measured = await measure(service, stream, connections);
    const after = broker.cpuSeconds();
    await service.stop();
    const brokerCpu = before === null || after === null ? null : after - before;
    return {
      eventsPerSecond: stream.events / measured.seconds,
      serviceCpuUsPerEvent: measured.serviceCpuUsPerEvent,
      brokerCpuUsPerEvent: brokerCpu === null ? null : (brokerCpu * 1e6) / stream.events,
      postMs: measured.postMs,
    };
  } catch (error) {
    throw service.blame(error);
  } finally {
    service.dispose();
  }
}

/** From records of a foreign producer, one event each, to an exact board. */
async function runForeign(
  options: BenchOptions,
  broker: BenchBroker,
  stream: Stream,
  topic: string,
) {
  const peer = await openPeer(broker.address, topic);
  const args = [...logArgs(broker.address, topic), ...options.serviceArgs];
  const service = await ServiceProcess.start({ args });
  try {
    await isReading(service);
    const batches = kcat === undefined ? stream.bodies.map(messagesOf) : [];
    const cpuUsed = service.meterCpu();
    const started = performance.now();
    for (const batch of batches) await peer.send(batch);
    if (kcat !== undefined) await sendByKcat(kcat, broker.address, topic, stream.bodies);
    const query = { eventType: eventTypes.join(","), timeRange: "all", k: boardRows };
    const { board } = await askExact(service.url, query);
    const seconds = (performance.now() - started) / 1000;
    const cpu = cpuUsed().seconds;
    checkExact(board, trueBoard(stream.counts.ofAll(), boardRows), "the board of everything");
    await checkBoards(service.url, stream);
    await service.stop();
    return {
      foreignEventsPerSecond: stream.events / seconds,
      foreignCpuUsPerEvent: (cpu * 1e6) / stream.events,
    };
  } catch (error) {
    throw service.blame(error);
  } finally {
    service.dispose();
    await peer.close();
  }
}

async function runOnce(
  options: BenchOptions,
  broker: BenchBroker,
  streams: { own: Stream; foreign: Stream },
  run: number,
): Promise<Run> {
  const topic = `bench-${process.pid}-${run}`;
  const { own, foreign } = streams;
  const { address } = broker;
  const alone = await moveAlone(address, `${topic}-a`, own.bodies, blocksOf);
  const ownRun = await runOwn(options, broker, own, `${topic}-b`);
  const foreignAlone = await moveAlone(address, `${topic}-c`, foreign.bodies, messagesOf, kcat);
  const foreignRun = await runForeign(options, broker, foreign, `${topic}-d`);
  return {
    ...ownRun,
    ...foreignRun,
    aloneEventsPerSecond: own.events / alone,
    foreignAloneEventsPerSecond: foreign.events / foreignAlone,
  };
}

function outcome(runs: Run[], { own, foreign }: { own: Stream; foreign: Stream }): Outcome {
  const of = (read: (run: Run) => number) => median(runs.map(read));
  const shown = (read: (run: Run) => number) => {
    const values = runs.map(read);
    return `${whole(median(values))} (± ${fixed(spread(values) * 50, 0)} %)`;
  };
  const rate = of((run) => run.eventsPerSecond);
  const foreignRate = of((run) => run.foreignEventsPerSecond);
  const ratio = of((run) => run.eventsPerSecond / run.aloneEventsPerSecond);
  const foreignRatio = of((run) => run.foreignEventsPerSecond / run.foreignAloneEventsPerSecond);
  const { postMs } = runs[0]!;
  const post = [postMs.p50, postMs.p99, postMs.max].map((ms) => fixed(ms, 1)).join(" / ");
  const notes: string[] = [];
  if (rate < targetRate) notes.push(`NOT REACHED: ${whole(targetRate)} events/s.`);
  if (foreignRate < targetForeignRate) {
    notes.push(`NOT REACHED: ${whole(targetForeignRate)} events/s, one event a record.`);
  }
  return {
    name: "kafka",
    title:
      `Kafka: ${whole(own.events)} events over HTTP, ${whole(foreign.events)} of a foreign ` +
      `producer (${kcat === undefined ? "kafkajs" : "kcat"}), one a record, through one ` +
      "broker on the same cores",
    rows: [
      ["ratio to the client alone, moving the same bytes", fixed(ratio)],
      ["one event a record: ratio to the client alone", fixed(foreignRatio)],
      ["events/s, to an exact answer", shown((run) => run.eventsPerSecond)],
      ["client alone, events/s", shown((run) => run.aloneEventsPerSecond)],
      ["CPU of the service, µs/event", fixed(of((run) => run.serviceCpuUsPerEvent))],
      ["CPU of the broker, µs/event", fixed(of((run) => run.brokerCpuUsPerEvent ?? Number.NaN))],
      ["POST, ms p50 / p99 / max", post],
      ["one event a record: events/s", shown((run) => run.foreignEventsPerSecond)],
      ["client alone, events/s", shown((run) => run.foreignAloneEventsPerSecond)],
      ["CPU of the service, µs/event", fixed(of((run) => run.foreignCpuUsPerEvent))],
    ],
    notes,
    data: { runs },
  };
}

/** Throws when an answer is not the generator's own count. */
export async function runKafka(options: BenchOptions): Promise<Outcome[]> {
  const events = options.events ?? (options.smoke ? 20_000 : 4_000_000);
  const ids = options.ids ?? Math.max(1000, events / 10);
  say(`kafka: preparing ${whole(events)} events`);
  const own = generate(options, events, ids);
  const foreign = generate(options, Math.ceil(events / foreignShare), ids);
  const broker = await BenchBroker.start(options.brokers);
  const runs: Run[] = [];
  try {
    for (let run = 0; run < options.runs; run++) {
      runs.push(await runOnce(options, broker, { own, foreign }, run));
      say(`kafka: run ${run + 1}: ${whole(runs.at(-1)!.eventsPerSecond)} events/s`);
    }
  } finally {
    await broker.stop();
  }
  return [outcome(runs, { own, foreign })];
}
