/** Those who wait until everything up to some batch is answered, each with a deadline. */

/** Not everything was answered in time. */
export class FlushTimeoutError extends Error {
  override readonly name = "FlushTimeoutError";
  /** Events that were not answered by then. */
  readonly pendingEvents: number;

  constructor(timeoutMs: number, pendingEvents: number) {
    super(`${pendingEvents} events are not acknowledged after ${timeoutMs} ms`);
    this.pendingEvents = pendingEvents;
  }
}

interface Waiter {
  /** The last batch waited for. */
  ordinal: number;
  resolve: () => void;
  timer: ReturnType<typeof setTimeout>;
}

export class FlushWaiters {
  #waiters: Waiter[] = [];

  /** Resolves once all batches up to `ordinal` are answered. Throws FlushTimeoutError. */
  add(ordinal: number, timeoutMs: number, pendingEvents: () => number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters = this.#waiters.filter((each) => each !== waiter);
        reject(new FlushTimeoutError(timeoutMs, pendingEvents()));
      }, timeoutMs);
      const waiter = { ordinal, resolve, timer };
      this.#waiters.push(waiter);
    });
  }

  /** Told of the oldest batch that is not answered. */
  settle(oldestOrdinal: number): void {
    const isDone = ({ ordinal }: Waiter) => ordinal < oldestOrdinal;
    const done = this.#waiters.filter(isDone);
    this.#waiters = this.#waiters.filter((waiter) => !isDone(waiter));
    for (const { resolve, timer } of done) {
      clearTimeout(timer);
      resolve();
    }
  }
}
