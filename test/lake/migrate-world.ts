// A data folder with all that a store can hold, and the questions that it answers the same once
// it was carried into a lake.
import { cpSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { DuckDBInstance } from "@duckdb/node-api";
import { expect } from "vitest";
import type { FailPointName } from "../../src/fail-point.ts";
import type { LakePlace } from "../../src/model-lake.ts";
import { type CommandRun, runCommand } from "../support/command.ts";
import { lakeEnvironment } from "../support/lake-place.ts";
import type { Random } from "../support/random.ts";
import { RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** Midnight some days ago: what lies before it is sealed in days, too. */
const today = Math.floor(Date.now() / dayMs) * dayMs;
export const range = Object.freeze({ from: today - 4 * dayMs, to: today + dayMs });

const types = ["play", "search", "view"];
const itemCount = 120;
const settledMsMax = 60_000;
const answerMsMax = 60_000;

const args = [
  "--workers",
  "1",
  "--seal-interval-ms",
  "100",
  "--seal-quiet-ms",
  "0",
  "--candidates-max",
  "40",
];
args.push("--coarsen-after-ms", "0", "--freshness-wait-ms-max", "9000");
const localArgs = ["--store", "local", ...args];

/** Steps of sealing and of what else is tidied. */
const settledBy = /^rankstream_(?:seal|store_task|maintenance)\w*_count/;

/** A batch that was accepted, to be sent again. */
export interface SentBatch {
  key: string;
  body: string;
}

/** An answer without what says when and how it was found. */
type Told = Record<string, unknown>;

const asked: [string, Record<string, string | number>][] = [
  ...types.flatMap((eventType): [string, Record<string, string | number>][] => [
    ["/leaderboard", { eventType, k: 20, mode: "exact", ...range }],
    [
      "/leaderboard",
      { eventType, k: 15, mode: "exact", from: range.from + 90_061_000, to: range.to - dayMs },
    ],
    ["/leaderboard", { eventType, k: 9, "filter.country": "DE", ...range }],
    ["/leaderboard", { eventType, k: 9, userId: "user-3", ...range }],
    ["/leaderboard", { eventType, k: 9, by: "users", ...range }],
    [`/items/${eventType}/item-1`, { ...range, step: "day" }],
    [`/event-types/${eventType}/series`, { ...range, step: "hour" }],
  ]),
  ["/leaderboard", { eventType: types.join(), k: 30, mode: "exact", ...range }],
];

const unlike = new Set([
  ...["asOf", "plan", "mode", "certified", "certifiedRanks", "stale", "cached", "dataVersion"],
  ...["freshness", "timings", "lower", "upper", "others", "distinct", "share", "source"],
  ...["distinctLower", "distinctUpper", "rankLower", "rankUpper", "nextCursor"],
  ...["maximum", "maximumAt"],
]);

function alike(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(alike);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([name]) => !unlike.has(name));
  return Object.fromEntries(entries.map(([name, own]) => [name, alike(own)]));
}

/** Asks everything; each answer by its question. */
export async function answersOf(service: RankstreamProcess): Promise<Map<string, Told>> {
  const answers = new Map<string, Told>();
  for (const [path, parameters] of asked) {
    const question = `${path}?${new URLSearchParams(parameters as Record<string, string>)}`;
    const deadline = Date.now() + answerMsMax;
    for (;;) {
      const { status, body } = await service.get(path, parameters);
      if (status === 200) {
        answers.set(question, alike(body) as Told);
        break;
      }
      const detail = `${question}: ${status} ${JSON.stringify(body)}`;
      if (![202, 503].includes(status) || Date.now() > deadline) throw new Error(detail);
      await sleep(200);
    }
  }
  return answers;
}

interface Row {
  eventId: string;
  count: number;
  lower: number;
  upper: number;
}

/** Approximate answers differ with what is sealed by then; their bounds hold all the same. */
export async function expectBounds(service: RankstreamProcess): Promise<void> {
  for (const eventType of types) {
    const question = { eventType, k: 60, ...range };
    const exact = await service.get("/leaderboard", { ...question, mode: "exact" });
    const counts = new Map(exact.body.results.map((row: Row) => [row.eventId, row.count]));
    const { body } = await service.get("/leaderboard", { ...question, k: 20, mode: "approx" });
    expect([body.mode, body.total, body.results.length]).toEqual(["approx", exact.body.total, 20]);
    for (const { eventId, lower, upper } of body.results as Row[]) {
      expect(lower, eventId).toBeLessThanOrEqual(counts.get(eventId) as number);
      expect(upper, eventId).toBeGreaterThanOrEqual(counts.get(eventId) as number);
    }
  }
}

const tombstoneTriesMax = 3;

export class MigrateWorld {
  readonly folder: string;
  readonly types = types;
  readonly #random: Random;
  readonly #log: string[];
  /** Every batch that was accepted with a key. */
  readonly batches: SentBatch[] = [];
  answers = new Map<string, Told>();

  /** `log`: flags of another log than the embedded one. */
  constructor(random: Random, log: string[] = [], folder = temporaryFolder()) {
    this.folder = folder;
    this.#random = random;
    this.#log = log;
  }

  start(more: string[] = [], dataDir = this.folder): Promise<RankstreamProcess> {
    return startRankstream({ dataDir, args: [...localArgs, ...this.#log, ...more] });
  }

  #process(options: { failPoint: FailPointName }): RankstreamProcess {
    const own = [...localArgs, ...this.#log];
    return new RankstreamProcess({ dataDir: this.folder, args: own, ...options });
  }

  /** Fills the folder, and leaves no service on it. */
  async fill(): Promise<void> {
    const service = await this.start();
    for (let day = 0; day < 3; day++) {
      await this.#send(service, 1500, day);
      await this.#erase(service, `user-${5 + day}`);
    }
    for (let i = 0; i < 3; i++) await this.#send(service, 300);
    await this.#settle(service);
    await this.#change(service);
    // Late ones, into windows that are sealed.
    for (let i = 0; i < 2; i++) await this.#send(service, 150);
    await this.#settle(service);
    await service.stop();
    await this.#leaveTombstones();
    const copy = temporaryFolder();
    cpSync(this.folder, copy, { recursive: true });
    const again = await this.start([], copy);
    this.answers = await answersOf(again);
    await again.stop();
  }

  /** Something is deleted, and the service killed before the file is written without it. */
  async #leaveTombstones(): Promise<void> {
    for (let tries = 0; tries < tombstoneTriesMax; tries++) {
      const service = this.#process({ failPoint: "raw.before_replace_commit" });
      // Killed before it was ready where it had files to merge, or erased users' to write anew.
      const isReady = await service.ready().then(
        () => true,
        () => false,
      );
      if (isReady) {
        const path = "/items/view/item-7";
        await service.request(path, { method: "DELETE" }).catch(() => undefined);
      }
      expect(await service.exited, service.output()).toEqual({ code: null, signal: "SIGKILL" });
      const [row] = await this.query("SELECT count(*)::INTEGER AS n FROM raw_tombstones");
      if ((row!["n"] as number) > 0) return;
      const merging = await this.start();
      await this.#settle(merging);
      await merging.stop();
    }
    throw new Error("nothing that was deleted was left to be written anew");
  }

  /** A service runs on the folder until it has written the file anew that holds deleted events. */
  async rewrite(): Promise<void> {
    const files = () => readdirSync(join(this.folder, "raw"), { recursive: true }) as string[];
    const before = new Set(files());
    const isNew = (name: string) => name.endsWith(".parquet") && !/\/\./.test(name);
    const service = await this.start();
    const deadline = Date.now() + settledMsMax;
    while (!files().some((name) => isNew(name) && !before.has(name))) {
      if (Date.now() > deadline) throw new Error(`nothing was written anew\n${service.output()}`);
      await sleep(100);
    }
    await service.stop();
  }

  /** What the whole range came to of a type. */
  totalOf(eventType: string): number {
    const own = [...this.answers].find(
      ([question]) => question.includes(`=${eventType}&k=20`) && question.includes("exact"),
    );
    return own![1]["total"] as number;
  }

  /** Of the store's own file, which nobody holds. */
  async query(sql: string): Promise<Record<string, unknown>[]> {
    const instance = await DuckDBInstance.create(join(this.folder, "store.duckdb"));
    try {
      const connection = await instance.connect();
      const rows = (await connection.runAndReadAll(sql)).getRowObjects();
      connection.closeSync();
      return rows;
    } finally {
      instance.closeSync();
    }
  }

  #event(day: number | null) {
    const random = this.#random;
    const user = random.int(0, 9);
    return {
      eventId: `item-${Math.floor(itemCount * random.int(0, 1000) ** 2 * 1e-6)}`,
      eventType: random.pick(types),
      timestamp:
        day === null
          ? today - random.int(0, 4 * dayMs)
          : range.from + day * dayMs + 7 * hourMs + random.int(0, 2 * hourMs),
      weight: random.pick([1, 1, 1, 5]),
      ...(user < 8 && { userId: `user-${user}`, sessionId: `session-${user}` }),
      metadata: { country: random.pick(["DE", "FR", "PL"]), plan: "a" },
    };
  }

  async #send(service: RankstreamProcess, size: number, day: number | null = null) {
    const events = Array.from({ length: size }, () => this.#event(day));
    const body = events.map((event) => JSON.stringify(event)).join("\n");
    const sequence = this.batches.length;
    const key = sequence % 3 === 0 ? `a free key ${sequence}` : `shop/${sequence}`;
    const { status, body: reply } = await service.post(body, { key });
    expect([status, reply.accepted]).toEqual([202, size]);
    this.batches.push({ key, body });
  }

  /** Settings, labels, a coarse type, deleted events of an item and of a whole type, a user. */
  async #change(service: RankstreamProcess): Promise<void> {
    const json = { "content-type": "application/json" };
    const put = async (path: string, body: object) => {
      const init = { method: "PUT", headers: json, body: JSON.stringify(body) };
      const { status } = await service.request(path, init);
      expect(status, path).toBe(200);
    };
    await put("/event-types/play", { description: "what was heard", retentionDays: 400 });
    await put("/event-types/search", { aggregationWindow: 3600 });
    await put("/items/play/item-1", { label: "The first" });
    const gone = { eventId: "x", eventType: "gone", timestamp: today - hourMs };
    await service.post([gone, { ...gone, eventId: "y" }]);
    const remove = async (path: string) => {
      const { status, body } = await service.request(path, { method: "DELETE" });
      expect([status, body?.code]).toEqual([200, undefined]);
    };
    await remove("/event-types/gone");
    await remove("/items/play/item-3");
    await remove(`/event-types/view/events?from=${range.from}&to=${range.from + 5 * hourMs}`);
  }

  /** After it all events are in files, also those of small batches. */
  async #erase(service: RankstreamProcess, user: string): Promise<void> {
    const reply = await service.request(`/users/${user}`, { method: "DELETE" });
    expect([200, 202], JSON.stringify(reply.body)).toContain(reply.status);
    const deadline = Date.now() + settledMsMax;
    for (let { status } = reply; status === 202; await sleep(100)) {
      const job = await service.get(reply.headers.get("location")!);
      expect([job.status, Date.now() < deadline]).toEqual([200, true]);
      if (job.body.status === "done") status = 200;
    }
  }

  /** Until windows are built and coarse ones are gone. */
  async #settle(service: RankstreamProcess): Promise<void> {
    const deadline = Date.now() + settledMsMax;
    let before = "";
    for (let same = 0; same < 5 && Date.now() < deadline; ) {
      const text: string = (await service.get("/metrics")).body;
      const now = text.split("\n").filter((line) => settledBy.test(line));
      same = now.join() === before ? same + 1 : 0;
      before = now.join();
      await sleep(200);
    }
  }

  /** Carries the folder there. */
  migrate(
    place: LakePlace,
    options: { args?: string[]; failPoint?: `${FailPointName}${"" | ":2"}` } = {},
  ): CommandRun {
    const env = {
      ...lakeEnvironment(place),
      ...(options.failPoint && { RANKSTREAM_FAIL_POINT: options.failPoint }),
    };
    const log = options.args ?? this.#log;
    return runCommand(["migrate", "--data-dir", this.folder, "--json", ...log], env);
  }
}
