// Faults that a process meets: kills, pauses, a clock that jumps. Each leaves no service running.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { expect } from "vitest";
import {
  type RankstreamProcess,
  root,
  RankstreamProcess as Service,
  temporaryFolder,
} from "../support/service.ts";
import { type CrashWorld, within } from "./crash-world.ts";
import {
  damage,
  type LoadPoint,
  parquetFiles,
  passesMax,
  runUntilKilled,
  unfinishedParquet,
} from "./kills.ts";

/** What was done, and how many times the service was killed. */
export interface FaultNote {
  how: string;
  kills: number;
}

export type Fault = (world: CrashWorld) => Promise<FaultNote>;

const clients = 4;
const quickSeals = ["--seal-interval-ms", "100", "--seal-quiet-ms", "0"];
const recoveryKillMsMax = 700;
const writtenMsMax = 15_000;
const goesOnMsMax = 20_000;
const mergeFiles = 9;
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** At any moment: receipt, append, scan, checkpoint, file, seal. */
export const atRandom: Fault = async (world) => {
  const { random, load } = world;
  const isOver = random.chance(0.5);
  world.begin({ isOver, largeChance: random.chance(0.3) ? 0.1 : 0 });
  const service = await world.start({ args: isOver ? quickSeals : [] });
  return { ...(await runUntilKilled(random, service, load, null)), kills: 1 };
};

/** At a named point, with what a power loss would have done besides. */
export function atPoint(point: LoadPoint): Fault {
  return async (world) => {
    const { random, load, dataDir } = world;
    const isLarge = point.startsWith("parquet");
    world.begin({ isOver: point.startsWith("seal"), largeChance: isLarge ? 0.3 : 0 });
    const failPoint = `${point}:${random.int(1, passesMax[point])}`;
    const service = new Service(world.options({ failPoint }));
    const isReady = await service.ready().then(
      () => true,
      () => false,
    );
    if (!isReady) {
      expect((await service.exited).signal, service.output()).toBe("SIGKILL");
      return { how: `at ${failPoint}, while starting`, kills: 1 };
    }
    const kill = await runUntilKilled(random, service, load, failPoint);
    if (kill.atFailPoint) kill.how += damage(random, dataDir, point);
    return { how: kill.how, kills: 1 };
  };
}

/** While a Parquet file is being written. */
export const inParquet: Fault = async (world) => {
  const { random, load, dataDir } = world;
  world.begin({ largeChance: 0.5 });
  const service = await world.start();
  const running = load.run(service, clients, () => false);
  const isWritten = await within(writtenMsMax, () => unfinishedParquet(dataDir).length > 0);
  const afterMs = random.int(0, 30);
  await sleep(afterMs);
  await service.kill();
  await running;
  return { how: `${isWritten ? afterMs : "?"} ms into a Parquet file`, kills: 1 };
};

/** While small files are merged, or as the merged one takes their place. */
export const inMerge: Fault = async (world) => {
  const { random, load, dataDir } = world;
  world.begin({ isOver: true, largeChance: 1 });
  const failPoint = "raw.before_replace_commit";
  const atPoint = random.chance(0.5);
  const service = await world.start(atPoint ? { failPoint } : {});
  const before = parquetFiles(dataDir).length;
  const areThere = () => parquetFiles(dataDir).length >= before + mergeFiles;
  const until = performance.now() + writtenMsMax;
  await load.run(service, 1, () => areThere() || performance.now() > until);
  const isMerging = () => service.hasExited || unfinishedParquet(dataDir).length > 0;
  const seen = await within(writtenMsMax, isMerging);
  if (atPoint && seen) await Promise.race([service.exited, sleep(writtenMsMax)]);
  else await sleep(random.int(0, 60));
  const how = service.hasExited ? `at ${failPoint}` : seen ? "within a merge" : "before a merge";
  await service.kill();
  return { how, kills: 1 };
};

/** Again and again before it is up. */
export const inRecovery: Fault = async (world) => {
  const { random } = world;
  const { how } = await atRandom(world);
  const times = random.int(2, 5);
  const moments: number[] = [];
  for (let i = 0; i < times; i++) {
    const recovering = new Service(world.options());
    const afterMs = random.int(0, recoveryKillMsMax);
    await sleep(afterMs);
    await recovering.kill();
    moments.push(afterMs);
  }
  return { how: `${how}, then ${moments.join(", ")} ms into starting`, kills: 1 + times };
};

/** Loads in the background while `disturb` does its worst; then all must be right as it runs. */
export async function disturbed(
  world: CrashWorld,
  service: RankstreamProcess,
  disturb: () => Promise<string>,
): Promise<FaultNote> {
  const { load } = world;
  let isOver = false;
  const running = load.run(service, clients, () => isOver);
  running.catch(() => undefined);
  const how = await disturb();
  const before = load.totals.acknowledged;
  const goesOn = await within(goesOnMsMax, () => load.totals.acknowledged > before + clients);
  isOver = true;
  await running;
  expect(goesOn, `nothing is taken any more: ${service.output()}`).toBe(true);
  if (world.target.broker !== null) await world.settled(service);
  await world.expectRight(service);
  expect(service.hasExited, service.output()).toBe(false);
  await service.kill();
  return { how, kills: 1 };
}

/** SIGSTOP for a while: all goes on after it. */
export const paused: Fault = async (world) => {
  const { random } = world;
  world.begin({ largeChance: 0.05 });
  const service = await world.start();
  return disturbed(world, service, async () => {
    const longest = world.target.silenceMsMax + (world.isBrisk ? 600 : 2500);
    const pauses = Array.from({ length: random.int(1, 3) }, () => random.int(300, longest));
    for (const pauseMs of pauses) {
      await sleep(random.int(50, 400));
      service.child.kill("SIGSTOP");
      await sleep(pauseMs);
      service.child.kill("SIGCONT");
    }
    if (world.target.silenceMsMax > Math.max(...pauses)) {
      const pauseMs = world.target.silenceMsMax + random.int(100, 1000);
      pauses.push(pauseMs);
      service.child.kill("SIGSTOP");
      await sleep(pauseMs);
      service.child.kill("SIGCONT");
    }
    await sleep(300);
    return `paused for ${pauses.join(", ")} ms`;
  });
};

/** A clock that is set, and set back, while events come. */
export const clockJumps: Fault = async (world) => {
  const { random, load } = world;
  const file = join(temporaryFolder(), "shift");
  const set = (shiftMs: number) => writeFileSync(file, String(shiftMs));
  const isSmall = random.chance(0.4);
  const large = [-dayMs, dayMs, -hourMs, hourMs, 0];
  const shifts = Array.from({ length: random.int(3, 6) }, () => {
    return isSmall ? random.int(-60_000, 60_000) : random.pick(large);
  });
  // An hour by the service's clock, and free keys are forgotten.
  if (!isSmall) load.dropFreeKeys();
  set(shifts[0]!);
  world.begin({ isOver: true, ageMinutes: random.pick([2, 4]) * 24 * 60 });
  const preload = pathToFileURL(join(root, "test", "crash", "shifted-clock.mjs")).href;
  const env = { NODE_OPTIONS: `--import=${preload}`, CLOCK_SHIFT_FILE: file };
  const service = await world.start({ env, args: quickSeals });
  try {
    return await disturbed(world, service, async () => {
      for (const shiftMs of shifts) {
        set(shiftMs);
        await sleep(random.int(200, world.isBrisk ? 300 : 800));
      }
      return `the clock off by ${shifts.join(", ")} ms`;
    });
  } finally {
    load.hasFreeKeys = true;
  }
};
