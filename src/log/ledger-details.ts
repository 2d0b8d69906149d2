/** What the idempotency ledger keeps of a batch, and queues of it in which the oldest is first. */
import type { SeenRow } from "../model-seen.ts";
import { classifyKey } from "./idempotency-key.ts";

export interface Detail {
  ordinal: number;
  key: string;
  digest: string | null;
  receivedAt: number;
  partitionCount: number;
  /**
   * What says that all of the batch is in the log: `append`, that this ledger's owner wrote it or
   * that it is a partition's own; `counts`, that each partition has counted a record of it;
   * null, nothing.
   */
  proof: "append" | "counts" | null;
  /** False once forgotten: queues skip it. */
  isLive: boolean;
}

/** Hexadecimal. */
export function hexOf(digest: Uint8Array | null): string | null {
  if (digest === null) return null;
  return Buffer.from(digest.buffer, digest.byteOffset, digest.length).toString("hex");
}

/** As stored. */
export function rowOf(detail: Detail): SeenRow {
  const { ordinal, key, digest, receivedAt, partitionCount } = detail;
  const { producer } = classifyKey(key);
  return { ordinal, key, producer, digest, receivedAt, partitionCount };
}

/** Details in ascending order of one of their numbers. Ones that died are skipped lazily. */
export class DetailQueue {
  readonly #rank: (detail: Detail) => number;
  #details: Detail[] = [];
  #head = 0;
  #live = 0;

  constructor(rank: (detail: Detail) => number) {
    this.#rank = rank;
  }

  /** How many live ones there are. */
  get size(): number {
    return this.#live;
  }

  push(detail: Detail): void {
    const rank = this.#rank(detail);
    let at = this.#details.length;
    if (at > this.#head && this.#rank(this.#details[at - 1]!) > rank) at = this.#after(rank);
    if (at === this.#details.length) this.#details.push(detail);
    else this.#details.splice(at, 0, detail);
    this.#live++;
  }

  #after(rank: number): number {
    let low = this.#head;
    let high = this.#details.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#rank(this.#details[middle]!) <= rank) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The live one of lowest rank. */
  first(): Detail | undefined {
    while (this.#head < this.#details.length && !this.#details[this.#head]!.isLive) this.#head++;
    return this.#details[this.#head];
  }

  /** To be called when one in this queue has died. */
  died(): void {
    this.#live--;
    // Amortised: each pass drops at least half of what it looks at.
    if (this.#details.length <= 2 * this.#live + 16) return;
    this.#details = this.#details.filter((detail) => detail.isLive);
    this.#head = 0;
  }
}
