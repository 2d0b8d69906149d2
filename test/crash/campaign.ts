// A campaign: rounds of faults, each picked by the round's seed and judged before the next.
import { expect } from "vitest";
import { Random } from "../support/random.ts";
import { brokerKill, brokerPause, brokerStop } from "./broker-faults.ts";
import type { CampaignLog, RoundNote } from "./campaign-log.ts";
import type { CrashTarget } from "./campaign-target.ts";
import { CrashWorld } from "./crash-world.ts";
import { logDamage, rawDamage } from "./damage-faults.ts";
import { fullDisk, logError, storeError } from "./disk-faults.ts";
import {
  atPoint,
  atRandom,
  clockJumps,
  type Fault,
  inMerge,
  inParquet,
  inRecovery,
  paused,
} from "./faults.ts";

const faults = {
  random: atRandom,
  parquet: inParquet,
  merge: inMerge,
  recovery: inRecovery,
  pause: paused,
  clock: clockJumps,
  full_disk: fullDisk,
  log_error: logError,
  store_error: storeError,
  log_damage: logDamage,
  raw_damage: rawDamage,
  broker_kill: brokerKill,
  broker_pause: brokerPause,
  broker_stop: brokerStop,
} satisfies Record<string, Fault>;

export type FaultName = keyof typeof faults | "point";

interface Planned {
  name: FaultName;
  fault: Fault;
}

/** What only a log in files of the service's own has, and only one of a broker's. */
const embeddedOnly = new Set<string>(["log_error", "log_damage"]);
const brokerOnly = new Set<string>(["broker_kill", "broker_pause", "broker_stop"]);

/** The kinds that can be done to this target. */
export function faultNames(isOfBroker: boolean): (keyof typeof faults)[] {
  const names = Object.keys(faults) as (keyof typeof faults)[];
  return names.filter((name) => !(isOfBroker ? embeddedOnly : brokerOnly).has(name));
}

/** Every kind once, in the seed's order, then those that cost least again and again. */
function* planned(random: Random, target: CrashTarget): Generator<Planned, never> {
  const points = random.shuffle([...target.points]);
  const point = (): Planned => {
    const next = points.shift()!;
    points.push(next);
    return { name: "point", fault: atPoint(next) };
  };
  const names = faultNames(target.broker !== null);
  const all = names.map((name): Planned => ({ name, fault: faults[name] }));
  yield* random.shuffle([...all, point(), point(), point()]);
  for (;;) {
    yield point();
    yield random.pick([all[0]!, ...all]);
  }
}

export interface RoundOptions {
  target: CrashTarget;
  seed: number;
  /** Ends after the fault that makes it so many. */
  kills: number;
  report: (line: string) => void;
}

/** Runs one round; what is wrong becomes its verdict. */
export async function runRound(options: RoundOptions): Promise<RoundNote> {
  const { target, seed, report } = options;
  const random = new Random(seed);
  const note: RoundNote = {
    at: new Date().toISOString(),
    target: target.name,
    seed,
    kills: 0,
    kinds: {},
    verdict: "good",
  };
  const plan = planned(random, target);
  const world = new CrashWorld(random, target);
  try {
    while (note.kills < options.kills) {
      const { name, fault } = plan.next().value;
      const start = performance.now();
      report(`${name} …`);
      const { how, kills } = await fault(world);
      if (world.load.rounds.length > 0) await world.expectSurvived();
      note.kills += kills;
      if (kills > 0) note.kinds[name] = (note.kinds[name] ?? 0) + 1;
      const seconds = ((performance.now() - start) / 1000).toFixed(1);
      report(`${name}: ${how}; all right, ${seconds} s`);
    }
    const counted = await world.expectAllRounds();
    report(`${counted} counted; ${JSON.stringify(world.load.totals)}`);
  } catch (error) {
    note.verdict = error instanceof Error ? error.message : String(error);
    report(error instanceof Error ? String(error.stack) : String(error));
  }
  return note;
}

/** Rounds until the file has its kills; throws at the first that went wrong. */
export async function runCampaign(
  log: CampaignLog,
  killsWanted: number,
  nextRound: () => RoundOptions,
): Promise<void> {
  for (;;) {
    const options = nextRound();
    if (log.goodKills(options.target.name) >= killsWanted) return;
    options.report(`round with RANKSTREAM_TEST_SEED=${options.seed}`);
    const note = await runRound(options);
    log.append(note);
    expect(note.verdict, `RANKSTREAM_TEST_SEED=${note.seed} repeats the round`).toBe("good");
  }
}

/** One fault of its own, in a world of its own. */
export async function runFault(
  name: Exclude<FaultName, "point">,
  random: Random,
  target: CrashTarget,
): Promise<string> {
  const world = new CrashWorld(random, target);
  world.isBrisk = true;
  const { how } = await faults[name](world);
  if (world.load.rounds.length > 0) await world.expectSurvived();
  return how;
}
