/** Which batches were counted, as rows (log/idempotency.ts says what they mean). */

/** A batch's key that was counted, as a row (log/idempotency.ts says what it means). */
export interface SeenRow {
  ordinal: number;
  key: string;
  /** Null for a free key. */
  producer: string | null;
  /** Hexadecimal. */
  digest: string | null;
  receivedAt: number;
  partitionCount: number;
}

/** A run of a producer's sequences that were counted. */
export interface SeenRun {
  producer: string;
  from: number;
  to: number;
}
