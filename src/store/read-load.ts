/**
 * How busy the store's readers are: numbers in shared memory, written by the store's thread, so
 * that the main thread reads them without asking.
 */
const names = [
  "quickRunning",
  "slowRunning",
  "apartRunning",
  "quickWaiting",
  "slowWaiting",
  "apartWaiting",
  "timedOut",
  "cancelled",
  "outOfMemory",
  "refused",
] as const;

export type ReadLoadName = (typeof names)[number];

export class ReadLoad {
  /** Handed to the other thread. */
  readonly buffer: SharedArrayBuffer;
  readonly #values: Float64Array;

  /** Over the memory of another thread's, or its own. */
  constructor(buffer = new SharedArrayBuffer(names.length * Float64Array.BYTES_PER_ELEMENT)) {
    this.buffer = buffer;
    this.#values = new Float64Array(buffer);
  }

  get(name: ReadLoadName): number {
    return this.#values[names.indexOf(name)]!;
  }

  /** For one thread alone. */
  add(name: ReadLoadName, more: number): void {
    this.#values[names.indexOf(name)]! += more;
  }
}
