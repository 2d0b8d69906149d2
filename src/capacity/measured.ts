/**
 * What the estimates rest on: each figure with its unit and where it was measured. Nothing else in
 * this folder holds a number that stands for the program's cost.
 *
 * Two shared cores (AMD EPYC, Node 20) unless `from` says otherwise; benches are those of
 * bench/RESULTS.md.
 */

export interface Measured {
  value: number;
  unit: string;
  what: string;
  /** Bench, page or test that it can be measured with again. */
  from: string;
}

const MiB = 1024 * 1024;

const figures = {
  benchEventBytes: {
    value: 196,
    unit: "bytes",
    what: "an event of the benches, as NDJSON",
    from: "bench sustained",
  },
  ingestCpuMicros: {
    value: 2.08,
    unit: "µs of CPU an event",
    what: "from HTTP in batches to counted, minutes sealing beside; grows as an event's bytes do",
    from: "bench sustained; 512-byte ids in bench growth are within 2 % of the same a byte",
  },
  kafkaCpuMicros: {
    value: 4.83,
    unit: "µs of CPU an event",
    what: "the same through a log in Kafka, edge and counting in one process",
    from: "bench kafka",
  },
  edgeCpuMicros: {
    value: 1.5,
    unit: "µs of CPU an event",
    what: "the edge's part of that: HTTP and scan 0.7, the producer with its checksums 0.8",
    from: "bench throughput (main thread); decisions in CONTRIBUTING.md (lz4)",
  },
  nodeCpuMicros: {
    value: 0.69,
    unit: "µs of CPU an event",
    what: "a node that judges a batch and hands it on: what the main thread of a service takes",
    from: "bench throughput (main thread)",
  },
  brokerCpuMicros: {
    value: 0.54,
    unit: "µs of CPU an event",
    what: "the broker, for each copy",
    from: "bench kafka",
  },
  requestCpuMicros: {
    value: 59.6,
    unit: "µs of CPU a request",
    what: "a POST beside its events: of one event it takes 61.7",
    from: "bench single, Fastify",
  },
  workerCpuMicros: {
    value: 0.51,
    unit: "µs an event",
    what: "a worker's thread, which decides how many workers there must be",
    from: "decisions in CONTRIBUTING.md (marks)",
  },
  typesCpuFactor: {
    value: 0.75,
    unit: "share added",
    what: "CPU of an event with 1,000 types beside one with 10; between them in proportion",
    from: "bench growth: 3.57 beside 2.05 µs",
  },
  eventsPerSecondMax: {
    value: 781_689,
    unit: "events/s",
    what: "one process, for five minutes, generator on the same cores",
    from: "bench sustained",
  },
  kafkaEventsPerSecondMax: {
    value: 335_917,
    unit: "events/s",
    what: "one process through Kafka, broker and generator on the same cores",
    from: "bench kafka",
  },
  requestsPerSecondMax: {
    value: 22_028,
    unit: "requests/s",
    what: "POSTs of one event into one process, 64 connections",
    from: "bench single, Fastify",
  },
  logBytesPerSecondMax: {
    value: 300e6,
    unit: "bytes/s",
    what: "what one file of the log syncs",
    from: "decisions in CONTRIBUTING.md (what holds the rate back)",
  },
  logBytesFactor: {
    value: 1.24,
    unit: "× NDJSON",
    what: "bytes in the log: lines and their marks",
    from: "the same: 190 MB/s at 780,000 events/s of 196 bytes",
  },
  rawBytesFactor: {
    value: 0.084,
    unit: "× NDJSON",
    what: "raw events as Parquet, where their texts repeat: 15 of 179 bytes",
    from: "held by test/capacity/real-disk.test.ts; bench sustained: 17.5 of 196 with counts",
  },
  rawRandomFactor: {
    value: 0.42,
    unit: "× bytes",
    what: "random text in them (UUIDs): half of it is not information",
    from: "the same with two UUIDs an event: 45 bytes; held by the same test",
  },
  countRowBytes: {
    value: 4,
    unit: "bytes",
    what: "a count of an item in a window, beside its id",
    from: "test/capacity/real-disk.test.ts: 7.6 bytes with ids of 11, 29 with UUIDs",
  },
  nameByteFactor: {
    value: 0.33,
    unit: "× bytes",
    what: "an id in such a row where ids have much in common (song_123)",
    from: "the same",
  },
  randomByteFactor: {
    value: 0.7,
    unit: "× bytes",
    what: "an id in such a row where ids are random (UUIDs)",
    from: "the same",
  },
  sketchBytesPerItem: {
    value: 1.21,
    unit: "bytes an item off the list",
    what: "a sealed sketch, packed",
    from: "bench kernel: 118.5 KiB for 100,000 items",
  },
  sketchBytesMax: {
    value: Math.round(472.3 * 1024),
    unit: "bytes",
    what: "a sealed sketch, packed, however many items",
    from: "bench kernel: 10,000,000 items",
  },
  mergeRoomFactor: {
    value: 1.5,
    unit: "× the store",
    what: "room to merge files, and for blocks that are free but not given back",
    from: "docs/operations.md",
  },
  rawFileBytes: {
    value: 8 * MiB,
    unit: "bytes",
    what: "a file of raw events: what a checkpoint of 128 MiB of log becomes",
    from: "decisions in CONTRIBUTING.md (one thread writes a checkpoint)",
  },
  madeAnswerMs: {
    value: 36,
    unit: "ms",
    what: "an approximate board that is not kept, any range of a year of 100 million events, p50",
    from: "docs/performance.md",
  },
  keptAnswerMs: {
    value: 0.4,
    unit: "ms",
    what: "an answer from memory, request to reply",
    from: "decisions in CONTRIBUTING.md; bench cache has 0.31 to 0.95",
  },
  keptShare: {
    value: 0.78,
    unit: "share",
    what: "answers that were kept: 400 questions by Zipf 1.0",
    from: "bench cache",
  },
  readers: {
    value: 2,
    unit: "readers",
    what: "questions that the store answers side by side",
    from: "decisions in CONTRIBUTING.md (two readers beside the writer)",
  },
  storeIdleBytes: {
    value: 225 * MiB,
    unit: "bytes",
    what: "a process with a store, one worker included, that has nothing to do",
    from: "memory.rssBytes of /status after a start",
  },
  nodeIdleBytes: {
    value: 120 * MiB,
    unit: "bytes",
    what: "a node without a store",
    from: "the same",
  },
  workerBytes: {
    value: 120 * MiB,
    unit: "bytes",
    what: "each further worker: exact counts, open minutes, scanner",
    from: "bench kernel (an ingest worker)",
  },
  typeBytes: {
    value: Math.round(0.27 * MiB),
    unit: "bytes",
    what: "each event type with events of now",
    from: "bench growth: 802 MiB with 1,000, 537 with 10",
  },
  slackFactor: {
    value: 1.25,
    unit: "× bounds",
    what: "what the allocators hold beside the bounds: 1,335 MiB were measured, bounds are 1,185",
    from: "bench sustained",
  },
  lz4Factor: {
    value: 0.25,
    unit: "× NDJSON",
    what: "records in Kafka, packed with lz4",
    from: "decisions in CONTRIBUTING.md (lz4 by default)",
  },
} satisfies Record<string, Measured>;

/** Every figure, by name. */
export const measured: Readonly<Record<keyof typeof figures, Readonly<Measured>>> =
  Object.freeze(figures);

/** Bounds that a process runs with by default (docs/configuration.md), in bytes. */
export const defaultBounds = Object.freeze({
  storeMemoryBytesMax: 512 * MiB,
  cacheBytesMax: 64 * MiB,
  sketchCacheBytesMax: 64 * MiB,
  ingestBytesMax: 256 * MiB,
  logQueueBytesMax: 64 * MiB,
  logBytesMax: 8 * 1024 * MiB,
  eventTypesMax: 10_000,
  candidatesMax: 4000,
});
