/** Hands blocks of items (ids and counts) to the kernel, in parts that fit a region there. */
import { eventBounds } from "../model.ts";
import type { Kernel } from "./kernel.ts";
import { layout } from "./layout.ts";

/** Items of one event type, as columns: id i is the bytes from ends[i − 1] (or 0) to ends[i]. */
export interface ItemIds {
  /** UTF-8, end to end. */
  ids: Uint8Array;
  ends: Uint32Array;
}

export interface ItemBlock extends ItemIds {
  /** One an id. */
  counts: Uint32Array | BigUint64Array;
}

/** Where one part of a block lies in kernel memory. */
export interface ItemPart {
  typePtr: number;
  typeBytes: number;
  idsPtr: number;
  /** u32[n + 1], from `idsPtr`. */
  offsetsPtr: number;
  countsPtr: number;
  /** Of one count: 4 or 8. */
  countBytes: 4 | 8;
  /** Index in the block of the part's first item. */
  from: number;
  n: number;
}

export interface ItemRegionBounds {
  /** Items of one part. */
  itemsMax: number;
  /** Bytes of one part's ids; at least the longest id. */
  idBytesMax: number;
}

export const itemRegionBounds: Readonly<ItemRegionBounds> = Object.freeze({
  itemsMax: 16_384,
  idBytesMax: 1024 * 1024,
});

const encoder = new TextEncoder();

/** One id per string, as columns; for few items, as each string is encoded by itself. */
export function itemIds(ids: readonly string[]): ItemIds {
  const encoded = ids.map((id) => encoder.encode(id));
  const ends = new Uint32Array(ids.length);
  const bytes = new Uint8Array(encoded.reduce((sum, id) => sum + id.length, 0));
  let end = 0;
  encoded.forEach((id, i) => {
    bytes.set(id, end);
    end += id.length;
    ends[i] = end;
  });
  return { ids: bytes, ends };
}

/** As `itemIds`, with a count (an integer) for each. */
export function itemBlock(ids: readonly string[], counts: readonly number[]): ItemBlock {
  return { ...itemIds(ids), counts: BigUint64Array.from(counts, BigInt) };
}

export class ItemRegion {
  readonly #kernel: Kernel;
  readonly #bounds: ItemRegionBounds;
  readonly #type: number;
  readonly #ids: number;
  readonly #offsets: number;
  readonly #counts: number;

  /** Bytes of kernel memory it takes. */
  static memoryBytes(bounds: ItemRegionBounds = itemRegionBounds): number {
    const strings =
      layout.EVENT_REGION_TYPE_BYTES_MAX + bounds.idBytesMax + 2 * layout.STRING_PADDING;
    return strings + (bounds.itemsMax + 1) * 4 + bounds.itemsMax * 8 + 4 * 16;
  }

  /** Throws RangeError when the longest id would not fit a part. */
  constructor(kernel: Kernel, bounds: ItemRegionBounds = itemRegionBounds) {
    if (bounds.idBytesMax < eventBounds.eventIdBytesMax || bounds.itemsMax < 1) {
      throw new RangeError(`${bounds.itemsMax} items of ${bounds.idBytesMax} bytes hold no id`);
    }
    this.#kernel = kernel;
    this.#bounds = bounds;
    this.#type = kernel.allocate(layout.EVENT_REGION_TYPE_BYTES_MAX + layout.STRING_PADDING);
    this.#ids = kernel.allocate(bounds.idBytesMax + layout.STRING_PADDING);
    this.#offsets = kernel.allocate((bounds.itemsMax + 1) * 4);
    this.#counts = kernel.allocate(bounds.itemsMax * 8);
  }

  /**
   * Calls `use` for each part of the block, in order; `n` of its items (default all). The parts
   * share one place: each is gone once `use` returns. Throws RangeError for a type or an id over
   * the event's bounds, or ends that fall or pass the ids.
   */
  forEachPart(
    type: string,
    block: ItemIds & { counts?: ItemBlock["counts"] },
    use: (part: ItemPart) => void,
  ): void {
    const typeBytes = this.#writeType(type);
    const { ends, counts } = block;
    if (counts !== undefined && counts.length < ends.length) {
      throw new RangeError(`${counts.length} counts for ${ends.length} items`);
    }
    for (let from = 0; from < ends.length; ) {
      const n = this.#writeIds(block, from);
      if (counts !== undefined) this.#writeCounts(counts.subarray(from, from + n));
      use({
        typePtr: this.#type,
        typeBytes,
        idsPtr: this.#ids,
        offsetsPtr: this.#offsets,
        countsPtr: this.#counts,
        countBytes: counts instanceof Uint32Array ? 4 : 8,
        from,
        n,
      });
      from += n;
    }
  }

  #writeType(type: string): number {
    const room = this.#kernel.bytes.subarray(
      this.#type,
      this.#type + layout.EVENT_REGION_TYPE_BYTES_MAX,
    );
    const { written, read } = encoder.encodeInto(type, room);
    if (read < type.length) throw new RangeError(`event type over ${room.length} bytes: ${type}`);
    return written;
  }

  /** Copies as many ids as fit; returns how many. */
  #writeIds({ ids, ends }: ItemIds, from: number): number {
    const start = from === 0 ? 0 : ends[from - 1]!;
    const most = Math.min(ends.length - from, this.#bounds.itemsMax);
    const at = this.#offsets >>> 2;
    this.#kernel.u32[at] = 0;
    let n = 0;
    let end = start;
    for (; n < most; n++) {
      const next = ends[from + n]!;
      if (next < end || next > ids.length || next - end > eventBounds.eventIdBytesMax) {
        throw new RangeError(`id ${from + n} from byte ${end} to ${next} of ${ids.length}`);
      }
      if (next - start > this.#bounds.idBytesMax) break;
      this.#kernel.u32[at + n + 1] = next - start;
      end = next;
    }
    this.#kernel.bytes.set(ids.subarray(start, end), this.#ids);
    return n;
  }

  #writeCounts(counts: Uint32Array | BigUint64Array): void {
    const bytes = new Uint8Array(counts.buffer, counts.byteOffset, counts.byteLength);
    this.#kernel.bytes.set(bytes, this.#counts);
  }
}
