/**
 * The four steps: what each runs for a load, and what of it is nearest to its limit. Limits are
 * what was measured on two cores, and a peak may take `limitShareMax` of them: more cores may
 * carry more, but nobody has seen it.
 */
import {
  countingCores,
  eventCores,
  keptAnswerCores,
  keptAnswersPerSecond,
  madeAnswerCores,
  madeAnswersPerSecond,
  nodeMemory,
  partitionsFor,
  requestCores,
  requestsPerSecond,
  storeMemory,
  workersFor,
} from "./compute.ts";
import { kafkaDisk, logEventBytes, type StoreDisk, storeDisk } from "./disk.ts";
import type { Load } from "./load.ts";
import { defaultBounds, measured } from "./measured.ts";

export type StepName = "mvp" | "growth" | "scale" | "enterprise";

export const stepNames: readonly StepName[] = ["mvp", "growth", "scale", "enterprise"];

/** Processes of one kind; cores, memory and disk are each one's, disk with the room it wants. */
export interface Fleet {
  what: string;
  processes: number;
  cores: number;
  memoryBytes: number;
  diskBytes: number;
}

/** One thing that a step has only so much of. */
export interface Limit {
  what: string;
  /** Of the load at its peak, and what the step carries, in `unit`. */
  load: number;
  limit: number;
  unit: string;
  /** load / limit: above 1 the step does not carry it. */
  share: number;
}

export interface Step {
  name: StepName;
  /** Everything is within its limits, and it survives what it must. */
  carries: boolean;
  /** Why not, beside limits; null where it does. */
  lacks: string | null;
  limits: Limit[];
  /** The one nearest to its limit. */
  first: Limit;
  stores: number;
  partitions: number;
  workers: number;
  fleets: Fleet[];
  disk: StoreDisk;
}

/** A peak takes at most so much of a limit, and of the cores. */
export const limitShareMax = 0.7;
export const coresBusyMax = 0.6;
/** Cores of an edge or node; its main thread does nearly all, so more would idle. */
const nodeCores = 2;
const nodesMin = 2;
const kafkaBrokers = 3;
/** Copies of the log, one a broker. */
export const kafkaCopies = 3;
const kafkaPartitionsMin = 8;
const embeddedPartitions = 4;
const GiB = 2 ** 30;
const TiB = 2 ** 40;
const brokerMemoryBytes = 2 * GiB;
const redisMemoryBytes = GiB;
const proxyMemoryBytes = GiB / 2;
const storesMax = 1000;

function limitOf(what: string, load: number, capacity: number, unit: string): Limit {
  return { what, load, limit: capacity, unit, share: capacity === 0 ? 1 : load / capacity };
}

const ingestLimits = (load: Load, eventsPerSecondMax: number): Limit => {
  const bytesMax = eventsPerSecondMax * measured.benchEventBytes.value * limitShareMax;
  const bytes = load.eventsPerSecondPeak * load.eventBytes;
  return limitOf("events into one store", bytes, bytesMax, "bytes/s");
};

/** What the one process with the store is bound by, whatever stands before it. */
function storeLimits(load: Load, disk: StoreDisk): Limit[] {
  const { readers, madeAnswerMs } = measured;
  const madeMax = (readers.value / (madeAnswerMs.value / 1000)) * limitShareMax;
  const made = madeAnswersPerSecond(load);
  return [
    limitOf("answers that are made", made, madeMax, "answers/s"),
    limitOf("disk of the store", disk.storeRoomBytes, load.diskTibMax * TiB, "bytes"),
    limitOf("event types", load.eventTypes, defaultBounds.eventTypesMax, "types"),
  ];
}

function embeddedLimits(load: Load): Limit[] {
  const logMax = measured.logBytesPerSecondMax.value * limitShareMax;
  const log = load.eventsPerSecondPeak * logEventBytes(load);
  const requestsMax = measured.requestsPerSecondMax.value * limitShareMax;
  return [
    ingestLimits(load, measured.eventsPerSecondMax.value),
    limitOf("bytes into the log's file", log, logMax, "bytes/s"),
    limitOf("requests with events", requestsPerSecond(load), requestsMax, "requests/s"),
  ];
}

/** Cores to have for so many that are busy. */
function coresFor(busy: number): number {
  return Math.max(1, Math.ceil(busy / coresBusyMax));
}

function storeFleet(what: string, load: Load, busy: number, diskBytes: number): Fleet {
  // Sealing and answers share the machine with counting: two cores at least.
  const cores = Math.max(2, coresFor(busy));
  return { what, processes: 1, cores, memoryBytes: storeMemory(load).allBytes, diskBytes };
}

/** Nodes or edges for so many busy cores. */
function nodeFleet(what: string, busy: number): Fleet {
  const processes = Math.max(nodesMin, Math.ceil(busy / (nodeCores * coresBusyMax)));
  return { what, processes, cores: nodeCores, memoryBytes: nodeMemory(), diskBytes: 0 };
}

const redis: Fleet = {
  what: "Redis",
  processes: 1,
  cores: 1,
  memoryBytes: redisMemoryBytes,
  diskBytes: 0,
};
const proxy: Fleet = {
  what: "load balancer",
  processes: 1,
  cores: 1,
  memoryBytes: proxyMemoryBytes,
  diskBytes: 0,
};

function stepOf(
  name: StepName,
  limits: Limit[],
  lacks: string | null,
  rest: Pick<Step, "stores" | "partitions" | "workers" | "fleets" | "disk">,
): Step {
  const first = limits.reduce((most, one) => (one.share > most.share ? one : most));
  return { name, carries: first.share <= 1 && lacks === null, lacks, limits, first, ...rest };
}

/** One process that does everything. */
function mvp(load: Load): Step {
  const disk = storeDisk(load);
  const workers = workersFor(load);
  const busy =
    countingCores(load, measured.ingestCpuMicros.value) +
    requestCores(load) +
    keptAnswerCores(load) +
    madeAnswerCores(load);
  const keptMax = (1000 / measured.keptAnswerMs.value) * limitShareMax;
  const limits = [
    ...embeddedLimits(load),
    limitOf("answers that are kept", keptAnswersPerSecond(load), keptMax, "answers/s"),
    ...storeLimits(load, disk),
  ];
  const log = defaultBounds.logBytesMax;
  const fleets = [storeFleet("process", load, busy, disk.storeRoomBytes + log)];
  const lacks = load.mustSurvive === "restart" ? null : "it is one process, down while it starts";
  const partitions = partitionsFor(workers, embeddedPartitions);
  return stepOf("mvp", limits, lacks, { stores: 1, partitions, workers, fleets, disk });
}

/** The same process, behind nodes that keep answers. What comes in still goes through it. */
function growth(load: Load): Step {
  const disk = storeDisk(load);
  const workers = workersFor(load);
  const busy =
    countingCores(load, measured.ingestCpuMicros.value) +
    requestCores(load) +
    madeAnswerCores(load);
  const nodes =
    eventCores(load, measured.nodeCpuMicros.value) + requestCores(load) + keptAnswerCores(load);
  const fleets = [
    storeFleet(
      "process with log and store",
      load,
      busy,
      disk.storeRoomBytes + defaultBounds.logBytesMax,
    ),
    nodeFleet("nodes (edge,query)", nodes),
    redis,
    proxy,
  ];
  const lacks = load.mustSurvive === "machine" ? "log and store are on one machine" : null;
  const limits = [...embeddedLimits(load), ...storeLimits(load, disk)];
  const partitions = partitionsFor(workers, embeddedPartitions);
  return stepOf("growth", limits, lacks, { stores: 1, partitions, workers, fleets, disk });
}

/** A log in three copies, edges before it, one process that counts. */
function scale(load: Load): Step {
  const disk = storeDisk(load);
  const workers = workersFor(load);
  const { kafkaCpuMicros, edgeCpuMicros, brokerCpuMicros } = measured;
  const counting =
    countingCores(load, kafkaCpuMicros.value - edgeCpuMicros.value) + madeAnswerCores(load);
  const edges = eventCores(load, edgeCpuMicros.value) + requestCores(load) + keptAnswerCores(load);
  const brokers = eventCores(load, brokerCpuMicros.value * kafkaCopies) / kafkaBrokers;
  const fleets: Fleet[] = [
    storeFleet("process that counts", load, counting, disk.storeRoomBytes),
    nodeFleet("edges (edge,query)", edges),
    {
      what: "brokers",
      processes: kafkaBrokers,
      cores: coresFor(brokers),
      memoryBytes: brokerMemoryBytes,
      diskBytes: (kafkaDisk(load, kafkaCopies) / kafkaBrokers) * measured.mergeRoomFactor.value,
    },
    redis,
    proxy,
  ];
  const limits = [
    ingestLimits(load, measured.kafkaEventsPerSecondMax.value),
    ...storeLimits(load, disk),
  ];
  const partitions = partitionsFor(workers, kafkaPartitionsMin);
  return stepOf("scale", limits, null, { stores: 1, partitions, workers, fleets, disk });
}

/** The part of a load that one of so many stores has: types are dealt out evenly. */
function shareOfLoad(load: Load, stores: number): Load {
  const part = (value: number) => value / stores;
  return {
    ...load,
    eventsPerSecond: part(load.eventsPerSecond),
    eventsPerSecondPeak: part(load.eventsPerSecondPeak),
    queriesPerSecond: part(load.queriesPerSecond),
    eventTypes: Math.ceil(load.eventTypes / stores),
    items: Math.ceil(load.items / stores),
    itemsPerMinute: Math.ceil(load.itemsPerMinute / stores),
    itemsPerHour: Math.ceil(load.itemsPerHour / stores),
    itemsPerDay: Math.ceil(load.itemsPerDay / stores),
    itemsPerMonth: Math.ceil(load.itemsPerMonth / stores),
  };
}

/**
 * Several installations of the step before, each with event types (or a region) of its own and a
 * topic and a store for them; a board is of one of them. A type of its own can't be split.
 */
function enterprise(load: Load): Step {
  const { limits } = scale(load);
  const needed = Math.ceil(Math.max(...limits.map(({ share }) => share)));
  const stores = Math.max(2, Math.min(needed, storesMax));
  const one = scale(shareOfLoad(load, stores));
  const lacks =
    stores > load.eventTypes
      ? `${stores} stores want as many event types; there are ${load.eventTypes}`
      : null;
  const fleets = one.fleets.map((fleet) => ({ ...fleet, processes: fleet.processes * stores }));
  const { partitions, workers, disk } = one;
  return stepOf("enterprise", one.limits, lacks, { stores, partitions, workers, fleets, disk });
}

/** What each step would run for this load, the smallest first. */
export function stepsFor(load: Load): Step[] {
  return [mvp(load), growth(load), scale(load), enterprise(load)];
}
