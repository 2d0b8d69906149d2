// Hand-over of an open window's candidates: one compact buffer that any thread can read.
//
//   header  0 bytes u32 | 4 lists u32 | 8 minute u32 | 12 flags u32 (WINDOW_FLAG_*)
//          16 total u64 (sum of weights) | 24 reserved
//   from CANDIDATES_HEADER_SIZE, each list from a multiple of 8:
//           0 type u32 | 4 rows u32 | 8 outside u64 | 16 total u64
//          24 idBytes u32 | 28 capacity u32 (what the list could grow to; rows = capacity: full)
//          32 lower u64[rows], upper u64[rows], idEnds u32[rows], ids
//
// Rows are in the heap's order, so the first has the least upper bound. Id i is the bytes from
// idEnds[i − 1] (0 for the first) to idEnds[i]. outside and upper 2^64 − 1: no bound.
//
// A candidate takes at least as many bytes of the pool as here, a list too: the buffer is never
// longer than CANDIDATES_HEADER_SIZE + the pool, and 16 bytes after it may be overwritten.

import { CANDIDATES_HEADER_SIZE, CANDIDATES_LIST_SIZE } from "./layout";
import { W_FIRST_LIST, W_FLAGS, W_LISTS, W_MINUTE, W_TOTAL } from "./candidate-pool";
import {
  C_ID, C_ID_BLOCK, C_SINCE, L_CAPACITY, L_NEXT, L_OUTSIDE, L_SIZE, L_TOTAL, L_TYPE, candidateAt,
  upperAt,
} from "./top-heap";
import { INLINE_MAX, copyPadded } from "./duckdb-string";

/** Writes one list; returns where it ends. */
function writeList(list: usize, out: usize): usize {
  const rows = load<u32>(list, L_SIZE);
  store<u32>(out, load<u32>(list, L_TYPE));
  store<u32>(out, rows, 4);
  store<u64>(out, load<u64>(list, L_OUTSIDE), 8);
  store<u64>(out, load<u64>(list, L_TOTAL), 16);
  store<u32>(out, load<u32>(list, L_CAPACITY), 28);
  const lowers = out + CANDIDATES_LIST_SIZE;
  const uppers = lowers + (rows << 3);
  const ends = uppers + (rows << 3);
  const ids = ends + (rows << 2);
  let used: u32 = 0;
  for (let row: u32 = 0; row < rows; row++) {
    const candidate = candidateAt(list, row);
    store<u64>(lowers + (<usize>row << 3), load<u64>(candidate, C_SINCE));
    store<u64>(uppers + (<usize>row << 3), upperAt(list, row));
    const len = load<u32>(candidate, C_ID);
    const bytes = len <= INLINE_MAX
      ? candidate + C_ID + 4
      : <usize>load<u32>(candidate, C_ID_BLOCK);
    copyPadded(ids + used, bytes, len);
    used += len;
    store<u32>(ends + (<usize>row << 2), used);
  }
  store<u32>(out, used, 24);
  return (ids + used + 7) & ~7;
}

/** Writes the window's candidates to `out`; returns the buffer's bytes. */
export function exportCandidates(window: usize, out: usize): u32 {
  store<u32>(out, load<u32>(window, W_LISTS), 4);
  store<u32>(out, load<u32>(window, W_MINUTE), 8);
  store<u32>(out, load<u32>(window, W_FLAGS), 12);
  store<u64>(out, load<u64>(window, W_TOTAL), 16);
  store<u64>(out, 0, 24);
  let end = out + CANDIDATES_HEADER_SIZE;
  let list = <usize>load<u32>(window, W_FIRST_LIST);
  for (; list; list = <usize>load<u32>(list, L_NEXT)) end = writeList(list, end);
  const bytes = <u32>(end - out);
  store<u32>(out, bytes);
  return bytes;
}
