/**
 * The minutes an ingest worker streams: each event of a running minute also goes to that minute's
 * sketch and candidates in the kernel, and a checkpoint takes along what these hold, so that
 * approximate answers need not read the minute's count deltas.
 *
 * Which minutes are open follows from the records' time of receipt alone: the two before it to
 * the five after it, since the edge takes nothing further ahead. A minute is opened before any
 * of its events can come, and never again after it was closed, so its candidates always speak of
 * all its events; minutes up to `floorMinute`, of which the store knows events from before this
 * worker began, are left to the deltas.
 */
import { candidateId, readCandidates } from "../kernel/candidates.ts";
import type { OpenWindows } from "../kernel/open-windows.ts";
import type { TypeDictionary } from "../kernel/type-dictionary.ts";
import { eventBounds, minuteMs } from "../model.ts";
import type { OpenPart, OpenWindow } from "../store/store.ts";

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

export class OpenMinutes {
  readonly #windows: OpenWindows;
  readonly #types: TypeDictionary;
  readonly #options: OpenMinutesOptions;
  #newest = Number.NEGATIVE_INFINITY;
  /** Events added since the oldest open minute was opened: fewer than `eventsMin` are cheap. */
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

  /** Adds `n` located events (types resolved, rows hashed). */
  add(events: number, n: number): void {
    const added = this.#windows.update(events, n);
    for (const [minute, before] of this.#added) this.#added.set(minute, before + added);
  }

  /** What the open minutes with enough events hold. */
  part(): OpenPart {
    const open: OpenPart = { minutes: [], partitions: this.#options.partitions, windows: [] };
    for (const [minute, added] of this.#added) {
      if (added === 0 || added < this.#options.eventsMin) continue;
      const windows = this.#read(minute);
      if (windows === null) continue;
      open.minutes.push(minute);
      open.windows.push(...windows);
    }
    return open;
  }

  /** A minute's windows; null where the deltas have to answer. */
  #read(minute: number): OpenWindow[] | null {
    const { total, untracked, lists } = readCandidates(this.#windows.candidates(minute));
    if (untracked || total === 0 || total < this.#options.eventsMin) return null;
    // A bound that saturated says nothing.
    if (
      !lists.every((list) =>
        Number.isFinite(
          list.outside + list.upper.reduce((most, upper) => Math.max(most, upper), 0),
        ),
      )
    ) {
      return null;
    }
    return lists.map((list) => ({
      minute,
      eventType: this.#types.name(list.typeIndex),
      total: list.total,
      threshold: list.outside,
      candidates: Array.from({ length: list.rows }, (_, row) => ({
        eventId: candidateId(list, row),
        lower: list.lower[row]!,
        upper: list.upper[row]!,
      })),
    }));
  }

  #close(minute: number): void {
    this.#windows.close(minute);
    this.#added.delete(minute);
  }
}
