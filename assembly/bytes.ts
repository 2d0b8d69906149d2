// Finding, comparing and copying bytes, 16 at a time with SIMD and 8 at a time without.
// The last step reads (and `copyBytes` writes) up to 15 bytes too many: regions are padded.

const ONES: u64 = 0x0101010101010101;
const HIGHS: u64 = 0x8080808080808080;

// Lowest byte of `x` that is zero, as its high bit. Bits above the lowest may be false (the
// borrow runs upwards), so only `ctz` of it, or of several of them together, means anything.
// @ts-ignore: decorator
@inline
function zeros(x: u64): u64 {
  return (x - ONES) & ~x & HIGHS;
}

/** First byte at or after `p` that needs a look in a JSON string: `"`, `\`, control, ≥ 0x80. */
// @ts-ignore: decorator
@inline
export function findSpecial(p: usize): usize {
  if (ASC_FEATURE_SIMD) {
    while (true) {
      const v = v128.load(p);
      // Signed: bytes from 0x80 are negative, so one comparison finds them and the controls.
      const low = i8x16.lt_s(v, i8x16.splat(0x20));
      const quotes = i8x16.eq(v, i8x16.splat(0x22));
      const slashes = i8x16.eq(v, i8x16.splat(0x5c));
      const mask = i8x16.bitmask(v128.or(low, v128.or(quotes, slashes)));
      if (mask) return p + ctz(mask);
      p += 16;
    }
  } else {
    while (true) {
      const x = load<u64>(p);
      const low = (x - ONES * 0x20) & ~x & HIGHS;
      const mask = low | (x & HIGHS) | zeros(x ^ (ONES * 0x22)) | zeros(x ^ (ONES * 0x5c));
      if (mask) return p + <usize>(ctz(mask) >> 3);
      p += 8;
    }
  }
}

/** First line feed in [p, end), or `end`. */
export function findLineFeed(p: usize, end: usize): usize {
  if (ASC_FEATURE_SIMD) {
    while (p < end) {
      const mask = i8x16.bitmask(i8x16.eq(v128.load(p), i8x16.splat(10)));
      if (mask) return min(p + ctz(mask), end);
      p += 16;
    }
  } else {
    while (p < end) {
      const mask = zeros(load<u64>(p) ^ (ONES * 10));
      if (mask) return min(p + <usize>(ctz(mask) >> 3), end);
      p += 8;
    }
  }
  return end;
}

/** Copies `n` bytes forward; up to 15 bytes after them are overwritten. Not for overlaps. */
export function copyBytes(target: usize, source: usize, n: u32): void {
  const end = target + n;
  if (ASC_FEATURE_SIMD) {
    while (target < end) {
      v128.store(target, v128.load(source));
      target += 16;
      source += 16;
    }
  } else {
    while (target < end) {
      store<u64>(target, load<u64>(source));
      target += 8;
      source += 8;
    }
  }
}

/** As `copyBytes`, with each CR and LF turned into a space (JSON has them only between tokens). */
export function copyAsLine(target: usize, source: usize, n: u32): void {
  const end = target + n;
  if (ASC_FEATURE_SIMD) {
    while (target < end) {
      const v = v128.load(source);
      const breaks = v128.or(i8x16.eq(v, i8x16.splat(10)), i8x16.eq(v, i8x16.splat(13)));
      v128.store(target, v128.bitselect(i8x16.splat(0x20), v, breaks));
      target += 16;
      source += 16;
    }
  } else {
    while (target < end) {
      const x = load<u64>(source);
      store<u64>(target, x);
      if (zeros(x ^ (ONES * 10)) | zeros(x ^ (ONES * 13))) {
        for (let i: usize = 0; i < 8; i++) {
          const c = load<u8>(source + i);
          if (c == 10 || c == 13) store<u8>(target + i, 0x20);
        }
      }
      target += 8;
      source += 8;
    }
  }
}

/** Whether `n` bytes are the same. */
export function sameBytes(a: usize, b: usize, n: u32): bool {
  while (n >= 8) {
    if (load<u64>(a) != load<u64>(b)) return false;
    a += 8;
    b += 8;
    n -= 8;
  }
  while (n) {
    if (load<u8>(a) != load<u8>(b)) return false;
    a++;
    b++;
    n--;
  }
  return true;
}
