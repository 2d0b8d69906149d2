/**
 * The minutes an ingest worker streams: what a checkpoint counts of a running minute also goes to
 * that minute's sketch and candidates in the kernel, and the checkpoint takes along what these
 * hold, so that approximate answers need not read the minute's count deltas.
 *
 * Which minutes are open follows from the records' time of receipt alone: the two before it to
 * the five after it, since the edge takes nothing further ahead. A minute is opened before any
 * of its events can come, and never again after it was closed, so its candidates always speak of
 * all its events; minutes up to `floorMinute`, of which the store knows events from before this
 * worker began, are left to the deltas.
 */
import { type CandidateList, readCandidates } from "../kernel/candidates.ts";
import type { OpenWindows } from "../kernel/open-windows.ts";
import type { TypeDictionary } from "../kernel/type-dictionary.ts";
import { eventBounds, minuteMs } from "../model.ts";
import type { OpenPart } from "../store/store.ts";

const minutesBehind = 2;
const minutesAhead = eventBounds.futureMsMax / minuteMs;
/** Minutes open at once. */
export const openMinutesMax = minutesBehind + 1 + minutesAhead;

export interface OpenMinutesOptions {
  /** Only later minutes are opened. */
  floorMinute: number;
  /** Events from which a minute's candidates stand in for its deltas. */
  eventsMin: number;
  partitions: number[];
}

/** False where a bound has saturated and so says nothing. */
function isBounded(list: CandidateList): boolean {
  return Number.isFinite(list.outside) && list.upper.every(Number.isFinite);
}

export class OpenMinutes {
  readonly #windows: OpenWindows;
  readonly #types: TypeDictionary;
  readonly #options: OpenMinutesOptions;
  #newest = Number.NEGATIVE_INFINITY;
  /** Weight added since the oldest open minute was opened: fewer than `eventsMin` are cheap. */
  readonly #added = new Map<number, number>();

  constructor(windows: OpenWindows, types: TypeDictionary, options: OpenMinutesOptions) {
    this.#windows = windows;
    this.#types = types;
    this.#options = options;
  }

  /** Opens and closes minutes for records received at `receivedAt`; before their events. */
  advance(receivedAt: number): void {
    const now = Math.floor(receivedAt / minuteMs);
    if (now <= this.#newest) return;
    const first = Math.max(now - minutesBehind, this.#options.floorMinute + 1);
    for (const minute of this.#windows.minutes) {
      if (minute < first) this.#close(minute);
    }
    // A minute before the newest was open already, or is closed for good.
    const fresh = Math.max(first, this.#newest + minutesAhead + 1);
    for (let minute = fresh; minute <= now + minutesAhead; minute++) {
      if (this.#windows.open(minute)) this.#added.set(minute, 0);
    }
    this.#newest = now;
  }

  /** Adds what an aggregator is about to hand over (its `onCounts`). */
  addCounts(table: number): void {
    const added = this.#windows.addCounts(table);
    for (const [minute, before] of this.#added) this.#added.set(minute, before + added);
  }

  /**
   * What the open minutes with enough events hold; nothing when nobody asks, since handing it
   * over costs about as much as counting 50,000 events. The buffers may be transferred.
   */
  part(isAsked = true): OpenPart {
    const part: OpenPart = {
      minutes: [],
      typeNames: new Map(),
      partitions: this.#options.partitions,
    };
    for (const [minute, added] of isAsked ? this.#added : []) {
      if (added === 0 || added < this.#options.eventsMin) continue;
      const candidates = this.#windows.candidates(minute);
      const { total, untracked, lists } = readCandidates(candidates);
      const isEnough = total > 0 && total >= this.#options.eventsMin;
      if (!isEnough || untracked || !lists.every(isBounded)) continue;
      part.minutes.push({ minute, candidates });
      for (const { typeIndex } of lists) {
        part.typeNames.set(typeIndex, this.#types.name(typeIndex));
      }
    }
    return part;
  }

  /**
   * The greatest share, 0 to 1, of cells in use, of all open minutes: the fuller, the wider are
   * the bounds. Of each sketch one row is looked at, 65,536 cells in some 50 µs; all rows are
   * filled alike.
   */
  fill(): number {
    let most = 0;
    for (const [minute, added] of this.#added) {
      if (added === 0) continue;
      const cells = this.#windows.row(minute);
      let used = 0;
      for (let i = 0; i < cells.length; i++) if (cells[i] !== 0) used += 1;
      most = Math.max(most, used / cells.length);
    }
    return most;
  }

  #close(minute: number): void {
    this.#windows.close(minute);
    this.#added.delete(minute);
  }
}
