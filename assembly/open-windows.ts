// The minutes that a worker streams: for each a sketch over all event types and a list of
// candidates per type (count-min.ts, top-heap.ts). A bounded number of them; an event of any
// other minute is left to the exact counts.
//
// `windows` is an array of WINDOW_SIZE headers (candidate-pool.ts).

import {
  CANDIDATES_MAX, EVENT_ID_LEN, EVENT_ID_PTR, EVENT_ROW_HASH, EVENT_SIZE, EVENT_TIMESTAMP,
  EVENT_TYPE_INDEX, EVENT_WEIGHT, SKETCH_BAD_SHAPE, SKETCH_NO_BOUND, SKETCH_OK,
  WINDOW_CLOSED, WINDOW_FLAG_STREAMING, WINDOW_SIZE,
} from "./layout";
import {
  W_BUCKETS, W_BUCKET_MASK, W_CAPACITY, W_FLAGS, W_MINUTE, W_POOL, W_POOL_BYTES, W_SKETCH,
  W_TOTAL, W_TYPES, W_TYPES_MAX, clearPool,
} from "./candidate-pool";
import {
  addConservative, initSketch, markSaturated, sketchCells, sketchDepth, sketchSeed,
  sketchWidthLog2,
} from "./count-min";
import {
  GROUP, countOf, countsUsed, fetchKeys, idLenOf, idPtrOf, minuteOf, rowHashOf, slotOf, typeOf,
} from "./exact-counts";
import { countAt, foldHash } from "./sealed-sketch";
import { countCandidate, restoreCandidate } from "./top-heap";
import { hashBytes } from "./hash";

const MINUTE_MS: i64 = 60000;

/** Sets up a closed window over regions of the host's; `buckets` is a power of two. */
export function initWindow(
  window: usize, capacity: u32, sketch: usize, types: usize, typesMax: u32, bucketsPtr: usize,
  buckets: u32, pool: usize, poolBytes: u32,
): void {
  store<u32>(window, min(capacity, CANDIDATES_MAX), W_CAPACITY);
  store<u32>(window, <u32>sketch, W_SKETCH);
  store<u32>(window, <u32>types, W_TYPES);
  store<u32>(window, typesMax, W_TYPES_MAX);
  store<u32>(window, <u32>bucketsPtr, W_BUCKETS);
  store<u32>(window, buckets - 1, W_BUCKET_MASK);
  store<u32>(window, <u32>pool, W_POOL);
  store<u32>(window, poolBytes & ~15, W_POOL_BYTES);
  clearPool(window);
}

/** Opens the window for a minute, empty; SKETCH_OK or SKETCH_BAD_SHAPE. */
export function openWindow(
  window: usize, minute: u32, depth: u32, widthLog2: u32, seedLow: u32, seedHigh: u32,
): u32 {
  clearPool(window);
  const status = initSketch(load<u32>(window, W_SKETCH), depth, widthLog2, seedLow, seedHigh);
  if (status == SKETCH_OK) store<u32>(window, minute, W_MINUTE);
  return status;
}

/** Closes the window: no event finds it any more. */
export function closeWindow(window: usize): void {
  store<u32>(window, WINDOW_CLOSED, W_MINUTE);
}

// @ts-ignore: decorator
@inline
function findWindow(windows: usize, count: u32, minute: u32): usize {
  for (let i: u32 = 0; i < count; i++, windows += WINDOW_SIZE) {
    if (load<u32>(windows, W_MINUTE) == minute) return windows;
  }
  return 0;
}

/**
 * Adds those of `n` located events (types resolved, rows hashed) whose minute is open; returns
 * how many these were.
 */
export function updateOpen(windows: usize, count: u32, events: usize, n: u32): u32 {
  let window: usize = 0;
  let sketch: usize = 0;
  let minuteStart: i64 = i64.MIN_VALUE;
  let depth: u32 = 0;
  let widthLog2: u32 = 0;
  let added: u32 = 0;
  for (let i: u32 = 0; i < n; i++, events += EVENT_SIZE) {
    const time = load<i64>(events, EVENT_TIMESTAMP);
    if (<u64>(time - minuteStart) >= <u64>MINUTE_MS || minuteStart == i64.MIN_VALUE) {
      const minute = <u32>(time / MINUTE_MS);
      minuteStart = <i64>minute * MINUTE_MS;
      window = findWindow(windows, count, minute);
      if (window) {
        sketch = <usize>load<u32>(window, W_SKETCH);
        depth = sketchDepth(sketch);
        widthLog2 = sketchWidthLog2(sketch);
        store<u32>(window, load<u32>(window, W_FLAGS) | WINDOW_FLAG_STREAMING, W_FLAGS);
      }
    }
    if (!window) continue;
    const hash = load<u64>(events, EVENT_ROW_HASH);
    const weight = load<u32>(events, EVENT_WEIGHT);
    store<u64>(window, load<u64>(window, W_TOTAL) + <u64>weight, W_TOTAL);
    const estimate = addConservative(sketchCells(sketch), depth, widthLog2, hash, weight);
    if (estimate == SKETCH_NO_BOUND) markSaturated(sketch);
    countCandidate(
      window, load<u32>(events, EVENT_TYPE_INDEX), hash, load<u32>(events, EVENT_ID_PTR),
      load<u32>(events, EVENT_ID_LEN), weight, estimate,
    );
    added++;
  }
  return added;
}

/**
 * Adds what an exact aggregate holds (exact-counts.ts) to those of its minutes that are open;
 * returns the weight added. One update an item instead of one an event: what the sketch then says
 * is no more than what single events would have made it say.
 */
export function updateCounts(windows: usize, count: u32, table: usize): f64 {
  const n = countsUsed(table);
  let window: usize = 0;
  let sketch: usize = 0;
  let minute: u32 = WINDOW_CLOSED;
  let added: f64 = 0;
  for (let i: u32 = 0; i < n; i++) {
    // Half of the time is saved by that.
    if (i % GROUP == 0) fetchKeys(table, i, min(i + GROUP, n));
    const slot = slotOf(table, i);
    if (minuteOf(slot) != minute) {
      minute = minuteOf(slot);
      window = findWindow(windows, count, minute);
      if (window) {
        sketch = <usize>load<u32>(window, W_SKETCH);
        store<u32>(window, load<u32>(window, W_FLAGS) | WINDOW_FLAG_STREAMING, W_FLAGS);
      }
    }
    if (!window) continue;
    const hash = rowHashOf(table, i);
    const weight = countOf(slot);
    store<u64>(window, load<u64>(window, W_TOTAL) + weight, W_TOTAL);
    const estimate = addConservative(
      sketchCells(sketch), sketchDepth(sketch), sketchWidthLog2(sketch), hash,
      <u32>min(weight, <u64>SKETCH_NO_BOUND),
    );
    if (estimate == SKETCH_NO_BOUND) markSaturated(sketch);
    countCandidate(
      window, typeOf(slot), hash, idPtrOf(table, slot), idLenOf(slot), weight, estimate,
    );
    added += <f64>weight;
  }
  return added;
}

/**
 * Adds `n` items of one type to an open window, each by its weight (u32, under SKETCH_NO_BOUND) in
 * `weights`: what `updateOpen` does, without located events. Id i lies at
 * ids[offsets[i] .. offsets[i + 1]]. SKETCH_OK, or SKETCH_BAD_SHAPE when the window isn't open.
 */
export function updateItems(
  window: usize, typeIndex: u32, type: usize, typeLen: u32, ids: usize, offsets: usize,
  weights: usize, n: u32,
): u32 {
  if (load<u32>(window, W_MINUTE) == WINDOW_CLOSED) return SKETCH_BAD_SHAPE;
  const sketch = <usize>load<u32>(window, W_SKETCH);
  const cells = sketchCells(sketch);
  const depth = sketchDepth(sketch);
  const widthLog2 = sketchWidthLog2(sketch);
  const typeHash = hashBytes(type, typeLen, sketchSeed(sketch));
  store<u32>(window, load<u32>(window, W_FLAGS) | WINDOW_FLAG_STREAMING, W_FLAGS);
  let total = load<u64>(window, W_TOTAL);
  let highest: u32 = 0;
  let start = load<u32>(offsets);
  for (let i: u32 = 0; i < n; i++) {
    const end = load<u32>(offsets + (<usize>i << 2), 4);
    const hash = hashBytes(ids + start, end - start, typeHash);
    const weight = load<u32>(weights + (<usize>i << 2));
    const estimate = addConservative(cells, depth, widthLog2, hash, weight);
    highest = max(highest, estimate);
    countCandidate(window, typeIndex, hash, ids + start, end - start, weight, estimate);
    total += weight;
    start = end;
  }
  store<u64>(window, total, W_TOTAL);
  if (highest == SKETCH_NO_BOUND) markSaturated(sketch);
  return SKETCH_OK;
}

/**
 * Fills an open window, before any event, with `n` items of one type whose counts are exact;
 * each item at most once in the window's life. Arguments as `foldItems` (sealed-sketch.ts).
 * SKETCH_OK; SKETCH_BAD_SHAPE when the window isn't open or streams already.
 */
export function restoreItems(
  window: usize, typeIndex: u32, type: usize, typeLen: u32, ids: usize, offsets: usize,
  counts: usize, countBytes: u32, n: u32,
): u32 {
  if (load<u32>(window, W_MINUTE) == WINDOW_CLOSED) return SKETCH_BAD_SHAPE;
  if (load<u32>(window, W_FLAGS) & WINDOW_FLAG_STREAMING) return SKETCH_BAD_SHAPE;
  const sketch = <usize>load<u32>(window, W_SKETCH);
  const typeHash = hashBytes(type, typeLen, sketchSeed(sketch));
  let total = load<u64>(window, W_TOTAL);
  let start = load<u32>(offsets);
  for (let i: u32 = 0; i < n; i++) {
    const end = load<u32>(offsets + (<usize>i << 2), 4);
    const hash = hashBytes(ids + start, end - start, typeHash);
    const count = countAt(counts, countBytes, i);
    foldHash(sketch, hash, count);
    restoreCandidate(window, typeIndex, hash, ids + start, end - start, count);
    total += count;
    start = end;
  }
  store<u64>(window, total, W_TOTAL);
  return SKETCH_OK;
}
