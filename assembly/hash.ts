// Seeded 64-bit hash of byte strings: multiply-xorshift over 8-byte loads.
//
// Each 8-byte lane is xored into the state, whose halves are then multiplied with each other,
// each after the addition of a constant (as NH of UMAC does: Black, Halevi, Krawczyk, Krovetz &
// Rogaway, CRYPTO 1999), and the product is folded. At the end MurmurHash3's 64-bit finaliser
// (fmix64, Austin Appleby, public domain). One multiply a lane: WebAssembly has no 64×64→128
// multiply, so wyhash's core costs four.
//
// Both factors depend on the seed, so what a difference between two keys does to the state can't
// be foreseen without it: of a given pair of keys about one seed in 2^32 makes a collision at
// worst, one in 2^64 mostly. (With a constant factor instead, as in many hashes of this kind, a
// difference in a lane's top bit comes out as the same difference under every seed, and the next
// lane can take it back: keys could be prepared, and one in fifty of UUIDs in sequence met
// another.) Not cryptographic: the seed is secret per deployment, and no hash is shown to anyone.
//
// Reads never go past `ptr + len`.

const P1: u64 = 0x9e3779b185ebca87;
const P2: u64 = 0xc2b2ae3d27d4eb4f;

// @ts-ignore: decorator
@inline
export function mix(h: u64): u64 {
  h ^= h >> 33;
  h *= 0xff51afd7ed558ccd;
  h ^= h >> 33;
  h *= 0xc4ceb9fe1a85ec53;
  return h ^ (h >> 33);
}

// @ts-ignore: decorator
@inline
function lane(h: u64, word: u64): u64 {
  h ^= word;
  h = (<u64><u32>h + P1) * ((h >> 32) + P2);
  return h ^ (h >> 32);
}

/** Up to 7 trailing bytes as one little-endian word; their number is folded in by the length. */
// @ts-ignore: decorator
@inline
function tail(ptr: usize, len: u32): u64 {
  if (len >= 4) {
    return <u64>load<u32>(ptr) | (<u64>load<u32>(ptr + len - 4) << 32);
  }
  if (len == 0) return 0;
  const a = <u64>load<u8>(ptr);
  const b = <u64>load<u8>(ptr + (len >> 1));
  const c = <u64>load<u8>(ptr + len - 1);
  return a | (b << 8) | (c << 16);
}

/** Hash of `len` bytes at `ptr` under `seed`. */
export function hashBytes(ptr: usize, len: u32, seed: u64): u64 {
  let h = seed ^ (<u64>len * P2);
  let left = len;
  while (left >= 8) {
    h = lane(h, load<u64>(ptr));
    ptr += 8;
    left -= 8;
  }
  return mix(lane(h, tail(ptr, left)));
}
