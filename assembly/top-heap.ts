// Candidates for the top of one event type in one open window: a bounded min-heap with an index.
//
// In the line of Space-Saving (Metwally, Agrawal & El Abbadi, ICDT 2005) and of the heap beside a
// Count-Min sketch (Charikar, Chen & Farach-Colton, ICALP 2002), with both bounds kept: each
// candidate has `since`, its weight since it was admitted (that event included), and `before`, a
// bound on what it had until then: the sketch's estimate less that event's weight.
//
//     lower = since
//     upper = min(the estimate at its last event, since + before)
//
// The heap is ordered by `upper`, and `outside` is the greatest upper bound that was ever turned
// away or evicted. Guarantees, for any stream and any collisions:
//  - lower ≤ count ≤ upper for each candidate;
//  - count ≤ outside for each item that is none. Whoever is turned away has estimate ≤ `outside`,
//    whoever is evicted upper ≤ `outside`, and neither counts on without being offered again;
//  - outside ≤ the least upper, as long as the list has all the candidates it may have and the
//    pool had room for each id. Ordered by `since` this would be false: with one place, five a
//    and then one z that collides with a, z would evict a and hide five events.
// 2^64 − 1 is "no bound": the sketch's cells have saturated.
//
// An estimate at or under the least upper belongs to no candidate: an event of weight w raises a
// candidate's estimate to at least its last upper + w. So most events of a long tail need the
// sketch and one comparison, no lookup.
//
//   list    0 type u32 | 4 size u32 | 8 chunks ptr | 12 firstChunk ptr
//          16 capacity u32 | 20 next list ptr | 24 outside u64 | 32 total u64 | 40 reserved
//   chunks  → list + 12 while one chunk is enough, else u32[128]
//   chunk   32 places (the first one 4 until they are full), each
//           0 upper u64 | 8 candidate ptr | 12 reserved
//   candidate  0 hash u64
//           8 id: string_t, of a long id the block's address at 16
//          24 since u64 | 32 before u32 | 36 place u32 | 40 next in chain | 44 list ptr

import { SKETCH_NO_BOUND, WINDOW_FLAG_UNTRACKED } from "./layout";
import {
  W_BUCKETS, W_BUCKET_MASK, W_CANDIDATES, W_CAPACITY, W_FIRST_LIST, W_FLAGS, W_LISTS, W_TYPES,
  W_TYPES_MAX, freeId, idClass, takeId, takePool,
} from "./candidate-pool";
import { INLINE_MAX, copyPadded, prefixWord, sameBytes, suffixWord } from "./duckdb-string";

export const L_TYPE: usize = 0;
export const L_SIZE: usize = 4;
const L_CHUNKS: usize = 8;
const L_FIRST: usize = 12;
export const L_CAPACITY: usize = 16;
export const L_NEXT: usize = 20;
export const L_OUTSIDE: usize = 24;
export const L_TOTAL: usize = 32;
const LIST_SIZE: u32 = 48;

const C_HASH: usize = 0;
export const C_ID: usize = 8;
export const C_ID_BLOCK: usize = 16;
export const C_SINCE: usize = 24;
const C_BEFORE: usize = 32;
const C_PLACE: usize = 36;
const C_CHAIN: usize = 40;
const C_LIST: usize = 44;
const CANDIDATE_SIZE: u32 = 48;

const FIRST_PLACES: u32 = 4;
const CHUNK_LOG2: u32 = 5;
const CHUNK_PLACES: u32 = 1 << CHUNK_LOG2;
const PLACE_SIZE: u32 = 16;
const P_CANDIDATE: usize = 8;
/** Addresses of 128 chunks: CANDIDATES_MAX places. */
const CHUNKS_SIZE: u32 = 512;
/** An upper bound that is none. */
export const UNBOUNDED: u64 = u64.MAX_VALUE;

/** The place with this number, given the list's table of chunks. */
// @ts-ignore: decorator
@inline
function placeAt(chunks: usize, place: u32): usize {
  const chunk = <usize>load<u32>(chunks + (<usize>(place >> CHUNK_LOG2) << 2));
  return chunk + (<usize>(place & (CHUNK_PLACES - 1)) << 4);
}

/** Upper bound in a place of the list. */
// @ts-ignore: decorator
@inline
export function upperAt(list: usize, place: u32): u64 {
  return load<u64>(placeAt(load<u32>(list, L_CHUNKS), place));
}

/** Candidate in a place of the list. */
// @ts-ignore: decorator
@inline
export function candidateAt(list: usize, place: u32): usize {
  return <usize>load<u32>(placeAt(load<u32>(list, L_CHUNKS), place), P_CANDIDATE);
}

// @ts-ignore: decorator
@inline
function put(place: usize, number: u32, upper: u64, candidate: usize): void {
  store<u64>(place, upper);
  store<u32>(place, <u32>candidate, P_CANDIDATE);
  store<u32>(candidate, number, C_PLACE);
}

/** Puts a candidate into the hole at `place`, moving it away from the root as it must. */
function siftDown(list: usize, place: u32, upper: u64, candidate: usize): void {
  const chunks = <usize>load<u32>(list, L_CHUNKS);
  const size = load<u32>(list, L_SIZE);
  let hole = placeAt(chunks, place);
  for (;;) {
    let child = (place << 1) + 1;
    if (child >= size) break;
    let found = placeAt(chunks, child);
    let least = load<u64>(found);
    if (child + 1 < size) {
      const other = placeAt(chunks, child + 1);
      const otherUpper = load<u64>(other);
      if (otherUpper < least) {
        child++;
        found = other;
        least = otherUpper;
      }
    }
    if (least >= upper) break;
    put(hole, place, least, <usize>load<u32>(found, P_CANDIDATE));
    hole = found;
    place = child;
  }
  put(hole, place, upper, candidate);
}

/** Puts a candidate into the hole at `place`, moving it towards the root as it must. */
function siftUp(list: usize, place: u32, upper: u64, candidate: usize): void {
  const chunks = <usize>load<u32>(list, L_CHUNKS);
  let hole = placeAt(chunks, place);
  while (place) {
    const parent = (place - 1) >> 1;
    const above = placeAt(chunks, parent);
    const aboveUpper = load<u64>(above);
    if (aboveUpper <= upper) break;
    put(hole, place, aboveUpper, <usize>load<u32>(above, P_CANDIDATE));
    hole = above;
    place = parent;
  }
  put(hole, place, upper, candidate);
}

// @ts-ignore: decorator
@inline
function bucketOf(window: usize, hash: u64): usize {
  const number = <u32>(hash >> 32) & load<u32>(window, W_BUCKET_MASK);
  return <usize>load<u32>(window, W_BUCKETS) + (<usize>number << 2);
}

/** The list's candidate with this id, or 0. */
function findCandidate(window: usize, list: usize, hash: u64, id: usize, len: u32): usize {
  let candidate = <usize>load<u32>(bucketOf(window, hash));
  for (; candidate; candidate = <usize>load<u32>(candidate, C_CHAIN)) {
    if (load<u64>(candidate, C_HASH) != hash) continue;
    if (load<u32>(candidate, C_LIST) != <u32>list) continue;
    if (load<u32>(candidate, C_ID) != len) continue;
    const bytes = len <= INLINE_MAX
      ? candidate + C_ID + 4
      : <usize>load<u32>(candidate, C_ID_BLOCK);
    if (sameBytes(bytes, id, len)) return candidate;
  }
  return 0;
}

/** Fills a candidate, but for its place, and enters it in its chain. */
function fillCandidate(
  window: usize, list: usize, candidate: usize, hash: u64, id: usize, len: u32, block: usize,
): void {
  store<u64>(candidate, hash, C_HASH);
  store<u32>(candidate, len, C_ID);
  store<u32>(candidate, prefixWord(id, len), C_ID + 4);
  if (block) {
    store<u64>(candidate, <u64>block, C_ID_BLOCK);
    copyPadded(block, id, len);
  } else {
    store<u64>(candidate, suffixWord(id, len), C_ID_BLOCK);
  }
  store<u32>(candidate, <u32>list, C_LIST);
  const bucket = bucketOf(window, hash);
  store<u32>(candidate, load<u32>(bucket), C_CHAIN);
  store<u32>(bucket, <u32>candidate);
}

/** Takes a candidate out of its chain. */
function unchain(window: usize, candidate: usize): void {
  let link = bucketOf(window, load<u64>(candidate, C_HASH));
  while (load<u32>(link) != <u32>candidate) link = <usize>load<u32>(link) + C_CHAIN;
  store<u32>(link, load<u32>(candidate, C_CHAIN));
}

/** Makes place `size` of the list exist; false when the pool has no room for it. */
function growPlaces(window: usize, list: usize, size: u32): bool {
  if (size == FIRST_PLACES) {
    const chunk = takePool(window, CHUNK_PLACES * PLACE_SIZE);
    if (!chunk) return false;
    memory.copy(chunk, load<u32>(list, L_FIRST), FIRST_PLACES * PLACE_SIZE);
    store<u32>(list, <u32>chunk, L_FIRST);
    return true;
  }
  if (size == 0 || (size & (CHUNK_PLACES - 1))) return true;
  if (size == CHUNK_PLACES) {
    const chunks = takePool(window, CHUNKS_SIZE);
    if (!chunks) return false;
    store<u32>(chunks, load<u32>(list, L_FIRST));
    store<u32>(list, <u32>chunks, L_CHUNKS);
  }
  const chunk = takePool(window, CHUNK_PLACES * PLACE_SIZE);
  if (!chunk) return false;
  const table = <usize>load<u32>(list, L_CHUNKS);
  store<u32>(table + (<usize>(size >> CHUNK_LOG2) << 2), <u32>chunk);
  return true;
}

/** A further candidate with room for its id, not filled in; 0 when the pool has no room. */
function addCandidate(window: usize, list: usize, size: u32, blockClass: u32): usize {
  const block = blockClass ? takeId(window, blockClass) : 0;
  if (blockClass && !block) return 0;
  const candidate = growPlaces(window, list, size) ? takePool(window, CANDIDATE_SIZE) : 0;
  if (!candidate) {
    if (block) freeId(window, block, blockClass);
    return 0;
  }
  store<u64>(candidate, <u64>block, C_ID_BLOCK);
  store<u32>(window, load<u32>(window, W_CANDIDATES) + 1, W_CANDIDATES);
  return candidate;
}

/** Swaps the id block of a candidate (of `oldLen`) for one of this class; false: no room. */
function renewBlock(window: usize, candidate: usize, oldLen: u32, blockClass: u32): bool {
  const oldClass = oldLen > INLINE_MAX ? idClass(oldLen) : 0;
  const old = oldClass ? <usize>load<u32>(candidate, C_ID_BLOCK) : 0;
  if (oldClass >= blockClass) {
    if (oldClass > blockClass) {
      freeId(window, old + (<usize>blockClass << 4), oldClass - blockClass);
    }
    store<u64>(candidate, blockClass ? <u64>old : 0, C_ID_BLOCK);
    return true;
  }
  const block = takeId(window, blockClass);
  if (!block) return false;
  if (old) freeId(window, old, oldClass);
  store<u64>(candidate, <u64>block, C_ID_BLOCK);
  return true;
}

// @ts-ignore: decorator
@inline
function turnAway(list: usize, upper: u64): void {
  if (upper > load<u64>(list, L_OUTSIDE)) store<u64>(list, upper, L_OUTSIDE);
}

/** Offers an item that is no candidate: it gets a free place, the least one's, or none. */
function admit(
  window: usize, list: usize, hash: u64, id: usize, len: u32, since: u64, before: u32, upper: u64,
): void {
  const size = load<u32>(list, L_SIZE);
  const blockClass = len > INLINE_MAX ? idClass(len) : 0;
  if (size < load<u32>(list, L_CAPACITY)) {
    const candidate = addCandidate(window, list, size, blockClass);
    if (candidate) {
      const block = <usize>load<u32>(candidate, C_ID_BLOCK);
      fillCandidate(window, list, candidate, hash, id, len, block);
      store<u64>(candidate, since, C_SINCE);
      store<u32>(candidate, before, C_BEFORE);
      store<u32>(list, size + 1, L_SIZE);
      siftUp(list, size, upper, candidate);
      return;
    }
    // The pool is used up: from here on the list makes do with the places it has.
    store<u32>(list, size, L_CAPACITY);
  }
  const least = size ? upperAt(list, 0) : UNBOUNDED;
  if (upper <= least) return turnAway(list, upper);
  const candidate = candidateAt(list, 0);
  unchain(window, candidate);
  if (!renewBlock(window, candidate, load<u32>(candidate, C_ID), blockClass)) {
    const bucket = bucketOf(window, load<u64>(candidate, C_HASH));
    store<u32>(candidate, load<u32>(bucket), C_CHAIN);
    store<u32>(bucket, <u32>candidate);
    return turnAway(list, upper);
  }
  turnAway(list, least);
  const block = blockClass ? <usize>load<u32>(candidate, C_ID_BLOCK) : 0;
  fillCandidate(window, list, candidate, hash, id, len, block);
  store<u64>(candidate, since, C_SINCE);
  store<u32>(candidate, before, C_BEFORE);
  siftDown(list, 0, upper, candidate);
}

/** The type's list in this window, made where there is none; 0 when there is no room for it. */
function listOf(window: usize, type: u32): usize {
  if (type < load<u32>(window, W_TYPES_MAX)) {
    const entry = <usize>load<u32>(window, W_TYPES) + (<usize>type << 2);
    const found = <usize>load<u32>(entry);
    if (found) return found;
    const list = takePool(window, LIST_SIZE + FIRST_PLACES * PLACE_SIZE);
    if (list) {
      memory.fill(list, 0, LIST_SIZE);
      store<u32>(list, type, L_TYPE);
      store<u32>(list, <u32>list + <u32>L_FIRST, L_CHUNKS);
      store<u32>(list, <u32>list + LIST_SIZE, L_FIRST);
      store<u32>(list, load<u32>(window, W_CAPACITY), L_CAPACITY);
      store<u32>(list, load<u32>(window, W_FIRST_LIST), L_NEXT);
      store<u32>(window, <u32>list, W_FIRST_LIST);
      store<u32>(window, load<u32>(window, W_LISTS) + 1, W_LISTS);
      store<u32>(entry, <u32>list);
      return list;
    }
  }
  store<u32>(window, load<u32>(window, W_FLAGS) | WINDOW_FLAG_UNTRACKED, W_FLAGS);
  return 0;
}

/** Counts events of `weight` together; the item's estimate, they included, is `estimate`. */
export function countCandidate(
  window: usize, type: u32, hash: u64, id: usize, len: u32, weight: u64, estimate: u32,
): void {
  const list = listOf(window, type);
  if (!list) return;
  store<u64>(list, load<u64>(list, L_TOTAL) + weight, L_TOTAL);
  const size = load<u32>(list, L_SIZE);
  const bounded = estimate != SKETCH_NO_BOUND;
  if (bounded && size && size == load<u32>(list, L_CAPACITY)) {
    if (<u64>estimate <= upperAt(list, 0)) return turnAway(list, <u64>estimate);
  }
  const candidate = findCandidate(window, list, hash, id, len);
  const most = bounded ? <u64>estimate : UNBOUNDED;
  if (!candidate) {
    const before = bounded ? estimate - <u32>weight : SKETCH_NO_BOUND;
    admit(window, list, hash, id, len, weight, before, most);
    return;
  }
  const since = load<u64>(candidate, C_SINCE) + weight;
  const before = load<u32>(candidate, C_BEFORE);
  store<u64>(candidate, since, C_SINCE);
  const upper = before == SKETCH_NO_BOUND ? most : min(most, since + <u64>before);
  siftDown(list, load<u32>(candidate, C_PLACE), upper, candidate);
}

/** Offers an item whose count so far is exactly `count`. */
export function restoreCandidate(
  window: usize, type: u32, hash: u64, id: usize, len: u32, count: u64,
): void {
  const list = listOf(window, type);
  if (!list) return;
  store<u64>(list, load<u64>(list, L_TOTAL) + count, L_TOTAL);
  admit(window, list, hash, id, len, count, 0, count);
}
