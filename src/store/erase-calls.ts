/** Erasures as the main thread asks for them, and hears of them. */
import type {
  ErasedPlace,
  ErasedUsersPage,
  EraseQuery,
  ErasureInfo,
  ErasureStore,
} from "./erase-questions.ts";
import type { AskStore, FromStoreThread } from "./protocol.ts";

export class ErasureCalls implements ErasureStore {
  readonly #ask: AskStore;
  #changes = 0;
  readonly #listeners = new Set<(eventTypes: readonly string[]) => void>();

  constructor(ask: AskStore) {
    this.#ask = ask;
  }

  measure(userId: string, signal?: AbortSignal) {
    return this.#ask("measureErasure", userId, { signal });
  }

  async begin(query: EraseQuery): Promise<ErasureInfo> {
    const begun = await this.#ask("beginErasure", query);
    this.#changes++;
    return begun;
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

  erasedUsers(after: ErasedPlace): Promise<ErasedUsersPage> {
    return this.#ask("erasedUsers", after);
  }

  get changes(): number {
    return this.#changes;
  }

  onErase(listener: (eventTypes: readonly string[]) => void): void {
    this.#listeners.add(listener);
  }

  /** Passes on what the thread says of erasures. */
  note(message: FromStoreThread): void {
    if (message.kind !== "erased") return;
    this.#changes++;
    for (const listener of this.#listeners) listener(message.eventTypes);
  }
}
