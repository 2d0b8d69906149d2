/**
 * How many distinct items so many events bring, by trying it: each item gets the moment of its
 * first event at random, and who came by then is counted. Nothing of this is shared with the
 * formula of src/capacity/distinct.ts.
 */
import type { Random } from "../test/support/random.ts";

/** Ranks up to here are tried one by one; of further ones some stand for their neighbours. */
const singleRanks = 20_000;
const triedMax = 40_000;
/** Tries of an item: of few items, and of the first, as many as leave no chance to luck. */
const triesOfAll = 100_000;
const triesMax = 200;
const firstRanks = 500;
const firstTries = 50;
const bucketsPerOctave = 16;
const octavesMax = 60;

/** The items of one event type, the i-th of them asked for in proportion to 1/i. */
export class FirstArrivals {
  /** Items that have come by 2^(i / bucketsPerOctave) events. */
  readonly #come = new Float64Array(octavesMax * bucketsPerOctave + 1);

  constructor(items: number, random: Random) {
    let weights = 0;
    for (let rank = 1; rank <= items; rank++) weights += 1 / rank;
    const stride = Math.max(1, Math.ceil((items - singleRanks) / triedMax));
    const tries = Math.min(triesMax, Math.ceil(triesOfAll / Math.min(items, singleRanks)));
    for (let rank = 1; rank <= items; ) {
      const step = rank <= singleRanks ? 1 : Math.min(stride, items - rank + 1);
      const middle = rank + (step - 1) / 2;
      const own = rank <= firstRanks ? Math.max(tries, firstTries) : tries;
      for (let turn = 0; turn < own; turn++) {
        // Exponential, with as many events on average as this item's share asks for.
        const first = -Math.log1p(-random.float()) * middle * weights;
        const bucket = Math.ceil(Math.log2(Math.max(1, first)) * bucketsPerOctave);
        this.#come[Math.min(bucket, this.#come.length - 1)]! += step / own;
      }
      rank += step;
    }
    for (let i = 1; i < this.#come.length; i++) this.#come[i]! += this.#come[i - 1]!;
  }

  /** Distinct items of so many events. */
  distinct(events: number): number {
    return this.distinctAt(events, Math.log2(events));
  }

  /** The same with the logarithm to base 2 known: it is most of the work. */
  distinctAt(events: number, octave: number): number {
    if (events < 1) return events;
    const place = Math.min(octave * bucketsPerOctave, this.#come.length - 2);
    const below = Math.floor(place);
    const from = this.#come[below]!;
    return Math.min(events, from + (this.#come[below + 1]! - from) * (place - below));
  }
}
