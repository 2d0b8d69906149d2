/** Redis sorted sets, one key a minute: a server of its own, spoken to in its own protocol. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export type RedisReply = string | number | null | RedisReply[];

const connectTriesMax = 200;
const lineEnd = Buffer.from("\r\n");

/** Reads one reply at `at`; null while it isn't all there. */
function readReply(bytes: Buffer, at: number): { reply: RedisReply; next: number } | null {
  const end = bytes.indexOf(lineEnd, at);
  if (end < 0) return null;
  const line = bytes.toString("utf8", at + 1, end);
  const next = end + 2;
  const kind = String.fromCharCode(bytes[at]!);
  if (kind === "+") return { reply: line, next };
  if (kind === "-") throw new Error(`Redis: ${line}`);
  const size = Number(line);
  if (kind === ":") return { reply: size, next };
  if (size < 0) return { reply: null, next };
  if (kind === "$") {
    if (bytes.length < next + size + 2) return null;
    return { reply: bytes.toString("utf8", next, next + size), next: next + size + 2 };
  }
  const items: RedisReply[] = [];
  let place = next;
  for (let i = 0; i < size; i++) {
    const item = readReply(bytes, place);
    if (item === null) return null;
    items.push(item.reply);
    place = item.next;
  }
  return { reply: items, next: place };
}

export function commandText(parts: readonly (string | number)[]): string {
  const words = parts.map((part) => {
    const text = String(part);
    return `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
  });
  return `*${parts.length}\r\n${words.join("")}`;
}

export class RedisServer {
  readonly #child: ChildProcess;
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);

  private constructor(child: ChildProcess, socket: Socket) {
    this.#child = child;
    this.#socket = socket;
  }

  /** Starts `redis-server`, which keeps nothing, on a socket in `folder`; null without one. */
  static async start(folder: string): Promise<RedisServer | null> {
    const path = join(folder, "redis.sock");
    const args = ["--port", "0", "--unixsocket", path, "--save", "", "--appendonly", "no"];
    const child = spawn("redis-server", [...args, "--dir", folder], { stdio: "ignore" });
    const isThere = await Promise.race([
      once(child, "spawn").then(() => true),
      once(child, "error").then(() => false),
    ]);
    if (!isThere) return null;
    for (let tries = 0; tries < connectTriesMax; tries++) {
      const socket = connect(path);
      try {
        await once(socket, "connect");
        return new RedisServer(child, socket);
      } catch {
        await sleep(20);
      }
    }
    child.kill("SIGKILL");
    throw new Error("redis-server did not open its socket");
  }

  /** Sends the commands at once; returns their replies. Throws on the first error. */
  async send(commands: readonly (readonly (string | number)[])[]): Promise<RedisReply[]> {
    this.#socket.write(commands.map(commandText).join(""));
    const replies: RedisReply[] = [];
    while (replies.length < commands.length) {
      const read = readReply(this.#received, 0);
      if (read === null) {
        const [chunk] = (await once(this.#socket, "data")) as [Buffer];
        this.#received = Buffer.concat([this.#received, chunk]);
        continue;
      }
      replies.push(read.reply);
      this.#received = this.#received.subarray(read.next);
    }
    return replies;
  }

  stop(): void {
    this.#socket.destroy();
    this.#child.kill("SIGKILL");
  }
}
