/**
 * Who may read, and who waits: connections by lane.
 *
 *     quick   any of the readers
 *     slow    all of the readers but one, so that a quick read always finds one that no slow one
 *             holds; a reader set free goes to a slow read first, so that these come on as well
 *     apart   one connection of its own, beside the readers
 *
 * A read that waits is dropped when its time is over or its signal says so: DuckDB's interrupt
 * would only reach one that runs.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { RankstreamError } from "../errors.ts";
import type { ReadLoad } from "./read-load.ts";
import { cancelled } from "./read-watch.ts";

export type ReadLane = "quick" | "slow" | "apart";

export interface LaneBounds {
  /** Reads waiting in each lane; further ones are refused. */
  waitingMax: Readonly<Record<ReadLane, number>>;
}

export interface TakeOptions {
  lane: ReadLane;
  /** How long to wait for a connection. */
  waitMsMax: number;
  signal?: AbortSignal | undefined;
}

interface Waiter {
  resolve: (connection: DuckDBConnection) => void;
  leave: (why: RankstreamError) => void;
}

const retryAfterSeconds = 1;

export class ReadLanes {
  readonly #idle: DuckDBConnection[];
  readonly #idleApart: DuckDBConnection[];
  readonly #slowMax: number;
  readonly #bounds: LaneBounds;
  readonly #load: ReadLoad;
  readonly #waiting: Record<ReadLane, Waiter[]> = { quick: [], slow: [], apart: [] };
  #slowRunning = 0;

  constructor(
    readers: readonly DuckDBConnection[],
    apart: DuckDBConnection,
    bounds: LaneBounds,
    load: ReadLoad,
  ) {
    this.#idle = [...readers];
    this.#idleApart = [apart];
    this.#slowMax = Math.max(1, readers.length - 1);
    this.#bounds = bounds;
    this.#load = load;
  }

  /**
   * A connection for one read, to be given back. Throws `too_many_queries` where too many wait,
   * `query_timeout` after `waitMsMax`, `query_cancelled`.
   */
  async take(options: TakeOptions): Promise<DuckDBConnection> {
    const { lane, signal } = options;
    if (signal?.aborted === true) throw cancelled();
    const connection = this.#free(lane);
    if (connection !== undefined) return connection;
    const waitingMax = this.#bounds.waitingMax[lane];
    if (this.#waiting[lane].length >= waitingMax) {
      const detail = `${waitingMax} queries of this kind are waiting`;
      throw new RankstreamError("too_many_queries", detail, { retryAfterSeconds });
    }
    return this.#wait(options);
  }

  /** Gives a connection of `lane` back. */
  give(lane: ReadLane, connection: DuckDBConnection): void {
    (lane === "apart" ? this.#idleApart : this.#idle).push(connection);
    if (lane === "slow") this.#slowRunning--;
    this.#load.add(`${lane}Running`, -1);
    for (const next of ["slow", "quick", "apart"] as const) this.#serve(next);
  }

  /** Drops all that wait. */
  close(): void {
    for (const { leave } of Object.values(this.#waiting).flat()) leave(cancelled());
  }

  /** Connections that nobody holds. */
  get idle(): readonly DuckDBConnection[] {
    return [...this.#idle, ...this.#idleApart];
  }

  /** One for `lane` that is taken from now on; undefined while there is none. */
  #free(lane: ReadLane): DuckDBConnection | undefined {
    if (lane === "slow" && this.#slowRunning >= this.#slowMax) return undefined;
    const connection = (lane === "apart" ? this.#idleApart : this.#idle).pop();
    if (connection === undefined) return undefined;
    if (lane === "slow") this.#slowRunning++;
    this.#load.add(`${lane}Running`, 1);
    return connection;
  }

  #serve(lane: ReadLane): void {
    const waiting = this.#waiting[lane];
    while (waiting.length > 0) {
      const connection = this.#free(lane);
      if (connection === undefined) return;
      waiting.shift()!.resolve(connection);
    }
  }

  #wait({ lane, waitMsMax, signal }: TakeOptions): Promise<DuckDBConnection> {
    return new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
        this.#load.add(`${lane}Waiting`, -1);
      };
      const leave = (why: RankstreamError) => {
        const at = this.#waiting[lane].indexOf(waiter);
        this.#waiting[lane].splice(at, 1);
        end();
        reject(why);
      };
      const waiter: Waiter = {
        leave,
        resolve: (connection) => {
          end();
          resolve(connection);
        },
      };
      const onAbort = () => leave(cancelled());
      const timer = setTimeout(() => {
        const detail = `no connection was free within ${Math.round(waitMsMax)} ms`;
        leave(new RankstreamError("query_timeout", detail, { retryAfterSeconds }));
      }, waitMsMax);
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#waiting[lane].push(waiter);
      this.#load.add(`${lane}Waiting`, 1);
    });
  }
}
