/**
 * Loads the WebAssembly kernel and gives out its memory. Runs unchanged in Node and browsers:
 * the caller brings the bytes or the compiled module. One fixed memory, never grown: views on
 * it stay valid for the kernel's life.
 */
import { assertLayout } from "./layout.ts";

/** The kernel's exported functions: numbers in, numbers out. */
export type KernelExports = Record<string, (...args: number[]) => number>;

const pageBytes = 65_536;
/** The first page is left to the module's own data and never given out. */
const reservedBytes = pageBytes;

export class Kernel {
  readonly memory: WebAssembly.Memory;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly u32: Uint32Array;
  readonly exports: KernelExports;
  #next = reservedBytes;

  private constructor(memory: WebAssembly.Memory, instance: WebAssembly.Instance) {
    this.memory = memory;
    this.bytes = new Uint8Array(memory.buffer);
    this.view = new DataView(memory.buffer);
    this.u32 = new Uint32Array(memory.buffer);
    this.exports = instance.exports as unknown as KernelExports;
  }

  /**
   * Instantiates the kernel over a fixed memory of at least `memoryBytes` bytes.
   * Throws when the module's layout is not the one this host was built for.
   */
  static async load(module: WebAssembly.Module, memoryBytes: number): Promise<Kernel> {
    const pages = Math.ceil((memoryBytes + reservedBytes) / pageBytes);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const instance = await WebAssembly.instantiate(module, { env: { memory } });
    assertLayout(instance.exports);
    return new Kernel(memory, instance);
  }

  /** Gives out `bytes` bytes of zeroed memory for good; throws RangeError when it is used up. */
  allocate(bytes: number, alignment = 16): number {
    const start = Math.ceil(this.#next / alignment) * alignment;
    if (start + bytes > this.bytes.length) {
      throw new RangeError(
        `kernel memory used up: ${bytes} bytes wanted, ${this.bytes.length - start} left`,
      );
    }
    this.#next = start + bytes;
    return start;
  }

  /** Takes back and zeroes all that was given out: whatever lay there is void. */
  clear(): void {
    this.bytes.fill(0, reservedBytes, this.#next);
    this.#next = reservedBytes;
  }

  /** Bytes not given out yet. */
  get bytesLeft(): number {
    return this.bytes.length - this.#next;
  }
}
