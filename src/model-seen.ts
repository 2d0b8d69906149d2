/** Which batches were counted, as rows: what ledgers keep (log/idempotency.ts), and the store. */

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
  partitionCount: number;
}

/** A run of a producer's sequences. */
export interface SeenRun {
  producer: string;
  from: number;
  to: number;
}
