/**
 * Plain Count-Min with a heap, and Filtered Space-Saving, as their papers have them; over item
 * numbers, which is less than a summary of texts must do. Memory is counted as if the ids were
 * texts of 12 bytes, as ours are.
 *
 * Cormode & Muthukrishnan, "An Improved Data Stream Summary" (J. Algorithms 2005). Homem &
 * Carvalho, "Finding top-k elements in data streams" (Information Sciences 2010).
 */
import type { Summary } from "./accuracy-verdict.ts";
import { ItemHeap } from "./item-heap.ts";

/** Id, count, error, place in the heap, place in the index: 12 + 8 + 8 + 4 + 8. */
const entryBytes = 40;
const cellBytes = 4;

/** MurmurHash3's 32-bit finaliser over the item and a row's own constant. */
function mixed(item: number, constant: number): number {
  let h = Math.imul(item ^ constant, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 16), 0x27d4eb2f);
  return (h ^ (h >>> 15)) >>> 0;
}

const rowConstants = [0x1b873593, 0x9e3779b1, 0x7feb352d, 0x846ca68b];

function usOf(started: number, events: number): number {
  return ((performance.now() - started) * 1000) / events;
}

/** Each row's cell grows with each event; the greatest estimates are kept in a heap. */
export function plainCountMin(items: Uint32Array, memoryBytes: number): Summary {
  const width = 2 ** Math.floor(Math.log2(memoryBytes / cellBytes / rowConstants.length));
  const mask = width - 1;
  const cells = rowConstants.map(() => new Uint32Array(width));
  const sketchBytes = width * cellBytes * rowConstants.length;
  const heap = new ItemHeap(Math.floor((memoryBytes - sketchBytes) / entryBytes));
  const started = performance.now();
  for (const item of items) {
    let estimate = 0xffffffff;
    for (let row = 0; row < cells.length; row++) {
      const at = mixed(item, rowConstants[row]!) & mask;
      estimate = Math.min(estimate, ++cells[row]![at]!);
    }
    if (heap.has(item)) heap.set(item, estimate);
    else if (!heap.isFull) heap.add(item, estimate);
    else if (estimate > heap.least) heap.replaceLeast(item, estimate);
  }
  const usPerUpdate = usOf(started, items.length);
  const rows = heap.ranked().map(({ item, count }) => {
    return { id: item, estimate: count, upper: count };
  });
  const note = `depth 4, width 2^${Math.log2(width)}, ${heap.capacity} in the heap; TypeScript`;
  return { name: "plain Count-Min and heap", note, usPerUpdate, memoryBytes, rows };
}

/** Space-Saving that lets an item in only once its filter cell has counted enough. */
export function filteredSpaceSaving(items: Uint32Array, memoryBytes: number): Summary {
  const filterCells = 2 ** Math.floor(Math.log2(memoryBytes / 4 / cellBytes));
  const filter = new Uint32Array(filterCells);
  const heap = new ItemHeap(Math.floor((memoryBytes - filterCells * cellBytes) / entryBytes));
  const errors = new Map<number, number>();
  const cellOf = (item: number) => mixed(item, rowConstants[0]!) & (filterCells - 1);
  const started = performance.now();
  for (const item of items) {
    if (heap.has(item)) {
      heap.set(item, heap.count(item) + 1);
      continue;
    }
    const cell = cellOf(item);
    const before = filter[cell]!;
    if (!heap.isFull) {
      heap.add(item, before + 1);
      errors.set(item, before);
    } else if (before + 1 < heap.least) {
      filter[cell] = before + 1;
    } else {
      const least = heap.least;
      const gone = heap.replaceLeast(item, before + 1);
      filter[cellOf(gone)] = least;
      errors.delete(gone);
      errors.set(item, before);
    }
  }
  const usPerUpdate = usOf(started, items.length);
  const rows = heap.ranked().map(({ item, count }) => {
    return { id: item, estimate: count, lower: count - errors.get(item)!, upper: count };
  });
  const outside = heap.isFull ? heap.least : 0;
  const note = `${heap.capacity} items, ${filterCells} filter cells; TypeScript`;
  return { name: "Filtered Space-Saving", note, usPerUpdate, memoryBytes, rows, outside };
}
