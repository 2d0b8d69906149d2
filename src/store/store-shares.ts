/** What the main thread hears of the other processes that share its store, in a lake. */
import type { KeptTable } from "./changes.ts";
import type { FromStoreThread } from "./protocol.ts";

type OnWanted = (offsets: readonly number[]) => void;

export class StoreShares {
  readonly #rowListeners = new Set<(table: KeptTable) => void>();
  #onWanted: OnWanted = () => undefined;
  #maintains: boolean;

  /** Of a store of this process alone all is its own. */
  constructor(isLake: boolean) {
    this.#maintains = !isLake;
  }

  /** Called when another process may have changed what was read of such a table. */
  onRows(listener: (table: KeptTable) => void): void {
    this.#rowListeners.add(listener);
  }

  /** Called with offsets that some process waits for. */
  onWanted(listener: OnWanted): void {
    this.#onWanted = listener;
  }

  /** Whether this process does what only one of those that share the store does. */
  get maintains(): boolean {
    return this.#maintains;
  }

  note(message: FromStoreThread): void {
    if (message.kind === "wanted") this.#onWanted(message.offsets);
    else if (message.kind === "turned") this.#maintains = message.isMine;
    else if (message.kind === "rows_changed") {
      for (const table of message.tables) for (const tell of this.#rowListeners) tell(table);
    }
  }
}
