// The service that is fuzzed, and what is held against it after each batch.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type Dispatcher, Pool } from "undici";
import { expect } from "vitest";
import { Random } from "../support/random.ts";
import { type RankstreamProcess, startRankstream } from "../support/service.ts";
import { countedType, fuzzPost } from "./fuzz-bodies.ts";
import { fuzzCall, operationsOf } from "./fuzz-calls.ts";
import { exchange, rawExchange } from "./fuzz-raw.ts";

const atOnce = 128;
/** A question may take its time on a busy machine; one that hangs is a fault. */
const replyMsMax = 60_000;
const quietMsMax = 60_000;
/** Sockets of the service's own, beside those of clients. */
const socketsSlack = 2;
/** Answered so where a bound is met; nothing else of the fives may come. */
const busyCodes = new Set([
  "overloaded",
  "too_many_queries",
  "too_many_jobs",
  "too_many_snapshots",
  "too_many_labels",
  "too_many_event_types",
  "too_many_deletes",
  "query_timeout",
  "query_memory",
  "query_cancelled",
]);
/** The reply may have no end. */
const endless = /^\/(?:live\/events|tail|export)/;

type Kind = "raw" | "post" | "call";

export class FuzzWorld {
  readonly statuses = new Map<string, number>();
  /** Resident bytes after each batch, once it was quiet. */
  readonly rss: number[] = [];
  readonly #service: RankstreamProcess;
  readonly #pool: Pool;
  readonly #operations: ReturnType<typeof operationsOf>;
  readonly #socketsBefore: number;
  #accepted = 0;
  #faults: string[] = [];

  private constructor(service: RankstreamProcess, document: unknown) {
    this.#service = service;
    const patience = { connectTimeout: replyMsMax, bodyTimeout: replyMsMax };
    this.#pool = new Pool(service.url, { connections: atOnce, ...patience });
    this.#operations = operationsOf(document);
    this.#socketsBefore = this.#sockets();
  }

  static async start(args: string[]): Promise<FuzzWorld> {
    // Bounds that a long run meets, so that it goes on beyond them.
    const bounds = ["--event-types-max", "500", "--jobs-max", "50", "--log-level", "error"];
    const memory = ["--store-memory-bytes-max", "128MiB", "--cache-bytes-max", "16MiB"];
    // What is done by the clock takes no more of a long run than it has to.
    const pace = ["--checkpoint-ms", "5000", "--seal-interval-ms", "5000"];
    const service = await startRankstream({ args: [...bounds, ...memory, ...pace, ...args] });
    const { body } = await service.get("/openapi.json");
    return new FuzzWorld(service, body);
  }

  /** Makes and sends the requests of one batch, which its seed alone decides. */
  async batch(seed: number, requests: number): Promise<void> {
    const random = new Random(seed);
    let left = requests;
    const work = async () => {
      while (left-- > 0) await this.#one(random.fork(left));
    };
    await Promise.all(Array.from({ length: atOnce }, work));
    await this.#quiet();
    const faults = this.#faults.splice(0);
    // Seen at once where a run goes on for an hour.
    if (faults.length > 0) process.stderr.write(`${faults.join("\n")}\n`);
    expect(faults, `${faults.length} faults of the batch with seed ${seed}`).toEqual([]);
    this.rss.push(this.#resident());
  }

  /** Everything that was acknowledged is counted once. */
  async checkCounts(): Promise<void> {
    // Times are fuzzed as well.
    const range = { from: 0, to: Date.now() + 86_400_000 };
    const question = { eventType: countedType, ...range, mode: "exact", k: 1 };
    const { status, body } = await this.#service.get("/leaderboard", question);
    expect([status, body.total]).toEqual([200, this.#accepted]);
  }

  get accepted(): number {
    return this.#accepted;
  }

  async stop(): Promise<void> {
    await this.#pool.destroy();
    await this.#service.stop();
  }

  async #one(random: Random): Promise<void> {
    const kind: Kind = random.chance(0.45) ? "raw" : random.chance(0.95) ? "post" : "call";
    try {
      if (kind === "raw") this.#note("raw", await this.#raw(random));
      else if (kind === "post") await this.#post(random);
      else await this.#call(random);
    } catch (error) {
      this.#fault(`${kind}: ${(error as Error).message}`);
    }
  }

  #raw(random: Random): Promise<number> {
    return exchange(Number(new URL(this.#service.url).port), rawExchange(random));
  }

  async #post(random: Random): Promise<void> {
    const { headers, body, isCounted } = fuzzPost(random, Date.now());
    const reply = await this.#send({ method: "POST", path: "/events", headers, body });
    const text = await reply.body.text();
    this.#note("post", reply.statusCode, text);
    const isReplay = reply.headers["idempotency-replayed"] === "true";
    if (reply.statusCode === 202 && isCounted && !isReplay) {
      this.#accepted += (JSON.parse(text) as { accepted: number }).accepted;
    }
  }

  async #call(random: Random): Promise<void> {
    const { method, path, headers, body } = fuzzCall(random, this.#operations);
    const reply = await this.#send({ method: method as "GET", path, headers, body });
    if (endless.test(path) && reply.statusCode === 200) {
      this.#note("call", reply.statusCode);
      reply.body.on("error", () => undefined).destroy();
      return;
    }
    this.#note("call", reply.statusCode, await reply.body.text(), `${method} ${path}`);
  }

  #send(options: Omit<Dispatcher.RequestOptions, "origin">) {
    return this.#pool.request({ ...options, headersTimeout: replyMsMax });
  }

  #note(kind: Kind, status: number, text = "", what = ""): void {
    const name = `${kind} ${status}`;
    this.statuses.set(name, (this.statuses.get(name) ?? 0) + 1);
    if (status < 500 || status === 505) return;
    const code = /"code":"(\w+)"/.exec(text)?.[1] ?? "";
    if (status === 503 && busyCodes.has(code)) return;
    this.#fault(`${kind} ${what.slice(0, 300)} answered ${status} ${text.slice(0, 300)}`);
  }

  #fault(what: string): void {
    if (this.#faults.length < 20) this.#faults.push(what);
  }

  /** Alive, ready, and nothing left open of what clients have left. */
  async #quiet(): Promise<void> {
    const deadline = Date.now() + quietMsMax;
    const open = this.#socketsBefore + atOnce + socketsSlack;
    for (;;) {
      expect(this.#service.hasExited, this.#service.output()).toBe(false);
      const { status } = await this.#service.get("/health/ready");
      if (status === 200 && this.#sockets() <= open) return;
      if (Date.now() > deadline) {
        expect([status, this.#sockets()], "ready, and sockets").toEqual([200, `at most ${open}`]);
      }
      await sleep(100);
    }
  }

  #sockets(): number {
    const folder = `/proc/${this.#service.pid}/fd`;
    return readdirSync(folder).filter((name) => {
      try {
        return readlinkSync(`${folder}/${name}`).startsWith("socket:");
      } catch {
        return false;
      }
    }).length;
  }

  #resident(): number {
    const status = readFileSync(`/proc/${this.#service.pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
  }
}
