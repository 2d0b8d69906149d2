/**
 * A lake's life, minute by minute: commits make files, minutes are folded, hours and days built,
 * files merged, old snapshots and old days go. It counts what there is; how much that ought to be
 * is worked out elsewhere (src/capacity/growth-store.ts), and none of that is used here.
 */
import type { GrowthInputs } from "../src/capacity/growth-inputs.ts";
import { Random } from "../test/support/random.ts";
import { FirstArrivals } from "./capacity-arrivals.ts";
import { Shelf } from "./capacity-shelf.ts";
import { ratesOf } from "./capacity-year.ts";

export interface SimulatedLoad {
  eventsPerSecond: number;
  eventsPerSecondPeak: number;
  eventTypes: number;
  items: number;
  retentionDays: number;
  /** Processes that count. */
  processes: number;
  /** Bytes of a raw event, of a row of counts, of a sketch an item and at most. */
  rawBytes: number;
  rowBytes: number;
  sketchItemBytes: number;
  sketchBytesMax: number;
  listMax: number;
}

const levels = ["minute", "hour", "day", "month"] as const;
export type SimulatedLevel = (typeof levels)[number];
type ByLevel = Record<SimulatedLevel, number>;

export interface Simulated {
  events: number;
  eventsPerSecondMost: number;
  rawBytes: number;
  countBytes: ByLevel;
  countRows: number;
  sketchBytes: number;
  replacedBytes: number;
  /** At the fullest moment of the last days. */
  objects: { raw: number; windows: number; replaced: number };
  catalogRows: { files: number; statistics: number; snapshots: number };
  commitsPerDay: number;
  objectsPerDay: number;
  countRowsPerDay: number;
  deltaRowsPerDay: number;
  writtenBytesPerDay: number;
}

const hoursADay = 24;
const sketchDaysOf: ByLevel = { minute: 2, hour: 60, day: 1e9, month: 1e9 };
const monthLengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const sketchItemsMin = 64;
const sketchShareMax = 1.5;
const deltaExtraBytes = 2;
/** Windows, lists and tails. */
const foldTables = 3;
/** The last so many days' fullest moments are looked at. */
const lookedAtDays = 7;

interface TypeState {
  share: number;
  /** Logarithm of the share, to base 2. */
  octave: number;
  arrivals: FirstArrivals;
  /** Events of the hour, day and month under way. */
  events: [number, number, number];
}

/** One run; the same seed gives the same counts. */
export class Simulation {
  readonly #load: SimulatedLoad;
  readonly #inputs: GrowthInputs;
  readonly #types: TypeState[];
  readonly #rates: Float64Array;
  readonly #days: number;
  readonly #raw: Shelf;
  readonly #windows: Record<SimulatedLevel, Shelf>;
  readonly #sketches: Record<SimulatedLevel, Shelf>;
  readonly #deltas: Shelf;
  /** Raw events of small commits, before they are in files of raw events. */
  readonly #staged: Shelf;
  /** Commits of each hour. */
  readonly #commits: number[] = [];
  readonly #looked: Pick<Simulated, "objects" | "catalogRows">[] = [];
  #events = 0;
  #written = 0;
  #deltaRows = 0;
  #countRows = 0;

  constructor(load: SimulatedLoad, inputs: GrowthInputs, days: number, seed: number) {
    const random = new Random(seed);
    const { eventTypes, items } = load;
    let weights = 0;
    for (let type = 1; type <= eventTypes; type++) weights += 1 / type;
    this.#types = Array.from({ length: eventTypes }, (_, type) => {
      const share = 1 / (type + 1) / weights;
      const own = Math.max(1, Math.round(items * share));
      const arrivals = new FirstArrivals(own, random.fork(type));
      return { share, octave: Math.log2(share), arrivals, events: [0, 0, 0] };
    });
    const { eventsPerSecond, eventsPerSecondPeak } = load;
    this.#rates = ratesOf(days, eventsPerSecond, eventsPerSecondPeak, random.fork(eventTypes));
    this.#load = load;
    this.#inputs = inputs;
    this.#days = days;
    const keepHours = inputs.fileKeepHours;
    const shelf = (tables = 1) => new Shelf(inputs.targetFileBytes, keepHours, tables);
    const each = (tables: number) =>
      Object.fromEntries(levels.map((level) => [level, shelf(tables)])) as Record<
        SimulatedLevel,
        Shelf
      >;
    this.#raw = shelf();
    this.#deltas = shelf();
    this.#staged = shelf();
    this.#windows = each(foldTables);
    this.#sketches = each(1);
  }

  run(): Simulated {
    for (let hour = 0; hour < this.#days * hoursADay; hour++) this.#hour(hour);
    return this.#result();
  }

  #hour(hour: number): void {
    const { mergeAfterHours } = this.#inputs;
    const day = Math.floor(hour / hoursADay);
    this.#commits.push(0);
    for (let minute = hour * 60; minute < (hour + 1) * 60; minute++) this.#minute(minute);
    this.#fold("hour", 0, hour);
    const isDaysEnd = hour % hoursADay === hoursADay - 1;
    if (isDaysEnd) this.#fold("day", 1, hour);
    if (isDaysEnd && isMonthsEnd(day)) this.#fold("month", 2, hour);
    const { files, bytes } = this.#raw.compact(hour, this.#inputs.rawSmallBytes, 16, 8);
    this.#written += bytes;
    this.#commits[hour]! += files;
    // Windows' files are merged once their day has been over for long enough.
    const over = hour - mergeAfterHours;
    const isMergeOfDay = hour % hoursADay === (hoursADay - 1 + mergeAfterHours) % hoursADay;
    if (isMergeOfDay) this.#look(hour);
    if (isMergeOfDay && over >= 0) {
      const small = [this.#windows.minute, this.#windows.hour];
      const sketches = [this.#sketches.minute, this.#sketches.hour];
      this.#written += this.#merge([...small, ...sketches], hour, over);
    }
    if (isDaysEnd) this.#expire(day);
  }

  #merge(shelves: Shelf[], hour: number, over: number): number {
    this.#commits[hour]! += 1;
    return shelves.reduce((bytes, shelf) => bytes + shelf.merge(hour, over), 0);
  }

  #minute(minute: number): void {
    const { processes, rowBytes } = this.#load;
    const { checkpointSeconds } = this.#inputs;
    const hour = Math.floor(minute / 60);
    const rate = this.#rates[minute]!;
    const [events, turns] = [rate * 60, 60 / checkpointSeconds];
    // Of a process with hardly any events not every turn has some.
    const isBusy = 1 - Math.exp((-rate * checkpointSeconds) / processes);
    const commits = turns * processes * isBusy;
    this.#events += events;
    this.#putRaw(hour, rate, commits);
    let deltas = 0;
    const turnOctave = Math.log2(events / turns);
    for (const type of this.#types) {
      const own = events * type.share;
      type.events[0] += own;
      type.events[1] += own;
      type.events[2] += own;
      // An item is one process's: all of a turn's items are some process's rows.
      const { arrivals, octave } = type;
      deltas += arrivals.distinctAt(own / turns, turnOctave + octave) * turns;
    }
    this.#deltaRows += deltas;
    this.#deltas.put(hour, commits, deltas * (rowBytes + deltaExtraBytes));
    this.#deltas.drop(hour);
    this.#written += deltas * (rowBytes + deltaExtraBytes);
    this.#commits[hour]! += commits;
    this.#seal("minute", hour, (type) => events * type.share);
  }

  /** A minute's raw events: commits large enough are files, others wait until there is one. */
  #putRaw(hour: number, rate: number, commits: number): void {
    const { rawFileRowsMin, rawTableRowsMax, checkpointSeconds } = this.#inputs;
    const { rawBytes, processes } = this.#load;
    const bytes = rate * 60 * rawBytes;
    this.#written += bytes;
    if ((rate * checkpointSeconds) / processes >= rawFileRowsMin) {
      this.#raw.put(hour, commits, bytes);
      return;
    }
    this.#staged.put(hour, commits, bytes);
    this.#staged.drop(hour);
    this.#written += bytes;
    const files = Math.max((rate * 60) / rawTableRowsMax, Math.min(0.1, rate * 60));
    this.#raw.put(hour, files, bytes);
    this.#commits[hour]! += files;
  }

  #fold(level: SimulatedLevel, place: 0 | 1 | 2, hour: number): void {
    this.#seal(level, hour, (type) => type.events[place]);
    for (const type of this.#types) type.events[place] = 0;
  }

  /** One window of all types: lists and tails, and sketches of what is off the lists. */
  #seal(level: SimulatedLevel, hour: number, eventsOf: (type: TypeState) => number): void {
    const { rowBytes, listMax, sketchItemBytes, sketchBytesMax } = this.#load;
    let [rows, sketches] = [0, 0];
    for (const type of this.#types) {
      const events = eventsOf(type);
      const own = type.arrivals.distinct(events);
      rows += own;
      const off = own - listMax;
      if (off < sketchItemsMin) continue;
      sketches += Math.min(off * sketchItemBytes, sketchBytesMax, events * sketchShareMax);
    }
    this.#countRows += rows;
    // Windows, lists and tails; the sketches are a table that forgets sooner.
    this.#windows[level].put(hour, foldTables, rows * rowBytes, rows);
    if (sketches > 0) this.#sketches[level].put(hour, 1, sketches);
    this.#written += rows * rowBytes + sketches;
    this.#commits[hour]! += 1;
  }

  #expire(day: number): void {
    const { retentionDays } = this.#load;
    const kept = day - retentionDays + 1;
    this.#raw.expire(kept);
    for (const level of levels) {
      this.#windows[level].expire(kept);
      this.#sketches[level].expire(Math.max(kept, day - sketchDaysOf[level] + 1));
    }
  }

  #look(hour: number): void {
    const { rawColumns, countColumns, catalogRowsPerCommit } = this.#inputs;
    const { snapshotKeepHours, fileKeepHours } = this.#inputs;
    const all = levels.flatMap((level) => [this.#windows[level], this.#sketches[level]]);
    const sum = (shelves: Shelf[], of: (shelf: Shelf) => number) =>
      shelves.reduce((total, shelf) => total + of(shelf), 0);
    const live = { raw: this.#raw.files, windows: sum(all, ({ files }) => files) };
    const rawReplaced = this.#raw.replacedFiles(hour);
    const staged = this.#staged.replacedFiles(hour);
    const others = sum([...all, this.#deltas], (shelf) => shelf.replacedFiles(hour));
    // Old snapshots name the latest of these; how many that are, on average of the day.
    const part = snapshotKeepHours / fileKeepHours;
    const commits = this.#commits.slice(-snapshotKeepHours).reduce((total, n) => total + n, 0);
    this.#looked.push({
      objects: { ...live, replaced: rawReplaced + staged + others },
      catalogRows: {
        files: live.windows + (staged + others) * (1 + part),
        statistics: (live.windows + others * part) * countColumns + staged * part * rawColumns,
        snapshots: commits * catalogRowsPerCommit,
      },
    });
    if (this.#looked.length > lookedAtDays) this.#looked.shift();
  }

  #result(): Simulated {
    const last = this.#days * hoursADay - 1;
    const of = (pick: (looked: Pick<Simulated, "objects" | "catalogRows">) => number) =>
      this.#looked.reduce((sum, looked) => sum + pick(looked), 0) / this.#looked.length;
    const shelves = levels.flatMap((level) => [this.#windows[level], this.#sketches[level]]);
    const every = [this.#raw, this.#staged, this.#deltas, ...shelves];
    const sum = (among: Shelf[], pick: (shelf: Shelf) => number) =>
      among.reduce((total, shelf) => total + pick(shelf), 0);
    const windows = Object.values(this.#windows);
    return {
      events: this.#events,
      eventsPerSecondMost: this.#rates.reduce((most, rate) => Math.max(most, rate), 0),
      rawBytes: this.#raw.bytes,
      countBytes: Object.fromEntries(
        levels.map((level) => [level, this.#windows[level].bytes]),
      ) as ByLevel,
      countRows: sum(windows, ({ rows }) => rows),
      sketchBytes: sum(Object.values(this.#sketches), ({ bytes }) => bytes),
      replacedBytes: sum(every, (shelf) => shelf.replacedBytes(last)),
      objects: {
        raw: of(({ objects }) => objects.raw),
        windows: of(({ objects }) => objects.windows),
        replaced: of(({ objects }) => objects.replaced),
      },
      catalogRows: {
        files: of(({ catalogRows }) => catalogRows.files),
        statistics: of(({ catalogRows }) => catalogRows.statistics),
        snapshots: of(({ catalogRows }) => catalogRows.snapshots),
      },
      commitsPerDay: this.#commits.reduce((total, n) => total + n, 0) / this.#days,
      objectsPerDay: sum(every, ({ made }) => made) / this.#days,
      countRowsPerDay: this.#countRows / this.#days,
      deltaRowsPerDay: this.#deltaRows / this.#days,
      writtenBytesPerDay: this.#written / this.#days,
    };
  }
}

function isMonthsEnd(day: number): boolean {
  let rest = (day + 1) % 365;
  if (rest === 0) return true;
  for (const length of monthLengths) {
    rest -= length;
    if (rest === 0) return true;
    if (rest < 0) return false;
  }
  return false;
}
