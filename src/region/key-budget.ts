/**
 * How many batches may be written: each takes a free Idempotency-Key, which is remembered for an
 * hour, and there is room for so many (log/idempotency.ts). Users need most of it.
 */
import { setTimeout as sleep } from "node:timers/promises";

export const keysPerHourMax = 100_000;
/** So many at once, after a pause. */
const burstMax = 20_000;
const hourMs = 3_600_000;

export class KeyBudget {
  readonly #now: () => number;
  #left = burstMax;
  #at: number;

  /** `now`: milliseconds since any moment, never set back. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#at = now();
  }

  /** Takes one; 0, or how many ms to wait before there is one again. */
  take(): number {
    const now = this.#now();
    const perMs = keysPerHourMax / hourMs;
    this.#left = Math.min(burstMax, this.#left + (now - this.#at) * perMs);
    this.#at = now;
    if (this.#left < 1) return Math.ceil((1 - this.#left) / perMs);
    this.#left -= 1;
    return 0;
  }

  /** Takes one once there is one. Throws what aborts the signal. */
  async wait(signal: AbortSignal): Promise<void> {
    for (let waitMs = this.take(); waitMs > 0; waitMs = this.take()) {
      await sleep(waitMs, undefined, { signal });
    }
  }
}
