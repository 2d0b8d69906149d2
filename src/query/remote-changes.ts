/** Follows what changes at the upstream, so that answers kept here can be held against it. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "../telemetry.ts";
import type { ChangesView } from "./change-feed.ts";
import { ChangeMap } from "./change-map.ts";

export interface RemoteChangesDeps {
  /** GET /changes. */
  read: (
    question: { since: number; waitMs: number; settle: boolean },
    signal: AbortSignal,
  ) => Promise<ChangesView>;
  logger: Logger;
}

const pollMs = 10_000;
const retryMs = 250;
/** How long a question waits to know what is acknowledged at the upstream. */
const settleMsMax = 2000;

export class RemoteChanges {
  readonly map = new ChangeMap(0);
  readonly #deps: RemoteChangesDeps;
  readonly #stop = new AbortController();
  #following: Promise<void> = Promise.resolve();
  #isFollowing = false;
  #dataId = "";
  /** The question under way, and the one that all who ask meanwhile share. */
  #asking: Promise<boolean> | null = null;
  #next: Promise<boolean> | null = null;

  constructor(deps: RemoteChangesDeps) {
    this.#deps = deps;
  }

  /** Whether the upstream answered the last time. */
  get isFollowing(): boolean {
    return this.#isFollowing;
  }

  /** Of which data the upstream's answers are. */
  get dataId(): string {
    return this.#dataId;
  }

  start(): void {
    this.#following = this.#follow();
  }

  /**
   * Resolves to whether everything that the upstream had acknowledged when this was called is
   * known here; false where it doesn't say so in time.
   */
  settled(): Promise<boolean> {
    if (this.#asking === null) return this.#ask();
    // What is under way may have been answered before: all who come now share the next one.
    this.#next ??= this.#asking
      .catch(() => false)
      .then(() => {
        this.#next = null;
        return this.#ask();
      });
    return this.#next;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#following;
  }

  #ask(): Promise<boolean> {
    const asking = this.#settle().finally(() => {
      if (this.#asking === asking) this.#asking = null;
    });
    this.#asking = asking;
    return asking;
  }

  async #settle(): Promise<boolean> {
    const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(settleMsMax)]);
    try {
      const view = await this.#read({ waitMs: 0, settle: true }, signal);
      return view.settled === true;
    } catch {
      return false;
    }
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#read({ waitMs: this.#isFollowing ? pollMs : 0, settle: false }, signal);
        if (!this.#isFollowing) this.#deps.logger.info({ part: "upstream" }, "upstream answers");
        this.#isFollowing = true;
      } catch (error) {
        if (signal.aborted) return;
        if (this.#isFollowing) {
          this.#deps.logger.warn({ part: "upstream", err: error }, "upstream does not answer");
        }
        this.#isFollowing = false;
        await sleep(retryMs, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  async #read(
    how: { waitMs: number; settle: boolean },
    signal: AbortSignal,
  ): Promise<ChangesView> {
    const since = this.map.version;
    const view = await this.#deps.read({ since, ...how }, signal);
    this.#take(view, since);
    return view;
  }

  /** Replies may overtake each other: only what is newer counts. */
  #take({ version, reset, changes, dataId }: ChangesView, since: number): void {
    if (reset || dataId !== this.#dataId) {
      // Of another moment than this map's: whoever asks next finds out by itself.
      if (since !== this.map.version) return;
      this.#dataId = dataId;
      this.map.reset(version);
      return;
    }
    // All that came with one version is in one reply.
    const fresh = changes.filter((change) => change.version > this.map.version);
    for (const own of new Set(fresh.map((change) => change.version))) {
      this.map.note(
        own,
        fresh.filter((change) => change.version === own),
      );
    }
    if (version > this.map.version) this.map.note(version, []);
  }
}
