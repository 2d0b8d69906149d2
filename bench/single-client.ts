/**
 * Load of many small POSTs, in a process of its own: prepared requests on bare sockets, one at a
 * time on each, since an HTTP client costs more than the server it is to measure. First as fast
 * as replies come; then at a steady rate, where each call's time runs from when it was due.
 */
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { EventStream, type StreamOptions } from "./event-stream.ts";
import { type LatencyMs, latencyOf } from "./statistics.ts";

export interface LoadOrder {
  host: string;
  port: number;
  connections: number;
  /** Of the events, which are sent again from the first once all were. */
  stream: StreamOptions;
  poolEvents: number;
  warmSeconds: number;
  fullSeconds: number;
  /** 0 leaves the steady rate out. */
  steadySeconds: number;
  /** Of the rate as fast as replies come. */
  steadyShare: number;
}

export interface LoadReport {
  /** Requests sent and answered with 202, all parts together. */
  sent: number;
  eventsPerSecond: number;
  steadyEventsPerSecond: number;
  latencyMs: LatencyMs | null;
  cpuUsPerEvent: number;
}

const accepted = Buffer.from("HTTP/1.1 202 ");
const headEnd = "\r\n\r\n";
const tickMs = 1;

const empty: Buffer = Buffer.alloc(0);

function fail(what: string, got: Buffer): never {
  throw new Error(`${what}: ${got.toString().slice(0, 500)}`);
}

/** Bytes of the reply's body, by its head. */
function bodyBytesOf(head: string): number {
  const length = /content-length: (\d+)/i.exec(head)?.[1];
  if (length === undefined) throw new Error(`a reply without its length: ${head.slice(0, 500)}`);
  return Number(length);
}

/** One connection: told of each reply. */
class Line {
  readonly socket: Socket;
  readonly #onReply: (line: Line) => void;
  #waits = false;
  #got = empty;
  /** Of a reply's body; all have the same, while heads name each its own request. */
  #bodyBytes: number | null = null;
  /** Of the request under way: when it was due. */
  dueAt = 0;

  private constructor(socket: Socket, onReply: (line: Line) => void) {
    this.socket = socket;
    this.#onReply = onReply;
    socket.on("data", (chunk) => this.#onData(chunk));
    socket.on("close", () => {
      if (this.#waits) throw new Error("the server hung up before its reply");
    });
  }

  static async open({ host, port }: LoadOrder, onReply: (line: Line) => void): Promise<Line> {
    const socket = connect({ host, port, noDelay: true });
    await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    return new Line(socket, onReply);
  }

  send(request: Buffer, dueAt: number): void {
    this.#waits = true;
    this.dueAt = dueAt;
    this.socket.write(request);
  }

  #onData(chunk: Buffer): void {
    const got: Buffer = this.#got.length === 0 ? chunk : Buffer.concat([this.#got, chunk]);
    const headBytes = got.indexOf(headEnd);
    if (headBytes >= 0) this.#bodyBytes ??= bodyBytesOf(got.toString("latin1", 0, headBytes));
    const bytes = headBytes < 0 ? Infinity : headBytes + headEnd.length + this.#bodyBytes!;
    const isWhole = got.length === bytes;
    const isAccepted = got.compare(accepted, 0, accepted.length, 0, accepted.length) === 0;
    if (isWhole && isAccepted) {
      this.#got = empty;
      this.#waits = false;
      this.#onReply(this);
      return;
    }
    this.#got = got;
    if (got.length >= accepted.length && !isAccepted) fail("not a reply of 202", got);
    if (got.length > bytes) fail("more than one reply of 202", got);
  }
}

function prepare({ host, port, stream, poolEvents }: LoadOrder): Buffer[] {
  const events = new EventStream(stream, () => undefined);
  return Array.from({ length: poolEvents }, () => {
    const body = Buffer.from(events.nextBody(1).bytes).toString().trimEnd();
    const line = `POST /events HTTP/1.1\r\nhost: ${host}:${port}`;
    const head = `${line}\r\ncontent-type: application/json`;
    return Buffer.from(`${head}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  });
}

class Load {
  readonly #requests: Buffer[];
  readonly lines: Line[] = [];
  readonly #idle: Line[] = [];
  sent = 0;
  answered = 0;
  #isFull = false;
  /** Due, and no connection free: their times, the oldest at #dueFrom. */
  #due: number[] = [];
  #dueFrom = 0;
  latenciesMs: number[] = [];

  constructor(order: LoadOrder) {
    this.#requests = prepare(order);
  }

  async open(order: LoadOrder): Promise<void> {
    for (let i = 0; i < order.connections; i++) {
      this.lines.push(await Line.open(order, (line) => this.#onReply(line)));
    }
    this.#idle.push(...this.lines);
  }

  #send(line: Line, dueAt: number): void {
    line.send(this.#requests[this.sent++ % this.#requests.length] as Buffer, dueAt);
  }

  #onReply(line: Line): void {
    this.answered++;
    if (this.#isFull) {
      this.#send(line, 0);
      return;
    }
    if (line.dueAt > 0) this.latenciesMs.push(performance.now() - line.dueAt);
    if (this.#dueFrom < this.#due.length) this.#send(line, this.#due[this.#dueFrom++] as number);
    else this.#idle.push(line);
  }

  async #settle(): Promise<void> {
    while (this.answered < this.sent || this.#dueFrom < this.#due.length) await sleep(tickMs);
  }

  /** As fast as replies come; replies a second after the warm-up. */
  async full(warmSeconds: number, seconds: number): Promise<number> {
    this.#isFull = true;
    for (const line of this.#idle.splice(0)) this.#send(line, 0);
    await sleep(warmSeconds * 1000);
    const [before, from] = [this.answered, performance.now()];
    await sleep(seconds * 1000);
    const rate = ((this.answered - before) * 1000) / (performance.now() - from);
    this.#isFull = false;
    await this.#settle();
    return rate;
  }

  async steady(rate: number, seconds: number): Promise<void> {
    // What the last replies of before left in the queues isn't this load's.
    await sleep(500);
    const events = Math.floor(rate * seconds);
    const from = performance.now() + tickMs;
    for (let made = 0; made < events; await sleep(tickMs)) {
      const now = performance.now();
      for (; made < events && from + (made * 1000) / rate <= now; made++) {
        const dueAt = from + (made * 1000) / rate;
        const line = this.#idle.pop();
        if (line === undefined) this.#due.push(dueAt);
        else this.#send(line, dueAt);
      }
    }
    await this.#settle();
  }
}

async function run(order: LoadOrder): Promise<LoadReport> {
  const load = new Load(order);
  await load.open(order);
  const cpuBefore = process.cpuUsage();
  const eventsPerSecond = await load.full(order.warmSeconds, order.fullSeconds);
  const cpu = process.cpuUsage(cpuBefore);
  const cpuUsPerEvent = (cpu.user + cpu.system) / load.sent;
  const steadyEventsPerSecond = eventsPerSecond * order.steadyShare;
  if (order.steadySeconds > 0) await load.steady(steadyEventsPerSecond, order.steadySeconds);
  for (const { socket } of load.lines) socket.destroy();
  const latencyMs = order.steadySeconds > 0 ? latencyOf(load.latenciesMs) : null;
  return { sent: load.sent, eventsPerSecond, steadyEventsPerSecond, latencyMs, cpuUsPerEvent };
}

process.stdout.write(JSON.stringify(await run(JSON.parse(process.argv[2] as string))));
