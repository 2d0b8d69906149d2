/** What changed since a version, for nodes that keep answers of this one's events. */
import type { Change, ChangeMap } from "./change-map.ts";

export interface ChangeFeedDeps {
  changes: Pick<ChangeMap, "version" | "since">;
  /** Resolves to whether everything acknowledged by now is counted; waits a little for it. */
  settled: (signal?: AbortSignal) => Promise<boolean>;
  /** Told of each question: commits come sooner while somebody follows them. */
  asked: () => void;
  /** Names the data that versions are of. */
  dataId: string;
}

export interface ChangeQuestion {
  since: number;
  /** How long to wait for a change where there is none yet. */
  waitMs: number;
  /** First of all waits a little for everything acknowledged before to be counted. */
  mustSettle: boolean;
}

export interface ChangesView {
  /** Of the data, once all of `changes` is in. */
  version: number;
  /** What changed since is not known: whatever is kept must go, and `version` be followed. */
  reset: boolean;
  /** Whether everything acknowledged before the question is in; null where that wasn't asked. */
  settled: boolean | null;
  changes: readonly Change[];
  /** Versions of other data have nothing to do with these. */
  dataId: string;
}

export class ChangeFeed {
  readonly #deps: ChangeFeedDeps;
  /** Wake those who wait, each a request under way. */
  readonly #waiting = new Set<() => void>();

  constructor(deps: ChangeFeedDeps) {
    this.#deps = deps;
  }

  /** To be called whenever the version has grown. */
  wake(): void {
    for (const wake of this.#waiting) wake();
  }

  /** What changed after `since`, oldest first; at once where anything did, or on `signal`. */
  async read(question: ChangeQuestion, signal?: AbortSignal): Promise<ChangesView> {
    const { since, waitMs, mustSettle } = question;
    this.#deps.asked();
    const settled = mustSettle ? await this.#deps.settled(signal) : null;
    if (since === this.#deps.changes.version && waitMs > 0) await this.#next(waitMs, signal);
    const { changes } = this.#deps;
    // A version from the future is of other data than these.
    const found = since > changes.version ? null : changes.since(since);
    return {
      version: changes.version,
      reset: found === null,
      settled,
      changes: found ?? [],
      dataId: this.#deps.dataId,
    };
  }

  #next(waitMs: number, signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted === true) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        signal?.removeEventListener("abort", wake);
        resolve();
      };
      const timer = setTimeout(wake, waitMs);
      this.#waiting.add(wake);
      signal?.addEventListener("abort", wake, { once: true });
    });
  }
}
