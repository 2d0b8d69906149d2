/** A bounded min-heap of items by count, with an index. */
export class ItemHeap {
  readonly capacity: number;
  readonly #items: Uint32Array;
  readonly #counts: Float64Array;
  readonly #places = new Map<number, number>();
  #size = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#items = new Uint32Array(capacity);
    this.#counts = new Float64Array(capacity);
  }

  get isFull(): boolean {
    return this.#size === this.capacity;
  }

  /** The least count; 0 when it is empty. */
  get least(): number {
    return this.#counts[0]!;
  }

  has(item: number): boolean {
    return this.#places.has(item);
  }

  /** Count of an item that is in it. */
  count(item: number): number {
    return this.#counts[this.#places.get(item)!]!;
  }

  /** Adds an item that isn't in it; there must be room. */
  add(item: number, count: number): void {
    this.#sift(this.#size++, item, count);
  }

  /** Gives an item that is in it another count. */
  set(item: number, count: number): void {
    this.#sift(this.#places.get(item)!, item, count);
  }

  /** Puts an item in the place of the one with the least count; returns that one. */
  replaceLeast(item: number, count: number): number {
    const gone = this.#items[0]!;
    this.#places.delete(gone);
    this.#sift(0, item, count);
    return gone;
  }

  /** All items, from the greatest count on. */
  ranked(): { item: number; count: number }[] {
    const all = Array.from({ length: this.#size }, (_, place) => {
      return { item: this.#items[place]!, count: this.#counts[place]! };
    });
    return all.sort((a, b) => b.count - a.count || a.item - b.item);
  }

  #put(place: number, item: number, count: number): void {
    this.#items[place] = item;
    this.#counts[place] = count;
    this.#places.set(item, place);
  }

  /** Finds the place of (item, count) from the hole at `place` on. */
  #sift(from: number, item: number, count: number): void {
    let place = from;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (this.#counts[parent]! <= count) break;
      this.#put(place, this.#items[parent]!, this.#counts[parent]!);
      place = parent;
    }
    while (2 * place + 1 < this.#size) {
      let child = 2 * place + 1;
      if (child + 1 < this.#size && this.#counts[child + 1]! < this.#counts[child]!) child++;
      if (this.#counts[child]! >= count) break;
      this.#put(place, this.#items[child]!, this.#counts[child]!);
      place = child;
    }
    this.#put(place, item, count);
  }
}
