/**
 * Sees partitions that stand still: records wait, and for a long time none was counted, though
 * nothing says that anything failed. Clients of Kafka are known to stop like that.
 */
interface Progress {
  committed: number;
  /** Everything was counted: whatever waits came later. */
  isLevel: boolean;
  since: number;
}

/** Records before `ends` that are not counted, over all partitions. */
export function waitingRecords(ends: readonly number[], committed: readonly number[]): number {
  return ends.reduce((sum, end, i) => sum + Math.max(0, end - (committed[i] ?? 0)), 0);
}

/**
 * Whether a client is to join its group anew where these partitions stand still: one that was
 * given some of them, or (undefined) heard of none so far. Those of others are not its to mend.
 */
export function mustRejoin(
  assigned: readonly number[] | undefined,
  stalled: readonly number[],
): boolean {
  return assigned?.some((partition) => stalled.includes(partition)) ?? true;
}

export class LagWatch {
  readonly #stallMsMax: number;
  readonly #progress = new Map<number, Progress>();
  /** Records not counted yet, over all partitions, as last noted. */
  lag = 0;

  constructor(stallMsMax: number) {
    this.#stallMsMax = stallMsMax;
  }

  /** Partitions that have stood still until now (ms) for too long; each is told once a time. */
  note(now: number, ends: readonly number[], committed: readonly number[]): number[] {
    const stalled: number[] = [];
    this.lag = waitingRecords(ends, committed);
    for (const [partition, end] of ends.entries()) {
      const offset = committed[partition] ?? 0;
      const known = this.#progress.get(partition);
      const isLevel = offset >= end;
      if (known === undefined || isLevel || known.isLevel || offset !== known.committed) {
        this.#progress.set(partition, { committed: offset, isLevel, since: now });
      } else if (now - known.since >= this.#stallMsMax) {
        stalled.push(partition);
        known.since = now;
      }
    }
    return stalled;
  }
}
