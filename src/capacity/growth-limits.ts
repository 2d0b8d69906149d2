/** What a lake has only so much of: how far a load is from it, and what to do about it. */
import { fleetsOf, foldCores, planMs } from "./growth-fleet.ts";
import type { GrowthInputs } from "./growth-inputs.ts";
import { typeGroups } from "./growth-rows.ts";
import type { Load } from "./load.ts";
import { measured } from "./measured.ts";
import { limitShareMax } from "./steps.ts";

/** An approximate answer is to take less, all of it. */
const searchMsMax = 100;
/** Requests a second below one prefix of a bucket, as S3's documentation has it. */
const putsPerSecondMax = 3500;
const benchWorkerEventBytes = measured.benchEventBytes.value;

export interface GrowthLimit {
  what: string;
  load: number;
  limit: number;
  unit: string;
  /** load / limit: above 1 it does not hold. */
  share: number;
  lever: string;
}

/** Of the events of one item, the most that come to one partition. */
function hottestShare(load: Load): number {
  const [first] = typeGroups(load.eventTypes);
  const items = Math.max(1, Math.round(load.items * first!.share));
  // Of the first item's events alone: one in so many is expected to be it.
  let harmonic = 0;
  for (let i = 1; i <= Math.min(items, 2000); i++) harmonic += 1 / i;
  if (items > 2000) harmonic += Math.log(items / 2000);
  return first!.share / harmonic;
}

function limitOf(
  what: string,
  [load, limit, unit]: readonly [number, number, string],
  lever: string,
): GrowthLimit {
  return { what, load, limit, unit, share: load / limit, lever };
}

/** All limits of a load, the nearest first. */
export function growthLimits(load: Load, inputs: GrowthInputs): GrowthLimit[] {
  const { store, ingest, partitions } = fleetsOf(load, inputs);
  const rate = load.eventsPerSecondPeak / load.eventsPerSecond;
  const worker = limitShareMax / (measured.workerCpuMicros.value * 1e-6);
  const hottest = hottestShare(load) + 1 / partitions;
  const sizeOf = load.eventBytes / benchWorkerEventBytes;
  const checkpoints = ingest / inputs.checkpointSeconds;
  const others = Math.max(0, store.perDay.commits / 86_400 - checkpoints);
  const peakCommits = checkpoints + others * rate;
  const foldBusy = foldCores(load, inputs) / inputs.foldProcesses;
  return [
    limitOf(
      "commits into the catalog",
      [peakCommits, inputs.catalogCommitsPerSecondMax * limitShareMax, "commits/s"],
      "a longer checkpoint: five seconds make a fifth of the commits",
    ),
    limitOf(
      "planning over files of counts",
      [planMs(inputs, store.objects.windows), searchMsMax, "ms"],
      "larger files; minutes kept for less long",
    ),
    limitOf(
      "folding counts into minutes",
      [foldBusy, limitShareMax, "cores"],
      "several that fold, each its own types (not built); a longer checkpoint makes fewer rows",
    ),
    limitOf(
      "the hottest partition's worker",
      [load.eventsPerSecondPeak * hottest * sizeOf, worker, "events/s"],
      "count one item in several partitions and add them up",
    ),
    limitOf(
      "objects written, one prefix",
      [(store.perDay.objects / 86_400) * rate, putsPerSecondMax * limitShareMax, "objects/s"],
      "prefixes by hash, a longer checkpoint",
    ),
    limitOf(
      "copies of lists on a process's disk",
      [store.copyBytes, load.diskTibMax * 2 ** 40 * limitShareMax, "bytes"],
      "minutes kept for less long (aggregationWindow), or copied for less long (not built)",
    ),
  ].sort((a, b) => b.share - a.share);
}
