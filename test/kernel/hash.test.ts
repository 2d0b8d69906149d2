// The row hash against what chance alone would give: no expected figure comes from the hash. The
// same checks are shown to find fault with hashes that are worse.
import { beforeAll, describe, expect, test } from "vitest";
import { Kernel } from "../../src/kernel/kernel.ts";
import { loadKernelModule } from "../../src/kernel/module.ts";
import { randomFromEnvironment } from "../support/random.ts";
import { type Attack, collidingPairs, collidingUnder, differences } from "./hash-attack.ts";
import {
  avalanche,
  bitIndependence,
  collisions,
  type Hash,
  hashAll,
  occupancy,
  randomSeed,
  rowMeetings,
} from "./hash-checks.ts";
import { contrivedKeys, realKeys, sequentialKeys, songKeys } from "./hash-keys.ts";

const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);
const low32 = 0xffffffffn;
const eventType = new TextEncoder().encode("song_play");

/** The description in assembly/hash.ts, for who attacks it. */
const attack: Attack = {
  lane: (state, word) => {
    const x = state ^ word;
    const h = u64(((x & low32) + 0x9e3779b185ebca87n) * ((x >> 32n) + 0xc2b2ae3d27d4eb4fn));
    return h ^ (h >> 32n);
  },
  lengthFactor: 0xc2b2ae3d27d4eb4fn,
};

let row: Hash;
/** Without an event type before it: what an attacker who knows all else works on. */
let bare: Hash;

beforeAll(async () => {
  const kernel = await Kernel.load(await loadKernelModule(), 1 << 20);
  const hashRow = kernel.exports["hashRow"]!;
  const [type, id, out] = [128, 512, 8].map((bytes) => kernel.allocate(bytes)) as number[];
  kernel.bytes.set(eventType, type);
  const place = out! >>> 2;
  const { bytes, u32 } = kernel;
  row = (key, seed, to, at) => {
    bytes.set(key, id);
    hashRow(type!, eventType.length, id!, key.length, seed.low, seed.high, out!);
    to[at] = u32[place]!;
    to[at + 1] = u32[place + 1]!;
  };
  // The type's hash is the id's seed: a key given as the type, without an id, is mixed once more.
  bare = (key, seed, to, at) => {
    bytes.set(key, id);
    hashRow(id!, key.length, out!, 0, seed.low, seed.high, out!);
    to[at] = u32[place]!;
    to[at + 1] = u32[place + 1]!;
  };
});

/** FNV-1a in two halves, the seed as its basis: quick to collide in its high bits. */
const fnv: Hash = (key, seed, out, at) => {
  let [low, high] = [seed.low, seed.high];
  for (const byte of key) {
    low = Math.imul(low ^ byte, 0x01000193);
    high = Math.imul(high ^ byte, 0x85ebca6b);
  }
  out[at] = low;
  out[at + 1] = high;
};

/** Reads no more than every other byte. */
const halfBlind: Hash = (key, seed, out, at) =>
  row(
    key.map((byte, i) => byte * (i & 1)),
    seed,
    out,
    at,
  );

/** One of the halves says nothing that the other doesn't. */
const twin: Hash = (key, seed, out, at) => {
  row(key, seed, out, at);
  out[at + 1] = out[at]!;
};

/** The seed comes in at the end only. */
const lateSeed: Hash = (key, seed, out, at) => {
  bare(key, { low: 1, high: 2 }, out, at);
  out[at]! ^= seed.low;
  out[at + 1]! ^= seed.high;
};

const lengths = [
  ...Array.from({ length: 33 }, (_, i) => i + 1),
  40,
  47,
  64,
  100,
  255,
  256,
  511,
  512,
];

describe("avalanche", () => {
  test("every input bit flips every output bit half of the time, lengths 1 to 512", () => {
    expect(avalanche(row, randomFromEnvironment("avalanche"), lengths)).toEqual([]);
  });

  test("output bits flip independently of each other", () => {
    const random = randomFromEnvironment("bit independence");
    expect(bitIndependence(row, random, [1, 3, 8, 12, 16, 23, 64])).toEqual([]);
  });

  test("the checks find worse hashes", () => {
    const random = randomFromEnvironment("avalanche of worse hashes");
    for (const worse of [fnv, halfBlind, lateSeed]) {
      expect(avalanche(worse, random, [4, 9])).not.toEqual([]);
    }
    for (const worse of [fnv, twin]) expect(bitIndependence(worse, random, [9])).not.toEqual([]);
  });
});

describe("keys", () => {
  const families = { ...realKeys(), ...sequentialKeys(200_000), ...contrivedKeys() };

  test.each(Object.entries(families))(
    "%s: buckets, collisions and rows are chance's",
    (name, keys) => {
      const random = randomFromEnvironment(`keys ${name}`);
      const hashes = hashAll(row, keys, randomSeed(random));
      expect(occupancy(hashes, name)).toEqual([]);
      expect(collisions(hashes, name)).toEqual([]);
      expect(rowMeetings(hashes, name)).toEqual([]);
    },
  );

  test("the checks find worse hashes", () => {
    const random = randomFromEnvironment("keys of worse hashes");
    const songs = families["song_1"]!;
    const found = (worse: Hash) => {
      const hashes = hashAll(worse, songs, randomSeed(random));
      return [occupancy, collisions, rowMeetings].map((check) => check(hashes, "x").length > 0);
    };
    expect(found(halfBlind)).toEqual([true, true, true]);
    expect(found(twin)[2]).toBe(true);
    expect(found(fnv)).toContain(true);
  });
});

describe("somebody who knows another seed", () => {
  test("makes pairs that collide under it, and under no other seed", () => {
    const random = randomFromEnvironment("hash attack");
    const [known, ...secret] = Array.from({ length: 20 }, () => randomSeed(random));
    const pairs = collidingPairs(attack, known!, random, differences(random, 10));
    expect(collidingUnder(bare, pairs, known!)).toBe(pairs.length);
    // 23,000 pairs under 19 seeds: chance has one in 2^45.
    expect(secret.map((seed) => collidingUnder(bare, pairs, seed))).toEqual(secret.map(() => 0));
    expect(
      collidingUnder(lateSeed, collidingPairs(attack, { low: 1, high: 2 }, random, [5n]), known!),
    ).toBe(1);
  });

  test("finds items in one item's cells, and elsewhere they are apart", () => {
    const random = randomFromEnvironment("cell attack");
    const [known, ...secret] = Array.from({ length: 20 }, () => randomSeed(random));
    const widthLog2 = 7;
    const cells = (hashes: Uint32Array, i: number) => {
      const mask = 2 ** widthLog2 - 1;
      return (hashes[2 * i]! & mask) * 2 ** widthLog2 + ((hashes[2 * i + 1]! | 1) & mask);
    };
    const keys = songKeys(400_000);
    const hashes = hashAll(row, keys, known!);
    const prepared = keys.filter((_, i) => cells(hashes, i) === cells(hashes, 0));
    const others = prepared.length - 1;
    const chance = 1 / 2 ** (2 * widthLog2 - 1);
    expect(others).toBeGreaterThan(keys.length * chance * 0.4);
    const met = secret.reduce((sum, seed) => {
      const again = hashAll(row, prepared, seed);
      return sum + prepared.filter((_, i) => i > 0 && cells(again, i) === cells(again, 0)).length;
    }, 0);
    // Some 0.06 are expected.
    expect(met).toBeLessThan(others * secret.length * chance + 5);
  });
});
