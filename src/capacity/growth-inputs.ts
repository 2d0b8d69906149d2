/**
 * What the growth model rests on beside measured.ts: figures of the catalog, list prices, and what
 * is assumed because it was not measured. Each can be given another value by its name.
 */

export interface GrowthInput {
  value: number;
  unit: string;
  what: string;
  kind: "measured" | "list price" | "documented" | "assumed";
  /** Where it can be measured again, who lists it and when, or why it is assumed so. */
  from: string;
}

const MiB = 1024 * 1024;
const catalogBench = "bench capacity with a PostgreSQL, at a load of 4 on two cores";
const ec2 = "AWS us-east-1, on demand, June 2026 (m7g: 4 GiB a vCPU)";
const s3 = "AWS us-east-1, S3 Standard, 2025";

const inputs = {
  catalogCommitsPerSecondMax: {
    value: 50,
    unit: "commits/s",
    what: "commits into one catalog, all writers together: 1 to 8 of them make the same",
    kind: "measured",
    from: catalogBench,
  },
  catalogPlanMs: {
    value: 16,
    unit: "ms",
    what: "planning a question about one table of the catalog",
    kind: "measured",
    from: catalogBench,
  },
  catalogPlanMicrosPerFile: {
    value: 0.6,
    unit: "µs",
    what: "the same for each file of the table, whatever the question filters by",
    kind: "measured",
    from: catalogBench,
  },
  catalogFileRowBytes: {
    value: 185,
    unit: "bytes",
    what: "a file's row in PostgreSQL, with its index",
    kind: "measured",
    from: catalogBench,
  },
  catalogStatRowBytes: {
    value: 98,
    unit: "bytes",
    what: "statistics of a column of a file there",
    kind: "measured",
    from: catalogBench,
  },
  catalogRowsPerCommit: {
    value: 2,
    unit: "rows",
    what: "rows of a commit beside those of its files: the snapshot and what it changed",
    kind: "measured",
    from: catalogBench,
  },
  foldMicrosPerRow: {
    value: 8,
    unit: "µs of CPU",
    what: "a row of counts folded into minutes, and its share of larger windows",
    kind: "measured",
    from: "bench capacity: all CPU less that of counting, local store",
  },
  checkpointSeconds: {
    value: 1,
    unit: "s",
    what: "from one commit of an ingest process to the next",
    kind: "documented",
    from: "checkpointMs in docs/configuration.md",
  },
  targetFileBytes: {
    value: 512 * MiB,
    unit: "bytes",
    what: "files of counts are merged up to this size",
    kind: "documented",
    from: "target_file_size, DuckLake's default",
  },
  manifestRowBytes: {
    value: 58,
    unit: "bytes",
    what: "a file of raw events in their list, of which every process has a copy",
    kind: "measured",
    from: "bench capacity",
  },
  rawFileRowsMin: {
    value: 1000,
    unit: "events",
    what: "a commit of so many is a file; fewer wait in a table",
    kind: "documented",
    from: "src/store/lake-checkpoint.ts",
  },
  rawTableRowsMax: {
    value: 200_000,
    unit: "events",
    what: "so many in that table become a file, and what is ten minutes old",
    kind: "documented",
    from: "src/store/raw-files.ts",
  },
  rawSmallBytes: {
    value: 4 * MiB,
    unit: "bytes",
    what: "files of raw events below this are merged by sixteen, eight at least of an hour",
    kind: "documented",
    from: "src/store/raw-files.ts",
  },
  rawColumns: {
    value: 8,
    unit: "columns",
    what: "columns of raw events: rows of statistics of a file that the catalog has",
    kind: "documented",
    from: "docs/analysts.md",
  },
  countColumns: {
    value: 5,
    unit: "columns",
    what: "the same of counts, lists and tails",
    kind: "documented",
    from: "docs/analysts.md",
  },
  mergeAfterHours: {
    value: 1,
    unit: "h",
    what: "files of minutes and hours are merged so long after their day's end",
    kind: "assumed",
    from: "the leader merges every minute; what that writes again was not measured",
  },
  snapshotKeepHours: {
    value: 1,
    unit: "h",
    what: "old snapshots stay so long in the catalog, and with them the files they name",
    kind: "documented",
    from: "src/store/lake-upkeep.ts",
  },
  fileKeepHours: {
    value: 24,
    unit: "h",
    what: "replaced files stay so long; of the catalog's each is a row meanwhile",
    kind: "documented",
    from: "src/store/lake-upkeep.ts; assumed of raw events' files",
  },
  lakeCpuFactor: {
    value: 1.3,
    unit: "×",
    what: "CPU of counting into the lake beside that into the local store: TLS, uploads, commits",
    kind: "assumed",
    from: "not measured yet",
  },
  foldProcesses: {
    value: 1,
    unit: "processes",
    what: "processes that fold counts into windows side by side, a core each",
    kind: "documented",
    from: "one leader does maintenance",
  },
  answerPlans: {
    value: 2,
    unit: "tables",
    what: "large tables of the catalog that an answer plans",
    kind: "assumed",
    from: "a list and a tail",
  },
  objectMs: {
    value: 30,
    unit: "ms",
    what: "first byte of an object in a real region",
    kind: "assumed",
    from: "not measured: a server on the same machine answers in one",
  },
  objectReadsPerAnswer: {
    value: 10,
    unit: "requests",
    what: "objects' parts that an answer reads which is made",
    kind: "assumed",
    from: "footer and columns of some files; local copies of hot tables read none",
  },
  uploadPartBytes: {
    value: 80e6,
    unit: "bytes",
    what: "an upload's part: one request each",
    kind: "assumed",
    from: "800 GB in 10,000 parts, as DuckDB's httpfs cuts by default",
  },
  spareProcesses: {
    value: 1,
    unit: "processes",
    what: "of each kind beside what the peak needs",
    kind: "assumed",
    from: "one may be gone",
  },
  backupCopies: {
    value: 1,
    unit: "copies",
    what: "of all objects in a second bucket",
    kind: "assumed",
    from: "against deletes and bad programs; the bucket itself is replicated by who runs it",
  },
  catalogCores: {
    value: 4,
    unit: "cores",
    what: "of PostgreSQL and of its standby, each",
    kind: "assumed",
    from: "commits use one core here",
  },
  pricePerCoreHour: {
    value: 0.0408,
    unit: "$",
    what: "a vCPU with 4 GiB, an hour",
    kind: "list price",
    from: ec2,
  },
  pricePerDiskGbMonth: {
    value: 0.08,
    unit: "$",
    what: "a GB of network disk (gp3), a month",
    kind: "list price",
    from: "AWS us-east-1, EBS, 2025",
  },
  pricePerObjectGbMonth: {
    value: 0.023,
    unit: "$",
    what: "a GB in objects, a month (0.021 beyond 500 TB is left out)",
    kind: "list price",
    from: s3,
  },
  pricePerBackupGbMonth: {
    value: 0.0125,
    unit: "$",
    what: "a GB in objects that are seldom read, a month",
    kind: "list price",
    from: "AWS us-east-1, S3 Standard-IA, 2025",
  },
  pricePerThousandPuts: {
    value: 0.005,
    unit: "$",
    what: "a thousand objects or parts written",
    kind: "list price",
    from: s3,
  },
  pricePerThousandGets: {
    value: 0.0004,
    unit: "$",
    what: "a thousand reads",
    kind: "list price",
    from: s3,
  },
  pricePerZoneGb: {
    value: 0.02,
    unit: "$",
    what: "a GB from one zone to another (both sides)",
    kind: "list price",
    from: "AWS us-east-1, 2025",
  },
  pricePerOutGb: {
    value: 0.09,
    unit: "$",
    what: "a GB of replies to the Internet; what comes in is free",
    kind: "list price",
    from: "AWS us-east-1, first 10 TB, 2025",
  },
  targetDiskBytes: {
    value: 700e12,
    unit: "bytes",
    what: "disk of the sizing that is planned otherwise",
    kind: "assumed",
    from: "what this is held against",
  },
  targetServers: {
    value: 25,
    unit: "servers",
    what: "servers of that sizing: 20 that take events and 5 that answer",
    kind: "assumed",
    from: "the same",
  },
  targetServerCores: {
    value: 16,
    unit: "cores",
    what: "cores of such a server",
    kind: "assumed",
    from: "none are named; a usual size",
  },
} satisfies Record<string, GrowthInput>;

export type GrowthInputName = keyof typeof inputs;
/** Every input's value by name. */
export type GrowthInputs = Readonly<Record<GrowthInputName, number>>;

/** The inputs with what they are and where they come from. */
export const growthInputs: Readonly<Record<GrowthInputName, Readonly<GrowthInput>>> =
  Object.freeze(inputs);

/** Says which input can't be used, what was expected and what came. */
export class GrowthInputError extends Error {
  override readonly name = "GrowthInputError";
}

/**
 * Values of all inputs; `given` replaces some of them by name. Throws `GrowthInputError` for a
 * name that is none, and for a value that is not a number above 0 (prices, copies and spare
 * processes may be 0).
 */
export function growthInputsWith(given: Readonly<Record<string, string>> = {}): GrowthInputs {
  const values = Object.fromEntries(
    Object.entries(growthInputs).map(([name, { value }]) => [name, value]),
  );
  for (const [name, text] of Object.entries(given)) {
    if (!Object.hasOwn(growthInputs, name)) {
      const names = Object.keys(growthInputs).join(", ");
      throw new GrowthInputError(`there is no input ${name}: expected one of ${names}`);
    }
    const value = /^\s*$/.test(text) ? Number.NaN : Number(text);
    const least = /^price|Copies$|^spare/.test(name) ? 0 : Number.MIN_VALUE;
    if (!Number.isFinite(value) || value < least) {
      const wanted = least === 0 ? "a number from 0 on" : "a number above 0";
      throw new GrowthInputError(`${name}: expected ${wanted}, got ${JSON.stringify(text)}`);
    }
    values[name] = value;
  }
  return values as GrowthInputs;
}
