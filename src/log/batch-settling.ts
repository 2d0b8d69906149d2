/** Counts batches that are asked for and batches that are done with, in that order. */
export class BatchSettling {
  #queued = 0;
  #settled = 0;
  /** Who waits until so many are settled, in that order. */
  readonly #waiting: { count: number; resolve: () => void }[] = [];

  noteQueued(): void {
    this.#queued++;
  }

  noteSettled(count: number): void {
    this.#settled += count;
    while (this.#waiting.length > 0 && this.#waiting[0]!.count <= this.#settled) {
      this.#waiting.shift()!.resolve();
    }
  }

  /** Resolves once all that are queued now are settled. */
  settled(): Promise<void> {
    const count = this.#queued;
    if (this.#settled >= count) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ count, resolve }));
  }
}
