/**
 * When which hours of which event types last changed, so that a kept answer can be told from one
 * that is out of date. Versions only grow. What is not known any more counts as changed: the map
 * is bounded, and begins anew where it would grow beyond.
 */
import type { Touched } from "../store/changes.ts";

const hourMs = 3_600_000;
/** Hours in a bucket of each level; each is a multiple of the one before. */
const bucketHours = [1, 24, 24 * 32] as const;

/** Buckets of one event type by level: number of the bucket → last version that touched it. */
type Buckets = readonly Map<number, number>[];

interface Known {
  /** All of the type's time was touched with this version. */
  floor: number;
  buckets: Buckets;
}

/** A longer stretch counts as all of its type's time: two years. */
const stretchHoursMax = 2 * 366 * 24;

/** A stretch of some types' time, epoch ms, `to` exclusive. */
export interface Stretch {
  eventTypes: readonly string[];
  from: number;
  to: number;
}

export interface Change extends Touched {
  version: number;
}

/** Spread instead, V8 gives each its own hidden class: 360 bytes each in place of 130. */
function changeOf({ eventType, from, to, undoes }: Touched, version: number): Change {
  return undoes === true
    ? { eventType, from, to, undoes, version }
    : { eventType, from, to, version };
}

export class ChangeMap {
  readonly #types = new Map<string, Known>();
  readonly #hoursMax: number;
  readonly #changesMax: number;
  /** By event type: the last version that took something back. */
  readonly #undone = new Map<string, number>();
  #hours = 0;
  /** What was touched at or before it is not known by itself. */
  #floor: number;
  #version: number;
  /** The newest changes, for those who follow. */
  #changes: Change[] = [];
  /** All changes after this version are in `#changes`. */
  #changesFrom: number;

  constructor(version: number, hoursMax = 200_000, changesMax = 10_000) {
    this.#floor = version;
    this.#version = version;
    this.#changesFrom = version;
    this.#hoursMax = hoursMax;
    this.#changesMax = changesMax;
  }

  get version(): number {
    return this.#version;
  }

  /** Notes what came with `version`, which is greater than any before where anything came. */
  note(version: number, touched: readonly Touched[]): void {
    if (version < this.#version || (version === this.#version && touched.length > 0)) {
      throw new RangeError(`version ${version} after ${this.#version}`);
    }
    this.#version = version;
    for (const one of touched) {
      this.#touch(one);
      this.#changes.push(changeOf(one, version));
    }
    if (this.#hours > this.#hoursMax) this.#forget();
    if (this.#changes.length <= this.#changesMax) return;
    const dropped = this.#changes.length - Math.ceil(this.#changesMax / 2);
    this.#changesFrom = this.#changes[dropped - 1]!.version;
    this.#changes = this.#changes.slice(dropped);
  }

  /** Forgets everything: whatever is older than `version` counts as changed. */
  reset(version: number): void {
    this.#version = version;
    this.#changes = [];
    this.#changesFrom = version;
    this.#forget();
  }

  /** Whether anything of the stretch changed after `version`, or may have. */
  changedSince(version: number, { eventTypes, from, to }: Stretch): boolean {
    if (version < this.#floor) return true;
    if (version >= this.#version || from >= to) return false;
    const first = Math.floor(from / hourMs);
    const end = Math.ceil(to / hourMs);
    return eventTypes.some((name) => {
      const known = this.#types.get(name);
      if (known === undefined) return false;
      if (version < known.floor) return true;
      return isLater(known.buckets, bucketHours.length - 1, first, end, version);
    });
  }

  /** Whether events of these types were taken back after `version`, or may have been. */
  undoneSince(version: number, eventTypes: readonly string[]): boolean {
    if (version < this.#floor) return true;
    return eventTypes.some((name) => (this.#undone.get(name) ?? -1) > version);
  }

  /** What changed after `version`, oldest first; null where that is not known any more. */
  since(version: number): readonly Change[] | null {
    if (version < this.#changesFrom) return null;
    let first = this.#changes.length;
    while (first > 0 && this.#changes[first - 1]!.version > version) first--;
    return this.#changes.slice(first);
  }

  #touch({ eventType, from, to, undoes }: Touched): void {
    if (undoes === true) this.#undone.set(eventType, this.#version);
    const first = Math.floor(from / hourMs);
    const end = Math.ceil(to / hourMs);
    let known = this.#types.get(eventType);
    if (known === undefined) {
      known = { floor: -1, buckets: bucketHours.map(() => new Map()) };
      this.#types.set(eventType, known);
    }
    if (end - first > stretchHoursMax) {
      known.floor = this.#version;
      return;
    }
    for (const [level, hours] of bucketHours.entries()) {
      const own = known.buckets[level]!;
      for (let at = Math.floor(first / hours); at < Math.ceil(end / hours); at++) {
        if (level === 0 && !own.has(at)) this.#hours++;
        own.set(at, this.#version);
      }
    }
  }

  #forget(): void {
    this.#types.clear();
    this.#undone.clear();
    this.#hours = 0;
    this.#floor = this.#version;
  }
}

/** Whether a bucket of hours `[first, end)` has a later version: large ones first, then inside. */
function isLater(
  buckets: Buckets,
  level: number,
  first: number,
  end: number,
  version: number,
): boolean {
  const hours = bucketHours[level]!;
  const own = buckets[level]!;
  const check = (at: number): boolean => {
    if ((own.get(at) ?? -1) <= version) return false;
    const [start, stop] = [at * hours, (at + 1) * hours];
    if (level === 0 || (start >= first && stop <= end)) return true;
    return isLater(buckets, level - 1, Math.max(start, first), Math.min(stop, end), version);
  };
  const [low, high] = [Math.floor(first / hours), Math.ceil(end / hours)];
  if (high - low <= own.size) {
    for (let at = low; at < high; at++) if (check(at)) return true;
    return false;
  }
  for (const at of own.keys()) if (at >= low && at < high && check(at)) return true;
  return false;
}
