/**
 * Clients of the live bench, in a process of their own. Each keeps its boards as a page does, by
 * `applyDiff`, what all do alike done once; a diff to another board than the one it has ends the
 * bench.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { WebSocket } from "ws";
import { applyDiff } from "../src/client/board-diff.ts";
import type { BoardChanges, LiveBoard, LiveMessage } from "../src/model-live.ts";
import {
  type Due,
  essenceOf,
  type FromLoad,
  type LiveBoardName,
  type LoadOrder,
  type LoadReport,
  nowMs,
  queryOf,
  type RecordedMessage,
  type ToLoad,
} from "./live-orders.ts";
import { latencyOf } from "./statistics.ts";

type Board = LiveBoard & { total?: number };

/** Handshakes under way at once. */
const openingMax = 50;
const openMsMax = 30_000;
/** Messages whose parts are shared. */
const sharedMax = 200;

interface Watch {
  board: Board | null;
  seq: number;
  /** Mark and time of each version, one after the other. */
  versions: number[];
}

/**
 * What all clients that had the same board make of the same message: read and applied once, or
 * two thousand clients on the service's own cores would be most of what is measured. Each client
 * checks for itself that the message follows on what it has.
 */
class SharedWork {
  /** By text; each is the newest of its board at most clients when it goes. */
  readonly #messages = new Map<string, { message: LiveMessage<Board>; applied: Applied | null }>();

  read(text: string): LiveMessage<Board> {
    const known = this.#messages.get(text);
    if (known !== undefined) return known.message;
    const message = JSON.parse(text) as LiveMessage<Board>;
    this.#messages.set(text, { message, applied: null });
    if (this.#messages.size > sharedMax) {
      this.#messages.delete(this.#messages.keys().next().value as string);
    }
    return message;
  }

  /** `message` must be a diff that was read from `text`. */
  apply(text: string, base: Board, changes: BoardChanges): Board {
    const known = this.#messages.get(text);
    if (known?.applied?.base === base) return known.applied.board;
    const board = applyDiff(base, changes);
    if (known !== undefined) known.applied = { base, board };
    return board;
  }
}

interface Applied {
  base: Board;
  board: Board;
}

const order = JSON.parse(process.argv[2] as string) as LoadOrder;
const shared = new SharedWork();
const totals = { messages: 0, bytes: 0, diffs: 0, wholeAgain: 0 };
let recording: { since: number; messages: RecordedMessage[] } | null = null;

const tell = (message: FromLoad) => process.send!(message);

function fail(message: string): void {
  tell({ type: "failed", message });
}

class Client {
  readonly watches = new Map<string, Watch>();
  readonly isSlow: boolean;
  readonly #isRecorder: boolean;
  #socket: WebSocket | null = null;
  #isClosing = false;

  constructor(boards: readonly LiveBoardName[], isSlow: boolean, isRecorder: boolean) {
    this.isSlow = isSlow;
    this.#isRecorder = isRecorder;
    for (const { name } of boards) this.watches.set(name, { board: null, seq: 0, versions: [] });
  }

  async open(boards: readonly LiveBoardName[]): Promise<void> {
    const socket = new WebSocket(order.url, { perMessageDeflate: false });
    this.#socket = socket;
    await new Promise<void>((resolve, reject) => {
      socket.once("open", resolve);
      socket.once("error", reject);
    });
    socket.on("message", (data) => this.#hear(String(data)));
    socket.on("error", (error) => fail(error.message));
    socket.on("close", (code) => {
      if (!this.#isClosing) fail(`a socket was closed with ${code}`);
    });
    for (const board of boards) {
      const id = board.name;
      socket.send(JSON.stringify({ type: "subscribe", id, query: queryOf(board) }));
    }
  }

  get isReady(): boolean {
    return [...this.watches.values()].every(({ board }) => board !== null);
  }

  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }

  close(): void {
    this.#isClosing = true;
    this.#socket?.terminate();
  }

  #hear(text: string): void {
    totals.messages++;
    totals.bytes += text.length;
    const message = shared.read(text);
    if (message.type === "heartbeat") return;
    if (message.type === "error") {
      fail(`an error message came: ${text.slice(0, 500)}`);
      return;
    }
    const watch = this.watches.get(message.id) as Watch;
    if (message.type === "board") {
      if (watch.board !== null) totals.wholeAgain++;
      watch.board = message.board;
    } else {
      totals.diffs++;
      if (watch.board === null || message.since !== watch.seq) {
        fail(`${message.id}: a diff to ${message.since} came, the board is of ${watch.seq}`);
        return;
      }
      watch.board = shared.apply(text, watch.board, message.changes);
    }
    watch.seq = message.seq;
    const mark = order.mark === "seq" ? message.seq : (watch.board.total ?? 0);
    watch.versions.push(mark, nowMs());
    if (this.#isRecorder && recording !== null) {
      const atMs = performance.now() - recording.since;
      recording.messages.push({ board: message.id, atMs, seq: message.seq, text });
    }
  }

  /** Begins with the boards it has. */
  startRecording(): RecordedMessage[] {
    return [...this.watches].map(([board, { seq, board: latest }]) => {
      const text = JSON.stringify({ type: "board", id: board, seq, board: latest });
      return { board, atMs: 0, seq, text };
    });
  }
}

/** Slow ones watch one narrow board and all wide ones; the recorder, the last, watches all. */
function boardsOfClient(at: number): LiveBoardName[] {
  const narrow = order.boards.filter(({ isWide }) => !isWide);
  const wide = order.boards.filter(({ isWide }) => isWide);
  if (at === order.clients - 1) return [...order.boards];
  if (at < order.slow) return [narrow[at % narrow.length]!, ...wide];
  const count = Math.min(order.boardsPerClient, narrow.length);
  return Array.from({ length: count }, (_, i) => narrow[(at + i * 3) % narrow.length]!);
}

async function openAll(clients: readonly Client[]): Promise<void> {
  for (let at = 0; at < clients.length; at += openingMax) {
    const some = clients.slice(at, at + openingMax);
    await Promise.all(some.map((client, i) => client.open(boardsOfClient(at + i))));
  }
  const end = performance.now() + openMsMax;
  while (!clients.every(({ isReady }) => isReady)) {
    if (performance.now() > end) throw new Error("not all clients got their boards");
    await sleep(20);
  }
}

/** Times of one board at one client: from each `from` to the first version with its mark. */
function delaysOf(versions: readonly number[], due: readonly Due[], into: [number[], number[]]) {
  let at = 0;
  for (const { mark, board, sentAt, repliedAt } of due) {
    while (at < versions.length && versions[at]! < mark) at += 2;
    if (at >= versions.length) throw new Error(`${board}: ${mark} never came to a client`);
    const time = versions[at + 1]!;
    // A board may have it before the reply to the POST is read.
    into[0].push(Math.max(0, time - repliedAt));
    into[1].push(time - sentAt);
  }
}

function reportOf(clients: readonly Client[], due: readonly Due[]): LoadReport {
  const dueOf = groupDue(due);
  const delays: [number[], number[]] = [[], []];
  for (const { isSlow, watches } of clients) {
    if (isSlow) continue;
    for (const [name, { versions }] of watches) delaysOf(versions, dueOf.get(name) ?? [], delays);
  }
  const { user, system } = process.cpuUsage();
  const [fromReplyMs, fromSendingMs] = [latencyOf(delays[0]), latencyOf(delays[1])];
  return { fromReplyMs, fromSendingMs, ...totals, cpuSeconds: (user + system) / 1e6 };
}

function groupDue(due: readonly Due[]): Map<string, Due[]> {
  const groups = new Map<string, Due[]>();
  for (const one of due) groups.set(one.board, [...(groups.get(one.board) ?? []), one]);
  return groups;
}

/** How many clients have which board. */
function boardsHad(clients: readonly Client[]): Record<string, Record<string, number>> {
  const had: Record<string, Record<string, number>> = {};
  for (const { watches } of clients) {
    for (const [name, { board }] of watches) {
      had[name] ??= {};
      const text = essenceOf(board as Board);
      had[name][text] = (had[name][text] ?? 0) + 1;
    }
  }
  return had;
}

function obey(message: ToLoad, clients: readonly Client[]): void {
  const slow = clients.filter(({ isSlow }) => isSlow);
  if (message.type === "pause") for (const client of slow) client.pause();
  else if (message.type === "resume") for (const client of slow) client.resume();
  else if (message.type === "record") {
    const messages = clients.at(-1)!.startRecording();
    recording = { since: performance.now(), messages };
  } else if (message.type === "recording") {
    tell({ type: "recording", messages: recording?.messages ?? [] });
    recording = null;
  } else if (message.type === "boards") tell({ type: "boards", boards: boardsHad(clients) });
  else tell({ type: "report", report: reportOf(clients, message.due) });
}

async function run(): Promise<void> {
  const clients = Array.from({ length: order.clients }, (_, at) => {
    return new Client(boardsOfClient(at), at < order.slow, at === order.clients - 1);
  });
  process.on("message", (message: ToLoad) => {
    try {
      obey(message, clients);
    } catch (error) {
      fail((error as Error).message);
    }
  });
  process.once("disconnect", () => {
    for (const client of clients) client.close();
  });
  await openAll(clients);
  tell({ type: "ready" });
}

run().catch((error: Error) => fail(error.message));
