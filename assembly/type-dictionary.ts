// Type dictionary: event types as small numbers, so that later parts compare a u32 instead of a
// string, with each type's total and first and last event time since the last reset.
//
//   header  0 count u32 | 4 countMax u32 | 8 mask u32 | 12 table ptr | 16 entries ptr
//          20 heap ptr | 24 heapUsed u32 | 28 heapMax u32
//   table   (mask + 1) × u32: index + 1, 0 = free (open addressing, linear probing)
//   entry   0 ptr u32 | 4 len u32 | 8 hash u64 | 16 first i64 | 24 last i64 | 32 total u64
//          40 retention i64 | 48 floor i64
//           TYPE_ENTRY_SIZE bytes; total 0: no event since the last reset. Events are kept for
//           `retention` ms before their receipt, and from `floor` (epoch ms) on at most
//
// Bounded: a type that does not fit gets TYPE_NONE and the caller decides (the edge refuses the
// line; a worker's dictionary is as large as the edge's bound).

import {
  EVENT_ROW_HASH, EVENT_SIZE, EVENT_TIMESTAMP, EVENT_TYPE_INDEX, EVENT_TYPE_LEN, EVENT_TYPE_PTR,
  EVENT_ID_LEN, EVENT_ID_PTR, EVENT_WEIGHT, TYPE_ENTRY_SIZE, TYPE_EXPIRED, TYPE_NONE,
} from "./layout";
import { hashBytes } from "./hash";
import { sameBytes } from "./duckdb-string";

const COUNT: u32 = 0;
const COUNT_MAX: u32 = 4;
const MASK: u32 = 8;
const TABLE: u32 = 12;
const ENTRIES: u32 = 16;
const HEAP: u32 = 20;
const HEAP_USED: u32 = 24;
const HEAP_MAX: u32 = 28;
/** Fixed: the dictionary's order must not depend on the deployment's seed. */
const SEED: u64 = 0x52616e6b73747231;
/** Retention of a type that is kept for ever: longer than all of time. */
const FOR_EVER: i64 = 1 << 53;
const MINUTE_MS: i64 = 60000;

/** Sets up an empty dictionary for `countMax` types; `slots` is a power of two > countMax. */
export function initTypes(
  dict: usize, countMax: u32, slots: u32, table: usize, entries: usize, heap: usize, heapMax: u32,
): void {
  store<u32>(dict, 0, COUNT);
  store<u32>(dict, countMax, COUNT_MAX);
  store<u32>(dict, slots - 1, MASK);
  store<u32>(dict, <u32>table, TABLE);
  store<u32>(dict, <u32>entries, ENTRIES);
  store<u32>(dict, <u32>heap, HEAP);
  store<u32>(dict, 0, HEAP_USED);
  store<u32>(dict, heapMax, HEAP_MAX);
  memory.fill(table, 0, slots << 2);
}

/** Index of the type, added where it is new; TYPE_NONE when there is no room for it. */
export function typeIndex(dict: usize, ptr: usize, len: u32): u32 {
  const hash = hashBytes(ptr, len, SEED);
  const mask = load<u32>(dict, MASK);
  const table = <usize>load<u32>(dict, TABLE);
  const entries = <usize>load<u32>(dict, ENTRIES);
  let at = <u32>hash & mask;
  for (;;) {
    const found = load<u32>(table + (at << 2));
    if (found == 0) break;
    const entry = entries + (found - 1) * TYPE_ENTRY_SIZE;
    if (load<u64>(entry, 8) == hash && load<u32>(entry, 4) == len) {
      if (sameBytes(load<u32>(entry), ptr, len)) return found - 1;
    }
    at = (at + 1) & mask;
  }
  const count = load<u32>(dict, COUNT);
  const used = load<u32>(dict, HEAP_USED);
  if (count == load<u32>(dict, COUNT_MAX)) return TYPE_NONE;
  if (used + len > load<u32>(dict, HEAP_MAX)) return TYPE_NONE;
  const copy = <usize>load<u32>(dict, HEAP) + used;
  memory.copy(copy, ptr, len);
  const entry = entries + count * TYPE_ENTRY_SIZE;
  store<u32>(entry, <u32>copy);
  store<u32>(entry, len, 4);
  store<u64>(entry, hash, 8);
  store<i64>(entry, i64.MAX_VALUE, 16);
  store<i64>(entry, i64.MIN_VALUE, 24);
  store<u64>(entry, 0, 32);
  store<i64>(entry, FOR_EVER, 40);
  store<i64>(entry, i64.MIN_VALUE, 48);
  store<u32>(table + (at << 2), count + 1);
  store<u32>(dict, count + 1, COUNT);
  store<u32>(dict, used + len, HEAP_USED);
  return count;
}

/** Fills `typeIndex` of `n` events; returns how many found no room (theirs is TYPE_NONE). */
export function resolveTypes(dict: usize, events: usize, n: u32): u32 {
  let refused: u32 = 0;
  let lastPtr: u32 = 0;
  let lastLen: u32 = 0;
  let last: u32 = TYPE_NONE;
  for (let i: u32 = 0; i < n; i++, events += EVENT_SIZE) {
    const ptr = load<u32>(events, EVENT_TYPE_PTR);
    const len = load<u32>(events, EVENT_TYPE_LEN);
    // Neighbours are often of one type: compare with the last one before hashing.
    if (last == TYPE_NONE || len != lastLen || !sameBytes(ptr, lastPtr, len)) {
      last = typeIndex(dict, ptr, len);
      lastPtr = ptr;
      lastLen = len;
    }
    if (last == TYPE_NONE) refused++;
    store<u32>(events, last, EVENT_TYPE_INDEX);
  }
  return refused;
}

/** How long events of a type are kept: ms before their receipt; and none before `floor`. */
export function setRetention(dict: usize, index: u32, retentionMs: f64, floor: f64): void {
  const entry = <usize>load<u32>(dict, ENTRIES) + index * TYPE_ENTRY_SIZE;
  store<i64>(entry, retentionMs < 0 ? FOR_EVER : <i64>retentionMs, 40);
  store<i64>(entry, <i64>floor, 48);
}

/**
 * Marks the resolved events that are older than their type is kept, of a batch received at
 * `receivedAt` (epoch ms), as TYPE_EXPIRED; returns how many.
 */
export function markExpired(dict: usize, events: usize, n: u32, receivedAt: f64): u32 {
  const entries = <usize>load<u32>(dict, ENTRIES);
  const received = <i64>receivedAt;
  const minute = received - received % MINUTE_MS;
  let expired: u32 = 0;
  for (let i: u32 = 0; i < n; i++, events += EVENT_SIZE) {
    const index = load<u32>(events, EVENT_TYPE_INDEX);
    if (index == TYPE_NONE) continue;
    const entry = entries + index * TYPE_ENTRY_SIZE;
    const time = load<i64>(events, EVENT_TIMESTAMP);
    if (time >= minute - load<i64>(entry, 40) && time >= load<i64>(entry, 48)) continue;
    store<u32>(events, TYPE_EXPIRED, EVENT_TYPE_INDEX);
    expired++;
  }
  return expired;
}

/**
 * Keeps the events that have a type, in order and without gaps; of the others the first
 * `droppedMax` are copied to `dropped`. Returns how many are kept.
 */
export function dropUntyped(events: usize, n: u32, dropped: usize, droppedMax: u32): u32 {
  const droppedEnd = dropped + <usize>droppedMax * EVENT_SIZE;
  let kept: u32 = 0;
  let to = events;
  for (let i: u32 = 0; i < n; i++, events += EVENT_SIZE) {
    if (load<u32>(events, EVENT_TYPE_INDEX) < TYPE_EXPIRED) {
      if (to != events) memory.copy(to, events, EVENT_SIZE);
      to += EVENT_SIZE;
      kept++;
    } else if (dropped < droppedEnd) {
      memory.copy(dropped, events, EVENT_SIZE);
      dropped += EVENT_SIZE;
    }
  }
  return kept;
}

/** From now on at most `countMax` types: no more than the dictionary was set up for. */
export function limitTypes(dict: usize, countMax: u32): void {
  store<u32>(dict, countMax, COUNT_MAX);
}

/**
 * Forgets the types added last until `count` are left. Their slots can simply be freed: what
 * was there before them was found, or not, without passing over them.
 */
export function forgetTypes(dict: usize, count: u32): void {
  const mask = load<u32>(dict, MASK);
  const table = <usize>load<u32>(dict, TABLE);
  const entries = <usize>load<u32>(dict, ENTRIES);
  while (load<u32>(dict, COUNT) > count) {
    const last = load<u32>(dict, COUNT);
    const entry = entries + (last - 1) * TYPE_ENTRY_SIZE;
    let at = load<u32>(entry, 8) & mask;
    while (load<u32>(table + (at << 2)) != last) at = (at + 1) & mask;
    store<u32>(table + (at << 2), 0);
    store<u32>(dict, load<u32>(dict, HEAP_USED) - load<u32>(entry, 4), HEAP_USED);
    store<u32>(dict, last - 1, COUNT);
  }
}

/** Adds `n` resolved events to their types' totals and times. */
export function noteTypes(dict: usize, events: usize, n: u32): void {
  const entries = <usize>load<u32>(dict, ENTRIES);
  for (let i: u32 = 0; i < n; i++, events += EVENT_SIZE) {
    const entry = entries + load<u32>(events, EVENT_TYPE_INDEX) * TYPE_ENTRY_SIZE;
    const time = load<i64>(events, EVENT_TIMESTAMP);
    if (time < load<i64>(entry, 16)) store<i64>(entry, time, 16);
    if (time > load<i64>(entry, 24)) store<i64>(entry, time, 24);
    store<u64>(entry, load<u64>(entry, 32) + <u64>load<u32>(events, EVENT_WEIGHT), 32);
  }
}

/** Forgets totals and times of all types; the types stay. */
export function resetTypeNotes(dict: usize): void {
  const count = load<u32>(dict, COUNT);
  let entry = <usize>load<u32>(dict, ENTRIES);
  for (let i: u32 = 0; i < count; i++, entry += TYPE_ENTRY_SIZE) {
    store<i64>(entry, i64.MAX_VALUE, 16);
    store<i64>(entry, i64.MIN_VALUE, 24);
    store<u64>(entry, 0, 32);
  }
}

/** Fills `rowHash` of `n` events: (type's length, type, id) under the seed, as one key. */
export function hashRows(events: usize, n: u32, seedLow: u32, seedHigh: u32): void {
  const seed = <u64>seedLow | (<u64>seedHigh << 32);
  let lastPtr: u32 = 0;
  let lastLen: u32 = 0;
  let typeHash: u64 = 0;
  for (let i: u32 = 0; i < n; i++, events += EVENT_SIZE) {
    const ptr = load<u32>(events, EVENT_TYPE_PTR);
    const len = load<u32>(events, EVENT_TYPE_LEN);
    if (lastPtr == 0 || len != lastLen || !sameBytes(ptr, lastPtr, len)) {
      typeHash = hashBytes(ptr, len, seed);
      lastPtr = ptr;
      lastLen = len;
    }
    // The type's hash is the id's seed: no (type, id) pair runs into another by concatenation.
    const id = load<u32>(events, EVENT_ID_PTR);
    store<u64>(events, hashBytes(id, load<u32>(events, EVENT_ID_LEN), typeHash), EVENT_ROW_HASH);
  }
}
