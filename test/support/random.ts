// Random numbers that a failing test can be run again with. No cryptography.
//
//     const random = randomFromEnvironment("scanner differential");
//     const word = random.pick(words);
//
// The seed is printed; RANKSTREAM_TEST_SEED=<seed> repeats a run.
import { onTestFailed } from "vitest";

const seedVariable = "RANKSTREAM_TEST_SEED";

/** The seed asked for in the environment, or a fresh one; says which on stderr. */
export function seedFromEnvironment(name: string): number {
  const given = process.env[seedVariable];
  const seed = given === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(given);
  if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32) {
    throw new Error(`${seedVariable}: expected an integer below 2^32, got ${given}`);
  }
  process.stderr.write(`${name}: ${seedVariable}=${seed}\n`);
  return seed;
}

/** sfc32 (Chris Doty-Humphrey's Small Fast Counter): passes PractRand, 128 bits of state. */
export class Random {
  readonly seed: number;
  #a: number;
  #b: number;
  #c = 1;
  #counter = 1;

  constructor(seed: number) {
    this.seed = seed >>> 0;
    this.#a = this.seed;
    this.#b = 0x9e3779b9;
    for (let i = 0; i < 16; i++) this.uint32();
  }

  uint32(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** From 0 to below 1, with 53 bits. */
  float(): number {
    return ((this.uint32() >>> 5) * 2 ** 26 + (this.uint32() >>> 6)) / 2 ** 53;
  }

  /** An integer from low to high, both included. */
  int(low: number, high: number): number {
    return low + Math.floor(this.float() * (high - low + 1));
  }

  chance(probability: number): boolean {
    return this.float() < probability;
  }

  pick<T>(values: readonly T[]): T {
    if (values.length === 0) throw new Error("nothing to pick from");
    return values[this.int(0, values.length - 1)] as T;
  }

  /** In place (Fisher-Yates); returns the same array. */
  shuffle<T>(values: T[]): T[] {
    for (let i = values.length - 1; i > 0; i--) {
      const j = this.int(0, i);
      [values[i], values[j]] = [values[j] as T, values[i] as T];
    }
    return values;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.uint32() & 255);
  }

  /** A generator of its own that depends on this one's seed and the number alone. */
  fork(number: number): Random {
    return new Random(
      Math.imul(this.seed ^ 0x85ebca6b, 0xc2b2ae35) ^ Math.imul(number, 0x27d4eb2f),
    );
  }
}

/** A generator with the environment's seed, named again should the current test fail. */
export function randomFromEnvironment(name: string): Random {
  const seed = seedFromEnvironment(name);
  try {
    onTestFailed(() => {
      process.stderr.write(`${name} failed; repeat with ${seedVariable}=${seed}\n`);
    });
  } catch {
    // Outside a test (a describe block, a bench) there is nothing to hook; it was printed above.
  }
  return new Random(seed);
}

/**
 * Ranks from 0 with P(rank) ∝ 1/(rank+1)^exponent, exactly: Walker's alias method in Vose's form.
 * 12 bytes a rank while drawing (60 MB for 5 million), two random numbers a draw.
 */
export class ZipfSampler {
  readonly size: number;
  readonly #share: Float64Array;
  readonly #alias: Uint32Array;

  constructor(size: number, exponent: number) {
    this.size = size;
    const share = new Float64Array(size);
    let sum = 0;
    for (let i = 0; i < size; i++) {
      share[i] = (i + 1) ** -exponent;
      sum += share[i]!;
    }
    for (let i = 0; i < size; i++) share[i] = (share[i]! * size) / sum;
    this.#share = share;
    this.#alias = aliasOf(share);
  }

  draw(random: Random): number {
    const rank = random.int(0, this.size - 1);
    return random.float() < this.#share[rank]! ? rank : this.#alias[rank]!;
  }
}

/** Pairs each column below 1 with one above that fills it; `share` becomes the cut of each. */
function aliasOf(share: Float64Array): Uint32Array {
  const size = share.length;
  const alias = Uint32Array.from({ length: size }, (_, i) => i);
  // One array, two stacks: columns below 1 grow from the left, the others from the right.
  const stack = new Uint32Array(size);
  let small = 0;
  let large = size;
  for (let i = 0; i < size; i++) {
    if (share[i]! < 1) stack[small++] = i;
    else stack[--large] = i;
  }
  while (small > 0 && large < size) {
    const low = stack[--small]!;
    const high = stack[large]!;
    alias[low] = high;
    share[high] = share[high]! - (1 - share[low]!);
    if (share[high]! < 1) {
      large++;
      stack[small++] = high;
    }
  }
  // What rounding left over is full.
  while (small > 0) share[stack[--small]!] = 1;
  while (large < size) share[stack[large++]!] = 1;
  return alias;
}
