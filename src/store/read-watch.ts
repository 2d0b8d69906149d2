/** Ends a read that runs when its time is over or its signal says so, and tells how far it is. */
import type { DuckDBConnection } from "@duckdb/node-api";
import { RankstreamError } from "../errors.ts";

/** An interrupt between two statements is lost: it is said again until the read has ended. */
const interruptAgainMs = 20;
const progressMs = 200;

export interface WatchOptions {
  budgetMs: number;
  /** Of the budget. */
  leftMs: number;
  signal: AbortSignal | undefined;
  /** Told now and then how far the statement that runs is, 0..1. */
  onProgress: ((share: number) => void) | undefined;
}

/** What a read ends with when somebody stopped it. */
export function cancelled(): RankstreamError {
  return new RankstreamError("query_cancelled", "the query was stopped before its end");
}

/** The reads under way. */
const watches = new WeakMap<DuckDBConnection, ReadWatch>();

/** Why the connection's read is to end, for work between two statements; null: it goes on. */
export function whyStopped(connection: DuckDBConnection): RankstreamError | null {
  return watches.get(connection)?.why ?? null;
}

export class ReadWatch {
  readonly #connection: DuckDBConnection;
  readonly #signal: AbortSignal | undefined;
  readonly #timer: NodeJS.Timeout;
  readonly #progress: NodeJS.Timeout | undefined;
  readonly #cancel = () => this.stop(cancelled());
  #again: NodeJS.Timeout | undefined;
  #why: RankstreamError | null = null;

  constructor(connection: DuckDBConnection, options: WatchOptions) {
    const { budgetMs, leftMs, signal, onProgress } = options;
    this.#connection = connection;
    watches.set(connection, this);
    this.#signal = signal;
    this.#timer = setTimeout(() => {
      this.stop(new RankstreamError("query_timeout", `the query took over ${budgetMs} ms`));
    }, leftMs);
    signal?.addEventListener("abort", this.#cancel, { once: true });
    if (signal?.aborted === true) this.#cancel();
    if (onProgress === undefined) return;
    this.#progress = setInterval(() => {
      const { percentage } = connection.progress;
      // Below 0: not known.
      if (percentage >= 0) onProgress(Math.min(1, percentage / 100));
    }, progressMs);
  }

  /** Why the read was interrupted; null when it was not. */
  get why(): RankstreamError | null {
    return this.#why;
  }

  /** Interrupts what runs, until `end`. */
  stop(why: RankstreamError): void {
    if (this.#why !== null) return;
    this.#why = why;
    this.#connection.interrupt();
    this.#again = setInterval(() => this.#connection.interrupt(), interruptAgainMs);
  }

  /** The read has ended: nothing is interrupted any more. */
  end(): void {
    watches.delete(this.#connection);
    clearTimeout(this.#timer);
    clearInterval(this.#again);
    clearInterval(this.#progress);
    this.#signal?.removeEventListener("abort", this.#cancel);
  }
}
