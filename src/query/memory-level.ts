/** L1: answers kept in this process, the least recently used ones dropped first. */
import { LRUCache } from "lru-cache";
import { type AnswerLevel, type Invalidation, isMatch, type KeptAnswer } from "./answer-level.ts";

/** What an entry takes beside its text and key, about. */
const entryBytes = 512;
/** A larger answer is not kept. */
const answerPart = 16;

export class MemoryLevel implements AnswerLevel {
  readonly name = "l1";
  readonly #entries: LRUCache<string, KeptAnswer> | null;
  evictions = 0;

  /** Keeps `bytesMax` at most; none at all for 0. */
  constructor(bytesMax: number) {
    if (bytesMax === 0) {
      this.#entries = null;
      return;
    }
    this.#entries = new LRUCache({
      maxSize: bytesMax,
      maxEntrySize: Math.max(1, Math.floor(bytesMax / answerPart)),
      sizeCalculation: ({ text, stretch }, key) =>
        // Strings of one byte a character, mostly; eventTypes are few.
        2 * (text.length + key.length) + 32 * stretch.eventTypes.length + entryBytes,
      dispose: (_answer, _key, reason) => {
        if (reason === "evict") this.evictions++;
      },
    });
  }

  get size(): number {
    return this.#entries?.size ?? 0;
  }

  get bytes(): number {
    return this.#entries?.calculatedSize ?? 0;
  }

  /** Without a wait: the level that every question asks. */
  find(key: string): KeptAnswer | undefined {
    return this.#entries?.get(key);
  }

  async get(key: string): Promise<KeptAnswer | undefined> {
    return this.find(key);
  }

  set(key: string, answer: KeptAnswer, ttlMs: number): void {
    this.#entries?.set(key, answer, { ttl: ttlMs });
  }

  async invalidate(which: Invalidation): Promise<number> {
    let dropped = 0;
    for (const [key, answer] of this.#entries?.entries() ?? []) {
      if (isMatch(answer, which) && this.#entries!.delete(key)) dropped++;
    }
    return dropped;
  }
}
