/**
 * After some errors (a failed fsync) DuckDB gives its database up until it is opened anew; of a
 * lake's, which is told not to (lake-errors.ts), it is given up here. Then the service is to end,
 * since nothing would be counted any more. The store's thread goes on until it is closed: DuckDB
 * ends the process when a thread goes that waits for it.
 */
import { type FromStoreThread, thrown } from "./protocol.ts";

export class GiveUp {
  readonly #send: (message: FromStoreThread) => void;
  readonly #isLake: boolean;
  #hasTold = false;

  constructor(send: (message: FromStoreThread) => void, isLake: boolean) {
    this.#send = send;
    this.#isLake = isLake;
  }

  /** Tells the main thread, once, where `error` is of that kind. */
  look(error: unknown): void {
    const { message } = thrown(error);
    const isOwn = this.#isLake && message.includes("INTERNAL Error: ");
    const isFatal = isOwn || /FATAL Error|has been invalidated/.test(message);
    if (this.#hasTold || !isFatal) return;
    this.#hasTold = true;
    const text = `${message}; the next start counts what the log holds`;
    this.#send({ kind: "gave_up", message: text });
  }
}
