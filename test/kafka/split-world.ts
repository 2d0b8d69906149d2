// Two edges and one process that counts, each with a folder of its own, over one topic; clients
// that send what is in doubt again under its key at the other edge; what comes of it all.
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { readCounts } from "../crash/crash-verdict.ts";
import type { Random } from "../support/random.ts";
import {
  type Answer,
  type RankstreamProcess,
  startRankstream,
  temporaryFolder,
} from "../support/service.ts";
import { notReady, until } from "./kafka-world.ts";

interface Batch {
  key: string;
  eventType: string;
  ids: string[];
  body: string;
  acknowledged: boolean;
  /** The edge that was asked last. */
  edge: number;
  /** How often each id was counted when last looked at. */
  seen: number[];
}

export interface Availability {
  posts: number;
  failedPosts: number;
  questions: number;
  failedQuestions: number;
  replayed: number;
  /** By the error's code, or `gone`. */
  failures: Record<string, number>;
  /** Ms until it was ready, of each kill. */
  readyMs: Record<string, number[]>;
}

const clients = 4;
const batchEventsMax = 30;
const paddingCharsMax = 4000;
const minuteMs = 60_000;
const againMs = 20;
const readyMsMax = 20_000;
/** More of a batch in doubt may still come, but nothing of one that was acknowledged. */
const mayFail = new Set(["log_unavailable", "partial_append", "log_full", "query_timeout"]);

export class SplitWorld {
  readonly availability: Availability = {
    posts: 0,
    failedPosts: 0,
    questions: 0,
    failedQuestions: 0,
    replayed: 0,
    failures: {},
    readyMs: {},
  };
  readonly #random: Random;
  readonly #args: string[];
  readonly #minute = Math.floor(Date.now() / minuteMs - 2) * minuteMs;
  readonly #folders = [temporaryFolder(), temporaryFolder(), temporaryFolder()];
  readonly #batches = new Map<string, Batch[]>();
  readonly #sequences = new Map<string, number>();
  #edges: RankstreamProcess[] = [];
  #counter!: RankstreamProcess;
  #doubt: Batch[] = [];
  #acknowledged = 0;
  #ids = 0;

  constructor(random: Random, args: string[]) {
    this.#random = random;
    this.#args = args;
  }

  async start(): Promise<void> {
    this.#counter = await this.#begin(2);
    this.#edges = await Promise.all([this.#begin(0), this.#begin(1)]);
    for (const node of [...this.#edges, this.#counter]) await this.#allWorks(node);
  }

  get counter(): RankstreamProcess {
    return this.#counter;
  }

  edge(index: number): RankstreamProcess {
    return this.#edges[index]!;
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** kill -9, and up again. */
  async restart(index: number): Promise<void> {
    const isEdge = index < 2;
    await (isEdge ? this.edge(index) : this.#counter).kill();
    await sleep(this.#random.int(0, 300));
    const began = performance.now();
    const node = await this.#begin(index);
    if (isEdge) this.#edges[index] = node;
    else this.#counter = node;
    await this.#allWorks(node);
    this.note(isEdge ? "edge" : "ingest", began);
  }

  /** Ms since `began`, for the availability's list. */
  note(name: string, began: number): void {
    const { readyMs } = this.availability;
    readyMs[name] = [...(readyMs[name] ?? []), Math.round(performance.now() - began)];
  }

  /** All that there is works again. */
  async allWork(): Promise<void> {
    for (const node of [...this.#edges, this.#counter]) await this.#allWorks(node);
  }

  /** An exact question is answered: all partitions are read again. */
  async answers(): Promise<void> {
    const query = { eventType: "nothing", timeRange: "all", mode: "exact" };
    const ask = () => this.#counter.get("/leaderboard", query);
    const { status, body } = await until(ask, (answer) => answer.status === 200, readyMsMax);
    expect(status, JSON.stringify(body)).toBe(200);
  }

  /** Posts from all clients, and asks, while `disturb` does its worst. */
  async load(eventType: string, disturb: () => Promise<void>): Promise<void> {
    let isOver = false;
    this.#batches.set(eventType, []);
    const client = async (name: string) => {
      while (!isOver) {
        await this.#send(this.#pick(eventType, name));
        if (this.#random.chance(0.5)) await sleep(this.#random.int(0, 4));
      }
    };
    const names = Array.from({ length: clients }, (_, i) => `client-${i}`);
    const running = Promise.all([...names.map(client), this.#ask(eventType, () => isOver)]);
    running.catch(() => undefined);
    try {
      await Promise.race([disturb(), running]);
    } finally {
      isOver = true;
      await running;
    }
  }

  /** Sends until nothing is in doubt any more. */
  async settle(): Promise<void> {
    const end = performance.now() + readyMsMax;
    while (this.#doubt.length > 0) {
      expect(performance.now(), "batches stay in doubt").toBeLessThan(end);
      for (const batch of this.#doubt.splice(0)) await this.#send(batch);
    }
  }

  /** Acknowledged: every id once. In doubt: at most once each, and never less than before. */
  async expectCounted(eventType: string): Promise<number> {
    const from = this.#minute;
    const batches = this.#batches.get(eventType)!;
    const counts = await readCounts(this.#counter, eventType, from, from + minuteMs);
    let known = 0;
    for (const { key, ids, acknowledged, seen } of batches) {
      const times = ids.map((id) => counts.get(id) ?? 0);
      const name = `${key} (${ids[0]}…, ${acknowledged ? "acknowledged" : "in doubt"}): ${times}`;
      expect(Math.max(...times), `counted twice: ${name}`).toBeLessThanOrEqual(1);
      const isLess = times.some((count, i) => count < (seen[i] ?? 0));
      expect(isLess, `less than before: ${name}`).toBe(false);
      if (acknowledged) expect(Math.min(...times), `lost: ${name}`).toBe(1);
      seen.splice(0, seen.length, ...times);
      known += times.filter((count) => count > 0).length;
    }
    expect(counts.size, "ids nobody sent").toBe(known);
    return known;
  }

  async expectAllCounted(): Promise<number> {
    let sum = 0;
    for (const eventType of this.#batches.keys()) sum += await this.expectCounted(eventType);
    return sum;
  }

  async #begin(index: number): Promise<RankstreamProcess> {
    const role = index < 2 ? "edge" : "ingest,query";
    const checkpointMs = String(this.#random.pick([20, 200, 1000]));
    const own = ["--role", role, "--checkpoint-ms", checkpointMs, "--log-level", "warn"];
    const dataDir = this.#folders[index]!;
    return await startRankstream({ dataDir, args: [...this.#args, ...own] });
  }

  async #allWorks(node: RankstreamProcess): Promise<void> {
    const isAll = (text: string) => text === "";
    const missing = await until(() => notReady(node), isAll, readyMsMax);
    expect(missing, node.output()).toBe("");
  }

  /** One in doubt, or one that is acknowledged already, or a new one. */
  #pick(eventType: string, client: string): Batch {
    const random = this.#random;
    if (this.#doubt.length > 0 && random.chance(0.5)) return this.#doubt.shift()!;
    const batches = this.#batches.get(eventType)!;
    if (batches.length > 0 && random.chance(0.05)) return random.pick(batches);
    const sequence = (this.#sequences.get(client) ?? 0) + 1;
    this.#sequences.set(client, sequence);
    const size = random.chance(0.5) ? 1 : random.int(2, batchEventsMax);
    const ids = Array.from({ length: size }, () => `event-${++this.#ids}`);
    const padding = "x".repeat(random.chance(0.3) ? random.int(1, paddingCharsMax) : 0);
    const lines = ids.map((eventId) => {
      const timestamp = this.#minute + random.int(0, minuteMs - 1);
      return `${JSON.stringify({ eventId, eventType, timestamp, metadata: { padding } })}\n`;
    });
    const batch: Batch = {
      key: random.chance(0.3) ? randomUUID() : `${client}/${sequence}`,
      eventType,
      ids,
      body: lines.join(""),
      acknowledged: false,
      edge: random.int(0, 1),
      seen: [],
    };
    batches.push(batch);
    return batch;
  }

  /** At the edge that wasn't asked last. */
  async #send(batch: Batch): Promise<void> {
    batch.edge = 1 - batch.edge;
    this.availability.posts++;
    const answer = await this.#answer(() => this.edge(batch.edge).post(batch.body, batch));
    if (answer === null) {
      this.availability.failedPosts++;
      if (!batch.acknowledged) this.#doubt.push(batch);
      await sleep(againMs);
      return;
    }
    const taken = { accepted: batch.ids.length, rejected: 0, errors: [] };
    expect(answer.body, batch.key).toEqual(taken);
    if (answer.headers.get("idempotency-replayed") === "true") this.availability.replayed++;
    if (!batch.acknowledged) this.#acknowledged++;
    batch.acknowledged = true;
  }

  /** Null for what may fail now, by the reason's name in the availability. */
  async #answer(ask: () => Promise<Answer>): Promise<Answer | null> {
    const { failures } = this.availability;
    let reason: string;
    try {
      const answer = await ask();
      if (answer.status < 300 && answer.body.job === undefined) return answer;
      reason = answer.body.job === undefined ? answer.body.code : "query_timeout";
      const isKnown = mayFail.has(reason) && (answer.status === 503 || answer.status === 202);
      expect(isKnown, JSON.stringify(answer.body)).toBe(true);
    } catch (error) {
      if (!/the service is gone|fetch failed|terminated|other side/.test(String(error)))
        throw error;
      reason = "gone";
    }
    failures[reason] = (failures[reason] ?? 0) + 1;
    return null;
  }

  /** A reader: what it is told only grows, and includes what was acknowledged before. */
  async #ask(eventType: string, isOver: () => boolean): Promise<void> {
    let last = 0;
    const from = this.#minute;
    const query = { eventType, from, to: from + minuteMs, mode: "exact", k: 1 };
    while (!isOver()) {
      const sure = this.#batches.get(eventType)!.filter(({ acknowledged }) => acknowledged);
      const least = sure.reduce((sum, { ids }) => sum + ids.length, 0);
      this.availability.questions++;
      const answer = await this.#answer(() => this.#counter.get("/leaderboard", query));
      if (answer === null) this.availability.failedQuestions++;
      else {
        expect(answer.body.total, eventType).toBeGreaterThanOrEqual(Math.max(last, least));
        last = answer.body.total;
      }
      await sleep(this.#random.int(10, 60));
    }
  }
}
