/** All of an estimate: steps with traffic and cost, and the usual estimate beside it. */
import { type ClassicEstimate, classicEstimate, type Reduction, reductions } from "./classic.ts";
import type { Load } from "./load.ts";
import { measured } from "./measured.ts";
import { kafkaCopies, type Step, type StepName, stepsFor } from "./steps.ts";

const hoursAMonth = 730;
const secondsAMonth = hoursAMonth * 3600;
const GiB = 2 ** 30;
/** A board of ten rows, as JSON with its headers. */
const replyBytes = 2048;

export interface Traffic {
  /** At the peak, bytes/s. */
  inBytesPerSecond: number;
  outBytesPerSecond: number;
  /** Between processes and brokers. */
  insideBytesPerSecond: number;
}

export interface MonthlyCost {
  cores: number;
  memory: number;
  disk: number;
  traffic: number;
  all: number;
}

export interface PlannedStep extends Step {
  /** Of all processes together. */
  processes: number;
  cores: number;
  memoryBytes: number;
  diskBytes: number;
  traffic: Traffic;
  cost: MonthlyCost;
}

export interface Plan {
  load: Load;
  steps: PlannedStep[];
  /** The first step that carries the load; null: none does. */
  smallest: StepName | null;
  classic: ClassicEstimate;
  reductions: Reduction[];
}

function trafficOf(load: Load, name: StepName): Traffic {
  const inside = load.eventsPerSecondPeak * load.eventBytes;
  const out = load.queriesPerSecond * replyBytes;
  const packed = inside * measured.lz4Factor.value;
  const insideOf: Record<StepName, number> = {
    mvp: 0,
    growth: inside + load.queriesPerSecond * (1 - load.keptShare) * replyBytes,
    // To the leader, from it to the other copies, and to who counts.
    scale: packed * (1 + (kafkaCopies - 1) + 1),
    enterprise: packed * (1 + (kafkaCopies - 1) + 1),
  };
  return {
    inBytesPerSecond: inside,
    outBytesPerSecond: out,
    insideBytesPerSecond: insideOf[name],
  };
}

function costOf(load: Load, step: Omit<PlannedStep, "cost">): MonthlyCost {
  const shareOfPeak = load.eventsPerSecond / load.eventsPerSecondPeak;
  const { inBytesPerSecond, outBytesPerSecond } = step.traffic;
  const moved = (inBytesPerSecond + outBytesPerSecond) * shareOfPeak * secondsAMonth;
  const cores = step.cores * hoursAMonth * load.pricePerCoreHour;
  const memory = (step.memoryBytes / GiB) * hoursAMonth * load.pricePerMemoryGibHour;
  const disk = (step.diskBytes / GiB) * load.pricePerDiskGibMonth;
  const traffic = (moved / GiB) * load.pricePerTrafficGib;
  return { cores, memory, disk, traffic, all: cores + memory + disk + traffic };
}

function plannedStep(load: Load, step: Step): PlannedStep {
  const sum = (of: (fleet: Step["fleets"][number]) => number) =>
    step.fleets.reduce((all, fleet) => all + fleet.processes * of(fleet), 0);
  const planned = {
    ...step,
    processes: sum(() => 1),
    cores: sum(({ cores }) => cores),
    memoryBytes: sum(({ memoryBytes }) => memoryBytes),
    diskBytes: sum(({ diskBytes }) => diskBytes),
    traffic: trafficOf(load, step.name),
  };
  return { ...planned, cost: costOf(load, planned) };
}

/** What the load takes in each of the four steps. */
export function planFor(load: Load): Plan {
  const steps = stepsFor(load).map((step) => plannedStep(load, step));
  const smallest = steps.find(({ carries }) => carries)?.name ?? null;
  return { load, steps, smallest, classic: classicEstimate(load), reductions: reductions(load) };
}
