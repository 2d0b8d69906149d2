// Count-Min Sketch with conservative update, for windows that are still streaming.
//
// Count-Min: Cormode & Muthukrishnan, "An Improved Data Stream Summary" (J. Algorithms 2005).
// Conservative update: Estan & Varghese, "New Directions in Traffic Measurement and Accounting"
// (SIGCOMM 2002). Rows by double hashing: Kirsch & Mitzenmacher, "Less Hashing, Same
// Performance" (ESA 2006).
//
// Guarantee: every cell of an item is at least the item's count, so the least of them is an
// upper bound, always. Conservative update raises only the cells that must rise to keep it, and
// an item's estimate grows by at least the weight of each of its events. Both stay true when the
// sketch already holds something else that bounds (exact counts folded into it, a merged one).
// A cell saturates at 2^32 − 1, which from then on means "no bound".
//
// The same bytes serve in memory, between threads and on disk (little-endian):
//
//   header  0 format u32     "RKS" and the version, 2
//           4 depth u32      1..8
//           8 widthLog2 u32  4..20
//          12 flags u32      1: some cell may have saturated
//          16 seed u64       of the row hash
//          24 reserved u64   0
//   32      cells u32[depth][2^widthLog2], row by row
//
// Row r of an item is at (low + r·high) mod width, of its row hash's halves, high made odd: so
// what a sketch of half the width holds follows from the cells alone (sealed-sketch.ts).

import {
  EVENT_ROW_HASH, EVENT_SIZE, EVENT_WEIGHT, SKETCH_BAD_FORMAT, SKETCH_BAD_SHAPE,
  SKETCH_DEPTH_MAX, SKETCH_FLAG_SATURATED, SKETCH_FORMAT, SKETCH_HEADER_SIZE, SKETCH_NO_BOUND,
  SKETCH_OK, SKETCH_OTHER_DEPTH, SKETCH_OTHER_SEED, SKETCH_OTHER_WIDTH, SKETCH_WIDTH_LOG2_MAX,
  SKETCH_WIDTH_LOG2_MIN,
} from "./layout";
import { hashBytes } from "./hash";

const DEPTH: usize = 4;
const WIDTH_LOG2: usize = 8;
const FLAGS: usize = 12;
const SEED: usize = 16;

// @ts-ignore: decorator
@inline
export function sketchDepth(sketch: usize): u32 {
  return load<u32>(sketch, DEPTH);
}

// @ts-ignore: decorator
@inline
export function sketchWidthLog2(sketch: usize): u32 {
  return load<u32>(sketch, WIDTH_LOG2);
}

// @ts-ignore: decorator
@inline
export function sketchSeed(sketch: usize): u64 {
  return load<u64>(sketch, SEED);
}

// @ts-ignore: decorator
@inline
export function sketchCells(sketch: usize): usize {
  return sketch + SKETCH_HEADER_SIZE;
}

/** Notes that a cell of the sketch may have saturated. */
// @ts-ignore: decorator
@inline
export function markSaturated(sketch: usize): void {
  store<u32>(sketch, load<u32>(sketch, FLAGS) | SKETCH_FLAG_SATURATED, FLAGS);
}

/** Takes over another sketch's flags. */
export function joinFlags(target: usize, source: usize): void {
  store<u32>(target, load<u32>(target, FLAGS) | load<u32>(source, FLAGS), FLAGS);
}

/** Gives the sketch another width; its cells are the caller's affair. */
export function setWidthLog2(sketch: usize, widthLog2: u32): void {
  store<u32>(sketch, widthLog2, WIDTH_LOG2);
}

/** Bytes of header and cells. */
export function sketchBytes(sketch: usize): u32 {
  return SKETCH_HEADER_SIZE + (sketchDepth(sketch) << (sketchWidthLog2(sketch) + 2));
}

/** Sets up an empty sketch; SKETCH_OK or SKETCH_BAD_SHAPE. */
export function initSketch(
  sketch: usize, depth: u32, widthLog2: u32, seedLow: u32, seedHigh: u32,
): u32 {
  if (depth < 1 || depth > SKETCH_DEPTH_MAX) return SKETCH_BAD_SHAPE;
  if (widthLog2 < SKETCH_WIDTH_LOG2_MIN || widthLog2 > SKETCH_WIDTH_LOG2_MAX) {
    return SKETCH_BAD_SHAPE;
  }
  store<u32>(sketch, SKETCH_FORMAT);
  store<u32>(sketch, depth, DEPTH);
  store<u32>(sketch, widthLog2, WIDTH_LOG2);
  store<u32>(sketch, 0, FLAGS);
  store<u32>(sketch, seedLow, SEED);
  store<u32>(sketch, seedHigh, SEED + 4);
  store<u64>(sketch, 0, 24);
  memory.fill(sketchCells(sketch), 0, depth << (widthLog2 + 2));
  return SKETCH_OK;
}

/** Whether `bytes` bytes from elsewhere are a sketch under this seed; SKETCH_*. */
export function checkSketch(sketch: usize, bytes: u32, seedLow: u32, seedHigh: u32): u32 {
  if (bytes < SKETCH_HEADER_SIZE || load<u32>(sketch) != SKETCH_FORMAT) return SKETCH_BAD_FORMAT;
  const depth = sketchDepth(sketch);
  const widthLog2 = sketchWidthLog2(sketch);
  if (depth < 1 || depth > SKETCH_DEPTH_MAX) return SKETCH_BAD_SHAPE;
  if (widthLog2 < SKETCH_WIDTH_LOG2_MIN || widthLog2 > SKETCH_WIDTH_LOG2_MAX) {
    return SKETCH_BAD_SHAPE;
  }
  if (sketchBytes(sketch) != bytes) return SKETCH_BAD_SHAPE;
  if (load<u32>(sketch, SEED) != seedLow || load<u32>(sketch, SEED + 4) != seedHigh) {
    return SKETCH_OTHER_SEED;
  }
  return SKETCH_OK;
}

/** Whether two sketches speak of the same rows; SKETCH_OK, _BAD_FORMAT, _OTHER_SEED, _DEPTH. */
export function compareSketches(a: usize, b: usize): u32 {
  if (load<u32>(a) != SKETCH_FORMAT || load<u32>(b) != SKETCH_FORMAT) return SKETCH_BAD_FORMAT;
  if (sketchSeed(a) != sketchSeed(b)) return SKETCH_OTHER_SEED;
  return sketchDepth(a) == sketchDepth(b) ? SKETCH_OK : SKETCH_OTHER_DEPTH;
}

/** Seeded hash of (type, id), as `hashRows` fills it in. */
// @ts-ignore: decorator
@inline
export function rowHash(type: usize, typeLen: u32, id: usize, idLen: u32, seed: u64): u64 {
  return hashBytes(id, idLen, hashBytes(type, typeLen, seed));
}

/** Writes the row hash of (type, id) to the u64 at `out`. */
export function hashRow(
  type: usize, typeLen: u32, id: usize, idLen: u32, seedLow: u32, seedHigh: u32, out: usize,
): void {
  const seed = <u64>seedLow | (<u64>seedHigh << 32);
  store<u64>(out, rowHash(type, typeLen, id, idLen, seed));
}

/** The low half of a row hash is the first row's place, the high one (odd) the step. */
// @ts-ignore: decorator
@inline
export function rowStep(hash: u64): u32 {
  return <u32>(hash >> 32) | 1;
}

/** The least of the item's cells: an upper bound on its count, or SKETCH_NO_BOUND. */
// @ts-ignore: decorator
@inline
export function leastCell(cells: usize, depth: u32, widthLog2: u32, hash: u64): u32 {
  const mask = ((<u32>1) << widthLog2) - 1;
  const step = rowStep(hash);
  let at = <u32>hash;
  let least: u32 = SKETCH_NO_BOUND;
  for (let row: u32 = 0; row < depth; row++) {
    least = min(least, load<u32>(cells + (<usize>((row << widthLog2) + (at & mask)) << 2)));
    at += step;
  }
  return least;
}

/** Estimate of the item with this row hash: an upper bound, or SKETCH_NO_BOUND. */
export function estimateHash(sketch: usize, hashLow: u32, hashHigh: u32): u32 {
  const hash = <u64>hashLow | (<u64>hashHigh << 32);
  return leastCell(sketchCells(sketch), sketchDepth(sketch), sketchWidthLog2(sketch), hash);
}

/**
 * Estimates of `n` ids of one type, to the u32 array `out`. Id i lies at
 * ids[offsets[i] .. offsets[i + 1]].
 */
export function estimateItems(
  sketch: usize, type: usize, typeLen: u32, ids: usize, offsets: usize, n: u32, out: usize,
): void {
  const cells = sketchCells(sketch);
  const depth = sketchDepth(sketch);
  const widthLog2 = sketchWidthLog2(sketch);
  const typeHash = hashBytes(type, typeLen, sketchSeed(sketch));
  let start = load<u32>(offsets);
  for (let i: u32 = 0; i < n; i++) {
    const end = load<u32>(offsets + (<usize>i << 2), 4);
    const hash = hashBytes(ids + start, end - start, typeHash);
    store<u32>(out + (<usize>i << 2), leastCell(cells, depth, widthLog2, hash));
    start = end;
  }
}

/**
 * Conservative update of one item by `weight`; returns its new estimate. No branches: a cell
 * that need not rise is stored as it was. Depth 4 is spelled out, its loads are independent.
 */
// @ts-ignore: decorator
@inline
export function addConservative(
  cells: usize, depth: u32, widthLog2: u32, hash: u64, weight: u32,
): u32 {
  const mask = ((<u32>1) << widthLog2) - 1;
  const step = rowStep(hash);
  let at = <u32>hash;
  if (depth == 4) {
    const row = <usize>4 << widthLog2;
    const p0 = cells + (<usize>(at & mask) << 2);
    const p1 = cells + row + (<usize>((at + step) & mask) << 2);
    const p2 = cells + (row << 1) + (<usize>((at + (step << 1)) & mask) << 2);
    const p3 = cells + (row << 1) + row + (<usize>((at + (step << 1) + step) & mask) << 2);
    const c0 = load<u32>(p0);
    const c1 = load<u32>(p1);
    const c2 = load<u32>(p2);
    const c3 = load<u32>(p3);
    const least = min(min(c0, c1), min(c2, c3));
    const sum = least + weight;
    const next = select<u32>(SKETCH_NO_BOUND, sum, sum < least);
    store<u32>(p0, max(c0, next));
    store<u32>(p1, max(c1, next));
    store<u32>(p2, max(c2, next));
    store<u32>(p3, max(c3, next));
    return next;
  }
  const least = leastCell(cells, depth, widthLog2, hash);
  const sum = least + weight;
  const next = select<u32>(SKETCH_NO_BOUND, sum, sum < least);
  for (let row: u32 = 0; row < depth; row++) {
    const cell = cells + (<usize>((row << widthLog2) + (at & mask)) << 2);
    store<u32>(cell, max(load<u32>(cell), next));
    at += step;
  }
  return next;
}

/** Adds `n` located events (rows hashed) to the sketch, whatever their time. */
export function updateSketch(sketch: usize, events: usize, n: u32): void {
  const cells = sketchCells(sketch);
  const depth = sketchDepth(sketch);
  const widthLog2 = sketchWidthLog2(sketch);
  let highest: u32 = 0;
  for (let i: u32 = 0; i < n; i++, events += EVENT_SIZE) {
    const hash = load<u64>(events, EVENT_ROW_HASH);
    const weight = load<u32>(events, EVENT_WEIGHT);
    highest = max(highest, addConservative(cells, depth, widthLog2, hash, weight));
  }
  if (highest == SKETCH_NO_BOUND) markSaturated(sketch);
}

/**
 * Adds `n` items of one type, each by its weight (u32, under SKETCH_NO_BOUND) in `weights`: what
 * `updateSketch` does, without located events. Id i lies at ids[offsets[i] .. offsets[i + 1]].
 */
export function addItems(
  sketch: usize, type: usize, typeLen: u32, ids: usize, offsets: usize, weights: usize, n: u32,
): void {
  const cells = sketchCells(sketch);
  const depth = sketchDepth(sketch);
  const widthLog2 = sketchWidthLog2(sketch);
  const typeHash = hashBytes(type, typeLen, sketchSeed(sketch));
  let highest: u32 = 0;
  let start = load<u32>(offsets);
  for (let i: u32 = 0; i < n; i++) {
    const end = load<u32>(offsets + (<usize>i << 2), 4);
    const hash = hashBytes(ids + start, end - start, typeHash);
    const weight = load<u32>(weights + (<usize>i << 2));
    highest = max(highest, addConservative(cells, depth, widthLog2, hash, weight));
    start = end;
  }
  if (highest == SKETCH_NO_BOUND) markSaturated(sketch);
}

/**
 * As `addItems`, by plain Count-Min: each of an item's cells grows by its weight, needed or not.
 * For comparison, and for sketches that are to be added up (`mergeSum`) without losing anything.
 */
export function addItemsPlain(
  sketch: usize, type: usize, typeLen: u32, ids: usize, offsets: usize, weights: usize, n: u32,
): void {
  const cells = sketchCells(sketch);
  const depth = sketchDepth(sketch);
  const widthLog2 = sketchWidthLog2(sketch);
  const mask = ((<u32>1) << widthLog2) - 1;
  const typeHash = hashBytes(type, typeLen, sketchSeed(sketch));
  let highest: u32 = 0;
  let start = load<u32>(offsets);
  for (let i: u32 = 0; i < n; i++) {
    const end = load<u32>(offsets + (<usize>i << 2), 4);
    const hash = hashBytes(ids + start, end - start, typeHash);
    const weight = load<u32>(weights + (<usize>i << 2));
    const step = rowStep(hash);
    let at = <u32>hash;
    for (let row: u32 = 0; row < depth; row++) {
      const cell = cells + (<usize>((row << widthLog2) + (at & mask)) << 2);
      const had = load<u32>(cell);
      const sum = had + weight;
      const next = select<u32>(SKETCH_NO_BOUND, sum, sum < had);
      store<u32>(cell, next);
      highest = max(highest, next);
      at += step;
    }
    start = end;
  }
  if (highest == SKETCH_NO_BOUND) markSaturated(sketch);
}

/**
 * Adds the cells of `source` to those of `target`: bounds for items whose events went to both.
 * SKETCH_OK, or why not (another seed, depth or width), with nothing changed.
 */
export function mergeSum(target: usize, source: usize): u32 {
  const status = compareSketches(target, source);
  if (status != SKETCH_OK) return status;
  if (sketchWidthLog2(target) != sketchWidthLog2(source)) return SKETCH_OTHER_WIDTH;
  let a = sketchCells(target);
  let b = sketchCells(source);
  const end = target + sketchBytes(target);
  let saturated: bool = false;
  if (ASC_FEATURE_SIMD) {
    let over = i32x4.splat(0);
    while (a < end) {
      const x = v128.load(a);
      const sum = i32x4.add(x, v128.load(b));
      const carried = i32x4.lt_u(sum, x);
      const cells = v128.or(sum, carried);
      over = v128.or(over, i32x4.eq(cells, i32x4.splat(-1)));
      v128.store(a, cells);
      a += 16;
      b += 16;
    }
    saturated = v128.any_true(over);
  } else {
    for (; a < end; a += 4, b += 4) {
      const x = load<u32>(a);
      const sum = x + load<u32>(b);
      const cell = select<u32>(SKETCH_NO_BOUND, sum, sum < x);
      store<u32>(a, cell);
      if (cell == SKETCH_NO_BOUND) saturated = true;
    }
  }
  joinFlags(target, source);
  if (saturated) markSaturated(target);
  return SKETCH_OK;
}
