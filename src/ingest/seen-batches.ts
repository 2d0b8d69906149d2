/** Each partition's ledger of counted batches: a batch sent twice is counted once. */
import { IdempotencyLedger } from "../log/idempotency.ts";
import type { LogRecord } from "../model.ts";
import type { SeenChanges, SeenState } from "../store/store.ts";

interface PartitionLedger {
  ledger: IdempotencyLedger;
  /** Everything before it was handed over with a checkpoint. */
  mark: number;
  isChanged: boolean;
}

const timeOnly = Object.freeze({ key: null, digest: null, partitionCount: 0 });

export class SeenBatches {
  readonly #ledgers: PartitionLedger[];

  /** `states`, by partition, as the store has them. */
  constructor(states: readonly SeenState[]) {
    this.#ledgers = states.map((state) => {
      const ledger = new IdempotencyLedger();
      ledger.load(state);
      return { ledger, mark: ledger.mark, isChanged: false };
    });
  }

  /**
   * Whether the record is to be counted; from then on it is known. False for a batch that was
   * counted before, and for another body under the same key, which the edge refused.
   */
  admit(record: LogRecord): boolean {
    const own = this.#ledgers[record.partition]!;
    // Time first: whether a free key of an hour ago is forgotten must follow from this record,
    // not from what else this worker happened to read before it.
    own.ledger.record({ ...timeOnly, receivedAt: record.receivedAt });
    if (record.key === null) return true;
    const { state } = own.ledger.look(record.key, record.digest);
    if (state === "seen" || state === "mismatch") return false;
    own.ledger.record(record);
    own.isChanged = true;
    return true;
  }

  /** What changed since the last call. Parts are committed in order, or the worker ends. */
  takeChanges(): SeenChanges[] {
    const taken: SeenChanges[] = [];
    for (const [partition, own] of this.#ledgers.entries()) {
      if (!own.isChanged) continue;
      const changes = own.ledger.changesSince(own.mark);
      own.mark = changes.mark;
      own.isChanged = false;
      taken.push({ partition, ...changes });
    }
    return taken;
  }
}
