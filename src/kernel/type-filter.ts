/** Tells events that their sender may send from others, by their types' names. */
import type { Kernel } from "./kernel.ts";
import { layout } from "./layout.ts";

/** Whether events of this type may be sent. */
export type MayUseType = (name: string) => boolean;

/** Verdicts kept of one batch: a batch of more types than that is judged by name again. */
const verdictsMax = 10_000;

/**
 * Marks located events of types that may not be sent as having no type, all others as having one,
 * before any of them is known to the dictionary: a name that may not be used takes no room there.
 */
export class TypeFilter {
  readonly #kernel: Kernel;
  readonly #mayUse: MayUseType;
  readonly #verdicts = new Map<string, boolean>();
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });

  constructor(kernel: Kernel, mayUse: MayUseType) {
    this.#kernel = kernel;
    this.#mayUse = mayUse;
  }

  /** Marks `n` events; returns how many may not be sent. */
  mark(events: number, n: number): number {
    const { u32 } = this.#kernel;
    let forbidden = 0;
    let [lastPtr, lastLength] = [0, -1];
    let isAllowed = false;
    for (let i = 0; i < n; i++) {
      const event = (events + i * layout.EVENT_SIZE) >>> 2;
      const ptr = u32[event + (layout.EVENT_TYPE_PTR >> 2)]!;
      const length = u32[event + (layout.EVENT_TYPE_LEN >> 2)]!;
      // Most events are of the type of the one before.
      if (length !== lastLength || !this.#isSame(ptr, lastPtr, length)) {
        isAllowed = this.#judge(ptr, length);
        [lastPtr, lastLength] = [ptr, length];
      }
      u32[event + (layout.EVENT_TYPE_INDEX >> 2)] = isAllowed ? 0 : layout.TYPE_NONE;
      if (!isAllowed) forbidden++;
    }
    return forbidden;
  }

  #isSame(a: number, b: number, length: number): boolean {
    const { bytes } = this.#kernel;
    for (let i = 0; i < length; i++) if (bytes[a + i] !== bytes[b + i]) return false;
    return true;
  }

  #judge(ptr: number, length: number): boolean {
    const name = this.#decoder.decode(this.#kernel.bytes.subarray(ptr, ptr + length));
    const known = this.#verdicts.get(name);
    if (known !== undefined) return known;
    const verdict = this.#mayUse(name);
    if (this.#verdicts.size < verdictsMax) this.#verdicts.set(name, verdict);
    return verdict;
  }
}
