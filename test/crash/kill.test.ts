// kill -9 at random moments and at named fail points, during load and during recovery; after each
// restart every acknowledged event must be counted exactly once and no other more than once.
//
//     RANKSTREAM_CRASH_KILLS=60     how many (npm run test:crash); a few when left out
//     RANKSTREAM_CRASH_LOG=FILE     one line a kill is appended there
//     RANKSTREAM_TEST_SEED=…        the load and the moments again
import { appendFileSync, existsSync, readdirSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import type { FailPointName } from "../../src/fail-point.ts";
import { type Random, randomFromEnvironment } from "../support/random.ts";
import { RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";
import { CrashLoad } from "./crash-load.ts";
import { expectRawAgrees, expectRoundCounted, expectTotals } from "./crash-verdict.ts";

const killsDefault = 12;
const kills = Number(process.env["RANKSTREAM_CRASH_KILLS"] ?? killsDefault);
const logPath = process.env["RANKSTREAM_CRASH_LOG"];
const killMsMax = 90_000 + kills * 15_000;
const clients = 4;
const randomKillMsMax = 900;
const failPointMsMax = 5000;
/** Windows above minutes are built 5 s after their last change: the load must end before. */
const buildMsMax = 12_000;
const buildLoadMsMax = 500;
const recoveryKillMsMax = 700;
/** Fully looked at after each kill; of older rounds the totals. */
const roundsLookedAt = 2;
/** Shorter than a frame's header: cuts into the last frame only. */
const tornBytesMax = 60;

/** The load deletes nothing, takes no snapshots, keeps all windows: other tests do. */
type DeletePoint = `${"delete" | "coarse" | "snapshot"}.${string}` | "raw.before_replace_commit";
type LoadPoint = Exclude<FailPointName, DeletePoint>;

/** How many passes of each point a thread may make before it dies there. */
const passesMax: Record<LoadPoint, number> = {
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

interface Kill {
  how: string;
  atFailPoint: boolean;
}

/** Each point once in random order, then again, so that a short run sees them all. */
function* plannedPoints(random: Random): Generator<LoadPoint, never> {
  for (;;) yield* random.shuffle([...failPoints]);
}

function startOptions(random: Random, dataDir: string) {
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

/** Parquet files that are not written to their end. */
function unfinishedParquet(dataDir: string): string[] {
  const raw = join(dataDir, "raw");
  if (!existsSync(raw)) return [];
  const paths = readdirSync(raw, { recursive: true, encoding: "utf8" });
  return paths.filter((path) => path.endsWith(".tmp")).map((path) => join(raw, path));
}

/** Cuts the Parquet files that were being written in half; how many there were. */
function halveParquet(dataDir: string): number {
  const unfinished = unfinishedParquet(dataDir);
  for (const path of unfinished) truncateSync(path, Math.floor(statSync(path).size / 2));
  return unfinished.length;
}

/** What a power loss would have left besides; says what it did. */
function damage(random: Random, dataDir: string, point: FailPointName | null): string {
  if (point === "log.after_write") {
    return `, ${tearLastFrame(random, dataDir)} bytes torn off the log`;
  }
  return point === "parquet.after_write" ? `, ${halveParquet(dataDir)} Parquet file halved` : "";
}

/** Load until the service is dead by its fail point or, in the end, by our hand. */
async function runUntilKilled(
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

function report(line: string): void {
  process.stderr.write(`${line}\n`);
  if (logPath !== undefined) appendFileSync(logPath, `${new Date().toISOString()} ${line}\n`);
}

it(`counts exactly once over ${kills} kills`, { timeout: killMsMax }, async () => {
  const random = randomFromEnvironment("kills");
  const load = new CrashLoad(random);
  const dataDir = temporaryFolder();
  const points = plannedPoints(random);
  report(`seed ${random.seed}, ${kills} kills`);
  let atFailPoints = 0;
  let done = 0;
  // Some points are missed: go on, within bounds, until at least half were met.
  while (done < kills || (atFailPoints * 2 < done && done < 2 * kills)) {
    const point = atFailPoints * 2 > done + 1 ? null : points.next().value;
    const failPoint = point === null ? null : `${point}:${random.int(1, passesMax[point])}`;
    const options = startOptions(random, dataDir);
    const isLarge = point?.startsWith("parquet") ?? random.chance(0.2);
    const isOver = point?.startsWith("seal") ?? false;
    load.beginRound({ isLarge, isOver });
    const more = failPoint === null ? {} : { failPoint };
    const service = new RankstreamProcess({ ...options, ...more });
    // A point may come during recovery already: then there is no service to load.
    const isReady = await service.ready().then(
      () => true,
      () => false,
    );
    if (!isReady) expect((await service.exited).signal, service.output()).toBe("SIGKILL");
    const kill = isReady
      ? await runUntilKilled(random, service, load, failPoint)
      : { how: `at ${failPoint}, while starting`, atFailPoint: true };
    done++;
    if (kill.atFailPoint) atFailPoints++;
    if (kill.atFailPoint) kill.how += damage(random, dataDir, point);
    if (done < kills && random.chance(0.25)) {
      const recovering = new RankstreamProcess(startOptions(random, dataDir));
      await sleep(random.int(50, recoveryKillMsMax));
      await recovering.kill();
      done++;
      kill.how += ", and again during recovery";
    }
    const unfinished = unfinishedParquet(dataDir);
    const start = Date.now();
    const survivor = await startRankstream(startOptions(random, dataDir));
    const startMs = Date.now() - start;
    // It may be writing others by now.
    expect(unfinished.filter(existsSync), "unfinished files are swept").toEqual([]);
    const latest = load.rounds.slice(-roundsLookedAt);
    for (const round of latest) await expectRoundCounted(survivor, round);
    await expectRawAgrees(survivor, load.rounds.at(-1)!);
    await expectTotals(survivor, load.rounds);
    const totals = JSON.stringify(load.totals);
    report(`kill ${done} ${kill.how}; ready again in ${startMs} ms; all right; ${totals}`);
    // Half of the survivors are killed, too, with nothing under way; they lost nothing.
    await (random.chance(0.5) ? survivor.stop() : survivor.kill());
  }
  const service = await startRankstream(startOptions(random, dataDir));
  let counted = 0;
  for (const round of load.rounds) counted += await expectRoundCounted(service, round);
  await service.stop();
  const { posts, unknown } = load.totals;
  report(`${done} kills, ${atFailPoints} at fail points: ${counted} counted, of ${posts} posts`);
  expect(atFailPoints * 2).toBeGreaterThanOrEqual(done);
  expect(counted).toBeGreaterThan(0);
  expect(unknown, "no kill met a request under way").toBeGreaterThan(0);
});
