// kill -9 at random moments and at named fail points, during load and during recovery; after each
// restart every acknowledged event must be counted exactly once and no other more than once.
//
//     RANKSTREAM_CRASH_KILLS=60     how many (npm run test:crash); a few when left out
//     RANKSTREAM_CRASH_LOG=FILE     one line a kill is appended there
//     RANKSTREAM_TEST_SEED=…        the load and the moments again
import { appendFileSync, existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { randomFromEnvironment } from "../support/random.ts";
import { RankstreamProcess, startRankstream, temporaryFolder } from "../support/service.ts";
import { CrashLoad } from "./crash-load.ts";
import { expectRawAgrees, expectRoundCounted, expectTotals } from "./crash-verdict.ts";
import {
  damage,
  passesMax,
  plannedPoints,
  runUntilKilled,
  startOptions,
  unfinishedParquet,
} from "./kills.ts";

const killsDefault = 8;
const kills = Number(process.env["RANKSTREAM_CRASH_KILLS"] ?? killsDefault);
const logPath = process.env["RANKSTREAM_CRASH_LOG"];
const killMsMax = 90_000 + kills * 15_000;
const recoveryKillMsMax = 700;
/** Fully looked at after each kill; of older rounds the totals. */
const roundsLookedAt = 2;

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
    const largeChance = isLarge ? 0.1 : 0;
    const isOver = point?.startsWith("seal") ?? false;
    load.beginRound({ largeChance, isOver });
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
