// Somebody who knows a seed and the hash's construction, and makes keys that collide under it.
import type { Random } from "../support/random.ts";
import type { Hash, Seed } from "./hash-checks.ts";

type Lane = (state: bigint, word: bigint) => bigint;

const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);

export interface Attack {
  /** The hash's step over eight bytes, as its description has it. */
  lane: Lane;
  lengthFactor: bigint;
}

function keyOf(...words: bigint[]): Uint8Array {
  return new Uint8Array(BigUint64Array.from(words).buffer);
}

function word(random: Random): bigint {
  return (BigInt(random.uint32()) << 32n) | BigInt(random.uint32());
}

export type KeyPair = [a: Uint8Array, b: Uint8Array];

/**
 * Pairs of 16 bytes that collide under `seed`: the first words differ as `differences` says, the
 * second ones take back what that made of the state.
 */
export function collidingPairs(
  { lane, lengthFactor }: Attack,
  seed: Seed,
  random: Random,
  differences: Iterable<bigint>,
): KeyPair[] {
  const start = ((BigInt(seed.high) << 32n) | BigInt(seed.low)) ^ u64(16n * lengthFactor);
  return [...differences].map((difference) => {
    const [first, second] = [word(random), word(random)];
    const other = first ^ difference;
    const taken = lane(start, first) ^ lane(start, other);
    return [keyOf(first, second), keyOf(other, second ^ taken)];
  });
}

/** Every difference of one or two bits, each as often as `times` says, and as many random ones. */
export function* differences(random: Random, times: number): Generator<bigint> {
  for (let a = 0n; a < 64n; a++) {
    for (let b = 0n; b <= a; b++) {
      for (let i = 0; i < times; i++) yield (1n << a) | (1n << b);
      yield word(random);
    }
  }
}

/** How many of the pairs have the same hash. */
export function collidingUnder(hash: Hash, pairs: readonly KeyPair[], seed: Seed): number {
  const out = new Uint32Array(4);
  return pairs.filter(([a, b]) => {
    hash(a, seed, out, 0);
    hash(b, seed, out, 2);
    return out[0] === out[2] && out[1] === out[3];
  }).length;
}
