/**
 * Builds a window's sealed sketch from the exact counts of the items it doesn't list, at a width
 * that fits them. Host side of the builder in assembly/sealed-sketch.ts.
 */
import type { ItemBlock, ItemRegion } from "./item-region.ts";
import type { Kernel } from "./kernel.ts";
import { layout } from "./layout.ts";
import { assertSketchStatus, Sketch, type SketchOptions } from "./sketch.ts";

export interface SealedSketchOptions extends SketchOptions {
  /** Items by which the width is chosen; of a window with more, an even sample of so many. */
  sampleItemsMax: number;
}

export class SealedSketchBuilder {
  readonly #kernel: Kernel;
  readonly #items: ItemRegion;
  readonly #sketch: Sketch;
  readonly #seal: number;

  /** Bytes of kernel memory it takes. */
  static memoryBytes(options: SealedSketchOptions): number {
    const sample = options.sampleItemsMax * layout.SEAL_SAMPLE_SIZE;
    return Sketch.memoryBytes(options) + layout.SEAL_SIZE + sample + 2 * 16;
  }

  constructor(kernel: Kernel, items: ItemRegion, options: SealedSketchOptions) {
    if (options.sampleItemsMax < 2) throw new RangeError("a sample of at least 2 items is wanted");
    this.#kernel = kernel;
    this.#items = items;
    this.#sketch = new Sketch(kernel, items, options);
    this.#seal = kernel.allocate(layout.SEAL_SIZE);
    const { depth, widthLog2Max, seed, sampleItemsMax } = options;
    kernel.exports["initSeal"]!(
      this.#seal,
      this.#sketch.ptr,
      depth,
      widthLog2Max,
      kernel.allocate(sampleItemsMax * layout.SEAL_SAMPLE_SIZE),
      sampleItemsMax,
      seed.low,
      seed.high,
    );
  }

  /**
   * Begins a window. `items`: about how many will be added; far too few, of a window with more
   * than `sampleItemsMax`, costs precision.
   */
  begin(items: number): void {
    const most = Math.min(items, 0xffffffff);
    assertSketchStatus(this.#kernel.exports["beginSeal"]!(this.#seal, most));
  }

  /** Folds exact counts of one event type; each item once in the window's life. */
  add(type: string, block: ItemBlock): void {
    const sealItems = this.#kernel.exports["sealItems"]!;
    this.#items.forEachPart(type, block, (part) => {
      const { typePtr, typeBytes, idsPtr, offsetsPtr, countsPtr, countBytes, n } = part;
      sealItems(this.#seal, typePtr, typeBytes, idsPtr, offsetsPtr, countsPtr, countBytes, n);
    });
  }

  /**
   * Ends the window: its sketch (as `Sketch.load` takes it) at the smallest width that keeps the
   * mean overestimate of what was added below 1, or else at the greatest width; null when that
   * is more than `bytesMax` bytes.
   */
  finish(bytesMax: number): Uint8Array | null {
    const bytes = this.#kernel.exports["finishSeal"]!(this.#seal) >>> 0;
    return bytes > bytesMax ? null : this.#sketch.save();
  }
}
