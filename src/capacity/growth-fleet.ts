/** Processes of each kind that a load takes on a lake, sized for its peak. */
import {
  countingCores,
  eventCores,
  keptAnswerCores,
  madeAnswersPerSecond,
  partitionsFor,
  requestCores,
  requestsPerSecond,
} from "./compute.ts";
import type { GrowthInputs } from "./growth-inputs.ts";
import { secondsADay } from "./growth-rows.ts";
import { deltasADay, type GrowthStore, growthStore } from "./growth-store.ts";
import type { Load } from "./load.ts";
import { measured } from "./measured.ts";
import { coresBusyMax, kafkaCopies, limitShareMax } from "./steps.ts";

/** Cores of an edge: its main thread does nearly all. */
const edgeCores = 2;
/** Cores of a process that counts or answers. */
const storeCores = 4;
const brokerCoresMin = 2;
const processesMin = 2;
const brokersMin = 3;
const partitionsMin = 8;
const redisCores = 2;
const proxyCores = 2;
/** Free on a broker's disk, and on that of PostgreSQL. */
const diskRoom = 1.5;
const catalogRoom = 3;
const TiB = 2 ** 40;

/** Processes of one kind; cores and disk are each one's, memory comes with the cores. */
export interface GrowthFleet {
  what: string;
  processes: number;
  cores: number;
  diskBytes: number;
  /** Cores busy at the peak, all of them together. */
  busyCores: number;
}

export interface Fleets {
  all: GrowthFleet[];
  store: GrowthStore;
  partitions: number;
  /** Processes that count, the spare one included. */
  ingest: number;
}

/** Planning a question about a table of so many files. */
export function planMs(inputs: GrowthInputs, files: number): number {
  return inputs.catalogPlanMs + (files * inputs.catalogPlanMicrosPerFile) / 1000;
}

/** How long an answer takes that is made, with so many files in each table it plans. */
export function madeAnswerMs(inputs: GrowthInputs, files: number): number {
  const waits = inputs.answerPlans * (planMs(inputs, files) + inputs.objectMs);
  return measured.madeAnswerMs.value + waits;
}

function ingestCores(load: Load, { lakeCpuFactor }: GrowthInputs): number {
  const { kafkaCpuMicros, edgeCpuMicros } = measured;
  const micros = (kafkaCpuMicros.value - edgeCpuMicros.value) * lakeCpuFactor;
  return countingCores(load, micros);
}

/** Rows folded into windows, in cores that are busy at the peak. */
export function foldCores(load: Load, inputs: GrowthInputs): number {
  const peak = load.eventsPerSecondPeak / load.eventsPerSecond;
  const rowsPerSecond = deltasADay(load, inputs).rows / secondsADay;
  return rowsPerSecond * peak * inputs.foldMicrosPerRow * 1e-6;
}

/** Processes that count at the peak, spare ones too: by cores, and by what one has taken. */
function ingestProcesses(load: Load, { spareProcesses }: GrowthInputs, busyCores: number): number {
  const byCores = busyCores / (storeCores * coresBusyMax);
  const { kafkaEventsPerSecondMax, benchEventBytes } = measured;
  const bytesMax = kafkaEventsPerSecondMax.value * benchEventBytes.value * limitShareMax;
  const byBytes = (load.eventsPerSecondPeak * load.eventBytes) / bytesMax;
  const wanted = Math.max(1, Math.ceil(Math.max(byCores, byBytes)));
  return Math.max(processesMin, wanted + spareProcesses);
}

function edges(load: Load, { spareProcesses }: GrowthInputs): GrowthFleet {
  const { edgeCpuMicros, requestsPerSecondMax } = measured;
  const busyCores =
    eventCores(load, edgeCpuMicros.value) + requestCores(load) + keptAnswerCores(load);
  const byRequests = requestsPerSecond(load) / (requestsPerSecondMax.value * limitShareMax);
  const wanted = Math.ceil(Math.max(busyCores / (edgeCores * coresBusyMax), byRequests));
  const processes = Math.max(processesMin, wanted + spareProcesses);
  return { what: "edges", processes, cores: edgeCores, diskBytes: 0, busyCores };
}

function brokers(load: Load, store: GrowthStore): GrowthFleet {
  const busyCores = eventCores(load, measured.brokerCpuMicros.value * kafkaCopies);
  const disk = store.bytes.log * diskRoom;
  const byDisk = disk / (load.diskTibMax * TiB);
  const byCores = busyCores / (storeCores * coresBusyMax);
  const processes = Math.max(brokersMin, Math.ceil(Math.max(byDisk, byCores)));
  const each = Math.ceil(busyCores / processes / coresBusyMax);
  return {
    what: "Kafka brokers",
    processes,
    cores: Math.max(brokerCoresMin, each),
    diskBytes: disk / processes,
    busyCores,
  };
}

function queries(load: Load, inputs: GrowthInputs, store: GrowthStore): GrowthFleet {
  const made = madeAnswersPerSecond(load);
  const busyCores = (made * measured.madeAnswerMs.value) / 1000;
  // While it waits for the catalog and for objects, an answer holds its reader.
  const ms = madeAnswerMs(inputs, store.objects.windows / inputs.answerPlans);
  const byReaders = (made * ms) / 1000 / (measured.readers.value * limitShareMax);
  const wanted = Math.ceil(Math.max(byReaders, busyCores / (storeCores * coresBusyMax)));
  return {
    what: "query",
    processes: Math.max(processesMin, wanted + inputs.spareProcesses),
    cores: storeCores,
    diskBytes: store.copyBytes * diskRoom,
    busyCores,
  };
}

/** All processes, and the store they come to. */
export function fleetsOf(load: Load, inputs: GrowthInputs): Fleets {
  const busyCores = ingestCores(load, inputs) + foldCores(load, inputs);
  const ingest = ingestProcesses(load, inputs, busyCores);
  const store = growthStore(load, inputs, ingest);
  const catalogDisk = store.bytes.catalog * catalogRoom;
  const fixed = (what: string, processes: number, cores: number, diskBytes = 0) => {
    return { what, processes, cores, diskBytes, busyCores: 0 };
  };
  const all: GrowthFleet[] = [
    edges(load, inputs),
    { what: "ingest", processes: ingest, cores: storeCores, diskBytes: 0, busyCores },
    queries(load, inputs, store),
    brokers(load, store),
    fixed("PostgreSQL", 2, inputs.catalogCores, catalogDisk),
    fixed("Redis", 1 + inputs.spareProcesses, redisCores),
    fixed("load balancers", 2, proxyCores),
  ];
  return { all, store, ingest, partitions: partitionsFor(ingest, partitionsMin) };
}
