/**
 * Boards pushed to many clients over WebSockets while events come in: how long after the reply to
 * a POST each client has a board with its events, what clients that stop reading cost, and the
 * same messages sent to the same clients by a server that does nothing else.
 *
 * Figures are given only after every client's board is what GET /leaderboard says, and that is
 * what the generator counted; a diff to a board that a client doesn't have ends the bench.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "undici";
import { LiveFeed } from "./live-feed.ts";
import { BarePush, LiveLoad } from "./live-fleet.ts";
import {
  boardsOf,
  type Due,
  essenceOf,
  type LiveBoardName,
  type LoadOrder,
  type LoadReport,
  queryOf,
  type RecordedMessage,
} from "./live-orders.ts";
import { askBoard, type Board } from "./load.ts";
import type { BenchOptions } from "./options.ts";
import { fixed, megabytes, type Outcome, say, whole } from "./report.ts";
import { ServiceProcess } from "./service-process.ts";
import { mean } from "./statistics.ts";

const p99MsTarget = 1000;
const memoryRatioTarget = 1.5;
const sampleMs = 250;
const sameMsMax = 20_000;
/** Less than from one heartbeat to the next, or paused clients would be cut off. */
const pausedMsMax = 13_000;
/** Within it a board has come to all who read. */
const settleMs = 1500;

interface Size {
  clients: number;
  paused: number;
  narrow: number;
  wide: number;
  wideRows: number;
  postsPerSecond: number;
  seconds: number;
  warmSeconds: number;
}

interface ServiceRun {
  report: LoadReport;
  posts: number;
  residentBytes: number[];
  /** The most that one client had not taken, and all together. */
  unsentBytesMost: number;
  unsentBytesAll: number;
  cpuSeconds: number;
  seconds: number;
  recording: RecordedMessage[];
}

interface BareRun {
  report: LoadReport;
  cpuSeconds: number;
}

function sizeOf({ smoke, connections, seconds }: BenchOptions): Size {
  if (smoke) {
    const few = { clients: 30, paused: 2, narrow: 3, wide: 1, wideRows: 50 };
    return { ...few, postsPerSecond: 15, seconds: 0.8, warmSeconds: 0.1 };
  }
  const boards = { paused: 10, narrow: 8, wide: 8, wideRows: 1000 };
  return {
    clients: connections,
    ...boards,
    postsPerSecond: 20,
    seconds: seconds ?? 12,
    warmSeconds: 2,
  };
}

function orderOf(size: Size, url: string, mark: LoadOrder["mark"]): LoadOrder {
  const { clients, paused, narrow, wide, wideRows } = size;
  const boards = boardsOf(narrow, wide, wideRows);
  const live = `${url.replace("http", "ws")}/live`;
  return { url: live, clients, boards, slow: paused, mark, boardsPerClient: 2 };
}

/** The board as it is now: on a busy machine the one before may be given first, marked `stale`. */
async function askFresh(url: string, board: LiveBoardName): Promise<Board> {
  const end = performance.now() + sameMsMax;
  for (;;) {
    const answer = await askBoard(url, queryOf(board));
    if (typeof answer !== "string" && !answer.stale) return answer;
    if (performance.now() > end) throw new Error(`${board.name}: no fresh answer in time`);
    await sleep(sampleMs);
  }
}

/** GET /leaderboard of each board, checked against what was counted. */
async function askAll(url: string, feed: LiveFeed, boards: readonly LiveBoardName[]) {
  const asked = boards.map(async (board) => {
    const answer = await askFresh(url, board);
    feed.check(board, answer);
    return [board.name, essenceOf(answer)] as const;
  });
  return new Map(await Promise.all(asked));
}

/** Waits until every client has the board that GET /leaderboard answers; throws if it doesn't. */
async function untilSame(url: string, feed: LiveFeed, load: LiveLoad, order: LoadOrder) {
  const end = performance.now() + sameMsMax;
  for (;;) {
    const had = await load.boards();
    const asked = await askAll(url, feed, order.boards);
    const others = [...asked].filter(([name, text]) => {
      const texts = Object.keys(had[name] ?? {});
      return texts.length !== 1 || texts[0] !== text;
    });
    if (others.length === 0) return;
    if (performance.now() > end) {
      const [name, text] = others[0]!;
      const got = JSON.stringify(had[name]).slice(0, 500);
      throw new Error(`${name}: clients have ${got}, GET /leaderboard says ${text.slice(0, 500)}`);
    }
    await sleep(sampleMs);
  }
}

/** Watches the service until stopped. */
class Watching {
  readonly residentBytes: number[] = [];
  unsentBytesMost = 0;
  unsentBytesAll = 0;
  #isOver = false;
  readonly #done: Promise<void>;

  constructor(service: ServiceProcess) {
    this.#done = this.#watch(service);
  }

  async #watch(service: ServiceProcess): Promise<void> {
    while (!this.#isOver) {
      this.residentBytes.push(service.residentBytes());
      const most = await service.metric("rankstream_live_unsent_max_bytes");
      const all = await service.metric("rankstream_live_unsent_bytes");
      this.unsentBytesMost = Math.max(this.unsentBytesMost, most ?? 0);
      this.unsentBytesAll = Math.max(this.unsentBytesAll, all ?? 0);
      await sleep(sampleMs);
    }
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#done;
  }
}

/**
 * Sends for `seconds`; the slow clients, if they pause at all, do so until all others have what
 * was sent: what they then read at once would hold up the others in the process they share.
 */
async function sendAll(
  feed: LiveFeed,
  load: LiveLoad,
  size: Size,
  service: ServiceProcess,
  pauses: boolean,
) {
  const { seconds } = size;
  const sending = feed.send(seconds);
  await sleep(Math.max(seconds * 100, seconds * 1000 + settleMs - pausedMsMax));
  const watching = new Watching(service);
  if (pauses) load.tell("pause");
  const due = await sending;
  await sleep(settleMs);
  await watching.stop();
  if (pauses) load.tell("resume");
  return { due, watching };
}

async function runService(
  options: BenchOptions,
  size: Size,
  pauses: boolean,
): Promise<ServiceRun> {
  const { serviceArgs: args, profileDir, seed } = options;
  const service = await ServiceProcess.start({ args, ...(pauses && { profileDir }) });
  const client = new Client(service.url);
  let load: LiveLoad | null = null;
  try {
    const order = orderOf(size, service.url, "total");
    const feed = new LiveFeed(client, order.boards, { seed, ...size });
    await feed.fill();
    load = await LiveLoad.start(order);
    await sleep(size.warmSeconds * 1000);
    load.tell("record");
    const [cpuUsed, started] = [service.meterCpu(), performance.now()];
    const { due, watching } = await sendAll(feed, load, size, service, pauses);
    const [cpuSeconds, seconds] = [cpuUsed().seconds, (performance.now() - started) / 1000];
    await untilSame(service.url, feed, load, order);
    const recording = await load.recording();
    const report = await load.report(due);
    load.dispose();
    load = null;
    await service.stop();
    const { residentBytes, unsentBytesMost, unsentBytesAll } = watching;
    const memory = { residentBytes, unsentBytesMost, unsentBytesAll };
    return { report, posts: due.length, ...memory, cpuSeconds, seconds, recording };
  } catch (error) {
    throw service.blame(error);
  } finally {
    load?.dispose();
    await client.destroy();
    service.dispose();
  }
}

/** Sends each message of the recording when it came. */
async function playBack(bare: BarePush, recording: readonly RecordedMessage[]): Promise<Due[]> {
  const started = performance.now();
  const posted: Promise<Due>[] = [];
  for (const message of recording) {
    const waitMs = message.atMs - (performance.now() - started);
    if (waitMs > 0) await sleep(waitMs);
    posted.push(bare.post(message, false));
  }
  return Promise.all(posted);
}

async function runBare(size: Size, recording: readonly RecordedMessage[]): Promise<BareRun> {
  const bare = await BarePush.start();
  let load: LiveLoad | null = null;
  try {
    for (const message of recording.filter(({ atMs }) => atMs === 0))
      await bare.post(message, true);
    load = await LiveLoad.start(orderOf(size, bare.url, "seq"));
    await sleep(size.warmSeconds * 1000);
    const before = bare.cpuSeconds();
    const due = await playBack(
      bare,
      recording.filter(({ atMs }) => atMs > 0),
    );
    await sleep(size.warmSeconds * 500);
    const cpuSeconds = bare.cpuSeconds() - before;
    return { report: await load.report(due), cpuSeconds };
  } finally {
    load?.dispose();
    bare.dispose();
  }
}

function notesOf(ratio: number, paused: ServiceRun, options: BenchOptions): string[] {
  const notes = [
    "Times end when a client has made the new board of the message. Clients, all in one " +
      "process, and whoever posts share the cores with the service.",
    "The bare server sends at once what the service sends at most twice a second a board.",
  ];
  if (paused.report.fromReplyMs.p99 >= p99MsTarget) {
    notes.push(`NOT REACHED: p99 under ${p99MsTarget} ms.`);
  }
  if (paused.unsentBytesMost === 0) {
    notes.push("The system's own buffers took all that was sent to paused clients.");
  }
  if (ratio > memoryRatioTarget) notes.push(`NOT REACHED: memory under ${memoryRatioTarget} ×.`);
  if (options.profileDir !== undefined) notes.push("Profiled: it takes longer than without.");
  return notes;
}

function describe(
  options: BenchOptions,
  size: Size,
  runs: [ServiceRun, ServiceRun],
  bare: BareRun,
): Outcome {
  const [none, paused] = runs;
  const ratio = mean(paused.residentBytes) / mean(none.residentBytes);
  const times = ({ p50, p99, max }: LoadReport["fromReplyMs"]) =>
    `${fixed(p50, 0)} / ${fixed(p99, 0)} / ${fixed(max, 0)}`;
  const { report } = none;
  const bareP99 = bare.report.fromReplyMs.p99;
  const cpuUs = (cpu: number, { messages }: LoadReport) => fixed((cpu * 1e6) / messages, 1);
  const peaks = runs.map(({ residentBytes }) => megabytes(Math.max(...residentBytes)));
  return {
    name: "live",
    title:
      `Live boards: ${whole(size.clients)} WebSocket clients of two boards each, ` +
      `${size.narrow} boards of 10 rows, ${size.postsPerSecond} POSTs/s for ${size.seconds} s`,
    rows: [
      ["ratio to a bare server, p99", fixed(report.fromReplyMs.p99 / bareP99, 1)],
      [`resident memory, ${size.paused} paused / none paused`, fixed(ratio)],
      ["POST's reply to board, ms p50 / p99 / max", times(report.fromReplyMs)],
      ["  from when it was sent", times(report.fromSendingMs)],
      [`  ${size.paused} clients paused`, times(paused.report.fromReplyMs)],
      ["  the bare server", times(bare.report.fromReplyMs)],
      ["messages/s", whole(report.messages / none.seconds)],
      ["CPU of the service, µs/message", cpuUs(none.cpuSeconds, report)],
      ["CPU of the bare server, µs/message", cpuUs(bare.cpuSeconds, bare.report)],
      [
        "cores, service / clients",
        `${fixed(none.cpuSeconds / none.seconds)} / ${fixed(report.cpuSeconds / none.seconds)}`,
      ],
      ["unsent, client furthest behind, KiB", whole(paused.unsentBytesMost / 1024)],
      ["unsent, all clients, KiB", whole(paused.unsentBytesAll / 1024)],
      ["resident MiB, at most, none / paused", peaks.join(" / ")],
      ["gaps in sequences, clients without the last board", "0"],
    ],
    notes: notesOf(ratio, paused, options),
    data: {
      ...size,
      runs: runs.map(({ recording: _, ...run }) => run),
      bare,
      memoryRatio: ratio,
    },
  };
}

/** Runs the bench: with none paused, with some, then the bare server with the first's messages. */
export async function runLive(options: BenchOptions): Promise<Outcome[]> {
  const size = sizeOf(options);
  say(`live: ${size.clients} clients`);
  const none = await runService(options, size, false);
  say(`live: the same, ${size.paused} of them paused`);
  const paused = await runService(options, size, true);
  say("live: the bare server");
  const bare = await runBare(size, none.recording);
  return [describe(options, size, [none, paused], bare)];
}
