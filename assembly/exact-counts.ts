// Exact hash aggregate: (minute, event type, partition, eventId) → sum of weights.
//
// Exact by construction: a slot matches only when all of its key is equal, the id byte for byte.
// Open addressing with linear probing, at most 60% full (the host flushes before), so that a
// probe stays short: about 1.75 slots for a miss at that load.
//
//   header  0 mask u32 | 4 used u32 | 8 usedMax u32 | 12 slots ptr
//          16 heap ptr | 20 heapUsed u32 | 24 heapMax u32 | 28 order ptr | 32 hashes ptr
//   hashes  u64[usedMax]: row hashes (of type and id), in the same order
//   order   u32[usedMax]: used slots, oldest key first, so that handing over and emptying a
//           nearly empty table costs what is in it (a table of 2^20 slots: 10 ms to fill)
//   slot    0 id: string_t, but for long ids bytes 12..15 hold the hash's upper half
//          16 minute u32 (since 1970) | 20 place u32 | 24 count u64
//           32 bytes; count 0 = free; place = type (20 bits) and above it partition (12 bits)

import {
  COUNTS_HEADER_SIZE, EVENT_ID_LEN, EVENT_ID_PTR, EVENT_PARTITION, EVENT_ROW_HASH, EVENT_SIZE,
  EVENT_TIMESTAMP, EVENT_TYPE_INDEX, EVENT_WEIGHT, ROWS_MAX,
} from "./layout";
import { copyPadded, INLINE_MAX, prefixWord, sameBytes, suffixWord } from "./duckdb-string";
import { mix } from "./hash";

const MASK: u32 = 0;
const USED: u32 = 4;
const USED_MAX: u32 = 8;
const SLOTS: u32 = 12;
const HEAP: u32 = 16;
const HEAP_USED: u32 = 20;
const HEAP_MAX: u32 = 24;
const ORDER: u32 = 28;
const HASHES: u32 = 32;
const SLOT_SIZE: u32 = 32;
const MINUTE_MS: i64 = 60000;
/** Of a slot's place, for the type: as many as the host allows types (a million). */
const TYPE_BITS: u32 = 20;
/** Slots fetched together, see `fetchSlots`: so many loads a processor has under way at once. */
export const GROUP: u32 = 16;
/** What was fetched ahead; kept, so that the loads are not optimised away. */
let fetched: u64 = 0;

/** Sets up an empty table of `slots` (a power of two) slots. */
export function initCounts(
  table: usize, slots: u32, slotsPtr: usize, order: usize, hashes: usize, heap: usize,
  heapMax: u32,
): void {
  store<u32>(table, slots - 1, MASK);
  store<u32>(table, <u32>((<u64>slots * 3) / 5), USED_MAX);
  store<u32>(table, <u32>slotsPtr, SLOTS);
  store<u32>(table, <u32>heap, HEAP);
  store<u32>(table, heapMax, HEAP_MAX);
  store<u32>(table, <u32>order, ORDER);
  store<u32>(table, <u32>hashes, HASHES);
  store<u32>(table, 0, USED);
  store<u32>(table, 0, HEAP_USED);
  memory.fill(slotsPtr, 0, slots * SLOT_SIZE);
}

/** Empties the table. */
export function clearCounts(table: usize): void {
  const slots = <usize>load<u32>(table, SLOTS);
  const order = <usize>load<u32>(table, ORDER);
  const used = load<u32>(table, USED);
  for (let i: u32 = 0; i < used; i++) {
    store<u64>(slots + (<usize>load<u32>(order + (<usize>i << 2)) << 5), 0, 24);
  }
  store<u32>(table, 0, USED);
  store<u32>(table, 0, HEAP_USED);
}

/** Number of distinct keys counted since the table was emptied. */
export function countsUsed(table: usize): u32 {
  return load<u32>(table, USED);
}

/** Whether the slot's id, of the same length and longer than 12 bytes, is the one at `id`. */
// @ts-ignore: decorator
@inline
function sameLongId(slot: usize, upper: u64, heap: usize, id: usize, len: u32): bool {
  const found = load<u64>(slot, 8);
  return found >> 32 == upper && sameBytes(heap + <u32>found, id, len);
}

// @ts-ignore: decorator
@inline
function keyOf(event: usize, minute: u32): u64 {
  const type = load<u32>(event, EVENT_TYPE_INDEX);
  const place = type | (load<u32>(event, EVENT_PARTITION) << TYPE_BITS);
  return <u64>minute | (<u64>place << 32);
}

// @ts-ignore: decorator
@inline
function slotHash(rowHash: u64, key: u64): u64 {
  return mix(rowHash ^ (key * 0x9e3779b97f4a7c15));
}

/**
 * Fetches the slots of `n` events, as if all were of `minute`. They are all over the table, and
 * with work in between a processor waits for one after the other; so close together it waits
 * for all at once.
 */
// @ts-ignore: decorator
@inline
function fetchSlots(slots: usize, mask: u32, event: usize, n: u32, minute: u32): void {
  let sum: u64 = 0;
  for (let i: u32 = 0; i < n; i++, event += EVENT_SIZE) {
    const hash = slotHash(load<u64>(event, EVENT_ROW_HASH), keyOf(event, minute));
    sum ^= load<u64>(slots + (<usize>(<u32>hash & mask) << 5));
  }
  fetched = sum;
}

// @ts-ignore: decorator
@inline
function writeSlot(slot: usize, word0: u64, word1: u64, key: u64, count: u64): void {
  store<u64>(slot, word0);
  store<u64>(slot, word1, 8);
  store<u64>(slot, key, 16);
  store<u64>(slot, count, 24);
}

/**
 * Adds events `from`..`n`−1 (types resolved, rows hashed, partitions set). Returns the index of
 * the first event that was not added because table or heap is full; `n` when all were.
 */
export function countEvents(table: usize, events: usize, from: u32, n: u32): u32 {
  const mask = load<u32>(table, MASK);
  const usedMax = load<u32>(table, USED_MAX);
  const slots = <usize>load<u32>(table, SLOTS);
  const heap = <usize>load<u32>(table, HEAP);
  const heapMax = load<u32>(table, HEAP_MAX);
  const order = <usize>load<u32>(table, ORDER);
  const hashes = <usize>load<u32>(table, HASHES);
  let used = load<u32>(table, USED);
  let heapUsed = load<u32>(table, HEAP_USED);
  let minute: u32 = 0;
  let minuteStart: i64 = i64.MIN_VALUE;
  let i = from;
  for (let event = events + from * EVENT_SIZE; i < n; i++, event += EVENT_SIZE) {
    const time = load<i64>(event, EVENT_TIMESTAMP);
    // Unsigned: also true for times before minuteStart. Saves a division for most events.
    if (<u64>(time - minuteStart) >= <u64>MINUTE_MS || minuteStart == i64.MIN_VALUE) {
      minute = <u32>(time / MINUTE_MS);
      minuteStart = <i64>minute * MINUTE_MS;
    }
    if ((i - from) % GROUP == 0) {
      fetchSlots(slots, mask, event, min(GROUP, n - i), minute);
    }
    const key = keyOf(event, minute);
    const rowHash = load<u64>(event, EVENT_ROW_HASH);
    const hash = slotHash(rowHash, key);
    const id = <usize>load<u32>(event, EVENT_ID_PTR);
    const len = load<u32>(event, EVENT_ID_LEN);
    const weight = <u64>load<u32>(event, EVENT_WEIGHT);
    const word0 = <u64>len | (<u64>prefixWord(id, len) << 32);
    const inline = len <= INLINE_MAX;
    const upper = hash >> 32;
    const word1 = inline ? suffixWord(id, len) : upper << 32;
    let at = <u32>hash & mask;
    for (;;) {
      const slot = slots + (<usize>at << 5);
      const count = load<u64>(slot, 24);
      if (count == 0) {
        if (used >= usedMax || (!inline && heapUsed + len > heapMax)) {
          store<u32>(table, used, USED);
          store<u32>(table, heapUsed, HEAP_USED);
          return i;
        }
        // A long id's place in the heap goes beside its hash.
        writeSlot(slot, word0, inline ? word1 : word1 | <u64>heapUsed, key, weight);
        store<u32>(order + (<usize>used << 2), at);
        store<u64>(hashes + (<usize>used << 3), rowHash);
        used++;
        if (!inline) {
          copyPadded(heap + heapUsed, id, len);
          heapUsed += len;
        }
        break;
      }
      if (
        load<u64>(slot, 16) == key && load<u64>(slot) == word0 &&
        (inline ? load<u64>(slot, 8) == word1 : sameLongId(slot, upper, heap, id, len))
      ) {
        store<u64>(slot, count + weight, 24);
        break;
      }
      at = (at + 1) & mask;
    }
  }
  store<u32>(table, used, USED);
  store<u32>(table, heapUsed, HEAP_USED);
  return i;
}

/** The slot of the `i`th key. */
// @ts-ignore: decorator
@inline
export function slotOf(table: usize, i: u32): usize {
  const order = <usize>load<u32>(table, ORDER);
  return <usize>load<u32>(table, SLOTS) + (<usize>load<u32>(order + (<usize>i << 2)) << 5);
}

/** Fetches the slots of keys `from`..`to`−1 (see `fetchSlots`). */
// @ts-ignore: decorator
@inline
export function fetchKeys(table: usize, from: u32, to: u32): void {
  const slots = <usize>load<u32>(table, SLOTS);
  const order = <usize>load<u32>(table, ORDER);
  let sum: u64 = 0;
  for (let i = from; i < to; i++) {
    sum ^= load<u64>(slots + (<usize>load<u32>(order + (<usize>i << 2)) << 5));
  }
  fetched = sum;
}

/** The row hash of the `i`th key. */
// @ts-ignore: decorator
@inline
export function rowHashOf(table: usize, i: u32): u64 {
  return load<u64>(<usize>load<u32>(table, HASHES) + (<usize>i << 3));
}

// @ts-ignore: decorator
@inline
export function minuteOf(slot: usize): u32 {
  return load<u32>(slot, 16);
}

// @ts-ignore: decorator
@inline
export function typeOf(slot: usize): u32 {
  return load<u32>(slot, 20) & ((1 << TYPE_BITS) - 1);
}

// @ts-ignore: decorator
@inline
export function countOf(slot: usize): u64 {
  return load<u64>(slot, 24);
}

// @ts-ignore: decorator
@inline
export function idLenOf(slot: usize): u32 {
  return load<u32>(slot);
}

/** Where the id's bytes are: in the slot itself when they are few. */
// @ts-ignore: decorator
@inline
export function idPtrOf(table: usize, slot: usize): usize {
  if (load<u32>(slot) <= INLINE_MAX) return slot + 4;
  return <usize>load<u32>(table, HEAP) + load<u32>(slot, 8);
}

// @ts-ignore: decorator
@inline
function align16(n: u32): u32 {
  return (n + 15) & ~15;
}

/**
 * Writes up to ROWS_MAX rows from the `cursor`th key on as a chunk of columns:
 *
 *   header  0 rows u32 | 4 totalBytes u32 | 8 heapStart u32 | 12 heapLen u32
 *   from COUNTS_HEADER_SIZE, each padded to 16 bytes:
 *           minute i32[rows], type u32[rows], partition u32[rows], count i64[rows],
 *           id string_t[rows], heap
 *
 * Returns the rows written, 0 after the last key. `out` must hold a chunk of ROWS_MAX
 * rows with ids of the greatest length.
 */
export function emitCounts(table: usize, cursor: u32, out: usize): u32 {
  const used = load<u32>(table, USED);
  const slots = <usize>load<u32>(table, SLOTS);
  const order = <usize>load<u32>(table, ORDER);
  const heap = <usize>load<u32>(table, HEAP);
  if (cursor >= used) return 0;
  const rows = min(used - cursor, ROWS_MAX);
  const minutes = out + COUNTS_HEADER_SIZE;
  const types = minutes + align16(rows << 2);
  const partitions = types + align16(rows << 2);
  const counts = partitions + align16(rows << 2);
  const ids = counts + align16(rows << 3);
  const idHeap = ids + (rows << 4);
  let heapLen: u32 = 0;
  for (let row: u32 = 0; row < rows; row++) {
    if (row % GROUP == 0) fetchKeys(table, cursor + row, cursor + min(row + GROUP, rows));
    const slot = slots + (<usize>load<u32>(order + (<usize>(cursor + row) << 2)) << 5);
    store<u32>(minutes + (row << 2), load<u32>(slot, 16));
    const place = load<u32>(slot, 20);
    store<u32>(types + (row << 2), place & ((1 << TYPE_BITS) - 1));
    store<u32>(partitions + (row << 2), place >> TYPE_BITS);
    store<u64>(counts + (row << 3), load<u64>(slot, 24));
    const target = ids + (row << 4);
    store<u64>(target, load<u64>(slot));
    const len = load<u32>(slot);
    if (len <= INLINE_MAX) {
      store<u64>(target, load<u64>(slot, 8), 8);
    } else {
      store<u64>(target, <u64>heapLen, 8);
      copyPadded(idHeap + heapLen, heap + load<u32>(slot, 8), len);
      heapLen += len;
    }
  }
  store<u32>(out, rows);
  store<u32>(out, align16(<u32>(idHeap - out) + heapLen), 4);
  store<u32>(out, <u32>(idHeap - out), 8);
  store<u32>(out, heapLen, 12);
  return rows;
}
