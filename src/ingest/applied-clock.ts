/**
 * Knows up to which moment everything appended to the log is committed in the store: neither a
 * fast clock nor a slow partition may seal a window too early. Takes a note of the log's end now
 * and then; the newest note that is passed is the answer.
 */
interface Note {
  at: number;
  endOffsets: number[];
}

/** Notes kept; a store that lags by more of them is answered by the oldest. */
const notesMax = 600;

export class AppliedClock {
  readonly #notes: Note[] = [];
  #appliedThrough = 0;

  /** Epoch ms; what `tick` answered last. */
  get appliedThrough(): number {
    return this.#appliedThrough;
  }

  /** Notes the log's end at `now` and says through when everything is committed (epoch ms). */
  tick(now: number, endOffsets: number[], committed: readonly number[]): number {
    if (this.#notes.length < notesMax) this.#notes.push({ at: now, endOffsets });
    for (let note = this.#notes[0]; note !== undefined; note = this.#notes[0]) {
      const isPassed = note.endOffsets.every(
        (end, partition) => (committed[partition] ?? 0) >= end,
      );
      if (!isPassed) break;
      this.#appliedThrough = Math.max(this.#appliedThrough, note.at);
      this.#notes.shift();
    }
    return this.#appliedThrough;
  }
}
