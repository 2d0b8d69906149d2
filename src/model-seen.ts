/** Which batches were counted, as rows: what ledgers keep (log/idempotency.ts), and the store. */

/**
 * In place of a number of partitions: all of the batch was counted, from another log, into
 * whatever partitions and records it is split when it is sent again.
 */
export const carriedWhole = 0;

/** A batch's key. */
export interface SeenRow {
  /** Ascending in the order of recording, unique in its ledger. */
  ordinal: number;
  key: string;
  /** Null for a free key. */
  producer: string | null;
  /** Hexadecimal; null when the batch came without. */
  digest: string | null;
  receivedAt: number;
  /** Into so many the batch was split, or `carriedWhole`. */
  partitionCount: number;
}

/** A run of a producer's sequences. */
export interface SeenRun {
  producer: string;
  from: number;
  to: number;
}
