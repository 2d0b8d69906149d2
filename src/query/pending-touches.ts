/**
 * Which stretches of time acknowledged events touch that are not committed yet: answers kept from
 * before are out of date there, though no commit has said so.
 */

interface Batch {
  /** Offsets after it, by partition. */
  offsets: readonly number[];
  /** Epoch ms of its first and last event. */
  first: number;
  last: number;
}

/** Batches told apart; beyond, they are taken together. */
const batchesMax = 10_000;

export class PendingTouches {
  #batches: Batch[] = [];
  #committed: readonly number[];

  /** `committed` is how far the store is, by partition. */
  constructor(committed: readonly number[]) {
    this.#committed = committed;
  }

  /** Notes a batch that was acknowledged; `offsets` are those of the log's end after it. */
  add(offsets: readonly number[], first: number, last: number): void {
    // It may be committed before the edge comes to say so.
    if (this.#isIn(offsets)) return;
    const newest = this.#batches.at(-1);
    if (newest !== undefined && this.#batches.length >= batchesMax) {
      newest.offsets = offsets;
      newest.first = Math.min(newest.first, first);
      newest.last = Math.max(newest.last, last);
      return;
    }
    this.#batches.push({ offsets, first, last });
  }

  /** Forgets what is committed: everything before `offsets`. */
  release(offsets: readonly number[]): void {
    this.#committed = offsets;
    // They came in this order, so what is in comes first.
    let left = 0;
    while (left < this.#batches.length && this.#isIn(this.#batches[left]!.offsets)) left++;
    if (left > 0) this.#batches = this.#batches.slice(left);
  }

  #isIn(offsets: readonly number[]): boolean {
    return offsets.every((offset, i) => (this.#committed[i] ?? 0) >= offset);
  }

  /** Whether anything in `[from, to)` waits to be committed. */
  touch(from: number, to: number): boolean {
    return this.#batches.some(({ first, last }) => first < to && last >= from);
  }
}
