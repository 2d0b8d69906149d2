/**
 * Writers that post with keys all the time, and what they know: of each batch what it held, and
 * when it was received. That is known of a batch from an event without a time in it, which takes
 * its receipt for one: asked of the service before it is destroyed.
 */
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { runIo } from "../support/cli-io.ts";
import { Random, randomFromEnvironment } from "../support/random.ts";
import { type RankstreamProcess, startRankstream } from "../support/service.ts";
import { until } from "../support/until.ts";

export const eventTypes = ["play", "click", "sale"];
const markerType = "batch";
const itemsMax = 60;
const waitMsMax = 60_000;

export interface SentBatch {
  name: string;
  key: string;
  body: string;
  /** `type item` → sum of weights. */
  counts: Map<string, number>;
  isAcknowledged: boolean;
}

/** Counts by `type item`. */
export type Counts = Map<string, number>;

/** Times that clients give: of now, of an hour ago, of years ago. */
function timeOf(random: Random): string {
  const ageMs = random.pick([0, 0, 60_000, 3_600_000, random.int(0, 5 * 365 * 86_400_000)]);
  return new Date(Date.now() - ageMs - random.int(0, 59_000)).toISOString();
}

export class Writers {
  readonly batches: SentBatch[] = [];
  readonly #random: Random;
  #isStopped = false;
  #running: Promise<void>[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  /** So many clients post, each its next batch when the last one is answered. */
  start(service: RankstreamProcess, clients: number): void {
    for (let client = 0; client < clients; client++) {
      this.#running.push(this.#write(service, client, this.#random.fork(client)));
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#running);
  }

  make(name: string, key: string, random: Random): SentBatch {
    const lines = [JSON.stringify({ eventId: name, eventType: markerType })];
    const counts: Counts = new Map();
    const events = random.chance(0.1) ? 400 : random.int(1, 30);
    for (let i = 0; i < events; i++) {
      const eventType = random.pick(eventTypes);
      const eventId = `item ${random.int(0, itemsMax - 1)}`;
      const weight = random.chance(0.2) ? random.int(2, 9) : 1;
      const timestamp = random.chance(0.5) ? timeOf(random) : undefined;
      const userId = random.chance(0.5) ? `user ${random.int(0, 9)}` : undefined;
      lines.push(JSON.stringify({ eventId, eventType, weight, timestamp, userId }));
      const at = `${eventType} ${eventId}`;
      counts.set(at, (counts.get(at) ?? 0) + weight);
    }
    return { name, key, body: `${lines.join("\n")}\n`, counts, isAcknowledged: false };
  }

  async #write(service: RankstreamProcess, client: number, random: Random): Promise<void> {
    for (let sequence = 1; !this.#isStopped; sequence++) {
      const batch = this.make(`${client}-${sequence}`, `writer-${client}/${sequence}`, random);
      this.batches.push(batch);
      const { status } = await service.post(batch.body, { key: batch.key });
      expect(status).toBe(202);
      batch.isAcknowledged = true;
      await sleep(random.int(0, 15));
    }
  }

  /** What was received by `to` (epoch ms), if `receipts` are all there are. */
  expected(receipts: ReadonlyMap<string, number>, to: number): Counts {
    const counts: Counts = new Map();
    for (const batch of this.batches) {
      const receivedAt = receipts.get(batch.name);
      if (batch.isAcknowledged) expect(receivedAt, batch.name).toBeDefined();
      if (receivedAt === undefined || receivedAt > to) continue;
      for (const [at, count] of batch.counts) counts.set(at, (counts.get(at) ?? 0) + count);
    }
    return counts;
  }
}

/** When each batch was received: by name, epoch ms. */
export async function receiptsOf(service: RankstreamProcess): Promise<Map<string, number>> {
  const { status, body } = await service.get("/export", {
    eventType: markerType,
    timeRange: "all",
    format: "csv",
  });
  expect(status).toBe(200);
  const [head, ...rows] = String(body).trim().split(/\r?\n/);
  const names = head!.split(",");
  const [id, time] = [names.indexOf("eventId"), names.indexOf("timestamp")];
  return new Map(
    rows.map((row) => {
      const cells = row.split(",");
      return [cells[id]!, Date.parse(cells[time]!)];
    }),
  );
}

/** What a service counts, exactly. */
export async function countsOf(service: RankstreamProcess): Promise<Counts> {
  const counts: Counts = new Map();
  for (const eventType of eventTypes) {
    const { status, body } = await service.get("/leaderboard", {
      eventType,
      timeRange: "all",
      mode: "exact",
      k: 1000,
    });
    expect(status).toBe(200);
    for (const { eventId, count } of body.results) counts.set(`${eventType} ${eventId}`, count);
  }
  return counts;
}

export function sorted(counts: Counts): [string, number][] {
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Takes a backup and waits for its end. */
export async function takeBackup(service: RankstreamProcess) {
  const begun = await service.request("/admin/backups", { method: "POST" });
  expect(begun.status).toBe(202);
  const path = begun.headers.get("location")!;
  return until(async () => {
    const { body } = await service.get(path);
    expect(body.status, JSON.stringify(body.error)).toBe("done");
    return body as { id: string; receivedThrough: string; sentBytes: number; bytes: number };
  }, waitMsMax);
}

/** Waits until everything received by `ms` is backed up. */
export async function untilBackedUp(service: RankstreamProcess, ms: number): Promise<void> {
  await until(async () => {
    const { body } = await service.get("/admin/backups");
    expect(Date.parse(body.log.receivedThrough)).toBeGreaterThan(ms);
  }, waitMsMax);
}

/** Where backups are, by the environment of service and commands. */
export type Place = Record<string, string>;

/** Runs `rankstream restore`. */
export function restore(place: Place, dataDir: string, to: number | string, more: string[] = []) {
  const moment = typeof to === "number" ? new Date(to).toISOString() : to;
  const args = ["restore", "--data-dir", dataDir, "--to", moment, "--json", ...more];
  return runIo(args, { environment: place });
}

/** Until all that was posted is counted and committed, as an exact answer has it. */
export async function untilCounted(service: RankstreamProcess, eventType: string): Promise<void> {
  const { status } = await service.get("/leaderboard", { eventType, mode: "exact", k: 1 });
  expect(status).toBe(200);
}

/** Posts events of another type until some lie in a file of raw events. */
export async function fillRawFile(service: RankstreamProcess): Promise<void> {
  const random = new Random(1);
  const user = () => random.uint32().toString(36);
  const line = (i: number) => `{"eventId":"b${i % 5000}","eventType":"bulk","userId":"${user()}"}`;
  const body = Array.from({ length: 150_000 }, (_, i) => line(i)).join("\n");
  const hasFile = () =>
    readdirSync(join(service.dataDir, "raw"), { recursive: true }).some((name) =>
      String(name).endsWith(".parquet"),
    );
  await until(async () => {
    expect((await service.post(body)).status).toBe(202);
    await untilCounted(service, "bulk");
    expect(hasFile()).toBe(true);
  }, waitMsMax);
}

const clients = 4;
/** Small, so that segments come and go and windows seal. */
export const serviceArgs = [
  ...["--backup-log-interval-ms", "150", "--backup-interval-ms", "0"],
  ...["--log-segment-bytes", "1MiB", "--checkpoint-ms", "100", "--log-level", "warn"],
];

const enoughMsMax = 60_000;

type Backup = Awaited<ReturnType<typeof takeBackup>>;

/** A service that was posted to and backed up meanwhile, and is gone with all it had. */
export interface Disaster {
  random: Random;
  writers: Writers;
  receipts: Map<string, number>;
  backups: Backup[];
  /** Of batches, first to last. */
  times: number[];
}

export async function disaster(
  name: string,
  place: Place,
  loadMs: number,
  before: (service: RankstreamProcess) => Promise<void> = async () => undefined,
  isEnough: (backups: Backup[]) => boolean = () => true,
): Promise<Disaster> {
  const random = randomFromEnvironment(name);
  const service = await startRankstream({ args: serviceArgs, env: place });
  const writers = new Writers(random);
  await before(service);
  writers.start(service, clients);
  const backups: Backup[] = [];
  for (let i = 0; i < 2; i++) {
    await sleep(loadMs / 3);
    backups.push(await takeBackup(service));
  }
  await sleep(loadMs / 3);
  await until(async () => expect(isEnough(backups)).toBe(true), enoughMsMax);
  await writers.stop();
  const receipts = await receiptsOf(service);
  const times = [...receipts.values()].sort((a, b) => a - b);
  await untilBackedUp(service, times.at(-1)!);
  await service.kill();
  rmSync(service.dataDir, { recursive: true });
  return { random, writers, receipts, backups, times };
}
