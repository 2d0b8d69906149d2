/** Each partition's ledger of counted batches: a batch sent twice is counted once. */
import { freeKeyLifeMs, IdempotencyLedger } from "../log/idempotency.ts";
import type { LogRecord } from "../model.ts";
import { carriedWhole } from "../model-seen.ts";
import type { SeenChanges, SeenState } from "../store/store.ts";

interface PartitionLedger {
  ledger: IdempotencyLedger;
  /** Everything before it was handed over with a checkpoint. */
  mark: number;
  isChanged: boolean;
}

/** Events whose ids lie, among so many partitions, in one of these. */
export interface CountedClasses {
  partitionCount: number;
  partitions: Set<number>;
}

/** What to count of a record. */
export interface Admission {
  /**
   * Of a batch that was sent again across a change of the number of partitions: what was counted
   * of it before.
   */
  counted: readonly CountedClasses[] | null;
}

/** Of a log that several edges write: a partition has gaps that none of them could close. */
const sharedBounds = Object.freeze({ runsKept: 256 });
const whole: Admission = Object.freeze({ counted: null });
const timeOnly = Object.freeze({ key: null, digest: null, partitionCount: 0 });
/** Keys hold no control characters, so no client's is one of these. */
const pieceMark = "\u0001";

export class SeenBatches {
  readonly #ledgers = new Map<number, PartitionLedger>();
  /**
   * All numbers of partitions the log ever had, rising; each divides the next. Empty for a log
   * that never grows.
   */
  #counts: readonly number[] = [];

  /**
   * `states` as the store has them; their index is the partition where they name none. `counts`
   * are the numbers of partitions that the log is known to have had.
   */
  constructor(
    states: readonly (SeenState & { partition?: number })[],
    counts: readonly number[] = [],
  ) {
    for (const count of counts) this.#noteCount(count);
    for (const [index, { partition = index, ...state }] of states.entries()) {
      const ledger = new IdempotencyLedger(counts.length > 0 ? sharedBounds : {});
      ledger.load(state);
      for (const { partitionCount } of state.rows) this.#noteCount(partitionCount, counts.length);
      this.#ledgers.set(partition, { ledger, mark: ledger.mark, isChanged: false });
    }
  }

  /**
   * What of the record is to be counted; from then on it is known. Null for a batch that was
   * counted before, and for another body under the same key, which the edge refused.
   */
  admit(record: LogRecord): Admission | null {
    const own = this.#ledgers.get(record.partition)!;
    // The log's own clock where it has one: it is the same for all edges.
    const receivedAt = record.appendedAt ?? record.receivedAt;
    // Time first: whether a free key of an hour ago is forgotten must follow from this record,
    // not from what else this worker happened to read before it.
    if (record.isForeign !== true) own.ledger.record({ ...timeOnly, receivedAt });
    if (record.key === null) return whole;
    const { piece = 0 } = record;
    const key = piece === 0 ? record.key : `${record.key}${pieceMark}${piece}`;
    const known = { ...record, key, receivedAt };
    // Its edge may have known of partitions before whoever assigned these to us.
    this.#noteCount(record.partitionCount, this.#counts.length);
    if (this.#isCarried(record.key, record.partition)) return null;
    if (this.#counts.length > 1) return this.#admitGrown(known, own, record.key);
    const { state } = own.ledger.look(key, record.digest);
    if (state === "seen" || state === "mismatch") return null;
    if (piece > 0 && this.#isLongSeen(record.key, receivedAt, own)) return null;
    this.#record(known, own);
    return whole;
  }

  /** What changed since the last call. Parts are committed in order, or the worker ends. */
  takeChanges(): SeenChanges[] {
    const taken: SeenChanges[] = [];
    for (const [partition, own] of this.#ledgers) {
      if (!own.isChanged) continue;
      const changes = own.ledger.changesSince(own.mark);
      own.mark = changes.mark;
      own.isChanged = false;
      taken.push({ partition, ...changes });
    }
    return taken;
  }

  /** Where the log may grow at all, that is where numbers are `known`. */
  #noteCount(count: number, known = 1): void {
    if (known === 0 || count === carriedWhole || this.#counts.includes(count)) return;
    this.#counts = [...this.#counts, count].sort((a, b) => a - b);
  }

  /** Counted whole before the store was tied to this log, in whichever of its partitions. */
  #isCarried(key: string, partition: number): boolean {
    const own = [partition, ...this.#counts.map((count) => partition % count)];
    return own.some((at) => this.#countOf(at, key) === carriedWhole);
  }

  #record(record: LogRecord, own: PartitionLedger): void {
    own.ledger.record(record);
    own.isChanged = true;
  }

  /** Later pieces of a batch are known for an hour: after that its first one speaks for them. */
  #isLongSeen(key: string, receivedAt: number, { ledger }: PartitionLedger): boolean {
    const first = ledger.look(key, null);
    if (first.state !== "seen") return false;
    return first.receivedAt === null || first.receivedAt < receivedAt - freeKeyLifeMs;
  }

  /**
   * Of a log that has grown. An event's line lies in partition h mod c for each number c of
   * partitions there ever was. What was counted of a batch are such classes: p of c, as a row of
   * p's ledger with that c. Each number divides the next, so two classes are apart, or one holds
   * the other: a record of a class that lies in one counted is not counted; of any other the
   * counted classes within it are left out, and all of it is counted from then on. `first` is the
   * key of the batch's first piece.
   */
  #admitGrown(record: LogRecord, own: PartitionLedger, first: string): Admission | null {
    const { partition, partitionCount, digest, receivedAt, piece = 0 } = record;
    const key = record.key!;
    const { state } = own.ledger.look(key, digest);
    if (state === "mismatch") return null;
    const counted: CountedClasses[] = [];
    for (const count of this.#counts) {
      if (count <= partitionCount) {
        if (this.#countOf(partition % count, key) === count) return null;
        continue;
      }
      const partitions = new Set<number>();
      for (let at = partition; at < count; at += partitionCount) {
        if (this.#countOf(at, key) === count) partitions.add(at);
      }
      if (partitions.size > 0) counted.push({ partitionCount: count, partitions });
    }
    const finest = counted.at(-1);
    if (finest === undefined) {
      // Known from its producer's run alone: then the whole batch is in the log already.
      if (state === "seen") return null;
      const places = [partition, ...this.#counts.map((count) => partition % count)];
      const ledgers = places.map((at) => this.#ledgers.get(at) ?? own);
      const isKnown = ledgers.some((one) => this.#isLongSeen(first, receivedAt, one));
      if (piece > 0 && isKnown) return null;
      this.#record(record, own);
      return whole;
    }
    for (let at = partition; at < finest.partitionCount; at += partitionCount) {
      const other = this.#ledgers.get(at);
      if (other === undefined || this.#countOf(at, key) !== null) continue;
      this.#record({ ...record, seen: null, partitionCount: finest.partitionCount }, other);
    }
    return { counted };
  }

  #countOf(partition: number, key: string): number | null {
    return this.#ledgers.get(partition)?.ledger.partitionCountOf(key) ?? null;
  }
}
