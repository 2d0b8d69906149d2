// Two regions in processes of their own, a way between them that can be cut, and the truth about
// what was acknowledged in either.
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { CutProxy } from "../support/cut-proxy.ts";
import type { Random } from "../support/random.ts";
import { RankstreamProcess, type StartOptions, temporaryFolder } from "../support/service.ts";
import { until } from "../support/until.ts";

export const regionNames = ["eu", "us"] as const;
export type RegionName = (typeof regionNames)[number];

const dayMs = 86_400_000;
const daysMax = 9;
const waitMsMax = 120_000;
/** Boards are dear. */
const pauseMs = 500;
const types = ["play", "view"];

export interface WorldOptions {
  random: Random;
  args?: string[];
  /** So many moments of days ago have events, as minutes of a lake are dear; default any. */
  momentsMax?: number;
  /** Of the service of a region, beside what all have. */
  of?: Partial<Record<RegionName, Pick<StartOptions, "args" | "env">>>;
}

export class RegionWorld {
  readonly services = {} as Record<RegionName, RankstreamProcess>;
  /** Towards each region. */
  readonly ways = {} as Record<RegionName, CutProxy>;
  /** By region, then type and id: what was acknowledged. */
  readonly counted: Record<RegionName, Map<string, number>> = { eu: new Map(), us: new Map() };
  readonly folders = { eu: temporaryFolder(), us: temporaryFolder() };
  readonly #options: WorldOptions;
  readonly #oldAgesMs: number[] = [];

  constructor(options: WorldOptions) {
    this.#options = options;
  }

  async open(): Promise<this> {
    await this.pave();
    await Promise.all(regionNames.map((name) => this.start(name)));
    return this;
  }

  /** The ways alone: what is started by `start` needs them. */
  async pave(): Promise<void> {
    for (const name of regionNames) this.ways[name] = await new CutProxy().listen();
  }

  otherOf(name: RegionName): RegionName {
    return name === "eu" ? "us" : "eu";
  }

  /** Who takes a region's events. */
  edgeOf(name: RegionName): RankstreamProcess {
    return this.services[name];
  }

  /** What processes of a region are started with. */
  optionsOf(name: RegionName, more: StartOptions & { peers?: string } = {}): StartOptions {
    const other = this.otherOf(name);
    const { peers = `${other}=${this.ways[other].url}`, ...options } = more;
    const args = ["--region", name, "--region-peers", peers, "--region-interval-ms", "300"];
    const own = this.#options.of?.[name] ?? {};
    args.push(...(this.#options.args ?? []), ...(own.args ?? []), ...(options.args ?? []));
    return { ...options, args, env: { ...own.env, ...options.env } };
  }

  async start(name: RegionName, more: StartOptions & { peers?: string } = {}): Promise<void> {
    const options = this.optionsOf(name, more);
    const service = new RankstreamProcess({ ...options, dataDir: this.folders[name] });
    this.services[name] = service;
    await service.ready();
    this.ways[name].target = Number(new URL(service.url).port);
  }

  async close(): Promise<void> {
    await Promise.all(regionNames.map((name) => this.services[name].kill()));
    await Promise.all(regionNames.map((name) => this.ways[name].close()));
  }

  /** Sends so many events of now and of days ago; they are in the truth once acknowledged. */
  async send(name: RegionName, events: number): Promise<void> {
    const { random } = this.#options;
    const batch = Array.from({ length: events }, () => {
      const ageMs = random.chance(0.3) ? this.#oldMs() : random.int(0, 200_000);
      return {
        eventId: `item ${Math.floor(40 * random.float() ** 3)}`,
        eventType: random.pick(types),
        timestamp: Date.now() - ageMs,
        weight: random.chance(0.02) ? 1_000_000 : random.pick([1, 1, 3]),
      };
    });
    const { status, body } = await this.edgeOf(name).post(batch);
    expect([status, body]).toEqual([202, { accepted: events, rejected: 0, errors: [] }]);
    for (const { eventType, eventId, weight } of batch)
      this.#count(name, eventType, eventId, weight);
  }

  #oldMs(): number {
    const { random, momentsMax = Number.POSITIVE_INFINITY } = this.#options;
    if (this.#oldAgesMs.length >= momentsMax) return random.pick(this.#oldAgesMs);
    const ageMs = random.int(0, daysMax * dayMs);
    this.#oldAgesMs.push(ageMs);
    return ageMs;
  }

  #count(name: RegionName, eventType: string, eventId: string, weight: number): void {
    const key = `${eventType}/${eventId}`;
    this.counted[name].set(key, (this.counted[name].get(key) ?? 0) + weight);
  }

  /** Deletes what a region itself counted of an item: what it keeps of others comes again. */
  async delete(name: RegionName, eventType: string, eventId: string): Promise<void> {
    const path = `/items/${eventType}/${encodeURIComponent(eventId)}`;
    // In a lake it may take longer than a client waits for.
    await until(async () => {
      const { status } = await this.services[name].request(path, { method: "DELETE" });
      expect(status).toBe(200);
    }, waitMsMax);
    this.counted[name].delete(`${eventType}/${eventId}`);
  }

  /** What a board of these regions must have: rows as [id, count]. */
  truth(eventType: string, names: readonly RegionName[]): [string, number][] {
    const sums = new Map<string, number>();
    for (const name of names) {
      for (const [key, count] of this.counted[name]) {
        const [type, id] = key.split("/") as [string, string];
        if (type === eventType) sums.set(id, (sums.get(id) ?? 0) + count);
      }
    }
    return [...sums].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  }

  /** The whole board of one region's service. */
  async board(name: RegionName, eventType: string, more: Record<string, string> = {}) {
    const query = { eventType, timeRange: "all", mode: "exact", k: "1000", ...more };
    const { status, body } = await this.services[name].get("/leaderboard", query);
    expect([status, body.code]).toEqual([200, undefined]);
    const rows = body.results as { eventId: string; count: number }[];
    return { ...body, rows: rows.map(({ eventId, count }) => [eventId, count]) };
  }

  /** Resolves once both say of both what was acknowledged, item by item. */
  async agree(): Promise<void> {
    await until(async () => {
      for (const name of regionNames) {
        for (const type of types) {
          const { rows } = await this.board(name, type);
          const wanted = this.truth(type, regionNames);
          if (JSON.stringify(rows) !== JSON.stringify(wanted)) await sleep(pauseMs);
          expect(rows, `${type} at ${name}`).toEqual(wanted);
        }
      }
    }, waitMsMax);
  }

  /** What a region says of the other one. */
  async standing(name: RegionName) {
    const { body } = await this.services[name].get("/regions");
    return body.regions[0];
  }

  /** It follows the other, which lacks nothing here; returns what it says of it. */
  async expectFollowing(name: RegionName) {
    const standing = await this.standing(name);
    const region = this.otherOf(name);
    expect(standing).toMatchObject({ region, state: "following", minutesAhead: 0 });
    return standing;
  }

  /** It tells of each region alone what was acknowledged there. */
  async expectEach(name: RegionName, type: string): Promise<void> {
    for (const region of regionNames) {
      const { rows } = await this.board(name, type, { region });
      expect(rows).toEqual(this.truth(type, [region]));
    }
  }
}
