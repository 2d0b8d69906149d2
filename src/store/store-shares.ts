/** What the main thread hears of the other processes that share its store, in a lake. */
import type { KeptTable, Shares } from "./changes.ts";
import type { FromStoreThread } from "./protocol.ts";

type OnWanted = (offsets: readonly number[]) => void;

export class StoreShares implements Shares {
  readonly #rowListeners = new Set<(table: KeptTable) => void>();
  #onWanted: OnWanted = () => undefined;
  #maintains: boolean;

  /** Of a store of this process alone all is its own. */
  constructor(isLake: boolean) {
    this.#maintains = !isLake;
  }

  onRows(listener: (table: KeptTable) => void): void {
    this.#rowListeners.add(listener);
  }

  onWanted(listener: OnWanted): void {
    this.#onWanted = listener;
  }

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
