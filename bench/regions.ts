/**
 * Two regions that both take events at a steady rate: how long after its acknowledgement an event
 * is in the own answers and in the other region's, how many bytes go between them for each event,
 * beside those of the raw log, and what following costs beside two services that know nothing of
 * each other. Figures are given only once the exact boards of both are the generator's own counts.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { Client } from "undici";
import { freePort } from "../test/support/free-port.ts";
import { Random, ZipfSampler } from "../test/support/random.ts";
import { type Body, idText } from "./event-stream.ts";
import { askBoard, askExact, checkExact, postBody } from "./load.ts";
import type { BenchOptions } from "./options.ts";
import { fixed, type Outcome, say, whole } from "./report.ts";
import { ServiceProcess } from "./service-process.ts";
import { percentile } from "./statistics.ts";
import { trueBoard } from "./truth.ts";

const bodiesPerSecond = 10;
const markEveryMs = 1000;
const lookEveryMs = 100;
/** A minute is copied whole once it is over. */
const equalMsMax = 240_000;
const againMs = 1000;
const minuteMs = 60_000;
const rowsMax = 1000;
/** As regions pack what they say. */
const gzipLevel = 3;
const plays = "play";
const marks = "mark";
const names = ["east", "west"] as const;

interface Plan {
  /** Into each region. */
  eventsPerSecond: number;
  seconds: number;
  ids: number;
  intervalsMs: readonly number[];
  /** Events begin with a minute; CPU is counted until the last one's minute has been copied. */
  copyMsMax: number;
}

interface Sides {
  services: readonly ServiceProcess[];
  loads: readonly Load[];
}

interface Run {
  /** How often each asks the other; null: neither knows of the other. */
  intervalMs: number | null;
  events: number;
  /** From a 202 until the same region's answer has the event. */
  ownDelaysMs: number[];
  /** By the region that took the events: from a 202 until the other's answer has the event. */
  otherDelaysMs: number[][];
  copiedBytes: number;
  /** The same events as they were posted, packed. */
  rawBytes: number;
  /** Of both. */
  cpuSeconds: number;
}

function planOf({ smoke, rate, seconds, ids }: BenchOptions): Plan {
  if (smoke) {
    return { eventsPerSecond: 500, seconds: 3, ids: 400, intervalsMs: [300], copyMsMax: 0 };
  }
  return {
    eventsPerSecond: (rate ?? 20_000) / names.length,
    seconds: seconds ?? 60,
    ids: ids ?? 200_000,
    intervalsMs: [1000, 5000],
    copyMsMax: 30_000,
  };
}

async function startSides(intervalMs: number | null, more: readonly string[]) {
  const ports = [await freePort(), await freePort()];
  const started = names.map((name, i) => {
    const args = ["--port", String(ports[i]), ...more];
    if (intervalMs !== null) {
      const peer = `${names[1 - i]}=http://127.0.0.1:${ports[1 - i]}`;
      args.push("--region", name, "--region-peers", peer);
      args.push("--region-interval-ms", String(intervalMs));
    }
    return ServiceProcess.start({ args });
  });
  const ended = await Promise.allSettled(started);
  const services = ended.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  const failed = ended.find(({ status }) => status === "rejected");
  if (failed === undefined) return services;
  await Promise.all(services.map((service) => service.dispose()));
  throw (failed as PromiseRejectedResult).reason;
}

/** Events that one region takes, and the marks among them that answers are searched for. */
class Load {
  readonly counts: Uint32Array;
  readonly ownDelaysMs: number[] = [];
  readonly otherDelaysMs: number[] = [];
  events = 0;
  rawBytes = 0;
  isOver = false;
  readonly #random: Random;
  readonly #zipf: ZipfSampler;
  readonly #client: Client;
  readonly #plan: Plan;
  /** When each mark was acknowledged. */
  readonly #marks = new Map<string, number>();
  readonly #name: string;

  constructor(plan: Plan, name: string, url: string, seed: number) {
    this.#plan = plan;
    this.#name = name;
    this.#random = new Random(seed);
    this.#zipf = new ZipfSampler(plan.ids, 1);
    this.counts = new Uint32Array(plan.ids);
    this.#client = new Client(url, { pipelining: 1 });
  }

  /** At the plan's rate, for as long as it says. */
  async send(): Promise<void> {
    const begun = performance.now();
    const bodies = this.#plan.seconds * bodiesPerSecond;
    try {
      for (let i = 0; i < bodies; i++) {
        const dueMs = begun + (i * 1000) / bodiesPerSecond;
        await sleep(Math.max(0, dueMs - performance.now()));
        await this.#post(this.#plays());
        if ((i * 1000) % (bodiesPerSecond * markEveryMs) === 0) await this.#mark();
      }
    } finally {
      this.isOver = true;
    }
  }

  /** Asks for marks until an answer has had each that there will be. */
  async look(url: string, delaysMs: number[]): Promise<void> {
    const question = { eventType: marks, timeRange: "all", k: rowsMax };
    const seen = new Set<string>();
    while (!this.isOver || seen.size < this.#marks.size) {
      const board = await askBoard(url, question);
      const now = performance.now();
      for (const { eventId } of typeof board === "string" ? [] : board.results) {
        const at = this.#marks.get(eventId);
        if (at === undefined || seen.has(eventId)) continue;
        seen.add(eventId);
        delaysMs.push(now - at);
      }
      await sleep(lookEveryMs);
    }
  }

  close(): Promise<void> {
    return this.#client.destroy();
  }

  #plays(): Body {
    const size = Math.round(this.#plan.eventsPerSecond / bodiesPerSecond);
    const lines = Array.from({ length: size }, () => {
      const id = this.#zipf.draw(this.#random);
      this.counts[id]!++;
      const userId = `user_${this.#random.int(0, 1_000_000)}`;
      const metadata = { country: this.#random.pick(["DE", "US", "FR", "BR"]) };
      return JSON.stringify({ eventId: idText(id), eventType: plays, userId, metadata });
    });
    return { bytes: Buffer.from(`${lines.join("\n")}\n`), events: size, first: this.events };
  }

  async #mark(): Promise<void> {
    const eventId = `${this.#name}-${this.#marks.size}`;
    const line = `${JSON.stringify({ eventId, eventType: marks })}\n`;
    await this.#post({ bytes: Buffer.from(line), events: 1, first: this.events });
    this.#marks.set(eventId, performance.now());
  }

  async #post(body: Body): Promise<void> {
    await postBody(this.#client, body);
    this.events += body.events;
    this.rawBytes += gzipSync(body.bytes, { level: gzipLevel }).length;
  }
}

/** Throws unless every service's exact boards are the true ones: of both regions, and of each. */
async function checkAll({ services, loads }: Sides, isTogether: boolean): Promise<void> {
  const question = { eventType: plays, timeRange: "all", k: rowsMax };
  const sum = loads[0]!.counts.map((count, id) => count + loads[1]!.counts[id]!);
  for (const [i, { url }] of services.entries()) {
    const told = `${names[i]}'s board`;
    if (!isTogether) {
      const { board } = await askExact(url, question);
      checkExact(board, trueBoard(loads[i]!.counts, rowsMax), told);
      continue;
    }
    for (const [of, region] of names.entries()) {
      const { board } = await askExact(url, { ...question, region });
      checkExact(board, trueBoard(loads[of]!.counts, rowsMax), `${told} of ${region}`);
    }
    checkExact((await askExact(url, question)).board, trueBoard(sum, rowsMax), told);
  }
}

/** Resolves once both say the same, which is true; throws after `equalMsMax`. */
async function agree(sides: Sides, isTogether: boolean): Promise<void> {
  for (const deadline = performance.now() + equalMsMax; ; ) {
    try {
      return await checkAll(sides, isTogether);
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
    await sleep(againMs);
  }
}

async function copiedBytesOf(services: readonly ServiceProcess[]): Promise<number> {
  let sum = 0;
  for (const [i, service] of services.entries()) {
    const name = `rankstream_region_received_bytes_total{region="${names[1 - i]}"}`;
    const bytes = await service.metric(name);
    if (bytes === null) throw new Error(`the service doesn't tell ${name}`);
    sum += bytes;
  }
  return sum;
}

const sumOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);

async function runOne(plan: Plan, intervalMs: number | null, options: BenchOptions) {
  const isTogether = intervalMs !== null;
  const services = await startSides(intervalMs, options.serviceArgs);
  const loads = services.map(
    ({ url }, i) => new Load(plan, names[i]!, url, options.seed + i * 7919),
  );
  const cpu = () => sumOf(services.map((service) => service.cpuSeconds()));
  try {
    if (plan.copyMsMax > 0) await sleep(minuteMs - (Date.now() % minuteMs));
    const before = cpu();
    const looks = loads.flatMap((load, i) => [
      load.look(services[i]!.url, load.ownDelaysMs),
      // So many questions where neither knows of the other, too.
      load.look(services[isTogether ? 1 - i : i]!.url, load.otherDelaysMs),
    ]);
    await Promise.all([...loads.map((load) => load.send()), ...looks]);
    await sleep(plan.copyMsMax);
    const cpuSeconds = cpu() - before;
    await agree({ services, loads }, isTogether);
    return {
      intervalMs,
      events: sumOf(loads.map(({ events }) => events)),
      ownDelaysMs: loads.flatMap(({ ownDelaysMs }) => ownDelaysMs),
      otherDelaysMs: isTogether ? loads.map(({ otherDelaysMs }) => otherDelaysMs) : [],
      copiedBytes: isTogether ? await copiedBytesOf(services) : 0,
      rawBytes: sumOf(loads.map(({ rawBytes }) => rawBytes)),
      cpuSeconds,
    };
  } finally {
    await Promise.all(loads.map((load) => load.close()));
    await Promise.all(services.map((service) => service.dispose()));
  }
}

function delaysText(delaysMs: readonly number[] | undefined): string {
  if (delaysMs === undefined) return "";
  const all = [percentile(delaysMs, 0.5), percentile(delaysMs, 0.99), Math.max(...delaysMs)];
  return all.map((ms) => fixed(ms / 1000)).join(" / ");
}

const microsOf = ({ cpuSeconds, events }: Run) => (cpuSeconds * 1e6) / events;
const askedEvery = ({ intervalMs }: Run) =>
  intervalMs === null ? "never" : `every ${fixed(intervalMs / 1000, 1)} s`;

function rowOf(run: Run): string[] {
  const { events, copiedBytes, rawBytes, ownDelaysMs, otherDelaysMs } = run;
  return [
    askedEvery(run),
    delaysText(ownDelaysMs),
    delaysText(otherDelaysMs[0]),
    delaysText(otherDelaysMs[1]),
    fixed(copiedBytes / events),
    fixed(rawBytes / events),
    fixed(microsOf(run)),
  ];
}

/** Beside the raw log, the region's own answer, and services that know nothing of each other. */
function ratiosOf(run: Run, alone: Run): [string, string][] {
  const asked = `asked ${askedEvery(run)}:`;
  const [own, other] = [run.ownDelaysMs, run.otherDelaysMs.flat()].map((ms) =>
    percentile(ms, 0.5),
  );
  return [
    [`${asked} bytes of the raw log to bytes copied`, fixed(run.rawBytes / run.copiedBytes, 1)],
    [`${asked} median until the other's answer to until the own`, fixed(other! / own!, 1)],
    [`${asked} CPU an event to that of services apart`, fixed(microsOf(run) / microsOf(alone))],
  ];
}

/** Delay, bytes and CPU for each interval, and of two services apart. */
export async function runRegions(options: BenchOptions): Promise<Outcome[]> {
  const plan = planOf(options);
  const runs: Run[] = [];
  for (const intervalMs of [null, ...plan.intervalsMs]) {
    say(`regions: asked every ${intervalMs ?? "∞"} ms, ${plan.seconds} s of events`);
    runs.push(await runOne(plan, intervalMs, options));
  }
  const [alone, ...together] = runs;
  const head = ["the other is asked", "202 to the own answer, s p50 / p99 / max"];
  head.push(...names.map((name, i) => `${name}'s 202 to ${names[1 - i]}'s answer`));
  head.push("bytes an event, copied", "as raw log (gzip)", "CPU µs an event");
  const rate = `${whole(plan.eventsPerSecond)} events/s for ${plan.seconds} s`;
  return [
    {
      name: "regions",
      title: `Regions: ${rate} of ${whole(plan.ids)} ids (Zipf 1) into each of two`,
      rows: together.flatMap((run) => ratiosOf(run, alone!)),
      tables: [{ head, rows: runs.map(rowOf) }],
      notes: [
        "Exact boards of both regions, of each alone and of both, are the generator's counts.",
        "Each service is asked for marks 20 times a second, which its CPU includes.",
        "Bytes run until both have every item of the last minute, which is then over.",
      ],
      data: { plan, runs },
    },
  ];
}
