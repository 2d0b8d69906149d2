/** The command line of the benches. */
import { parseArgs } from "node:util";

export const benchNames = [
  "throughput",
  "latency",
  "cardinality",
  "cache",
  "year",
  "sustained",
  "kernel",
  "single",
  "accuracy",
  "growth",
  "kafka",
  "soak",
  "live",
  "overhead",
  "backup",
  "capacity",
  "lake",
  "regions",
] as const;
export type BenchName = (typeof benchNames)[number];

export interface BenchOptions {
  names: BenchName[];
  smoke: boolean;
  seed: number;
  /** Events a run; undefined takes the bench's own number. */
  events: number | undefined;
  runs: number;
  ids: number | undefined;
  connections: number;
  bodyBytes: number;
  /** Events of one second of event time in the throughput stream. */
  eventsPerSecond: number;
  /** Exponents of the cardinality streams. */
  zipfExponents: number[];
  /** Seconds that the latency bench measures, and each part of the cache bench. */
  seconds: number | undefined;
  jsonFile: string | undefined;
  /** A Markdown file whose sections of these benches are made anew. */
  resultsFile: string | undefined;
  /** Folder for CPU profiles of the service's threads. */
  profileDir: string | undefined;
  /** The year's data, kept from run to run; undefined for a fresh folder. */
  folder: string | undefined;
  /** The year's data is made, and nothing is measured. */
  isFillOnly: boolean;
  /** Where the year's plot goes; undefined for the year's folder. */
  plotFile: string | undefined;
  /** A Python that has chdb, for the comparison with ClickHouse. */
  python: string;
  /** Where npm's simdjson was installed; undefined: beside this program, if at all. */
  simdjsonFolder: string | undefined;
  /** Streams of the accuracy bench; undefined: all. */
  streams: string[] | undefined;
  /** Programs and jars of peers. */
  cargo: string;
  java: string;
  jarsFolder: string | undefined;
  /** Address of the kafka bench's brokers; undefined: it starts one of its own. */
  brokers: string | undefined;
  /** Of the capacity bench: a PostgreSQL for a catalog, and DuckDB's extension_directory. */
  postgres: string | undefined;
  extensions: string | undefined;
  /** The page whose tables the capacity bench makes anew. */
  pageFile: string | undefined;
  /** Events a second of the soak, and seconds from kill to kill. */
  rate: number | undefined;
  killEvery: number | undefined;
  /** Further arguments of `rankstream start`. */
  serviceArgs: string[];
}

export const helpText = `npm run bench -- [NAME]… [options]

Names: ${benchNames.join(", ")}.

Most start the service itself, over a folder of its own in the system's temporary folder.
Without a name: throughput. Every figure comes after a check of the answers behind it.

  --smoke              tiny sizes: do the benches and their checks still work?
  --seed N             of all random numbers (1)
  --events N           events a run
  --runs N             throughput, single: runs; the median is shown (3); overhead, backup: pairs
  --ids N              distinct ids to draw from
  --connections N      connections of the load (4; single: 64; live: 2000 clients)
  --body-bytes N       throughput: bytes of a POST (524288)
  --events-per-second N  throughput: how dense event time is; latency: the load (300000, 100000)
  --zipf A,B           cardinality: exponents, a stream each (1.0,0.5)
  --seconds N          latency: how long it measures (20); cache: each of its parts (10);
                       single: as fast as it goes (5), and at half of that (10);
                       sustained: how long it sends (300); regions: 60; live: 15;
                       soak: all of it (3600); year: how long it may fill
  --folder DIR         year: where its data is made once and kept (a fresh folder);
                       lake: where its files are to lie, s3://bucket/prefix too
  --fill-only          year: makes the data, or more of it, and measures nothing
  --plot FILE          year: how times grow with the range, as SVG (growth.svg in the folder)
  --python FILE        year, accuracy: a Python that has chdb and datasketches (python3)
  --streams A,B        accuracy: which streams (all)
  --cargo FILE         accuracy: builds HeavyKeeper, from crates.io (cargo)
  --java FILE          accuracy: runs DataSketches (java)
  --jars DIR           accuracy: where datasketches-java and what it needs are
  --simdjson DIR       kernel: a folder in which npm's simdjson is installed
  --brokers A          kafka: host:port of a broker (one is started)
  --postgres CONNINFO  capacity, lake: has its catalog there, in schemas of its own
  --extensions DIR     capacity, lake: DuckDB's extension_directory, with ducklake in it
  --page FILE          capacity: makes the tables of docs/growth.md anew
  --rate N             soak, regions: events a second (20000)
  --kill-every N       soak: seconds from one kill -9 to the next (300)
  --json FILE          the results as JSON too
  --results FILE       the results as sections of a Markdown file; other benches' stay
  --cpu-prof DIR       CPU profiles of the service's threads, and their busiest functions
  --service "ARGS"     further arguments of rankstream start
`;

/** Of a bench that runs alone. */
const connectionsOf: Readonly<Record<string, number>> = { single: 64, live: 2000 };

function positive(name: string, given: string | undefined): number | undefined {
  if (given === undefined) return undefined;
  const value = Number(given);
  if (Number.isFinite(value) && value > 0) return value;
  throw new Error(`--${name}: expected a number above 0, got ${given}`);
}

function namesOf(given: string[]): BenchName[] {
  for (const name of given) {
    if (!benchNames.some((known) => known === name)) {
      throw new Error(`there is no bench ${name}: expected ${benchNames.join(", ")}`);
    }
  }
  return benchNames.filter((name) => given.includes(name));
}

/** Reads the arguments; null when help was asked for. Throws one line's words. */
export function readOptions(args: string[]): BenchOptions | null {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      help: flag,
      smoke: flag,
      seed: text,
      events: text,
      runs: text,
      ids: text,
      connections: text,
      "body-bytes": text,
      "events-per-second": text,
      zipf: text,
      seconds: text,
      json: text,
      results: text,
      folder: text,
      "fill-only": flag,
      plot: text,
      python: text,
      simdjson: text,
      streams: text,
      cargo: text,
      java: text,
      jars: text,
      brokers: text,
      postgres: text,
      extensions: text,
      page: text,
      rate: text,
      "kill-every": text,
      "cpu-prof": text,
      service: text,
    },
  });
  if (values.help === true) return null;
  const smoke = values.smoke === true;
  const names = namesOf(positionals);
  const zipf = (values.zipf ?? "1.0,0.5").split(",");
  const only = names.length === 1 ? names[0] : undefined;
  const isLatencyOnly = only === "latency";
  return {
    names: names.length > 0 ? names : smoke ? [...benchNames] : ["throughput"],
    smoke,
    seed: positive("seed", values.seed) ?? 1,
    events: positive("events", values.events),
    runs: positive("runs", values.runs) ?? (smoke ? 1 : 3),
    ids: positive("ids", values.ids),
    connections: positive("connections", values.connections) ?? connectionsOf[only ?? ""] ?? 4,
    bodyBytes: positive("body-bytes", values["body-bytes"]) ?? 512 * 1024,
    eventsPerSecond:
      positive("events-per-second", values["events-per-second"]) ??
      (isLatencyOnly ? 100_000 : 300_000),
    zipfExponents: zipf.map((exponent) => positive("zipf", exponent)!),
    seconds: positive("seconds", values.seconds),
    jsonFile: values.json,
    resultsFile: values.results,
    profileDir: values["cpu-prof"],
    folder: values.folder,
    isFillOnly: values["fill-only"] === true,
    plotFile: values.plot,
    python: values.python ?? "python3",
    simdjsonFolder: values.simdjson,
    streams: values.streams?.split(","),
    cargo: values.cargo ?? "cargo",
    java: values.java ?? "java",
    jarsFolder: values.jars,
    brokers: values.brokers,
    postgres: values.postgres,
    extensions: values.extensions,
    pageFile: values.page,
    rate: positive("rate", values.rate),
    killEvery: positive("kill-every", values["kill-every"]),
    serviceArgs: values.service?.split(" ").filter((part) => part !== "") ?? [],
  };
}
