/**
 * The minutes that a worker streams: a sketch and candidates each, a bounded number of them.
 * Host side of assembly/open-windows.ts.
 */
import { type ItemBlock, type ItemIds, type ItemRegion, itemIds } from "./item-region.ts";
import type { Kernel } from "./kernel.ts";
import { layout } from "./layout.ts";
import { assertSketchStatus, boundOf, type KernelSeed, sketchBytes } from "./sketch.ts";

export interface OpenWindowsOptions {
  /** Minutes open at once. */
  windowsMax: number;
  /** Of each minute's sketch: rows, 1 to 8, and cells of a row as a power of two, 4 to 20. */
  depth: number;
  widthLog2: number;
  /** Candidates kept for a minute and event type: 1 to CANDIDATES_MAX. */
  candidatesMax: number;
  /** Event types; `EVENT_TYPE_INDEX` is below it. */
  typesMax: number;
  /**
   * A minute's room for candidates of all types: 64 bytes each and its id's, rounded up to 16,
   * when longer than 12. Where it runs out lists stay shorter and their bounds wider.
   */
  poolBytes: number;
  /** The one the events' rows were hashed with. */
  seed: KernelSeed;
}

interface Slot {
  window: number;
  sketch: number;
  minute: number | null;
}

function bucketsFor(poolBytes: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(16, poolBytes / 64)));
}

export class OpenWindows {
  readonly #kernel: Kernel;
  readonly #items: ItemRegion;
  readonly #options: Readonly<OpenWindowsOptions>;
  readonly #windows: number;
  readonly #slots: Slot[] = [];
  readonly #out: number;

  /** Bytes of kernel memory it takes. */
  static memoryBytes(options: OpenWindowsOptions): number {
    const { windowsMax, depth, widthLog2, typesMax, poolBytes } = options;
    const index = typesMax * 4 + bucketsFor(poolBytes) * 4;
    const each = sketchBytes(depth, widthLog2) + index + poolBytes + layout.WINDOW_SIZE + 5 * 16;
    return windowsMax * each + OpenWindows.#outBytes(options) + 2 * 16;
  }

  static #outBytes({ poolBytes }: OpenWindowsOptions): number {
    return layout.CANDIDATES_HEADER_SIZE + poolBytes + layout.STRING_PADDING;
  }

  /** Throws RangeError for `candidatesMax` out of bounds. */
  constructor(kernel: Kernel, items: ItemRegion, options: OpenWindowsOptions) {
    const { windowsMax, candidatesMax, typesMax, poolBytes } = options;
    if (!(candidatesMax >= 1 && candidatesMax <= layout.CANDIDATES_MAX)) {
      throw new RangeError(`${candidatesMax} candidates, expected 1 to ${layout.CANDIDATES_MAX}`);
    }
    this.#kernel = kernel;
    this.#items = items;
    this.#options = Object.freeze({ ...options, seed: { ...options.seed } });
    this.#windows = kernel.allocate(windowsMax * layout.WINDOW_SIZE);
    this.#out = kernel.allocate(OpenWindows.#outBytes(options));
    const buckets = bucketsFor(poolBytes);
    for (let i = 0; i < windowsMax; i++) {
      const window = this.#windows + i * layout.WINDOW_SIZE;
      const sketch = kernel.allocate(sketchBytes(options.depth, options.widthLog2));
      kernel.exports["initWindow"]!(
        window,
        candidatesMax,
        sketch,
        kernel.allocate(typesMax * 4),
        typesMax,
        kernel.allocate(buckets * 4),
        buckets,
        kernel.allocate(poolBytes),
        poolBytes,
      );
      this.#slots.push({ window, sketch, minute: null });
    }
  }

  /** Open minutes, in no order. */
  get minutes(): number[] {
    return this.#slots.flatMap(({ minute }) => (minute === null ? [] : [minute]));
  }

  isOpen(minute: number): boolean {
    return this.#find(minute) !== undefined;
  }

  /** Opens a minute (since 1970), empty; false when `windowsMax` are open or it is already. */
  open(minute: number): boolean {
    const slot = this.#slots.find((other) => other.minute === null);
    if (slot === undefined || this.isOpen(minute)) return false;
    const { depth, widthLog2, seed } = this.#options;
    const openWindow = this.#kernel.exports["openWindow"]!;
    assertSketchStatus(openWindow(slot.window, minute, depth, widthLog2, seed.low, seed.high));
    slot.minute = minute;
    return true;
  }

  /** Forgets a minute; nothing when it isn't open. */
  close(minute: number): void {
    const slot = this.#find(minute);
    if (slot === undefined) return;
    this.#kernel.exports["closeWindow"]!(slot.window);
    slot.minute = null;
  }

  /**
   * Adds those of `n` located events (types resolved, rows hashed) whose minute is open; returns
   * how many these were.
   */
  update(events: number, n: number): number {
    const { windowsMax } = this.#options;
    return this.#kernel.exports["updateOpen"]!(this.#windows, windowsMax, events, n) >>> 0;
  }

  /**
   * Adds what an aggregator's table holds (its `onCounts`) to those of its minutes that are open;
   * returns the weight added. The table's rows were hashed with this one's seed.
   */
  addCounts(table: number): number {
    return this.#kernel.exports["updateCounts"]!(this.#windows, this.#options.windowsMax, table);
  }

  /**
   * Adds items of one event type to a minute, an item as often as it likes, each time by its
   * count. Throws RangeError when the minute isn't open.
   */
  add(
    minute: number,
    typeIndex: number,
    type: string,
    block: ItemIds & { counts: Uint32Array },
  ): void {
    const { window } = this.#get(minute);
    const updateItems = this.#kernel.exports["updateItems"]!;
    this.#items.forEachPart(type, block, (part) => {
      const { typePtr, typeBytes, idsPtr, offsetsPtr, countsPtr, n } = part;
      updateItems(window, typeIndex, typePtr, typeBytes, idsPtr, offsetsPtr, countsPtr, n);
    });
  }

  /**
   * Fills a minute, just opened, with exact counts of one event type: each item at most once,
   * and before any event. Throws RangeError when events were added already.
   */
  restore(minute: number, typeIndex: number, type: string, block: ItemBlock): void {
    const { window } = this.#get(minute);
    const restoreItems = this.#kernel.exports["restoreItems"]!;
    this.#items.forEachPart(type, block, (part) => {
      const { typePtr, typeBytes, idsPtr, offsetsPtr, countsPtr, countBytes, n } = part;
      const status = restoreItems(
        window,
        typeIndex,
        typePtr,
        typeBytes,
        idsPtr,
        offsetsPtr,
        countsPtr,
        countBytes,
        n,
      );
      if (status !== layout.SKETCH_OK) throw new RangeError(`minute ${minute} streams already`);
    });
  }

  /** Own copy of a minute's candidates, for `readCandidates`; may be transferred. */
  candidates(minute: number): ArrayBuffer {
    const { window } = this.#get(minute);
    const bytes = this.#kernel.exports["exportCandidates"]!(window, this.#out) >>> 0;
    return this.#kernel.memory.buffer.slice(this.#out, this.#out + bytes) as ArrayBuffer;
  }

  /** Own copy of a minute's sketch, for `Sketch.load`. */
  sketch(minute: number): Uint8Array {
    const { sketch } = this.#get(minute);
    const { depth, widthLog2 } = this.#options;
    return this.#kernel.bytes.slice(sketch, sketch + sketchBytes(depth, widthLog2));
  }

  /** A minute's cells, row by row: a view, so what is added later shows in it. */
  cells(minute: number): Uint32Array {
    const { sketch } = this.#get(minute);
    const { depth, widthLog2 } = this.#options;
    const from = (sketch + layout.SKETCH_HEADER_SIZE) >>> 2;
    return this.#kernel.u32.subarray(from, from + depth * 2 ** widthLog2);
  }

  /** A minute's first row of cells: a view, as `cells`. */
  row(minute: number): Uint32Array {
    return this.cells(minute).subarray(0, 2 ** this.#options.widthLog2);
  }

  /** Upper bounds of items' counts in a minute, by the sketch alone; Infinity: no bound. */
  estimates(minute: number, type: string, { ids, ends }: ItemIds): Float64Array {
    const { sketch } = this.#get(minute);
    const bounds = new Float64Array(ends.length);
    const estimateItems = this.#kernel.exports["estimateItems"]!;
    this.#items.forEachPart(type, { ids, ends }, (part) => {
      const { typePtr, typeBytes, idsPtr, offsetsPtr, countsPtr, from, n } = part;
      estimateItems(sketch, typePtr, typeBytes, idsPtr, offsetsPtr, n, countsPtr);
      const found = this.#kernel.u32.subarray(countsPtr >>> 2, (countsPtr >>> 2) + n);
      for (let i = 0; i < n; i++) bounds[from + i] = boundOf(found[i]!);
    });
    return bounds;
  }

  /** As `estimates`, of one item. */
  estimate(minute: number, type: string, id: string): number {
    return this.estimates(minute, type, itemIds([id]))[0]!;
  }

  #find(minute: number): Slot | undefined {
    return this.#slots.find((slot) => slot.minute === minute);
  }

  #get(minute: number): Slot {
    const slot = this.#find(minute);
    if (slot === undefined) throw new RangeError(`minute ${minute} is not open`);
    return slot;
  }
}
