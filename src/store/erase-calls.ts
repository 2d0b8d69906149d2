/** Erasures as the main thread asks for them, and hears of them. */
import type { EraseQuery, ErasureInfo, ErasureStore } from "./erase-questions.ts";
import type { FromStoreThread, StoreCallName, StoreCalls } from "./protocol.ts";
import type { ReadControl } from "./store.ts";

type Ask = <Name extends StoreCallName>(
  name: Name,
  argument: StoreCalls[Name][0],
  control?: ReadControl,
) => Promise<StoreCalls[Name][1]>;

export class ErasureCalls implements ErasureStore {
  readonly #ask: Ask;
  readonly #listeners = new Set<(eventTypes: readonly string[]) => void>();

  constructor(ask: Ask) {
    this.#ask = ask;
  }

  measure(userId: string, signal?: AbortSignal) {
    return this.#ask("measureErasure", userId, { signal });
  }

  begin(query: EraseQuery): Promise<ErasureInfo> {
    return this.#ask("beginErasure", query);
  }

  info(jobId: string, waitMs: number): Promise<ErasureInfo | null> {
    return this.#ask("erasure", { jobId, waitMs });
  }

  list(): Promise<ErasureInfo[]> {
    return this.#ask("erasures", null);
  }

  drop(jobId: string): Promise<null> {
    return this.#ask("dropErasure", jobId);
  }

  onErase(listener: (eventTypes: readonly string[]) => void): void {
    this.#listeners.add(listener);
  }

  /** Passes on what the thread says of erasures. */
  note(message: FromStoreThread): void {
    if (message.kind !== "erased") return;
    for (const listener of this.#listeners) listener(message.eventTypes);
  }
}
