// What a hash must show, each as a function from a hash to what is wrong with it. Expected
// statistics come from probability alone; bounds lie 6.5 standard deviations out, so that all
// checks together fail a good hash once in some ten thousand runs.
import type { Random } from "../support/random.ts";

export interface Seed {
  low: number;
  high: number;
}

/** Writes the low and the high half of the key's hash to out[at], out[at + 1]. */
export type Hash = (key: Uint8Array, seed: Seed, out: Uint32Array, at: number) => void;

const sigmas = 6.5;

export function randomSeed(random: Random): Seed {
  return { low: random.uint32(), high: random.uint32() };
}

function standardDeviations(count: number, n: number, probability: number): number {
  const variance = n * probability * (1 - probability);
  return (count - n * probability) / Math.sqrt(variance);
}

function flip(key: Uint8Array, bit: number): void {
  key[bit >> 3]! ^= 1 << (bit & 7);
}

/** All bits of a short key, an even choice of a long one's, its first and last among them. */
function bitsOf(length: number, most: number): number[] {
  const bits = length * 8;
  if (bits <= most) return Array.from({ length: bits }, (_, bit) => bit);
  return Array.from({ length: most }, (_, i) => Math.round((i * (bits - 1)) / (most - 1)));
}

/** Adds each set bit of two words to its tally. */
function tally(counts: Uint32Array, low: number, high: number): void {
  for (let bit = 0; bit < 32; bit++) {
    counts[bit]! += (low >>> bit) & 1;
    counts[bit + 32]! += (high >>> bit) & 1;
  }
}

/**
 * Avalanche: a flipped input bit flips each output bit with probability one half. Keys of each
 * length; then the bits of the seed itself.
 */
export function avalanche(hash: Hash, random: Random, lengths: number[], keys = 300): string[] {
  const found: string[] = [];
  const out = new Uint32Array(4);
  const judge = (counts: Uint32Array, place: string) => {
    counts.forEach((count, bit) => {
      const off = standardDeviations(count, keys, 0.5);
      if (Math.abs(off) > sigmas) found.push(`${place} flips bit ${bit} ${count}/${keys}`);
    });
  };
  for (const length of lengths) {
    for (const input of bitsOf(length, 96)) {
      const counts = new Uint32Array(64);
      for (let i = 0; i < keys; i++) {
        const key = random.bytes(Math.min(length, 24));
        const whole = length <= 24 ? key : repeated(key, length);
        const seed = randomSeed(random);
        hash(whole, seed, out, 0);
        flip(whole, input);
        hash(whole, seed, out, 2);
        tally(counts, out[0]! ^ out[2]!, out[1]! ^ out[3]!);
      }
      judge(counts, `length ${length}, input bit ${input}`);
    }
  }
  for (let input = 0; input < 64; input++) {
    const counts = new Uint32Array(64);
    for (let i = 0; i < keys; i++) {
      const key = random.bytes(random.int(1, 20));
      const seed = randomSeed(random);
      hash(key, seed, out, 0);
      if (input < 32) seed.low = (seed.low ^ (1 << input)) >>> 0;
      else seed.high = (seed.high ^ (1 << (input - 32))) >>> 0;
      hash(key, seed, out, 2);
      tally(counts, out[0]! ^ out[2]!, out[1]! ^ out[3]!);
    }
    judge(counts, `seed bit ${input}`);
  }
  return found;
}

/** The bytes again and again: a long key costs no more random numbers than a short one. */
function repeated(bytes: Uint8Array, length: number): Uint8Array {
  const key = new Uint8Array(length);
  for (let at = 0; at < length; at++) key[at] = bytes[at % bytes.length]! + at;
  return key;
}

function ones(word: number): number {
  let n = word - ((word >>> 1) & 0x55555555);
  n = (n & 0x33333333) + ((n >>> 2) & 0x33333333);
  return Math.imul((n + (n >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** Bit independence: whether two output bits flip are independent of each other. */
export function bitIndependence(hash: Hash, random: Random, lengths: number[]): string[] {
  const keys = 1024;
  const words = keys / 32;
  const found: string[] = [];
  const out = new Uint32Array(4);
  for (const length of lengths) {
    for (const input of bitsOf(length, 64)) {
      const flips = new Uint32Array(64 * words);
      for (let i = 0; i < keys; i++) {
        const key = random.bytes(length);
        const seed = randomSeed(random);
        hash(key, seed, out, 0);
        flip(key, input);
        hash(key, seed, out, 2);
        for (let bit = 0; bit < 64; bit++) {
          const half = bit >> 5;
          const flipped = ((out[half]! ^ out[half + 2]!) >>> (bit & 31)) & 1;
          flips[bit * words + (i >> 5)]! |= flipped << (i & 31);
        }
      }
      for (let a = 0; a < 64; a++) {
        for (let b = 0; b < a; b++) {
          let differ = 0;
          for (let w = 0; w < words; w++)
            differ += ones(flips[a * words + w]! ^ flips[b * words + w]!);
          const off = standardDeviations(differ, keys, 0.5);
          if (Math.abs(off) < sigmas) continue;
          found.push(`length ${length}, input bit ${input}: bits ${a} and ${b} flip together`);
        }
      }
    }
  }
  return found;
}

/** Low and high halves of all keys' hashes, alternating. */
export function hashAll(hash: Hash, keys: readonly Uint8Array[], seed: Seed): Uint32Array {
  const out = new Uint32Array(keys.length * 2);
  keys.forEach((key, i) => {
    hash(key, seed, out, 2 * i);
  });
  return out;
}

/** Chi-square of bucket occupancy, in standard deviations from its mean. */
function chiSquare(buckets: Uint32Array, n: number): number {
  const expected = n / buckets.length;
  let sum = 0;
  for (const count of buckets) sum += (count - expected) ** 2;
  const freedom = buckets.length - 1;
  return (sum / expected - freedom) / Math.sqrt(2 * freedom);
}

/** Occupancy of buckets by every 8 neighbouring bits, and by the low bits of both halves. */
export function occupancy(hashes: Uint32Array, name: string): string[] {
  const n = hashes.length / 2;
  const wide = Math.max(4, Math.min(16, Math.floor(Math.log2(n / 8))));
  const found: string[] = [];
  const judge = (half: number, shift: number, width: number) => {
    const buckets = new Uint32Array(2 ** width);
    const mask = buckets.length - 1;
    for (let i = half; i < hashes.length; i += 2) buckets[(hashes[i]! >>> shift) & mask]!++;
    const off = chiSquare(buckets, n);
    // Too even is no chance either. The tail of chi-square on few buckets is longer than normal.
    if (Math.abs(off) < sigmas + 1.5) return;
    found.push(
      `${name}: half ${half}, bits ${shift}+${width}: chi-square off by ${off.toFixed(1)}`,
    );
  };
  for (const half of [0, 1]) {
    for (let shift = 0; shift <= 24; shift += 4) judge(half, shift, Math.min(8, wide));
    judge(half, 0, wide);
    judge(half, 32 - wide, wide);
  }
  return found;
}

function sorted(hashes: Uint32Array, half: number): Uint32Array {
  return hashes.filter((_, i) => (i & 1) === half).sort();
}

function pairsIn(values: Uint32Array | BigUint64Array): number {
  let pairs = 0;
  for (let at = 1, run = 0; at < values.length; at++) {
    run = values[at] === values[at - 1] ? run + 1 : 0;
    pairs += run;
  }
  return pairs;
}

/** Pairs of equal hashes. */
export function fullCollisions(hashes: Uint32Array): number {
  return pairsIn(new BigUint64Array(hashes.buffer.slice(0) as ArrayBuffer).sort());
}

/** Collisions of n keys: of all 64 bits none, of each half as many as birthdays have. */
export function collisions(hashes: Uint32Array, name: string): string[] {
  const n = hashes.length / 2;
  const found: string[] = [];
  const full = fullCollisions(hashes);
  if (full > 0) found.push(`${name}: ${full} pairs of ${n} keys have the same hash`);
  const expected = (n * (n - 1)) / 2 / 2 ** 32;
  for (const half of [0, 1]) {
    const pairs = pairsIn(sorted(hashes, half));
    // Poisson; the 4 is for means below one.
    if (Math.abs(pairs - expected) < sigmas * Math.sqrt(expected) + 4) continue;
    found.push(`${name}: ${pairs} pairs equal in half ${half}, expected ${expected.toFixed(1)}`);
  }
  return found;
}

/** Share of pairs of items that meet in all of these rows, by counting out double hashing. */
function meetingShare(rows: readonly number[], width: number): number {
  // Of two odd steps the difference is even; of the first places it is anything.
  let meetings = 0;
  for (let first = 0; first < width; first++) {
    for (let step = 0; step < width; step += 2) {
      if (rows.every((row) => (first + row * step) % width === 0)) meetings++;
    }
  }
  return meetings / (width * (width / 2));
}

const rowSets = [[0], [1], [2], [3], [0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3], [0, 1, 2, 3]];

/** Items meet in one row, or in several at once, as often as double hashing says. */
export function rowMeetings(hashes: Uint32Array, name: string, widthLog2 = 6): string[] {
  const width = 2 ** widthLog2;
  const n = hashes.length / 2;
  const pairs = (n * (n - 1)) / 2;
  return rowSets.flatMap((rows) => {
    const places = Float64Array.from({ length: n }, (_, i) => {
      const step = (hashes[2 * i + 1]! | 1) >>> 0;
      return rows.reduce((sum, row) => sum * width + ((hashes[2 * i]! + row * step) % width), 0);
    }).sort();
    let met = 0;
    for (let at = 1, run = 0; at < n; at++) {
      run = places[at] === places[at - 1] ? run + 1 : 0;
      met += run;
    }
    const off = standardDeviations(met, pairs, meetingShare(rows, width));
    // Pairs share items, so their sum varies more than independent ones would.
    if (Math.abs(off) < 2 * sigmas) return [];
    return [
      `${name}: rows ${rows.join("+")}: ${met} of ${pairs} pairs meet, ${off.toFixed(1)} off`,
    ];
  });
}
