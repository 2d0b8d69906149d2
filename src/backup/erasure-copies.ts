/** Keeps a repository told of the users who are erased. */
import { SerialQueue } from "../serial-queue.ts";
import type { ErasedPlace, ErasureStore } from "../store/erase-questions.ts";
import type { BackupCaller } from "./backup-caller.ts";

export interface ErasureCopiesDeps {
  erasures: Pick<ErasureStore, "erasedUsers" | "changes">;
  caller: Pick<BackupCaller, "call">;
}

export class ErasureCopies {
  readonly #deps: ErasureCopiesDeps;
  /** Of the last copy; null: none was made by this process. */
  #changes: number | null = null;
  /** Erasures below are in the repository as they stay. */
  #settledBelow = 0;
  readonly #copies = new SerialQueue();

  constructor(deps: ErasureCopiesDeps) {
    this.#deps = deps;
  }

  /** Resolves once the repository has all that were erased before. Throws `backup_unreachable`. */
  copy(): Promise<void> {
    return this.#copies.run(() => this.#copy());
  }

  async #copy(): Promise<void> {
    const { erasures, caller } = this.#deps;
    const { changes } = erasures;
    if (changes === this.#changes) return;
    let settledBelow = Number.POSITIVE_INFINITY;
    let place: ErasedPlace | null = { erasureId: this.#settledBelow, userHash: "" };
    while (place !== null) {
      const page = await erasures.erasedUsers(place);
      if (page.users.length > 0) {
        await caller.call("writeErasures", { key: page.key, users: page.users });
      }
      settledBelow = Math.min(settledBelow, page.settledBelow);
      place = page.next;
    }
    this.#settledBelow = settledBelow;
    this.#changes = changes;
  }
}
