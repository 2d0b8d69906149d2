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

  /** Notes a batch that was acknowledged; `offsets` are those of the log's end after it. */
  add(offsets: readonly number[], first: number, last: number): void {
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
    const isIn = (batch: Batch) => batch.offsets.every((offset, i) => (offsets[i] ?? 0) >= offset);
    // They came in this order, so what is in comes first.
    let left = 0;
    while (left < this.#batches.length && isIn(this.#batches[left]!)) left++;
    if (left > 0) this.#batches = this.#batches.slice(left);
  }

  /** Whether anything in `[from, to)` waits to be committed. */
  touch(from: number, to: number): boolean {
    return this.#batches.some(({ first, last }) => first < to && last >= from);
  }
}
