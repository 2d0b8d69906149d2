/**
 * Backups under load, and the disaster: events a second with backups (the log all the time, a base
 * at a third and at two thirds of the load) beside the same without any, in pairs; then the
 * service is killed, its folder removed, and what had been received by a moment in the midst of
 * the load is restored, started and asked.
 *
 * A rate is given only once the exact boards are the generator's own counts; so is the restore:
 * the boards are a recount of the bodies received by that moment.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { checkBodies, type MarkedStream, makeMarked, receiptsOf } from "./backup-load.ts";
import { askExact, postAll } from "./load.ts";
import type { BenchOptions } from "./options.ts";
import { fixed, megabytes, type Outcome, percent, say, whole } from "./report.ts";
import { builtProgram, bytesOf, ServiceProcess } from "./service-process.ts";
import { median } from "./statistics.ts";

const pollMs = 200;
/** So many of the bodies are posted once the backups are done, and not measured. */
const restShare = 0.1;
const waitMsMax = 600_000;

interface Base {
  /** Epoch ms. */
  receivedThrough: number;
  seconds: number;
  bytes: number;
  sentBytes: number;
}

interface Side {
  eventsPerSecond: number;
  bases: Base[];
  /** How far the log's copy lies behind, seconds, looked at all the time. */
  lags: number[];
}

interface Restored {
  /** In words, which moment it is. */
  moment: string;
  /** Of the data folder before, log apart and log. */
  data: { store: number; log: number };
  repositoryBytes: number;
  /** From the last reply until all of it was backed up. */
  catchUpSeconds: number;
  events: number;
  allEvents: number;
  restoreSeconds: number;
  restoredBytes: number;
  /** From the start to exact boards. */
  startSeconds: number;
}

interface View {
  status: string;
  receivedThrough: string;
  bytes: number;
  sentBytes: number;
  error?: { detail: string };
}

async function poll<T>(look: () => Promise<T | null>, what: string): Promise<T> {
  const deadline = Date.now() + waitMsMax;
  while (Date.now() < deadline) {
    const found = await look();
    if (found !== null) return found;
    await sleep(pollMs);
  }
  throw new Error(`${what} took more than ${waitMsMax} ms`);
}

/** Has the service backed up; what it came to. */
async function takeBase(url: string): Promise<Base> {
  const started = performance.now();
  const begun = await fetch(`${url}/admin/backups`, { method: "POST" });
  const path = begun.headers.get("location");
  if (path === null) throw new Error(`POST /admin/backups answered ${begun.status}`);
  const view = await poll(async () => {
    const now = (await (await fetch(`${url}${path}`)).json()) as View;
    return now.status === "running" ? null : now;
  }, "a backup");
  if (view.status !== "done") throw new Error(`a backup ${view.status}: ${view.error?.detail}`);
  const { bytes, sentBytes } = view;
  return {
    receivedThrough: Date.parse(view.receivedThrough),
    seconds: (performance.now() - started) / 1000,
    bytes,
    sentBytes,
  };
}

/** Looks at how far the log's copy is, until stopped. */
function watchLag(service: ServiceProcess) {
  const lags: number[] = [];
  let isStopped = false;
  const watching = (async () => {
    while (!isStopped) {
      const through = await service.metric("rankstream_backup_log_through_timestamp_seconds");
      if (through !== null && through > 0) lags.push(Date.now() / 1000 - through);
      await sleep(pollMs);
    }
  })();
  return async () => {
    isStopped = true;
    await watching;
    return lags;
  };
}

/** Posts everything, with a base begun at a third and at two thirds where backups are on. */
async function load(
  service: ServiceProcess,
  stream: MarkedStream,
  connections: number,
  isOn: boolean,
): Promise<Side> {
  const { bodies } = stream;
  const measured = Math.floor(bodies.length * (1 - restShare));
  const bases: Promise<Base>[] = [];
  let posted = 0;
  let at = 0;
  const stopWatching = isOn ? watchLag(service) : async () => [];
  const started = performance.now();
  const beginBase = () => {
    const before = bases.at(-1) ?? Promise.resolve();
    const base = before.then(() => takeBase(service.url));
    base.catch(() => undefined);
    bases.push(base);
  };
  await postAll(
    service.url,
    connections,
    () => (at < measured ? bodies[at++]! : null),
    () => {
      posted++;
      if (isOn && [1, 2].some((third) => posted === Math.ceil((measured * third) / 3))) {
        beginBase();
      }
    },
  );
  await askExact(service.url, { timeRange: "all", k: 1, eventType: "song_play" });
  const seconds = (performance.now() - started) / 1000;
  const done = await Promise.all(bases);
  const lags = await stopWatching();
  await postAll(service.url, connections, () => bodies[at++] ?? null);
  await checkBodies(service.url, stream, bodies);
  return { eventsPerSecond: bodies[measured]!.first / seconds, bases: done, lags };
}

async function run(args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, [builtProgram, ...args], { stdio: "inherit" });
  const [code] = await once(child, "exit");
  if (code !== 0) throw new Error(`rankstream ${args[0]} ended with ${code}`);
}

/** Until everything received by then is backed up. */
async function untilBackedUp(service: ServiceProcess, ms: number): Promise<number> {
  const started = performance.now();
  const name = "rankstream_backup_log_through_timestamp_seconds";
  await poll(async () => {
    const through = (await service.metric(name)) ?? 0;
    return through * 1000 >= ms ? through : null;
  }, "the copy of the log");
  return (performance.now() - started) / 1000;
}

/** The service is gone with all it had; then a moment with half of it is restored. */
async function disaster(
  service: ServiceProcess,
  stream: MarkedStream,
  place: string,
  [first]: readonly Base[],
): Promise<Restored> {
  const receipts = await receiptsOf(service.url, stream);
  const times = receipts.toSorted((a, b) => a - b);
  const catchUpSeconds = await untilBackedUp(service, times.at(-1)!);
  const data = service.diskBytes();
  service.dispose();
  const half = times[times.length >> 1]!;
  const isHalf = half >= first!.receivedThrough;
  const to = isHalf ? half : times[Math.floor(times.length * (1 - restShare / 2))]!;
  const moment = isHalf
    ? "half of the bodies had been received"
    : "after the load, since half of it came before the first backup";
  const folder = mkdtempSync(join(tmpdir(), "rankstream-bench-restored-"));
  try {
    say(`backup: restoring ${new Date(to).toISOString()}`);
    const began = performance.now();
    const iso = new Date(to).toISOString();
    await run(["restore", "--backup-to", place, "--data-dir", folder, "--to", iso]);
    const restoreSeconds = (performance.now() - began) / 1000;
    const restoredBytes = bytesOf(folder);
    const begun = performance.now();
    const again = await ServiceProcess.start({ args: [], dataDir: folder });
    try {
      const bodies = stream.bodies.filter((_, i) => receipts[i]! <= to);
      const events = await checkBodies(again.url, stream, bodies);
      const startSeconds = (performance.now() - begun) / 1000;
      const sizes = { data, repositoryBytes: bytesOf(place), restoredBytes };
      const times = { catchUpSeconds, restoreSeconds, startSeconds };
      return { moment, ...sizes, ...times, events, allEvents: stream.events };
    } finally {
      again.dispose();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** One side of a pair; `isLast`: with the disaster at its end. */
async function runSide(
  options: BenchOptions,
  stream: MarkedStream,
  { isOn, isLast }: { isOn: boolean; isLast: boolean },
): Promise<{ side: Side; restored: Restored | null }> {
  const place = mkdtempSync(join(tmpdir(), "rankstream-bench-backups-"));
  const interval = ["--backup-interval-ms", "0"];
  const smoke = options.smoke ? ["--backup-log-interval-ms", "200"] : [];
  const own = isOn ? ["--backup-to", place, ...interval, ...smoke] : [];
  const args = [...options.serviceArgs, ...own];
  const service = await ServiceProcess.start({ args, profileDir: options.profileDir });
  try {
    const side = await load(service, stream, options.connections, isOn);
    if (isOn && isLast)
      return { side, restored: await disaster(service, stream, place, side.bases) };
    await service.stop();
    return { side, restored: null };
  } catch (error) {
    throw service.blame(error);
  } finally {
    service.dispose();
    rmSync(place, { recursive: true, force: true });
  }
}

interface Pair {
  on: Side;
  off: Side;
}

const rateOf = (pick: keyof Pair) => (pair: Pair) => pair[pick].eventsPerSecond;

function restoreRows(restored: Restored): [string, string][] {
  const { data, repositoryBytes, restoreSeconds, restoredBytes, startSeconds } = restored;
  const { catchUpSeconds, events, allEvents } = restored;
  const ofData = repositoryBytes / (data.store + data.log);
  const share = `${megabytes(repositoryBytes)}, ${percent(ofData)}`;
  return [
    ["data before: store, log", `${megabytes(data.store)}, ${megabytes(data.log)}`],
    ["repository: two backups and the log, share of the data", share],
    ["last reply to all of it backed up, s", fixed(catchUpSeconds, 1)],
    ["restored events, of all", `${whole(events)} of ${whole(allEvents)}`],
    ["restore, s", fixed(restoreSeconds, 1)],
    ["restored MB/s", fixed(restoredBytes / 1e6 / restoreSeconds, 0)],
    ["start to exact boards, s", fixed(startSeconds, 1)],
    ["disaster to exact boards, s", fixed(restoreSeconds + startSeconds, 1)],
  ];
}

function baseRows(bases: readonly Base[]): [string, string][] {
  return bases.map(({ seconds, bytes, sentBytes }, i) => [
    `backup ${i + 1}, under load: s, of files, written`,
    `${fixed(seconds, 1)}, ${megabytes(bytes)}, ${megabytes(sentBytes)}`,
  ]);
}

function describe(stream: MarkedStream, pairs: Pair[], restored: Restored): Outcome {
  const ratios = pairs.map(({ on, off }) => on.eventsPerSecond / off.eventsPerSecond);
  const lags = pairs.flatMap(({ on }) => on.lags).sort((a, b) => a - b);
  const { bases } = pairs.at(-1)!.on;
  const { events, bytes, ids, bodies } = stream;
  const range = `${fixed(Math.min(...ratios), 3)} to ${fixed(Math.max(...ratios), 3)}`;
  return {
    name: "backup",
    title:
      `Backup: ${whole(events)} events of ${fixed(bytes / events, 0)} bytes in ` +
      `${whole(bodies.length)} POSTs, ${whole(ids)} ids, pairs: ${pairs.length}`,
    rows: [
      [
        "events/s with backups / without: median (least to most)",
        `${fixed(median(ratios), 3)} (${range})`,
      ],
      ["events/s without", whole(median(pairs.map(rateOf("off"))))],
      ["events/s with", whole(median(pairs.map(rateOf("on"))))],
      ...baseRows(bases),
      [
        "log's copy behind, s median / most",
        `${fixed(median(lags), 1)} / ${fixed(lags.at(-1)!, 1)}`,
      ],
      ...restoreRows(restored),
    ],
    notes: [
      "Service, load and backups share the machine; the backups lie on the same disk.",
      `The moment restored: ${restored.moment}.`,
    ],
    data: { pairs, restored, ids },
  };
}

/** Runs pairs, each side first in turn; the last service with backups meets the disaster. */
export async function runBackup(options: BenchOptions): Promise<Outcome[]> {
  const events = options.events ?? (options.smoke ? 20_000 : 6_000_000);
  const ids = options.ids ?? (options.smoke ? 2000 : 1_000_000);
  const { seed, runs } = options;
  // Of a tiny load, too, each third is more than one body.
  const bodyBytes = options.smoke ? 64 * 1024 : options.bodyBytes;
  say(`backup: generating ${whole(events)} events`);
  const stream = makeMarked({ seed, events, ids, bodyBytes });
  const pairs: Pair[] = [];
  let restored: Restored | null = null;
  for (let pair = 1; pair <= runs; pair++) {
    const isLast = pair === runs;
    const on = () => runSide(options, stream, { isOn: true, isLast });
    const off = () => runSide(options, stream, { isOn: false, isLast });
    const first = await (pair % 2 === 0 ? on() : off());
    const second = await (pair % 2 === 0 ? off() : on());
    restored = second.restored ?? first.restored;
    const sides = pair % 2 === 0 ? { on: first, off: second } : { on: second, off: first };
    pairs.push({ on: sides.on.side, off: sides.off.side });
    const ratio = sides.on.side.eventsPerSecond / sides.off.side.eventsPerSecond;
    say(`backup: pair ${pair} of ${runs}: ${fixed(ratio, 3)} of the rate without`);
  }
  return [describe(stream, pairs, restored!)];
}
