/**
 * What lies in the lake once everything is as old as it is kept: bytes by kind, objects, rows of
 * the catalog; and what a day writes. Objects and rows are those of the day's fullest moment:
 * before the day's files of counts are merged.
 *
 *   raw events   a file a commit, merged by hours up to the target size
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
  /** Lists that query processes keep a copy of. */
  copyBytes: number;
  objects: { raw: number; windows: number; replaced: number; all: number };
  catalogRows: { files: number; statistics: number; snapshots: number; all: number };
  /** Rows of exact counts kept, of all levels. */
  countRows: number;
  perDay: {
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

interface RawFlow {
  bytesADay: number;
  commitsADay: number;
  mergedADay: number;
}

/** A process commits only if something came since it did last. */
function rawFlow(load: Load, inputs: GrowthInputs, processes: number): RawFlow {
  const { checkpointSeconds, targetFileBytes } = inputs;
  const curve = curveOf(load);
  const bytesPerSecond = load.eventsPerSecond * rawEventBytes(load);
  const mean = (of: (rate: number) => number) =>
    curve.reduce((sum, rate) => sum + of(rate), 0) / curve.length;
  const eventsACommit = (load.eventsPerSecond * checkpointSeconds) / processes;
  const isBusy = mean((rate) => -Math.expm1(-eventsACommit * rate));
  return {
    bytesADay: bytesPerSecond * secondsADay,
    commitsADay: (processes * secondsADay * isBusy) / checkpointSeconds,
    mergedADay:
      hoursADay * mean((rate) => mergedFiles(bytesPerSecond * rate * 3600, targetFileBytes)),
  };
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

/** Of the day's fullest moment: the hours that wait to be merged are all there. */
function objectsOf(raw: RawFlow, flows: readonly LevelFlow[], load: Load, inputs: GrowthInputs) {
  const { mergeAfterHours, snapshotKeepHours } = inputs;
  const keepDays = snapshotKeepHours / hoursADay;
  const merged = flows.filter(({ level }) => mergedLevels.includes(level));
  const foldsADay = sumOf(merged, (flow) => flow.windowsADay * flow.foldFiles);
  const rawSmall = (raw.commitsADay / hoursADay) * (1 + mergeAfterHours);
  const live = sumOf(
    flows,
    (flow) => flow.countFilesADay * flow.days + flow.sketchFilesADay * flow.sketchDays,
  );
  const objects = {
    raw: rawSmall + raw.mergedADay * load.retentionDays,
    windows: foldsADay * (1 + mergeAfterHours / hoursADay) + live,
    // Raw files that were merged, counts that were folded, windows' files that were merged.
    replaced: keepDays * (raw.commitsADay * 2 + foldsADay),
  };
  const all = objects.raw + objects.windows + objects.replaced;
  return { objects: { ...objects, all }, rawFiles: objects.raw + keepDays * raw.commitsADay };
}

/** What lies in the lake, with so many processes that count. */
export function growthStore(load: Load, inputs: GrowthInputs, processes: number): GrowthStore {
  const { rawColumns, countColumns, catalogFileRowBytes, catalogStatRowBytes } = inputs;
  const windows = meanWindows(load);
  const flows = (Object.keys(windows) as LevelName[]).map((level) =>
    levelFlow(load, level, windows[level], inputs.targetFileBytes),
  );
  const merged = flows.filter(({ level }) => mergedLevels.includes(level));
  const raw = rawFlow(load, inputs, processes);
  const deltas = deltasADay(load, inputs);
  const keepDays = inputs.snapshotKeepHours / hoursADay;

  const mergesADay = hoursADay + 1;
  const commits = raw.commitsADay + sumOf(flows, (flow) => flow.windowsADay) + mergesADay;
  const { objects, rawFiles } = objectsOf(raw, flows, load, inputs);
  const statistics = rawFiles * rawColumns + (objects.all - rawFiles) * countColumns;
  const snapshots = commits * keepDays * inputs.catalogRowsPerCommit;
  const rows = { files: objects.all, statistics, snapshots };

  const flowBytes = (flow: LevelFlow) => flow.countBytesADay + flow.sketchBytesADay;
  const mergedBytes = raw.bytesADay + sumOf(merged, flowBytes);
  const counts = countBytesOf(flows);
  const sketches = sumOf(flows, (flow) => flow.sketchBytesADay * flow.sketchDays);
  const keptBytes = raw.bytesADay * load.retentionDays + sumOf(Object.values(counts), Number);
  const replaced = keepDays * (mergedBytes + deltas.bytes);
  const written = raw.bytesADay + deltas.bytes + sumOf(flows, flowBytes) + mergedBytes;
  const mergedFilesADay = sumOf(merged, (flow) => flow.countFilesADay + flow.sketchFilesADay);
  const objectsADay =
    raw.commitsADay * 2 +
    raw.mergedADay +
    sumOf(flows, (flow) => flow.windowsADay * flow.foldFiles) +
    mergedFilesADay;
  const catalog =
    (rows.files + snapshots) * catalogFileRowBytes + statistics * catalogStatRowBytes;
  return {
    bytes: {
      raw: raw.bytesADay * load.retentionDays,
      counts,
      sketches,
      replaced,
      log: kafkaDisk(load, kafkaCopies),
      catalog,
      backups: inputs.backupCopies * (keptBytes + sketches),
    },
    objectBytes: keptBytes + sketches + replaced,
    copyBytes: sumOf(
      flows,
      ({ level, listRowsADay, days }) =>
        listRowsADay * rowBytesOf(load) * (level === "minute" ? Math.min(days, coarseDays) : days),
    ),
    objects,
    catalogRows: { ...rows, all: rows.files + statistics + snapshots },
    countRows: sumOf(flows, ({ rowsADay, days }) => rowsADay * days),
    perDay: {
      commits,
      objects: objectsADay,
      requests: objectsADay + written / inputs.uploadPartBytes,
      bytes: written,
      readBytes: mergedBytes + deltas.bytes,
      countRows: sumOf(flows, ({ rowsADay }) => rowsADay),
      deltaRows: deltas.rows,
    },
  };
}
