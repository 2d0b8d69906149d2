/** How far the store is, as the main thread knows it, and who is told when that changes. */
import type { Touched } from "./changes.ts";
import { versionOf } from "./data-version.ts";
import type { FromStoreThread } from "./protocol.ts";

type OnCommit = (offsets: readonly number[]) => void;
type OnChange = (version: number, touched: readonly Touched[]) => void;

export class StoreProgress {
  readonly #commitListeners = new Set<OnCommit>();
  readonly #changeListeners = new Set<OnChange>();
  #offsets: readonly number[] = [];
  #mutations = 0;

  /** Next offset to count, by partition. */
  get offsets(): readonly number[] {
    return this.#offsets;
  }

  get version(): number {
    return versionOf(this.#offsets, this.#mutations);
  }

  /** What the store says when it is opened. */
  begin(offsets: readonly number[], mutations: number): void {
    [this.#offsets, this.#mutations] = [offsets, mutations];
  }

  /**
   * Partitions that were added have an offset from now on; of a lake none of them counts before
   * it can be read.
   */
  grow(offsets: readonly number[], isLake: boolean): void {
    const known = this.#offsets;
    this.#offsets = offsets.map((offset, index) => known[index] ?? (isLake ? 0 : offset));
  }

  /** Returns a function that takes the listener off. */
  onCommit(listener: OnCommit): () => void {
    this.#commitListeners.add(listener);
    return () => this.#commitListeners.delete(listener);
  }

  onChange(listener: OnChange): void {
    this.#changeListeners.add(listener);
  }

  note(message: FromStoreThread): void {
    if (message.kind === "committed") {
      // Of a lake it counts once it can be read.
      if (message.offsets !== null) this.#move(message.offsets, this.#mutations, message.touched);
    } else if (message.kind === "followed") {
      // Deletes of this process are told at their commit, before they are followed.
      const mutations = Math.max(message.mutations, this.#mutations);
      const known = this.#offsets;
      const count = Math.max(known.length, message.offsets.length);
      const offsets = Array.from({ length: count }, (_, partition) =>
        Math.max(known[partition] ?? 0, message.offsets[partition] ?? 0),
      );
      // What only moves counts from here to there changes no answer.
      if (versionOf(offsets, mutations) === this.version) return;
      this.#move(offsets, mutations, message.touched);
    } else if (message.kind === "mutated") {
      // Of a lake it may have been read already, and told with what was.
      if (message.mutations <= this.#mutations) return;
      this.#mutations = message.mutations;
      this.#tellChange(message.touched);
    }
  }

  #move(offsets: readonly number[], mutations: number, touched: readonly Touched[]): void {
    [this.#offsets, this.#mutations] = [offsets, mutations];
    // First of all what changed: whoever waits for the commit asks about it.
    this.#tellChange(touched);
    for (const listener of this.#commitListeners) listener(offsets);
  }

  #tellChange(touched: readonly Touched[]): void {
    for (const listener of this.#changeListeners) listener(this.version, touched);
  }
}
