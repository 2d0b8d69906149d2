/** Keys of a role, by which a bucket is reached, end: DuckDB is given the next ones in time. */

/** The longest that a timer waits at once. */
const waitMsMax = 24 * 3_600_000;
const againMs = 30_000;

export class LakeKeys {
  readonly #renew: () => Promise<number | null>;
  #timer: NodeJS.Timeout | null = null;
  #isClosed = false;

  /** `renew` gives the next keys; resolves to when they end, epoch ms, null: never. */
  constructor(renew: () => Promise<number | null>) {
    this.#renew = renew;
  }

  /** Has those that end then, epoch ms, renewed before; null: they don't end. */
  endAt(endAt: number | null): void {
    if (endAt === null || this.#isClosed) return;
    const renew = async () => {
      const next = await this.#renew().catch(() => null);
      this.endAt(next ?? Date.now() + againMs);
    };
    const waitMs = Math.min(Math.max(endAt - Date.now(), againMs), waitMsMax);
    this.#timer = setTimeout(renew, waitMs);
    this.#timer.unref();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer ?? undefined);
  }
}
