/** CPU, memory and threads, all for the peak; cores are those that are busy, without headroom. */
import type { Load } from "./load.ts";
import { defaultBounds, measured } from "./measured.ts";

const micros = 1e-6;
/** Types from which no more CPU is added: what was measured. */
const typesMeasured = 1000;
/** A worker's thread is busy at most so much of the time. */
const workerBusyMax = 0.7;
const workersMax = 64;

/** An event of this size beside the benches' one: what an event costs grows with its bytes. */
export function sizeFactor({ eventBytes }: Load): number {
  return eventBytes / measured.benchEventBytes.value;
}

function typesFactor({ eventTypes }: Load): number {
  return 1 + (measured.typesCpuFactor.value * Math.min(eventTypes, typesMeasured)) / typesMeasured;
}

/** Cores that so many µs an event of the benches' size come to at the peak. */
export function eventCores(load: Load, cpuMicros: number): number {
  return load.eventsPerSecondPeak * cpuMicros * micros * sizeFactor(load);
}

/** The same of counting, which more types make dearer. */
export function countingCores(load: Load, cpuMicros: number): number {
  return eventCores(load, cpuMicros) * typesFactor(load);
}

export function requestsPerSecond(load: Load): number {
  return load.eventsPerSecondPeak / load.eventsPerRequest;
}

export function requestCores(load: Load): number {
  return requestsPerSecond(load) * measured.requestCpuMicros.value * micros;
}

export function keptAnswersPerSecond({ queriesPerSecond, keptShare }: Load): number {
  return queriesPerSecond * keptShare;
}

export function madeAnswersPerSecond({ queriesPerSecond, keptShare }: Load): number {
  return queriesPerSecond * (1 - keptShare);
}

export function keptAnswerCores(load: Load): number {
  return (keptAnswersPerSecond(load) * measured.keptAnswerMs.value) / 1000;
}

export function madeAnswerCores(load: Load): number {
  return (madeAnswersPerSecond(load) * measured.madeAnswerMs.value) / 1000;
}

/** `workers` that one store's process needs. */
export function workersFor(load: Load): number {
  const cores = countingCores(load, measured.workerCpuMicros.value);
  return Math.min(workersMax, Math.max(1, Math.ceil(cores / workerBusyMax)));
}

/** Partitions: two a worker, a power of two, at least the default. */
export function partitionsFor(workers: number, partitionsMin: number): number {
  return Math.max(partitionsMin, 2 ** Math.ceil(Math.log2(workers * 2)));
}

/** Parts of a process's memory, all bounds at their defaults and full, in bytes. */
export interface ProcessMemory {
  idleBytes: number;
  workerBytes: number;
  typeBytes: number;
  duckdbBytes: number;
  cacheBytes: number;
  sketchCacheBytes: number;
  underWayBytes: number;
  /** With what allocators hold beside. */
  allBytes: number;
}

export function storeMemory(load: Load): ProcessMemory {
  const parts = {
    idleBytes: measured.storeIdleBytes.value,
    workerBytes: (workersFor(load) - 1) * measured.workerBytes.value,
    typeBytes: load.eventTypes * measured.typeBytes.value,
    duckdbBytes: defaultBounds.storeMemoryBytesMax,
    cacheBytes: defaultBounds.cacheBytesMax,
    sketchCacheBytes: defaultBounds.sketchCacheBytesMax,
    underWayBytes: defaultBounds.ingestBytesMax + defaultBounds.logQueueBytesMax,
  };
  const sum = Object.values(parts).reduce((all, bytes) => all + bytes, 0);
  return { ...parts, allBytes: sum * measured.slackFactor.value };
}

/** Of an edge or a node without a store, in bytes. */
export function nodeMemory(): number {
  const { cacheBytesMax, ingestBytesMax } = defaultBounds;
  const bounds = measured.nodeIdleBytes.value + cacheBytesMax + ingestBytesMax;
  return bounds * measured.slackFactor.value;
}
