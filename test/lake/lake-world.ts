// Many processes over one lake and one topic, that come, go and stand still, and what they were
// sent.
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import type { LakePlace } from "../../src/model-lake.ts";
import { kafkaFlags } from "../kafka/kafka-world.ts";
import { lakeEnvironment } from "../support/lake-place.ts";
import type { Random } from "../support/random.ts";
import { type RankstreamProcess, startRankstream } from "../support/service.ts";

/** A member that stands still so long is given up by its group. */
export const sessionTimeoutMs = 6000;
const partitions = 6;
const answerMsMax = 180_000;

export type Role = "edge" | "ingest" | "query";
const roles: readonly Role[] = ["edge", "ingest", "query"];

export interface LakeWorldOptions {
  random: Random;
  place: LakePlace;
  address: string;
  topic: string;
}

export class LakeWorld {
  readonly members: Record<Role, RankstreamProcess[]> = { edge: [], ingest: [], query: [] };
  /** What was acknowledged, by item. */
  readonly counts = new Map<string, number>();
  /** The longest that a batch took from its first attempt to its acknowledgement. */
  longestPostMs = 0;
  /** The longest from a question to an exact answer. */
  longestExactMs = 0;
  readonly #options: LakeWorldOptions;
  #sent = 0;

  constructor(options: LakeWorldOptions) {
    this.#options = options;
  }

  /** The first counting process by itself: it makes the lake. */
  async open(counts: Record<Role, number>): Promise<void> {
    await this.join("ingest");
    const others = roles.flatMap((role) => {
      const missing = counts[role] - this.members[role].length;
      return Array.from({ length: missing }, () => this.join(role));
    });
    await Promise.all(others);
  }

  async join(role: Role): Promise<void> {
    const { address, topic, place } = this.#options;
    const flags = ["--kafka-session-timeout-ms", String(sessionTimeoutMs), "--workers", "1"];
    const log = [...kafkaFlags(address, topic), "--partitions", String(partitions)];
    const env = role === "edge" ? {} : lakeEnvironment(place);
    const service = await startRankstream({ args: ["--role", role, ...log, ...flags], env });
    this.members[role].push(service);
  }

  /** Takes one of these out; somebody is left. */
  take(role: Role): RankstreamProcess {
    const own = this.members[role];
    return own.splice(this.#options.random.int(0, own.length - 1), 1)[0]!;
  }

  async killAndJoin(role: Role): Promise<void> {
    await this.take(role).kill();
    await this.join(role);
  }

  /** Sends batches with keys, each until it is acknowledged. */
  async send(batches: number): Promise<void> {
    for (let i = 0; i < batches; i++) await this.#post();
  }

  /** Sends until told to end. */
  load(): () => Promise<void> {
    let isOver = false;
    const sending = (async () => {
      while (!isOver) await this.#post();
    })();
    return async () => {
      isOver = true;
      await sending;
    };
  }

  async #post(): Promise<void> {
    const { random } = this.#options;
    const ids = Array.from({ length: random.int(1, 60) }, () => `item-${random.int(0, 200)}`);
    const lines = ids.map((eventId) => JSON.stringify({ eventId, eventType: "play" }));
    const [key, begun] = [`batch ${this.#sent++}`, performance.now()];
    for (;;) {
      const edge = random.pick(this.members.edge);
      const reply = await edge.post(`${lines.join("\n")}\n`, { key }).catch(() => null);
      if (reply?.status === 202) break;
      // An edge that was killed, and a broker that is away, are to be asked again.
      if (reply !== null && reply.status !== 503) throw new Error(JSON.stringify(reply));
      await sleep(50);
    }
    this.longestPostMs = Math.max(this.longestPostMs, performance.now() - begun);
    for (const id of ids) this.counts.set(id, (this.counts.get(id) ?? 0) + 1);
  }

  /** Every answering process says what was acknowledged; to be called while nothing is sent. */
  async expectCounts(what: string): Promise<void> {
    for (const service of this.members.query) {
      const begun = performance.now();
      const found = await this.#exact(service);
      this.longestExactMs = Math.max(this.longestExactMs, performance.now() - begun);
      expect(Object.fromEntries(found), what).toEqual(Object.fromEntries(this.counts));
    }
  }

  /** Asks until the answer is no job and nothing is away. */
  async #exact(service: RankstreamProcess): Promise<[string, number][]> {
    const exact = { eventType: "play", timeRange: "all", mode: "exact", k: 1000 };
    const deadline = Date.now() + answerMsMax;
    for (;;) {
      const { status, body } = await service.get("/leaderboard", exact);
      if (status === 200) {
        type Row = { eventId: string; count: number };
        return body.results.map(({ eventId, count }: Row) => [eventId, count]);
      }
      if (![202, 503].includes(status) || Date.now() > deadline) {
        throw new Error(`${status} ${JSON.stringify(body)}\n${service.output()}`);
      }
      await sleep(100);
    }
  }
}
