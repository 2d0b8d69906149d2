/**
 * Work that runs one after another, in the order it was given. How much may wait is the owner's
 * to bound, who knows what to answer when it is too much.
 */
export class SerialQueue {
  #last: Promise<unknown> = Promise.resolve();

  /**
   * Starts `work` once all that was given before has ended, well or not; resolves or rejects as it
   * does.
   */
  run<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }

  /** Resolves once all that was given so far has ended, well or not. */
  async settled(): Promise<void> {
    await this.#last;
  }
}
