/**
 * Looks after replies and sockets that stay open: when what their client was let in by is no
 * longer good (revoked, expired, of other rights now) they are ended, a second or so later.
 */
import type { Access } from "../access/access.ts";
import type { Principal } from "../model-access.ts";

/** The code that sockets are closed with: as 401, in the range that is left to applications. */
export const keyEndedCode = 4401;
export const keyEndedReason = "the key is not valid any more";

const sweepMs = 1000;

interface Watched {
  principal: Principal;
  expel: () => void;
}

export class KeyWatch {
  readonly #access: Access;
  /** As many as there are requests under way and live clients: bounded where they are. */
  readonly #watched = new Set<Watched>();
  readonly #sweeping: NodeJS.Timeout;

  constructor(access: Access) {
    this.#access = access;
    this.#sweeping = setInterval(() => this.sweep(), sweepMs);
    this.#sweeping.unref();
  }

  /** Calls `expel` once the key is not good any more; the function returned ends that. */
  watch(principal: Principal, expel: () => void): () => void {
    const watched = { principal, expel };
    this.#watched.add(watched);
    return () => this.#watched.delete(watched);
  }

  /** How many are looked after. */
  get size(): number {
    return this.#watched.size;
  }

  sweep(): void {
    for (const watched of this.#watched) {
      if (this.#access.isCurrent(watched.principal)) continue;
      this.#watched.delete(watched);
      watched.expel();
    }
  }

  close(): void {
    clearInterval(this.#sweeping);
    this.#watched.clear();
  }
}
