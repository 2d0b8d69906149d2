/**
 * An hour at a steady rate through Kafka, with a kill -9 now and then: of an edge, of the process
 * that counts, of the broker, in turn. Every batch has a key and is sent again, to the other edge,
 * until it is accepted. At the end the exact boards are the generator's own counts.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Body, EventStream } from "./event-stream.ts";
import { askExact, checkExact } from "./load.ts";
import type { BenchOptions } from "./options.ts";
import { fixed, megabytes, type Outcome, percent, say, whole } from "./report.ts";
import { Fleet, type Usage } from "./soak-fleet.ts";
import { latencyOf } from "./statistics.ts";
import { StreamCounts, trueBoard } from "./truth.ts";

const eventTypes = ["song_play", "song_like", "playlist_add"];
const ids = 100_000;
const boardRows = 1000;
const batchesPerSecond = 20;
const requestMsMax = 15_000;
const batchMsMax = 120_000;
const pauseAfterFailureMs = 50;
const sampleMs = 10_000;
const quarters = 4;
const inFlightMax = 200;

interface Requests {
  sent: number;
  failed: number;
  latenciesMs: number[];
}

interface Kill {
  name: string;
  atSeconds: number;
  readyMs: number;
}

const noRequests = (): Requests => ({ sent: 0, failed: 0, latenciesMs: [] });

class Soak {
  readonly posts = noRequests();
  readonly approx = noRequests();
  readonly exact = noRequests();
  /** From a batch's first attempt to its 202, whatever was in between. */
  readonly acceptedMs: number[] = [];
  readonly kills: Kill[] = [];
  readonly samples: { atSeconds: number; usages: Map<string, Usage> }[] = [];
  readonly #fleet: Fleet;
  readonly #started = performance.now();
  #batches = 0;
  #hasFailed = false;

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
  }

  /** Since the start; without end once it has failed, so that everything comes to its own. */
  get seconds(): number {
    return this.#hasFailed ? Number.POSITIVE_INFINITY : (performance.now() - this.#started) / 1000;
  }

  fail(): void {
    this.#hasFailed = true;
  }

  /** Sends a batch until an edge has accepted it. */
  async post({ bytes, events }: Body): Promise<void> {
    const number = ++this.#batches;
    const first = performance.now();
    for (
      let attempt = number;
      performance.now() - first < batchMsMax && !this.#hasFailed;
      attempt++
    ) {
      const edge = this.#fleet.edges[attempt % this.#fleet.edges.length]!;
      const text = await this.#request(this.posts, `${edge.url}/events`, {
        method: "POST",
        headers: { "content-type": "application/x-ndjson", "idempotency-key": `soak/${number}` },
        body: new Uint8Array(bytes),
      });
      if (text !== null) {
        const { accepted } = JSON.parse(text) as { accepted: number };
        if (accepted !== events) throw new Error(`sent ${events} events, got ${text}`);
        this.acceptedMs.push(performance.now() - first);
        return;
      }
      await sleep(pauseAfterFailureMs);
    }
    throw new Error(`batch ${number} was not accepted in ${batchMsMax} ms`);
  }

  async ask(mode: "approx" | "exact"): Promise<void> {
    const query = new URLSearchParams({
      eventType: "song_play",
      timeRange: "last_5_minutes",
      mode,
    });
    const requests = mode === "approx" ? this.approx : this.exact;
    await this.#request(requests, `${this.#fleet.counter.url}/leaderboard?${query}`, {});
  }

  async kill(turn: number): Promise<void> {
    const victims = this.#fleet.victims();
    const { name, kill } = victims[turn % victims.length]!;
    const atSeconds = this.seconds;
    const readyMs = await kill();
    this.kills.push({ name, atSeconds, readyMs });
    say(`soak: ${name} killed after ${whole(atSeconds)} s, ready ${whole(readyMs)} ms later`);
  }

  sample(): void {
    this.samples.push({ atSeconds: this.seconds, usages: this.#fleet.usages() });
  }

  /** The reply's text; null for any failure: no answer, or one that is not a 2xx. */
  async #request(requests: Requests, url: string, init: RequestInit): Promise<string | null> {
    requests.sent++;
    const began = performance.now();
    try {
      const response = await fetch(url, { ...init, signal: AbortSignal.timeout(requestMsMax) });
      const text = await response.text();
      if (response.status === 200 || (response.status === 202 && init.method === "POST")) {
        requests.latenciesMs.push(performance.now() - began);
        return text;
      }
      if (response.status < 500 && response.status !== 202) throw new TypeError(text);
    } catch (error) {
      const isAway = error instanceof TypeError && error.message === "fetch failed";
      const isLate = error instanceof Error && error.name === "TimeoutError";
      const isCut = error instanceof Error && error.message === "terminated";
      if (!isAway && !isLate && !isCut) throw error;
    }
    requests.failed++;
    return null;
  }
}

/** Sends at the rate, whatever happens to what was sent before. */
async function load(soak: Soak, stream: EventStream, rate: number, seconds: number) {
  const inFlight = new Set<Promise<void>>();
  let failure: unknown = null;
  for (let batch = 0; soak.seconds < seconds && failure === null; batch++) {
    const sending = soak.post(stream.nextBody(Math.round(rate / batchesPerSecond)));
    const settled = sending.catch((error) => {
      failure ??= error;
    });
    const tracked = settled.then(() => {
      inFlight.delete(tracked);
    });
    inFlight.add(tracked);
    if (inFlight.size >= inFlightMax) await Promise.race(inFlight);
    const dueMs = (batch + 1) * (1000 / batchesPerSecond) - soak.seconds * 1000;
    if (dueMs > 0) await sleep(dueMs);
  }
  await Promise.all(inFlight);
  if (failure !== null) throw failure;
}

/** Calls `work` every `everyMs` until time is up; a call that takes longer delays the next. */
async function every(everyMs: number, soak: Soak, seconds: number, work: () => unknown) {
  while (soak.seconds < seconds) {
    const began = performance.now();
    await work();
    await sleep(Math.max(0, everyMs - (performance.now() - began)));
  }
}

async function killNowAndThen(soak: Soak, everySeconds: number, seconds: number): Promise<void> {
  for (let turn = 0; ; turn++) {
    const due = (turn + 1) * everySeconds;
    if (due > seconds - everySeconds / 2) return;
    while (soak.seconds < due) await sleep(50);
    await soak.kill(turn);
  }
}

function rowsOf(soak: Soak): Outcome["rows"] {
  const ms = (samples: number[]) => {
    const { p50, p99, max } = latencyOf(samples);
    return [p50, p99, max].map((value) => fixed(value, 1)).join(" / ");
  };
  const failed = ({ sent, failed }: Requests) =>
    `${whole(failed)} of ${whole(sent)} (${percent(failed / Math.max(1, sent), 3)})`;
  return [
    ["POST, ms p50 / p99 / max", ms(soak.posts.latenciesMs)],
    ["batch, from first attempt to 202, ms", ms(soak.acceptedMs)],
    ["approx last_5_minutes, ms", ms(soak.approx.latenciesMs)],
    ["exact last_5_minutes, ms", ms(soak.exact.latenciesMs)],
    ["POSTs that failed, then sent again", failed(soak.posts)],
    ["approximate questions that failed", failed(soak.approx)],
    ["exact questions that failed", failed(soak.exact)],
    ["kills, and s until ready", soak.kills.map(killText).join(", ")],
  ];
}

function killText({ name, readyMs }: Kill): string {
  return `${name} ${fixed(readyMs / 1000, 1)}`;
}

/** The most memory and files of each process, by quarter of the run. */
function usageGrid(soak: Soak, seconds: number) {
  const names = [...new Set(soak.samples.flatMap(({ usages }) => [...usages.keys()]))];
  const rows = names.map((name) => {
    const cells = Array.from({ length: quarters }, (_, quarter) => {
      const own = soak.samples.filter(
        ({ atSeconds }) => Math.floor((atSeconds * quarters) / seconds) === quarter,
      );
      const found = own.flatMap(({ usages }) => usages.get(name) ?? []);
      const bytes = Math.max(0, ...found.map(({ residentBytes }) => residentBytes));
      return `${megabytes(bytes)}, ${Math.max(0, ...found.map(({ openFiles }) => openFiles))}`;
    });
    return [name, ...cells];
  });
  return { head: ["at most, and open files, by quarter", "1", "2", "3", "4"], rows };
}

/** Throws when an answer at the end is not the generator's own count. */
export async function runSoak(options: BenchOptions): Promise<Outcome[]> {
  const seconds = options.seconds ?? (options.smoke ? 9 : 3600);
  const rate = options.rate ?? (options.smoke ? 1000 : 20_000);
  const killEvery = options.killEvery ?? (options.smoke ? 2.5 : 300);
  const counts = new StreamCounts(eventTypes.length, ids);
  const form = "full" as const;
  const times = { startMs: Date.now(), stepMs: 1000 / rate, lateShare: 0.01, lateMsMax: 60_000 };
  const shape = { seed: options.seed, ids, zipfExponent: 1, eventTypes, form };
  const stream = new EventStream({ ...shape, ...times }, (type, id) => counts.add(type, id));
  const folder = mkdtempSync(join(tmpdir(), "rankstream-soak-"));
  const fleet = await Fleet.start(join(folder, "data"), options.serviceArgs);
  const soak = new Soak(fleet);
  try {
    await Promise.all([
      load(soak, stream, rate, seconds),
      every(1000, soak, seconds, () => soak.ask("approx")),
      every(5000, soak, seconds, () => soak.ask("exact")),
      every(Math.min(sampleMs, seconds * 100), soak, seconds, () => soak.sample()),
      killNowAndThen(soak, killEvery, seconds),
    ]);
    const all = { timeRange: "all", k: boardRows };
    for (const [type, name] of eventTypes.entries()) {
      const { board } = await askExact(fleet.counter.url, { ...all, eventType: name });
      checkExact(board, trueBoard(counts.ofType(type), boardRows), `the board of ${name}`);
    }
    await fleet.stop();
  } catch (error) {
    soak.fail();
    throw error;
  } finally {
    await fleet.dispose();
    rmSync(folder, { recursive: true, force: true });
  }
  return [
    {
      name: "soak",
      title:
        `Soak: ${whole(stream.made)} events in ${whole(seconds)} s, ${whole(rate)} a second, ` +
        `over two edges, a broker and one that counts; a kill every ${whole(killEvery)} s`,
      rows: rowsOf(soak),
      tables: [usageGrid(soak, seconds)],
      notes: [],
      data: { seconds, rate, kills: soak.kills },
    },
  ];
}
