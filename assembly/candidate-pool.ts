// One open window's header, and the bounded pool that its lists, candidates and ids grow from.
//
//   window  0 minute u32 | 4 flags u32 | 8 sketch ptr | 12 types ptr
//          16 typesMax u32 | 20 buckets ptr | 24 bucketMask u32 | 28 capacity u32
//          32 pool ptr | 36 poolBytes u32 | 40 poolUsed u32 | 44 firstList ptr
//          48 lists u32 | 52 candidates u32 | 56 total u64 (sum of weights)
//          64 freeIds u32[33]: by class (16·class bytes), first free id block; the next one's
//             address lies in its first 4 bytes
//   types   u32[typesMax]: by type index, its list (top-heap.ts); 0 = none
//   buckets u32[bucketMask + 1]: by hash, first candidate of a chain; 0 = none
//
// The pool is a region that fills from its start, in steps of 16 bytes. Only id blocks come back
// to it (a candidate that replaces another has an id of another length): by classes of 16 bytes,
// the rest of a larger block being a smaller one. Closing the window gives all of it back at
// once, so the windows of a worker can't fragment each other.

import { WINDOW_CLOSED } from "./layout";

export const W_MINUTE: usize = 0;
export const W_FLAGS: usize = 4;
export const W_SKETCH: usize = 8;
export const W_TYPES: usize = 12;
export const W_TYPES_MAX: usize = 16;
export const W_BUCKETS: usize = 20;
export const W_BUCKET_MASK: usize = 24;
export const W_CAPACITY: usize = 28;
export const W_POOL: usize = 32;
export const W_POOL_BYTES: usize = 36;
export const W_POOL_USED: usize = 40;
export const W_FIRST_LIST: usize = 44;
export const W_LISTS: usize = 48;
export const W_CANDIDATES: usize = 52;
export const W_TOTAL: usize = 56;
const W_FREE_IDS: usize = 64;
const ID_CLASSES: u32 = 32;

/** Empties lists and pool. */
export function clearPool(window: usize): void {
  store<u32>(window, WINDOW_CLOSED, W_MINUTE);
  store<u32>(window, 0, W_FLAGS);
  store<u32>(window, 0, W_POOL_USED);
  store<u32>(window, 0, W_FIRST_LIST);
  store<u32>(window, 0, W_LISTS);
  store<u32>(window, 0, W_CANDIDATES);
  store<u64>(window, 0, W_TOTAL);
  memory.fill(window + W_FREE_IDS, 0, (ID_CLASSES + 1) << 2);
  memory.fill(load<u32>(window, W_TYPES), 0, load<u32>(window, W_TYPES_MAX) << 2);
  memory.fill(load<u32>(window, W_BUCKETS), 0, (load<u32>(window, W_BUCKET_MASK) + 1) << 2);
}

/** `bytes` (a multiple of 16) of the pool, not cleared; 0 when it has no more. */
export function takePool(window: usize, bytes: u32): usize {
  const used = load<u32>(window, W_POOL_USED);
  if (bytes > load<u32>(window, W_POOL_BYTES) - used) return 0;
  store<u32>(window, used + bytes, W_POOL_USED);
  return <usize>load<u32>(window, W_POOL) + used;
}

/** Class of the block that an id of `len` bytes takes. */
// @ts-ignore: decorator
@inline
export function idClass(len: u32): u32 {
  return (len + 15) >> 4;
}

/** Gives an id block back. */
export function freeId(window: usize, block: usize, blockClass: u32): void {
  const head = window + W_FREE_IDS + (<usize>blockClass << 2);
  store<u32>(block, load<u32>(head));
  store<u32>(head, <u32>block);
}

// @ts-ignore: decorator
@inline
function popId(window: usize, blockClass: u32): usize {
  const head = window + W_FREE_IDS + (<usize>blockClass << 2);
  const block = <usize>load<u32>(head);
  if (block) store<u32>(head, load<u32>(block));
  return block;
}

/** A block of this class: a free one, new from the pool, or a part of a larger free one; or 0. */
export function takeId(window: usize, blockClass: u32): usize {
  let block = popId(window, blockClass);
  if (block) return block;
  block = takePool(window, blockClass << 4);
  if (block) return block;
  for (let larger = blockClass + 1; larger <= ID_CLASSES; larger++) {
    block = popId(window, larger);
    if (!block) continue;
    freeId(window, block + (<usize>blockClass << 4), larger - blockClass);
    return block;
  }
  return 0;
}
