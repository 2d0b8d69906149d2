// One kill -9: at a random moment or at a fail point, under load; and what a power loss would have
// left besides.
import { existsSync, readdirSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import type { FailPointName } from "../../src/fail-point.ts";
import type { Random } from "../support/random.ts";
import type { RankstreamProcess } from "../support/service.ts";
import type { CrashLoad } from "./crash-load.ts";

const clients = 4;
const randomKillMsMax = 900;
const failPointMsMax = 5000;
/** Windows above minutes are built 5 s after their last change: the load must end before. */
const buildMsMax = 12_000;
const buildLoadMsMax = 500;
/** Shorter than a frame's header: cuts into the last frame only. */
const tornBytesMax = 60;

/**
 * The load deletes and upgrades nothing, takes no snapshots or backups, keeps all windows, is of
 * one region, and no lake.
 */
type OtherPart =
  | "delete"
  | "coarse"
  | "snapshot"
  | "migrate"
  | "carry"
  | "flush"
  | "merge"
  | "erase"
  | "scrub"
  | "backup"
  | "restore"
  | "region";
type OtherPoint = `${OtherPart}.${string}` | "raw.before_replace_commit";
export type LoadPoint = Exclude<FailPointName, OtherPoint>;

/** How many passes of each point a thread may make before it dies there. */
export const passesMax: Record<LoadPoint, number> = {
  "log.before_write": 100,
  "log.after_write": 100,
  "log.after_sync": 100,
  "log.segment_created": 2,
  "log.before_trim": 2,
  "edge.before_reply": 200,
  "ingest.before_checkpoint": 5,
  "store.in_transaction": 5,
  "store.before_commit": 5,
  "store.after_commit": 5,
  "parquet.half_written": 3,
  "parquet.after_write": 3,
  "parquet.after_rename": 3,
  "seal.minutes_folded": 2,
  "seal.before_commit": 2,
  "seal.before_build_commit": 1,
};
const failPoints = Object.keys(passesMax) as LoadPoint[];

export interface Kill {
  how: string;
  atFailPoint: boolean;
}

/** Each point once in random order, then again, so that a short run sees them all. */
export function* plannedPoints(random: Random): Generator<LoadPoint, never> {
  for (;;) yield* random.shuffle([...failPoints]);
}

export function startOptions(random: Random, dataDir: string) {
  const checkpointMs = random.pick([20, 200, 1000]);
  // Small, so that segments are closed and removed all the time.
  const sizes = ["--log-segment-bytes", "1MiB", "--log-bytes-max", "64MiB"];
  const args = [...sizes, "--checkpoint-ms", String(checkpointMs), "--log-level", "warn"];
  return { dataDir, args };
}

/** Cuts the end off the frame that was being written: a torn last record. */
function tearLastFrame(random: Random, dataDir: string): number {
  const folder = join(dataDir, "log");
  const name = readdirSync(folder)
    .filter((file) => file.endsWith(".log"))
    .sort()
    .at(-1)!;
  const path = join(folder, name);
  const bytes = random.int(1, tornBytesMax);
  truncateSync(path, statSync(path).size - bytes);
  return bytes;
}

function rawFiles(dataDir: string, ending: string): string[] {
  const raw = join(dataDir, "raw");
  if (!existsSync(raw)) return [];
  const paths = readdirSync(raw, { recursive: true, encoding: "utf8" });
  return paths.filter((path) => path.endsWith(ending)).map((path) => join(raw, path));
}

/** Parquet files that are not written to their end. */
export function unfinishedParquet(dataDir: string): string[] {
  return rawFiles(dataDir, ".tmp");
}

/** Those that are, whether the store knows of them already or not. */
export function parquetFiles(dataDir: string): string[] {
  return rawFiles(dataDir, ".parquet");
}

/** Cuts the Parquet files that were being written in half; how many there were. */
function halveParquet(dataDir: string): number {
  const unfinished = unfinishedParquet(dataDir);
  for (const path of unfinished) truncateSync(path, Math.floor(statSync(path).size / 2));
  return unfinished.length;
}

/** What a power loss would have left besides; says what it did. */
export function damage(random: Random, dataDir: string, point: FailPointName | null): string {
  if (point === "log.after_write") {
    return `, ${tearLastFrame(random, dataDir)} bytes torn off the log`;
  }
  return point === "parquet.after_write" ? `, ${halveParquet(dataDir)} Parquet file halved` : "";
}

/** Load until the service is dead by its fail point or, in the end, by our hand. */
export async function runUntilKilled(
  random: Random,
  service: RankstreamProcess,
  load: CrashLoad,
  point: string | null,
): Promise<Kill> {
  const isBuild = point?.startsWith("seal.before_build_commit") ?? false;
  const pointMsMax = isBuild ? buildMsMax : failPointMsMax;
  const waitMs = point === null ? random.int(0, randomKillMsMax) : pointMsMax;
  const start = Date.now();
  const stop = new AbortController();
  const timer = sleep(waitMs, null, { signal: stop.signal }).catch(() => null);
  const isOver = () => isBuild && Date.now() - start > buildLoadMsMax;
  const running = load.run(service, clients, isOver);
  running.catch(() => stop.abort());
  await Promise.race([timer, service.exited]);
  stop.abort();
  const byItself = service.hasExited;
  await service.kill();
  await running;
  const { code, signal } = await service.exited;
  expect([code, signal], service.output()).toEqual([null, "SIGKILL"]);
  const how = byItself ? `at ${point}` : `after ${Date.now() - start} ms`;
  const missed = point !== null && !byItself ? ` (${point} was not reached)` : "";
  return { how: `${how}${missed}`, atFailPoint: byItself };
}
