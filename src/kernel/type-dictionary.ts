/** Host side of assembly/type-dictionary.ts: event types as small numbers, bounded. */
import type { Kernel } from "./kernel.ts";
import { layout } from "./layout.ts";

/** What was counted under one type since the last `takeNotes`. */
export interface TypeNote {
  /** The type's index in this dictionary. */
  index: number;
  name: string;
  /** Sum of weights. */
  total: number;
  /** Epoch ms of the first and last event. */
  firstSeen: number;
  lastSeen: number;
}

const headerBytes = 32;
const typeBytesMax = layout.EVENT_REGION_TYPE_BYTES_MAX;
const slotBytes = 4;

export class TypeDictionary {
  readonly #kernel: Kernel;
  readonly #header: number;
  readonly #entries: number;
  readonly #scratch: number;
  readonly #roomMax: number;
  #bound: number;
  #hasRetention = false;
  readonly #names: string[] = [];
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });

  /** Room for `typesMax` types of the greatest length. */
  constructor(kernel: Kernel, typesMax: number) {
    this.#kernel = kernel;
    this.#roomMax = typesMax;
    this.#bound = typesMax;
    const slots = 2 ** Math.ceil(Math.log2(typesMax * 2));
    this.#header = kernel.allocate(headerBytes);
    const table = kernel.allocate(slots * slotBytes);
    this.#entries = kernel.allocate(typesMax * layout.TYPE_ENTRY_SIZE);
    const heapBytes = typesMax * typeBytesMax;
    const heap = kernel.allocate(heapBytes + layout.STRING_PADDING);
    this.#scratch = kernel.allocate(typeBytesMax + layout.STRING_PADDING);
    kernel.exports["initTypes"]!(
      this.#header,
      typesMax,
      slots,
      table,
      this.#entries,
      heap,
      heapBytes,
    );
  }

  /** Bytes of kernel memory it takes. */
  static memoryBytes(typesMax: number): number {
    const slots = 2 ** Math.ceil(Math.log2(typesMax * 2));
    const strings = typesMax * typeBytesMax + 2 * layout.STRING_PADDING + typeBytesMax;
    return headerBytes + slots * slotBytes + typesMax * layout.TYPE_ENTRY_SIZE + strings + 5 * 16;
  }

  /** How many types it holds. */
  get size(): number {
    return this.#kernel.view.getUint32(this.#header, true);
  }

  /** Index of `name`, added where it is new; null when the dictionary is full. */
  indexOf(name: string): number | null {
    const { written, read } = new TextEncoder().encodeInto(
      name,
      this.#kernel.bytes.subarray(this.#scratch, this.#scratch + typeBytesMax),
    );
    if (read < name.length) throw new RangeError(`event type over ${typeBytesMax} bytes: ${name}`);
    const index = this.#kernel.exports["typeIndex"]!(this.#header, this.#scratch, written) >>> 0;
    return index === layout.TYPE_NONE ? null : index;
  }

  /** How many types it takes: what `limit` was told last. */
  get bound(): number {
    return this.#bound;
  }

  /** Takes up to `typesMax` types from now on; those it holds already it keeps. */
  limit(typesMax: number): void {
    this.#bound = typesMax;
    this.freeze(false);
  }

  /** While frozen it takes no further types. */
  freeze(isFrozen: boolean): void {
    const wanted = isFrozen ? this.size : Math.max(this.#bound, this.size);
    this.#kernel.exports["limitTypes"]!(this.#header, Math.min(wanted, this.#roomMax));
  }

  /** Forgets the types added last until `size` are left. */
  forgetFrom(size: number): void {
    this.#kernel.exports["forgetTypes"]!(this.#header, size);
    this.#names.length = Math.min(this.#names.length, size);
  }

  /**
   * Keeps events of a type for `retentionMs` before their receipt (null: for ever), and none from
   * before `floor` (epoch ms, null: no such bound). Returns false, and changes nothing, when there
   * is no room for the type.
   */
  setRetention(name: string, retentionMs: number | null, floor: number | null): boolean {
    const index = this.indexOf(name);
    if (index === null) return false;
    const bounds = [retentionMs ?? -1, floor ?? -Number.MAX_SAFE_INTEGER] as const;
    this.#kernel.exports["setRetention"]!(this.#header, index, ...bounds);
    this.#hasRetention ||= retentionMs !== null || floor !== null;
    return true;
  }

  /** Marks resolved events that are older than their type is kept; returns how many. */
  markExpired(events: number, n: number, receivedAt: number): number {
    if (!this.#hasRetention) return 0;
    return this.#kernel.exports["markExpired"]!(this.#header, events, n, receivedAt);
  }

  /** Fills the type index of `n` located events; returns how many types found no room. */
  resolve(events: number, n: number): number {
    return this.#kernel.exports["resolveTypes"]!(this.#header, events, n);
  }

  /** Adds `n` resolved events to their types' totals and times. */
  note(events: number, n: number): void {
    this.#kernel.exports["noteTypes"]!(this.#header, events, n);
  }

  /** Name of the type with this index. */
  name(index: number): string {
    for (let next = this.#names.length; next <= index; next++) {
      const entry = this.#entries + next * layout.TYPE_ENTRY_SIZE;
      const ptr = this.#kernel.view.getUint32(entry, true);
      const length = this.#kernel.view.getUint32(entry + 4, true);
      this.#names.push(this.#decoder.decode(this.#kernel.bytes.slice(ptr, ptr + length)));
    }
    return this.#names[index]!;
  }

  /** Totals and times noted since the last call, of types that had events. */
  takeNotes(): TypeNote[] {
    const notes: TypeNote[] = [];
    const view = this.#kernel.view;
    for (let index = 0; index < this.size; index++) {
      const entry = this.#entries + index * layout.TYPE_ENTRY_SIZE;
      const total = Number(view.getBigUint64(entry + 32, true));
      if (total === 0) continue;
      const firstSeen = Number(view.getBigInt64(entry + 16, true));
      notes.push({
        index,
        name: this.name(index),
        total,
        firstSeen,
        lastSeen: Number(view.getBigInt64(entry + 24, true)),
      });
    }
    this.#kernel.exports["resetTypeNotes"]!(this.#header);
    return notes;
  }
}
