// DuckDB's 16-byte string_t, so that a column of strings reaches it by one memory copy.
//
//   up to 12 bytes          longer
//   0  length u32           0  length u32
//   4  bytes, zero padded   4  first 4 bytes
//                           8  offset in the column's heap u32 (the host turns it into a
//                              pointer once it knows where DuckDB put the heap)
//                          12  0
//
// Reads go up to 12 bytes past a string's end and heap writes up to 16: every region that holds
// strings ends in padding (STRING_PADDING).

export const INLINE_MAX: u32 = 12;

/** Copies `len` bytes in steps of 16 (8 without SIMD); writes up to 15 bytes too many. */
// @ts-ignore: decorator
@inline
export function copyPadded(dst: usize, src: usize, len: u32): void {
  if (ASC_FEATURE_SIMD) {
    for (let i: u32 = 0; i < len; i += 16) v128.store(dst + i, v128.load(src + i));
  } else {
    for (let i: u32 = 0; i < len; i += 8) store<u64>(dst + i, load<u64>(src + i));
  }
}

/** Bytes 0..3 of a string shorter than 4 hold zeroes after its end. */
// @ts-ignore: decorator
@inline
export function prefixWord(ptr: usize, len: u32): u32 {
  const word = load<u32>(ptr);
  return len >= 4 ? word : word & ((1 << (len << 3)) - 1);
}

/** Bytes 4..11 of a string of at most 12 bytes, zero padded. */
// @ts-ignore: decorator
@inline
export function suffixWord(ptr: usize, len: u32): u64 {
  if (len <= 4) return 0;
  const word = load<u64>(ptr + 4);
  return len >= 12 ? word : word & (((<u64>1) << ((len - 4) << 3)) - 1);
}

/**
 * Writes the string_t of `len` bytes at `ptr` to `row`; a long one is also copied to
 * `heap + heapUsed`. Returns the heap bytes used after it.
 */
// @ts-ignore: decorator
@inline
export function writeString(row: usize, ptr: usize, len: u32, heap: usize, heapUsed: u32): u32 {
  store<u32>(row, len);
  store<u32>(row, prefixWord(ptr, len), 4);
  if (len <= INLINE_MAX) {
    store<u64>(row, suffixWord(ptr, len), 8);
    return heapUsed;
  }
  store<u64>(row, <u64>heapUsed, 8);
  copyPadded(heap + heapUsed, ptr, len);
  return heapUsed + len;
}

/** Whether `len` bytes at `a` and `b` are the same; reads nothing past them. */
export function sameBytes(a: usize, b: usize, len: u32): bool {
  let i: u32 = 0;
  for (; i + 8 <= len; i += 8) {
    if (load<u64>(a + i) != load<u64>(b + i)) return false;
  }
  for (; i < len; i++) {
    if (load<u8>(a + i) != load<u8>(b + i)) return false;
  }
  return true;
}
