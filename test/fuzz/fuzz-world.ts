// The service that is fuzzed, and what is held against it after each batch.
import { readdirSync, readlinkSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type Dispatcher, Pool } from "undici";
import { expect } from "vitest";
import { Random } from "../support/random.ts";
import { type RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";
import { countedType, type FuzzPost, fuzzPost, numberedPost } from "./fuzz-bodies.ts";
import { fuzzCall, operationsOf } from "./fuzz-calls.ts";
import { type MemorySample, measureMemory, probeEnvironment } from "./fuzz-memory.ts";
import { connectMsMax, patiently } from "./fuzz-patience.ts";
import { exchange, rawExchange } from "./fuzz-raw.ts";

const atOnce = 64;
/** Most of these get no answer, and only wait. */
const rawAtOnce = 256;
const rawShare = 0.45;
/** Of the others. */
const numberedShare = 0.2;
const callShare = 0.05;
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

type Kind = "raw" | "post" | "numbered" | "call";

export class FuzzWorld {
  readonly statuses = new Map<string, number>();
  /** After each batch, once it was quiet. */
  readonly memory: MemorySample[] = [];
  /** Connections that came at a later try only. */
  connectRetries = 0;
  readonly #heapFolder: string;
  readonly #service: RankstreamProcess;
  readonly #pool: Pool;
  readonly #operations: ReturnType<typeof operationsOf>;
  readonly #socketsBefore: number;
  #accepted = 0;
  #numbered = 0;
  #faults: string[] = [];

  private constructor(service: RankstreamProcess, document: unknown, heapFolder: string) {
    this.#service = service;
    this.#heapFolder = heapFolder;
    const patience = { connectTimeout: connectMsMax, bodyTimeout: replyMsMax };
    this.#pool = new Pool(service.url, { connections: atOnce, ...patience });
    this.#operations = operationsOf(document);
    this.#socketsBefore = this.#sockets();
  }

  static async start(args: string[]): Promise<FuzzWorld> {
    // Bounds that a long run meets, so that it goes on beyond them.
    const bounds = ["--event-types-max", "500", "--jobs-max", "50", "--log-level", "error"];
    const memory = ["--store-memory-bytes-max", "128MiB", "--cache-bytes-max", "2MiB"];
    // What is done by the clock takes no more of a long run than it has to.
    const pace = ["--checkpoint-ms", "5000", "--seal-interval-ms", "5000"];
    const heapFolder = temporaryFolder();
    const service = await startRankstream({
      args: [...bounds, ...memory, ...pace, ...args],
      env: probeEnvironment(heapFolder),
    });
    const { body } = await service.get("/openapi.json");
    return new FuzzWorld(service, body, heapFolder);
  }

  /** Makes and sends the requests of one batch, which its seed alone decides. */
  async batch(seed: number, requests: number): Promise<void> {
    const random = new Random(seed);
    const raws: (() => Promise<void>)[] = [];
    const others: (() => Promise<void>)[] = [];
    for (let i = 0; i < requests; i++) {
      const own = random.fork(i);
      if (own.chance(rawShare)) raws.push(() => this.#one("raw", () => this.#raw(own)));
      else others.push(this.#other(own));
    }
    const take = async (left: (() => Promise<void>)[]) => {
      for (let next = left.pop(); next !== undefined; next = left.pop()) await next();
    };
    await Promise.all([
      ...Array.from({ length: rawAtOnce }, () => take(raws)),
      ...Array.from({ length: atOnce }, () => take(others)),
    ]);
    await this.#quiet();
    const faults = this.#faults.splice(0);
    // Seen at once where a run goes on for an hour.
    if (faults.length > 0) process.stderr.write(`${faults.join("\n")}\n`);
    expect(faults, `${faults.length} faults of the batch with seed ${seed}`).toEqual([]);
    this.memory.push(await measureMemory(this.#service.pid, this.#heapFolder));
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

  #other(random: Random): () => Promise<void> {
    if (random.chance(callShare)) return () => this.#one("call", () => this.#call(random));
    const now = Date.now();
    if (!random.chance(numberedShare)) {
      return () => this.#one("post", () => this.#post("post", fuzzPost(random, now)));
    }
    const n = this.#numbered++;
    return () => this.#one("numbered", () => this.#post("numbered", numberedPost(random, now, n)));
  }

  async #one(kind: Kind, make: () => Promise<void>): Promise<void> {
    try {
      await make();
    } catch (error) {
      this.#fault(`${kind}: ${(error as Error).message}`);
    }
  }

  async #raw(random: Random): Promise<void> {
    const port = Number(new URL(this.#service.url).port);
    const pieces = rawExchange(random);
    this.#note("raw", await patiently(() => exchange(port, pieces), this.#onRetry));
  }

  async #post(kind: Kind, { headers, body, isCounted }: FuzzPost): Promise<void> {
    const reply = await this.#send({ method: "POST", path: "/events", headers, body });
    const text = await reply.body.text();
    this.#note(kind, reply.statusCode, text);
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
    const send = () => this.#pool.request({ ...options, headersTimeout: replyMsMax });
    return patiently(send, this.#onRetry);
  }

  readonly #onRetry = () => {
    this.connectRetries++;
  };

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
}
