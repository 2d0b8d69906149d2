// A real Redis of a test's own, on loopback.
import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { afterAll } from "vitest";
import { findRedis } from "../../tools/services.mjs";
import { endBy } from "./child-process.ts";
import { freePort } from "./free-port.ts";

const readyMsMax = 10_000;
const running = new Set<RedisServer>();

afterAll(async () => {
  await Promise.all([...running].map((server) => server.kill()));
});

export class RedisServer {
  readonly port: number;
  #process: ChildProcess | null = null;

  constructor(port: number) {
    this.port = port;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  async start(...args: string[]): Promise<void> {
    const program = findRedis();
    if (program === undefined) throw new Error("no Redis: npm run test:services brings it");
    const own = ["--port", String(this.port), "--bind", "127.0.0.1", "--save", "", ...args];
    this.#process = spawn(program, own, { stdio: "ignore" });
    running.add(this);
    const until = Date.now() + readyMsMax;
    for (;;) {
      try {
        if ((await this.command("ping")) === "PONG") return;
      } catch (error) {
        if (Date.now() > until) throw error;
      }
      await sleep(50);
    }
  }

  /** One command over a connection of its own. */
  async command(name: string, ...args: string[]): Promise<unknown> {
    const client = new Redis(this.url, { lazyConnect: true, retryStrategy: () => null });
    client.on("error", () => undefined);
    try {
      await client.connect();
      return await client.call(name, ...args);
    } finally {
      client.disconnect();
    }
  }

  signal(name: "SIGSTOP" | "SIGCONT"): void {
    this.#process?.kill(name);
  }

  /** kill -9. */
  async kill(): Promise<void> {
    const own = this.#process;
    running.delete(this);
    this.#process = null;
    if (own !== null) await endBy(own, "SIGKILL");
  }
}

export async function startRedis(...args: string[]): Promise<RedisServer> {
  const server = new RedisServer(await freePort());
  await server.start(...args);
  return server;
}
