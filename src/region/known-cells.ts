/** Cells whose sums differ for good: more is kept here than there, and nothing is missing. */
import { cellMinutes } from "../model-region-wire.ts";
import type { KnownCell } from "./plan.ts";

/** Of more cells the oldest are forgotten, and looked at again. */
const cellsMax = 20_000;

export class KnownCells {
  /** Sums that were looked at, by cell. */
  readonly #looked = new Map<string, string>();
  /** Cells in which more is kept here, by first minute, with their minutes. */
  readonly #ahead = new Map<number, number>();

  /** Whether the cell was looked at with these very sums. */
  has({ level, start, theirs, ours }: KnownCell): boolean {
    return this.#looked.get(`${level} ${start}`) === `${theirs} ${ours}`;
  }

  add({ level, start, theirs, ours }: KnownCell): void {
    const key = `${level} ${start}`;
    this.#looked.delete(key);
    this.#looked.set(key, `${theirs} ${ours}`);
    const [oldest] = this.#looked.keys();
    if (this.#looked.size > cellsMax) this.#looked.delete(oldest!);
  }

  /** Of the minutes `[from, to)` these cells are ahead, and no others. */
  noteAhead(from: number, to: number, cells: readonly KnownCell[]): void {
    this.#forget((start) => start >= from && start < to);
    for (const { level, start } of cells) {
      if (this.#ahead.size < cellsMax) this.#ahead.set(start, cellMinutes[level]);
    }
  }

  /** Before minute `end` only these days have cells that are ahead. */
  keepAhead(end: number, days: ReadonlySet<number>): void {
    this.#forget((start) => start < end && !days.has(start - (start % cellMinutes.day)));
  }

  get minutesAhead(): number {
    let sum = 0;
    for (const minutes of this.#ahead.values()) sum += minutes;
    return sum;
  }

  clear(): void {
    this.#looked.clear();
    this.#ahead.clear();
  }

  #forget(isGone: (start: number) => boolean): void {
    for (const start of [...this.#ahead.keys()]) if (isGone(start)) this.#ahead.delete(start);
  }
}
