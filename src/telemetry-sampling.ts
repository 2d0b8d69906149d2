/** Which requests are traced. */
import { parseTraceparent, type TraceContext } from "./model-trace.ts";

export interface SamplingOptions {
  /** Share of the requests without a trace of their own, 0..1. */
  ratio: number;
  /** Traces begun or joined in a second; whoever may ask may not fill the store of traces. */
  perSecondMax: number;
  /** 0..1; for tests. */
  random?: () => number;
  /** Milliseconds; for tests. */
  now?: () => number;
}

/** Null: it is not traced. `parent`: the trace that it goes on with; null: one of its own. */
export type SamplingChoice = { parent: TraceContext | null } | null;

const root = Object.freeze({ parent: null });

/**
 * A request that comes with a trace does what its caller decided, any other is traced by chance;
 * both within a rate.
 */
export class Sampling {
  readonly #options: SamplingOptions;
  readonly #random: () => number;
  readonly #now: () => number;
  #tokens: number;
  #filledAt: number;
  /** Requests that would have been traced but for the rate. */
  limited = 0;

  constructor(options: SamplingOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
    this.#now = options.now ?? (() => performance.now());
    this.#tokens = options.perSecondMax;
    this.#filledAt = this.#now();
  }

  choose(traceparent: string | undefined): SamplingChoice {
    const parent = traceparent === undefined ? null : parseTraceparent(traceparent);
    const isWanted = parent === null ? this.#random() < this.#options.ratio : parent.isSampled;
    if (!isWanted || !this.#take()) return null;
    return parent === null ? root : { parent };
  }

  /** A bucket of one second's traces, filled steadily. */
  #take(): boolean {
    const { perSecondMax } = this.#options;
    const now = this.#now();
    const gained = ((now - this.#filledAt) / 1000) * perSecondMax;
    this.#tokens = Math.min(perSecondMax, this.#tokens + gained);
    this.#filledAt = now;
    if (this.#tokens < 1) {
      this.limited++;
      return false;
    }
    this.#tokens--;
    return true;
  }
}
