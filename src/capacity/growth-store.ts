/**
 * What lies in the lake once everything is as old as it is kept: bytes by kind, objects, rows of
 * the catalog; and what a day writes. Objects and rows are those of the day's fullest moment:
 * before the day's files of counts are merged.
 *
 *   raw events   a file a commit, or of what waited in a table; small ones merged by hours. They
 *                are in a list of their own (raw_files), not in DuckLake's catalog
 *   counts       a file a commit, dropped once their minute is folded
 *   windows      of each level four files a fold (windows, lists, tails, sketches), merged by days
 *   replaced     all of these stay until old snapshots go
 */
import { kafkaDisk, rawEventBytes, countRowBytes as rowBytesOf } from "./disk.ts";
import type { GrowthInputs } from "./growth-inputs.ts";
import {
  curveOf,
  daysAMonth,
  deltaRowsPerSecond,
  type LevelName,
  meanWindows,
  secondsADay,
  type WindowRows,
  windowsADay,
} from "./growth-rows.ts";
import type { Load } from "./load.ts";
import { kafkaCopies } from "./steps.ts";

const hoursADay = 24;
/** Tables a fold writes to: windows, lists and tails; sketches where there are any. */
const foldTables = 3;
/** Minutes keep their sketches so many days, hours so many; days and months always. */
const sketchDays: Readonly<Record<LevelName, number>> = {
  minute: 2,
  hour: 60,
  day: Number.POSITIVE_INFINITY,
  month: Number.POSITIVE_INFINITY,
};
const levelSeconds: Readonly<Record<LevelName, number>> = {
  minute: 60,
  hour: 3600,
  day: secondsADay,
  month: secondsADay * daysAMonth,
};
/** Finer windows than a type keeps go once their day is built. */
const coarseDays = 2;
/** Small files of raw events are merged so many together, from so many of an hour on. */
const mergeTogether = 16;
const mergeLeast = 8;
/** What waits in the table is in a file after so long. */
const tableSecondsMax = 600;
/** A commit's row of counts: minute, type and partition pack to nothing beside id and count. */
const deltaRowExtraBytes = 2;

export interface GrowthStore {
  /** Once everything is as old as it is kept. */
  bytes: {
    raw: number;
    counts: Record<LevelName, number>;
    sketches: number;
    /** Counts not folded yet, and files that only old snapshots name. */
    replaced: number;
    /** In all brokers, with copies. */
    log: number;
    catalog: number;
    backups: number;
  };
  /** Of the bytes, what is in objects, without backups. */
  objectBytes: number;
  /** Lists, of items and of files, that query processes keep a copy of. */
  copyBytes: number;
  objects: { raw: number; windows: number; replaced: number; all: number };
  catalogRows: { files: number; statistics: number; snapshots: number; all: number };
  /** Rows of exact counts kept, of all levels. */
  countRows: number;
  perDay: {
    /** Of all processes: checkpoints, folds, merges and files of what waited. */
    commits: number;
    objects: number;
    requests: number;
    /** Written to objects, merges included. */
    bytes: number;
    readBytes: number;
    countRows: number;
    deltaRows: number;
  };
}

/** Days that windows of a level stay. */
function keptDays(load: Load, level: LevelName): number {
  const { retentionDays, aggregationWindow } = load;
  return levelSeconds[level] < aggregationWindow
    ? Math.min(retentionDays, coarseDays)
    : retentionDays;
}

/** One level of windows, a day of it, and how long it stays. */
interface LevelFlow {
  level: LevelName;
  windowsADay: number;
  rowsADay: number;
  listRowsADay: number;
  countBytesADay: number;
  sketchBytesADay: number;
  days: number;
  sketchDays: number;
  /** Files of a fold: sketches have one where there are any. */
  foldFiles: number;
  /** Files of a day once they are merged; of levels that have few a day, as they are. */
  countFilesADay: number;
  sketchFilesADay: number;
}

/** Files of so many bytes once they are merged, for as many tables. */
function mergedFiles(bytes: number, targetBytes: number, tables = 1): number {
  return Math.max(tables, Math.ceil(bytes / targetBytes));
}

/** Levels whose files are merged, by days. */
const mergedLevels: readonly LevelName[] = ["minute", "hour"];

function levelFlow(load: Load, level: LevelName, window: WindowRows, target: number): LevelFlow {
  const aDay = windowsADay[level];
  const days = keptDays(load, level);
  const countBytesADay = window.rows * aDay * rowBytesOf(load);
  const sketchBytesADay = window.sketchBytes * aDay;
  const hasSketches = window.sketches > 0;
  const isMerged = mergedLevels.includes(level);
  const merged = hasSketches ? mergedFiles(sketchBytesADay, target) : 0;
  return {
    level,
    windowsADay: aDay,
    rowsADay: window.rows * aDay,
    listRowsADay: window.listRows * aDay,
    countBytesADay,
    sketchBytesADay,
    days,
    sketchDays: Math.min(days, sketchDays[level]),
    foldFiles: foldTables + (hasSketches ? 1 : 0),
    countFilesADay: isMerged ? mergedFiles(countBytesADay, target, foldTables) : foldTables * aDay,
    sketchFilesADay: isMerged ? merged : hasSketches ? aDay : 0,
  };
}

function sumOf<T>(all: readonly T[], of: (one: T) => number): number {
  return all.reduce((sum, one) => sum + of(one), 0);
}

/** A day of raw events. */
interface RawFlow {
  bytesADay: number;
  commitsADay: number;
  /** Commits too small for a file of their own: each leaves one in the catalog for a while. */
  stagedADay: number;
  stagedBytesADay: number;
  /** Files that others than ingest processes write of what waited. */
  flushedADay: number;
  /** Files as they are first written, those that merges make, and those that stay. */
  firstADay: number;
  mergedADay: number;
  staysADay: number;
  /** Written by merges. */
  mergedBytesADay: number;
}

/** Files of an hour's raw events, through all merges. */
function hourOfRaw(files: number, bytes: number, smallBytes: number) {
  let [left, merged, levels] = [files, 0, 0];
  while (left >= mergeLeast && bytes / left < smallBytes) {
    left /= mergeTogether;
    merged += left;
    levels++;
  }
  return { left, merged, mergedBytes: bytes * levels };
}

/** A process commits only if something came since it did last. */
function rawFlow(load: Load, inputs: GrowthInputs, processes: number): RawFlow {
  const { checkpointSeconds, rawFileRowsMin, rawTableRowsMax, rawSmallBytes } = inputs;
  const eventBytes = rawEventBytes(load);
  const flow: RawFlow = {
    bytesADay: load.eventsPerSecond * secondsADay * eventBytes,
    commitsADay: 0,
    stagedADay: 0,
    stagedBytesADay: 0,
    flushedADay: 0,
    firstADay: 0,
    mergedADay: 0,
    staysADay: 0,
    mergedBytesADay: 0,
  };
  const curve = curveOf(load);
  const hours = hoursADay / curve.length;
  for (const share of curve) {
    const rate = load.eventsPerSecond * share;
    const expected = (rate * checkpointSeconds) / processes;
    const isBusy = -Math.expm1(-expected);
    const commits = (processes * 3600 * isBusy) / checkpointSeconds;
    const isStaged = expected < rawFileRowsMin;
    const tableRows = Math.min(rawTableRowsMax, Math.max(1, rate * tableSecondsMax));
    const files = isStaged ? (rate * 3600) / tableRows : commits;
    const hour = hourOfRaw(files, rate * 3600 * eventBytes, rawSmallBytes);
    flow.commitsADay += commits * hours;
    flow.stagedADay += isStaged ? commits * hours : 0;
    flow.stagedBytesADay += isStaged ? rate * 3600 * eventBytes * hours : 0;
    flow.flushedADay += isStaged ? files * hours : 0;
    flow.firstADay += files * hours;
    flow.mergedADay += hour.merged * hours;
    flow.staysADay += hour.left * hours;
    flow.mergedBytesADay += hour.mergedBytes * hours;
  }
  return flow;
}

/** Rows of counts that a day's commits write, and their bytes. */
export function deltasADay(load: Load, { checkpointSeconds }: GrowthInputs) {
  const curve = curveOf(load);
  const rowsAt = (rate: number) => deltaRowsPerSecond(load, checkpointSeconds, rate);
  const sum = curve.reduce((all, rate) => all + rowsAt(rate), 0);
  const rows = (sum / curve.length) * secondsADay;
  return { rows, bytes: rows * (rowBytesOf(load) + deltaRowExtraBytes) };
}

/** Bytes of the levels' counts, as they are kept. */
function countBytesOf(flows: readonly LevelFlow[]): Record<LevelName, number> {
  const bytes = { minute: 0, hour: 0, day: 0, month: 0 };
  for (const { level, countBytesADay, days } of flows) bytes[level] = countBytesADay * days;
  return bytes;
}

/** Of the day's fullest moment: the windows that wait to be merged are all there. */
function objectsOf(raw: RawFlow, flows: readonly LevelFlow[], load: Load, inputs: GrowthInputs) {
  const { mergeAfterHours, rawColumns, countColumns } = inputs;
  const keepDays = inputs.fileKeepHours / hoursADay;
  const namedDays = inputs.snapshotKeepHours / hoursADay;
  const merged = flows.filter(({ level }) => mergedLevels.includes(level));
  const foldsADay = sumOf(merged, (flow) => flow.windowsADay * flow.foldFiles);
  const live = sumOf(
    flows,
    (flow) => flow.countFilesADay * flow.days + flow.sketchFilesADay * flow.sketchDays,
  );
  const windows = foldsADay * (1 + mergeAfterHours / hoursADay) + live;
  // Raw files that were merged are in no catalog; staged ones, counts and windows' files are.
  const rawReplaced = raw.firstADay + raw.mergedADay - raw.staysADay;
  const counted = raw.commitsADay + foldsADay;
  const objects = {
    raw: raw.staysADay * load.retentionDays,
    windows,
    replaced: keepDays * (rawReplaced + raw.stagedADay + counted),
  };
  return {
    objects: { ...objects, all: objects.raw + objects.windows + objects.replaced },
    // Live ones, those that old snapshots name, and those that wait to be removed.
    files: windows + (namedDays + keepDays) * (raw.stagedADay + counted),
    statistics:
      (windows + namedDays * counted) * countColumns + namedDays * raw.stagedADay * rawColumns,
  };
}

/** What lies in the lake, with so many processes that count. */
export function growthStore(load: Load, inputs: GrowthInputs, processes: number): GrowthStore {
  const { catalogFileRowBytes, catalogStatRowBytes } = inputs;
  const windows = meanWindows(load);
  const flows = (Object.keys(windows) as LevelName[]).map((level) =>
    levelFlow(load, level, windows[level], inputs.targetFileBytes),
  );
  const merged = flows.filter(({ level }) => mergedLevels.includes(level));
  const raw = rawFlow(load, inputs, processes);
  const deltas = deltasADay(load, inputs);
  const keepDays = inputs.fileKeepHours / hoursADay;

  const foldsADay = sumOf(flows, (flow) => flow.windowsADay);
  // Files of raw events that others wrote are named by commits of their own.
  const commits = raw.commitsADay + foldsADay + raw.mergedADay + raw.flushedADay + 1;
  const { objects, files, statistics } = objectsOf(raw, flows, load, inputs);
  const snapshots = commits * (inputs.snapshotKeepHours / hoursADay) * inputs.catalogRowsPerCommit;

  const flowBytes = (flow: LevelFlow) => flow.countBytesADay + flow.sketchBytesADay;
  const windowBytes = sumOf(merged, flowBytes);
  const counts = countBytesOf(flows);
  const sketches = sumOf(flows, (flow) => flow.sketchBytesADay * flow.sketchDays);
  const keptBytes = raw.bytesADay * load.retentionDays + sumOf(Object.values(counts), Number);
  const gone = raw.mergedBytesADay + raw.stagedBytesADay + windowBytes + deltas.bytes;
  const replaced = keepDays * gone;
  const written = raw.bytesADay + gone + sumOf(flows, flowBytes);
  const objectsADay =
    raw.commitsADay +
    raw.stagedADay +
    raw.firstADay +
    raw.mergedADay +
    sumOf(flows, (flow) => flow.windowsADay * flow.foldFiles) +
    sumOf(merged, (flow) => flow.countFilesADay + flow.sketchFilesADay);
  return {
    bytes: {
      raw: raw.bytesADay * load.retentionDays,
      counts,
      sketches,
      replaced,
      log: kafkaDisk(load, kafkaCopies),
      catalog: (files + snapshots) * catalogFileRowBytes + statistics * catalogStatRowBytes,
      backups: inputs.backupCopies * (keptBytes + sketches),
    },
    objectBytes: keptBytes + sketches + replaced,
    copyBytes: copiesOf(load, flows) + objects.raw * inputs.manifestRowBytes,
    objects,
    catalogRows: { files, statistics, snapshots, all: files + statistics + snapshots },
    countRows: sumOf(flows, ({ rowsADay, days }) => rowsADay * days),
    perDay: {
      commits,
      objects: objectsADay,
      requests: objectsADay + written / inputs.uploadPartBytes,
      bytes: written,
      readBytes: gone,
      countRows: sumOf(flows, ({ rowsADay }) => rowsADay),
      deltaRows: deltas.rows,
    },
  };
}

/** Bytes of the lists of all windows: each process that answers has a copy. */
function copiesOf(load: Load, flows: readonly LevelFlow[]): number {
  return sumOf(flows, ({ listRowsADay, days }) => listRowsADay * rowBytesOf(load) * days);
}
