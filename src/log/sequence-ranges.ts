/** A set of sequence numbers as merged runs: small while a producer counts on without gaps. */
import type { SequenceRun } from "../model.ts";

export class SequenceRanges {
  /** Ascending, with at least one number missing between neighbours. */
  readonly #runs: SequenceRun[] = [];

  get count(): number {
    return this.#runs.length;
  }

  runs(): readonly SequenceRun[] {
    return this.#runs;
  }

  has(sequence: number): boolean {
    const run = this.#runs[this.#firstEndingFrom(sequence)];
    return run !== undefined && run.from <= sequence;
  }

  /** The run that would hold `sequence` were it added now. */
  runWith(sequence: number): SequenceRun {
    const index = this.#firstEndingFrom(sequence - 1);
    let from = sequence;
    let to = sequence;
    for (const run of this.#runs.slice(index, index + 2)) {
      if (run.from > sequence + 1) break;
      from = Math.min(from, run.from);
      to = Math.max(to, run.to);
    }
    return { from, to };
  }

  /** The run that holds most numbers; undefined while there is none. */
  longest(): SequenceRun | undefined {
    let longest = this.#runs[0];
    for (const run of this.#runs) {
      if (run.to - run.from > longest!.to - longest!.from) longest = run;
    }
    return longest;
  }

  /** Forgets the lowest run. */
  dropFirst(): void {
    this.#runs.shift();
  }

  /** Adds a run; returns whether that changed anything. */
  add(from: number, to: number): boolean {
    const index = this.#firstEndingFrom(from - 1);
    const first = this.#runs[index];
    if (first && first.from <= from && first.to >= to) return false;
    let end = index;
    const merged = { from, to };
    for (let run = first; run && run.from <= to + 1; run = this.#runs[++end]) {
      merged.from = Math.min(merged.from, run.from);
      merged.to = Math.max(merged.to, run.to);
    }
    this.#runs.splice(index, end - index, merged);
    return true;
  }

  /** Index of the first run that ends at `sequence` or later. */
  #firstEndingFrom(sequence: number): number {
    let low = 0;
    let high = this.#runs.length;
    // Nearly always the last one: producers count on.
    if (high > 0 && this.#runs[high - 1]!.to < sequence) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#runs[middle]!.to < sequence) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
