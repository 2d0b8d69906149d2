// Sealed sketch: exact counts folded by maximum, for the items that a sealed window doesn't list.
//
// Each item is folded once with its total: cell = max(cell, count) in each row; its estimate is
// the least of its cells.
//
// Guarantee: the estimate is at least the count of every folded item, always; it exceeds it only
// where a heavier item shares the cell in every row. Maximum instead of sum is what a second look
// at exact counts allows (a Count-Min sketch over a stream must add). Cell-wise maximum therefore
// merges sketches whose items are apart, and folds a sketch to half its width: item places are
// taken mod width, so cells i and i + width/2 become one.
// A count of 2^32 − 1 or more saturates: "no bound".
//
// Cells, header and row places are those of count-min.ts.
//
// Builder (`beginSeal`, `sealItems`, `finishSeal`): folds at a width that is mostly enough, keeps
// a sample of what it folded, then halves while the sample's mean overestimate stays below 1.
//
//   seal    0 sketch ptr | 4 depth u32 | 8 widthLog2Max u32 | 12 sample ptr
//          16 sampleMax u32 | 20 sampleUsed u32 | 24 sampleShift u32 | 28 reserved
//          32 seed u64 | 40 items u64
//   sample  SEAL_SAMPLE_SIZE each: hash u64 | count u32 (saturated) | 0
//
// The sample is every item while they fit; then those whose mixed hash ends in `sampleShift`
// zero bits (one item in 2^sampleShift), chosen by bits that say nothing about cells.

import {
  SEAL_SAMPLE_SIZE, SKETCH_NO_BOUND, SKETCH_OK, SKETCH_WIDTH_LOG2_MIN,
} from "./layout";
import {
  compareSketches, initSketch, joinFlags, leastCell, markSaturated, rowStep, setWidthLog2,
  sketchBytes, sketchCells, sketchDepth, sketchSeed, sketchWidthLog2,
} from "./count-min";
import { hashBytes, mix } from "./hash";

const SKETCH: usize = 0;
const DEPTH: usize = 4;
const WIDTH_LOG2_MAX: usize = 8;
const SAMPLE: usize = 12;
const SAMPLE_MAX: usize = 16;
const SAMPLE_USED: usize = 20;
const SAMPLE_SHIFT: usize = 24;
const SEED: usize = 32;
const ITEMS: usize = 40;
/** Cells a row and item at the first width. Mostly enough; else `refoldWider` doubles it. */
const CELLS_PER_ITEM: u64 = 2;

// @ts-ignore: decorator
@inline
function foldCells(cells: usize, depth: u32, widthLog2: u32, hash: u64, count: u32): void {
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
    store<u32>(p0, max(c0, count));
    store<u32>(p1, max(c1, count));
    store<u32>(p2, max(c2, count));
    store<u32>(p3, max(c3, count));
    return;
  }
  for (let row: u32 = 0; row < depth; row++) {
    const cell = cells + (<usize>((row << widthLog2) + (at & mask)) << 2);
    store<u32>(cell, max(load<u32>(cell), count));
    at += step;
  }
}

// @ts-ignore: decorator
@inline
function saturated(count: u64): u32 {
  return count < <u64>SKETCH_NO_BOUND ? <u32>count : SKETCH_NO_BOUND;
}

/** Folds one item's total into the sketch. */
export function foldHash(sketch: usize, hash: u64, count: u64): void {
  if (count >= <u64>SKETCH_NO_BOUND) markSaturated(sketch);
  foldCells(
    sketchCells(sketch), sketchDepth(sketch), sketchWidthLog2(sketch), hash, saturated(count),
  );
}

// @ts-ignore: decorator
@inline
export function countAt(counts: usize, countBytes: u32, i: u32): u64 {
  return countBytes == 4
    ? <u64>load<u32>(counts + (<usize>i << 2))
    : load<u64>(counts + (<usize>i << 3));
}

/**
 * Folds the totals of `n` items of one type. Id i lies at ids[offsets[i] .. offsets[i + 1]];
 * `counts` are u32 or u64, as `countBytes` (4 or 8) says.
 */
export function foldItems(
  sketch: usize, type: usize, typeLen: u32, ids: usize, offsets: usize, counts: usize,
  countBytes: u32, n: u32,
): void {
  const cells = sketchCells(sketch);
  const depth = sketchDepth(sketch);
  const widthLog2 = sketchWidthLog2(sketch);
  const typeHash = hashBytes(type, typeLen, sketchSeed(sketch));
  let highest: u32 = 0;
  let start = load<u32>(offsets);
  for (let i: u32 = 0; i < n; i++) {
    const end = load<u32>(offsets + (<usize>i << 2), 4);
    const count = saturated(countAt(counts, countBytes, i));
    foldCells(cells, depth, widthLog2, hashBytes(ids + start, end - start, typeHash), count);
    highest = max(highest, count);
    start = end;
  }
  if (highest == SKETCH_NO_BOUND) markSaturated(sketch);
}

/** Cell-wise maximum of `cells` u32 (a multiple of 4) at `b` into those at `a`. */
function maxCells(a: usize, b: usize, cells: u32): void {
  const end = a + (<usize>cells << 2);
  if (ASC_FEATURE_SIMD) {
    while (a < end) {
      v128.store(a, i32x4.max_u(v128.load(a), v128.load(b)));
      a += 16;
      b += 16;
    }
  } else {
    for (; a < end; a += 4, b += 4) store<u32>(a, max(load<u32>(a), load<u32>(b)));
  }
}

/** Folds the sketch to half its width in place; not below the least width. */
export function halveSketch(sketch: usize): void {
  const widthLog2 = sketchWidthLog2(sketch);
  if (widthLog2 == SKETCH_WIDTH_LOG2_MIN) return;
  const half = (<u32>1) << (widthLog2 - 1);
  const depth = sketchDepth(sketch);
  const cells = sketchCells(sketch);
  for (let row: u32 = 0; row < depth; row++) {
    const from = cells + (<usize>(row << widthLog2) << 2);
    maxCells(from, from + (<usize>half << 2), half);
    // Rows move together, towards the start: none is overwritten before it is read.
    if (row) memory.copy(cells + (<usize>(row * half) << 2), from, half << 2);
  }
  setWidthLog2(sketch, widthLog2 - 1);
}

/**
 * Cell-wise maximum of `source` into `target`, at the smaller of their widths: bounds for items
 * each of which was counted in one of them only. SKETCH_OK, or why not (another seed or depth),
 * with nothing changed.
 */
export function mergeMax(target: usize, source: usize): u32 {
  const status = compareSketches(target, source);
  if (status != SKETCH_OK) return status;
  const sourceLog2 = sketchWidthLog2(source);
  while (sketchWidthLog2(target) > sourceLog2) halveSketch(target);
  const targetLog2 = sketchWidthLog2(target);
  const depth = sketchDepth(target);
  const width = (<u32>1) << targetLog2;
  const pieces = (<u32>1) << (sourceLog2 - targetLog2);
  let from = sketchCells(source);
  for (let row: u32 = 0; row < depth; row++) {
    const to = sketchCells(target) + (<usize>(row << targetLog2) << 2);
    for (let piece: u32 = 0; piece < pieces; piece++) {
      maxCells(to, from, width);
      from += <usize>width << 2;
    }
  }
  joinFlags(target, source);
  return SKETCH_OK;
}

/**
 * Sets up a builder for one kind of sketch; `sketch` has room for the greatest width, `sample`
 * for `sampleMax` entries.
 */
export function initSeal(
  seal: usize, sketch: usize, depth: u32, widthLog2Max: u32, sample: usize, sampleMax: u32,
  seedLow: u32, seedHigh: u32,
): void {
  store<u32>(seal, <u32>sketch, SKETCH);
  store<u32>(seal, depth, DEPTH);
  store<u32>(seal, widthLog2Max, WIDTH_LOG2_MAX);
  store<u32>(seal, <u32>sample, SAMPLE);
  store<u32>(seal, sampleMax, SAMPLE_MAX);
  store<u32>(seal, seedLow, SEED);
  store<u32>(seal, seedHigh, SEED + 4);
}

// @ts-ignore: decorator
@inline
function restart(seal: usize, widthLog2: u32): u32 {
  return initSketch(
    load<u32>(seal, SKETCH), load<u32>(seal, DEPTH), widthLog2, load<u32>(seal, SEED),
    load<u32>(seal, SEED + 4),
  );
}

/** Begins a window of about `items` items; SKETCH_OK or SKETCH_BAD_SHAPE. */
export function beginSeal(seal: usize, items: u32): u32 {
  const highest = load<u32>(seal, WIDTH_LOG2_MAX);
  let widthLog2 = SKETCH_WIDTH_LOG2_MIN;
  while (widthLog2 < highest && (<u64>1) << widthLog2 < <u64>items * CELLS_PER_ITEM) widthLog2++;
  store<u32>(seal, 0, SAMPLE_USED);
  store<u32>(seal, 0, SAMPLE_SHIFT);
  store<u64>(seal, 0, ITEMS);
  return restart(seal, widthLog2);
}

// @ts-ignore: decorator
@inline
function isSampled(hash: u64, shift: u32): bool {
  return (mix(hash) & (((<u64>1) << shift) - 1)) == 0;
}

/** Keeps one half of the sample. */
function thinSample(seal: usize): void {
  const shift = load<u32>(seal, SAMPLE_SHIFT) + 1;
  const used = load<u32>(seal, SAMPLE_USED);
  const sample = <usize>load<u32>(seal, SAMPLE);
  let kept: u32 = 0;
  for (let i: u32 = 0; i < used; i++) {
    const entry = sample + <usize>i * SEAL_SAMPLE_SIZE;
    const hash = load<u64>(entry);
    if (!isSampled(hash, shift)) continue;
    const target = sample + <usize>kept * SEAL_SAMPLE_SIZE;
    store<u64>(target, hash);
    store<u64>(target, load<u64>(entry, 8), 8);
    kept++;
  }
  store<u32>(seal, shift, SAMPLE_SHIFT);
  store<u32>(seal, kept, SAMPLE_USED);
}

/** Adds an item to the sample when it belongs to it. */
function sampleItem(seal: usize, hash: u64, count: u32): void {
  if (!isSampled(hash, load<u32>(seal, SAMPLE_SHIFT))) return;
  while (load<u32>(seal, SAMPLE_USED) == load<u32>(seal, SAMPLE_MAX)) {
    thinSample(seal);
    if (!isSampled(hash, load<u32>(seal, SAMPLE_SHIFT))) return;
  }
  const used = load<u32>(seal, SAMPLE_USED);
  const entry = <usize>load<u32>(seal, SAMPLE) + <usize>used * SEAL_SAMPLE_SIZE;
  store<u64>(entry, hash);
  store<u64>(entry, <u64>count, 8);
  store<u32>(seal, used + 1, SAMPLE_USED);
}

/** Folds `n` items of one type, each once in the window's life; arguments as `foldItems`. */
export function sealItems(
  seal: usize, type: usize, typeLen: u32, ids: usize, offsets: usize, counts: usize,
  countBytes: u32, n: u32,
): void {
  const sketch = <usize>load<u32>(seal, SKETCH);
  const cells = sketchCells(sketch);
  const depth = sketchDepth(sketch);
  const widthLog2 = sketchWidthLog2(sketch);
  const typeHash = hashBytes(type, typeLen, sketchSeed(sketch));
  let highest: u32 = 0;
  let start = load<u32>(offsets);
  for (let i: u32 = 0; i < n; i++) {
    const end = load<u32>(offsets + (<usize>i << 2), 4);
    const hash = hashBytes(ids + start, end - start, typeHash);
    const count = saturated(countAt(counts, countBytes, i));
    foldCells(cells, depth, widthLog2, hash, count);
    sampleItem(seal, hash, count);
    highest = max(highest, count);
    start = end;
  }
  if (highest == SKETCH_NO_BOUND) markSaturated(sketch);
  store<u64>(seal, load<u64>(seal, ITEMS) + <u64>n, ITEMS);
}

/**
 * Whether the sample's mean overestimate is below 1 at the sketch's width, or at half of it:
 * its cells are then the greater of the two that would become one. Stops once the sum says no.
 */
function isPrecise(seal: usize, halved: bool): bool {
  const sketch = <usize>load<u32>(seal, SKETCH);
  const sample = <usize>load<u32>(seal, SAMPLE);
  const used = load<u32>(seal, SAMPLE_USED);
  const cells = sketchCells(sketch);
  const depth = sketchDepth(sketch);
  const widthLog2 = sketchWidthLog2(sketch);
  const mask = ((<u32>1) << widthLog2) - 1;
  const other = halved ? (<u32>1) << (widthLog2 - 1) : 0;
  let error: u64 = 0;
  for (let i: u32 = 0; i < used; i++) {
    const entry = sample + <usize>i * SEAL_SAMPLE_SIZE;
    const hash = load<u64>(entry);
    const step = rowStep(hash);
    let at = <u32>hash;
    let least: u32 = SKETCH_NO_BOUND;
    for (let row: u32 = 0; row < depth; row++) {
      const start = cells + (<usize>(row << widthLog2) << 2);
      const near = load<u32>(start + (<usize>(at & mask) << 2));
      const far = load<u32>(start + (<usize>((at & mask) ^ other) << 2));
      least = min(least, max(near, far));
      at += step;
    }
    error += <u64>(least - load<u32>(entry, 8));
    if (error >= <u64>used) return false;
  }
  return true;
}

/** Folds the whole sample anew at the next width. Only while it is complete. */
function refoldWider(seal: usize): void {
  const sketch = <usize>load<u32>(seal, SKETCH);
  const sample = <usize>load<u32>(seal, SAMPLE);
  const used = load<u32>(seal, SAMPLE_USED);
  restart(seal, sketchWidthLog2(sketch) + 1);
  for (let i: u32 = 0; i < used; i++) {
    const entry = sample + <usize>i * SEAL_SAMPLE_SIZE;
    foldHash(sketch, load<u64>(entry), load<u64>(entry, 8));
  }
}

/**
 * Ends the window: the sketch is left at the smallest width at which the sampled items' mean
 * overestimate is below 1, at most the greatest. Returns the sketch's bytes.
 */
export function finishSeal(seal: usize): u32 {
  const sketch = <usize>load<u32>(seal, SKETCH);
  const highest = load<u32>(seal, WIDTH_LOG2_MAX);
  const complete = load<u32>(seal, SAMPLE_SHIFT) == 0;
  while (complete && sketchWidthLog2(sketch) < highest && !isPrecise(seal, false)) {
    refoldWider(seal);
  }
  while (sketchWidthLog2(sketch) > SKETCH_WIDTH_LOG2_MIN && isPrecise(seal, true)) {
    halveSketch(sketch);
  }
  return sketchBytes(sketch);
}
