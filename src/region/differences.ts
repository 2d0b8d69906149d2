/**
 * What another region counted that is missing here, as batches of events.
 *
 * Nothing is doubled, whoever writes such batches and whenever they arrive. A *unit* is what of
 * one region, one cell of time and one partition of the log is kept here. Its batches are keyed by
 * its state: region, generation, cell, partition, and the sum of its counts. The claim: from each
 * state of a unit at most one batch is ever counted.
 *
 *   - A batch holds items of one unit alone, so it is one record of one partition: it is counted
 *     whole or not at all, together with its key (the idempotency of any event).
 *   - Counts of a unit only grow, so two states with the same sum are the same state; deletes of
 *     a resync make another generation.
 *   - The sum is read in one transaction with the items that the differences are made of. Who
 *     reads an old state makes a batch under a key that is used: it is told, or the worker drops
 *     it, and it looks again. What left that state was the one batch counted under that key.
 *
 * So whoever was paused between reading and writing adds nothing to what another has added
 * meanwhile. The bucket is a partition, and not any hash, since a batch over several partitions
 * can arrive in parts: then a part of one and a part of another could both be counted.
 *
 * Limits: keys live for an hour of the log's time, so a writer gives up what it read more than
 * `differenceAgeMsMax` ago; and a log that gets more partitions has other units from then on.
 */
import { eventBounds, minuteMs } from "../model.ts";
import type { RegionCount, RegionLevel } from "../model-region-wire.ts";
import { regionTypeName } from "../model-regions.ts";
import { compareIds } from "../store/order.ts";
import { partitionOf } from "./partition-of.ts";

/** Differences read longer ago are not written any more. */
export const differenceAgeMsMax = 300_000;

/** Differences of one unit; or some of them, where there are more than a batch may hold. */
export interface UnitBatch {
  /** First minute of the cell. */
  start: number;
  partition: number;
  /** Sum of the counts kept of the unit before. */
  before: number;
  /** NDJSON of events. */
  body: string;
  /** Sum of the differences. */
  added: number;
}

export interface CellDifferences {
  start: number;
  batches: UnitBatch[];
  /** There are more than fitted. */
  isCut: boolean;
}

export interface DifferenceOptions {
  region: string;
  partitionCount: number;
  /** Bytes of one batch: it must be one record of the log. */
  batchBytesMax: number;
}

interface Unit {
  before: number;
  lines: string[];
  bytes: number;
  added: number;
}

/** By start, type and id (bytes of UTF-8). */
export function compareCounts(a: RegionCount, b: RegionCount): number {
  if (a[0] !== b[0]) return a[0] - b[0];
  if (a[1] !== b[1]) return compareIds(a[1], b[1]);
  return a[2] === b[2] ? 0 : compareIds(a[2], b[2]);
}

/** One cell's units. */
class Cell {
  readonly start: number;
  readonly #options: DifferenceOptions;
  readonly #units: Unit[];
  #isCut = false;

  constructor(start: number, options: DifferenceOptions) {
    this.start = start;
    this.#options = options;
    this.#units = Array.from({ length: options.partitionCount }, () => ({
      before: 0,
      lines: [],
      bytes: 0,
      added: 0,
    }));
  }

  /** Takes an item's counts there and here. */
  add([, eventType, eventId]: RegionCount, theirs: number, ours: number): void {
    const { region, partitionCount } = this.#options;
    const unit = this.#units[partitionOf(eventId, partitionCount)]!;
    unit.before += ours;
    const names = { eventId, eventType: regionTypeName(region, eventType) };
    const timestamp = this.start * minuteMs;
    for (let left = theirs - ours; left > 0; left -= eventBounds.weightMax) {
      const weight = Math.min(left, eventBounds.weightMax);
      if (this.#push(unit, `${JSON.stringify({ ...names, timestamp, weight })}\n`)) {
        unit.added += weight;
        continue;
      }
      this.#isCut = true;
      return;
    }
  }

  #push(unit: Unit, line: string): boolean {
    const bytes = Buffer.byteLength(line);
    if (unit.bytes + bytes > this.#options.batchBytesMax) return false;
    unit.lines.push(line);
    unit.bytes += bytes;
    return true;
  }

  take(): CellDifferences {
    const batches = this.#units.flatMap(({ before, lines, added }, partition) =>
      lines.length === 0
        ? []
        : [{ start: this.start, partition, before, body: lines.join(""), added }],
    );
    return { start: this.start, batches, isCut: this.#isCut };
  }
}

/** Begins keys that no client may send: they could be guessed, and used first. */
const mark = "\u001f";

/** The key of a unit's batch (see above). */
export function unitKey(
  { region, partitionCount }: DifferenceOptions,
  level: RegionLevel,
  generation: number,
  { start, partition, before }: UnitBatch,
): string {
  const unit = `${level} ${start} ${partition}:${partitionCount}`;
  return `${mark}region ${region} ${generation} ${unit} ${before}`;
}

/**
 * The differences of each cell in which there are any. Both sides by start, type and id; what is
 * only here, or more here, is left as it is.
 */
export async function* differencesOf(
  theirs: AsyncIterable<RegionCount>,
  ours: AsyncIterable<RegionCount>,
  options: DifferenceOptions,
): AsyncGenerator<CellDifferences> {
  const [left, right] = [theirs[Symbol.asyncIterator](), ours[Symbol.asyncIterator]()];
  let cell: Cell | null = null;
  try {
    let [a, b] = [await left.next(), await right.next()];
    while (a.done !== true || b.done !== true) {
      const order = a.done === true ? 1 : b.done === true ? -1 : compareCounts(a.value, b.value);
      const row = (order <= 0 ? a.value : b.value) as RegionCount;
      if (cell !== null && cell.start !== row[0]) {
        const done = cell.take();
        if (done.batches.length > 0) yield done;
        cell = null;
      }
      cell ??= new Cell(row[0], options);
      cell.add(row, order <= 0 ? row[3] : 0, order < 0 ? 0 : (b.value as RegionCount)[3]);
      if (order <= 0) a = await left.next();
      if (order >= 0) b = await right.next();
    }
    const last = cell?.take();
    if (last !== undefined && last.batches.length > 0) yield last;
  } finally {
    await Promise.all([left.return?.(undefined), right.return?.(undefined)]);
  }
}
