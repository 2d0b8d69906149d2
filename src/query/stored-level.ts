/**
 * L3: answers about the past in the store, so that they are there again after a restart. What is
 * read from it holds as of the reading: changes drop rows in their own transaction.
 */
import type { KeptRow } from "../store/kept-answers.ts";
import type { Store } from "../store/store.ts";
import type { Logger } from "../telemetry.ts";
import type { AnswerLevel, Invalidation, KeptAnswer } from "./answer-level.ts";
import type { ChangeMap, Stretch } from "./change-map.ts";

export interface StoredLevelDeps {
  store: Pick<Store, "keptAnswer" | "keepAnswer" | "dropKeptAnswers">;
  changes: Pick<ChangeMap, "version">;
  logger: Logger;
  now?: () => number;
}

const hourMs = 3_600_000;
/** An hour that ended so long ago gets nothing but late events. */
const sealedAfterMs = 120_000;
/** What may soon be said better is not worth a place. */
const ttlMsMin = 600_000;
/** Answers on their way to the store at once; further ones are not kept there. */
const writesMax = 16;

export class StoredLevel implements AnswerLevel {
  readonly name = "l3";
  readonly #deps: StoredLevelDeps;
  #writes = 0;

  constructor(deps: StoredLevelDeps) {
    this.#deps = deps;
  }

  async get(key: string, stretch: Stretch): Promise<KeptAnswer | undefined> {
    if (!this.#isSealed(stretch)) return undefined;
    // Of before the reading: whatever was told by now is committed, and has dropped its rows.
    const { version } = this.#deps.changes;
    const row = await this.#tried(() => this.#deps.store.keptAnswer(key), null);
    if (row === null) return undefined;
    const { text, etag, madeAt, tookMs, eventTypes, from, to } = row;
    return { text, etag, version, madeAt, tookMs, stretch: { eventTypes, from, to } };
  }

  set(key: string, answer: KeptAnswer, ttlMs: number): void {
    const { version, stretch, ...rest } = answer;
    if (ttlMs < ttlMsMin || !this.#isSealed(stretch) || this.#writes >= writesMax) return;
    const { text, etag, madeAt, tookMs } = rest;
    const row: KeptRow = { key, text, etag, madeAt, tookMs, ...stretch };
    this.#writes++;
    void this.#tried(() => this.#deps.store.keepAnswer({ row, version }), false).finally(() => {
      this.#writes--;
    });
  }

  invalidate(which: Invalidation): Promise<number> {
    return this.#tried(() => this.#deps.store.dropKeptAnswers(which), 0);
  }

  /** Whether all of its hours, as far as changes tell them apart, are over. */
  #isSealed({ to }: Stretch): boolean {
    const end = Math.ceil(to / hourMs) * hourMs;
    return end + sealedAfterMs <= (this.#deps.now ?? Date.now)();
  }

  async #tried<T>(call: () => Promise<T>, otherwise: T): Promise<T> {
    try {
      return await call();
    } catch (error) {
      this.#deps.logger.debug(
        { part: "cache", err: error },
        "the store's kept answers could not be asked",
      );
      return otherwise;
    }
  }
}
