/** Streams made on the page: seeded, so that the same settings give the same stream. */

/** What the page counts. `read` gives what is there now, up to `n`; null once it has ended. */
export interface ItemSource {
  read(n: number): readonly string[] | null;
  /** What went wrong with it, for the reader; undefined while all is well. */
  readonly problem?: string | undefined;
}

export type MadeKind = "zipf" | "uniform" | "drift";

export interface MadeShape {
  kind: MadeKind;
  /** Distinct items that it may hold. */
  items: number;
  /** Of Zipf: an item's chance falls with its rank to the power of this. */
  skew: number;
  seed: number;
}

/** Drifting: after so many updates all ranks have moved on by one item. */
const driftUpdates = 40;

/** Numbers from 0 to below 1: a Weyl sequence through MurmurHash3's finaliser. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let h = state;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32;
  };
}

/** Draws ranks from 0 with P(rank) ∝ (rank + 1)^−skew, by search in the summed chances. */
export function ranksFrom(random: () => number, items: number, skew: number): () => number {
  const sums = new Float64Array(items);
  let sum = 0;
  for (let rank = 0; rank < items; rank++) {
    sum += (rank + 1) ** -skew;
    sums[rank] = sum;
  }
  return () => {
    const wanted = random() * sum;
    let low = 0;
    let high = items - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle]! > wanted) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}

/** An endless stream of `song_1`, `song_2`, …: in Zipf's form the first is the most frequent. */
export function madeStream({ kind, items, skew, seed }: MadeShape): ItemSource {
  const rank = ranksFrom(randomFrom(seed), items, kind === "uniform" ? 0 : skew);
  const names = Array.from({ length: items }, (_, i) => `song_${i + 1}`);
  let made = 0;
  return {
    read: (n) =>
      Array.from({ length: n }, () => {
        const moved = kind === "drift" ? Math.floor(made / driftUpdates) : 0;
        made += 1;
        return names[(rank() + moved) % items]!;
      }),
  };
}

/** Words in small letters, from the first to the last. */
export function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+(?:['’-][\p{L}\p{N}]+)*/gu) ?? [];
}

/** A stream that ends after these items. */
export function listStream(items: readonly string[]): ItemSource {
  let at = 0;
  return {
    read(n) {
      if (at >= items.length) return null;
      at += n;
      return items.slice(at - n, at);
    },
  };
}
