/**
 * Which batches were taken already, by their `Idempotency-Key`. The edge keeps one ledger over
 * all partitions and asks it (`look`) before a batch is appended; a worker keeps one for each
 * partition, asks it before a record is counted, and persists it in the checkpoint's own
 * transaction. Time is the records' own, so that reading the log again decides the same.
 *
 * - A producer's sequences are kept for good, as merged runs.
 * - Digest, receipt and partition count ("details") are kept of a producer's newest
 *   `detailsPerProducerMax` batches and of `detailsMax` over all producers; an older batch is
 *   still known to be seen, only its digest can't be compared any more.
 * - Free keys live for `freeKeyLifeMs` before the newest receipt recorded.
 *
 * Where several edges write, each knows a part of a producer's sequences, and many gaps are
 * nobody's fault: with `runsKept` the lowest runs are forgotten beyond so many, never refused.
 * Sequences whose details are still kept are known all the same.
 *
 * A log that takes a batch's partitions one by one may hold a part of it after a crash. What is
 * loaded from the workers' counts is then "seen" only where these prove the whole
 * (`provenByCounts`); else the batch is "new" and appended again, which counts what is missing,
 * and another body under its key is a mismatch all the same.
 *
 * What would exceed a bound is answered "full" by `look`, never forgotten: `record` takes what
 * it is given, since that was let through by the edge's `look` and is in the log. A worker
 * takes "full" for "new".
 */
import type { BatchHeader, SequenceRun } from "../model.ts";
import type { SeenRow, SeenRun } from "../model-seen.ts";
import { classifyKey, type IdempotencyKey, madePartitionCount } from "./idempotency-key.ts";
import { type Detail, DetailQueue, hexOf, rowOf } from "./ledger-details.ts";
import { SequenceRanges } from "./sequence-ranges.ts";

export const freeKeyLifeMs = 3_600_000;

/** Bounds of one ledger; the defaults stand beside. */
export interface LedgerBounds {
  producersMax: number;
  runsPerProducerMax: number;
  detailsPerProducerMax: number;
  detailsMax: number;
  freeKeysMax: number;
  /** In place of `runsPerProducerMax`: the lowest runs beyond so many are forgotten. */
  runsKept?: number;
  /**
   * A larger body may be several records of one partition: counts of one prove nothing of the
   * others.
   */
  provenBytesMax?: number;
  /**
   * False of a ledger whose changes nobody asks for: it notes none, as notes are dropped only
   * when they are asked for.
   */
  isSaved?: boolean;
}

const defaultBounds: LedgerBounds = {
  producersMax: 100_000,
  runsPerProducerMax: 1024,
  detailsPerProducerMax: 1024,
  detailsMax: 200_000,
  freeKeysMax: 200_000,
};

export type LedgerAnswer =
  | { state: "new" }
  /** Null: too long ago, the details are no longer kept. */
  | { state: "seen"; receivedAt: number | null; partitionCount: number | null }
  /** The key was used with another body. */
  | { state: "mismatch" }
  /** Taking this key would forget another: too many gaps, producers or free keys. */
  | { state: "full"; bound: "runsPerProducerMax" | "producersMax" | "freeKeysMax" };

export interface LedgerState {
  newestReceivedAt: number;
  rows: SeenRow[];
  runs: SeenRun[];
}

/**
 * What brings stored tables from a mark to now. In this order: delete the rows named by
 * `drops`, `ordinalBelow` and `expireBefore`, insert `rows`, delete every run of `producers`,
 * insert `runs`, replace `newestReceivedAt`.
 */
export interface LedgerChanges extends LedgerState {
  /** To be given to `changesSince` once these changes are committed. */
  mark: number;
  /** Producers whose runs changed: `runs` holds all of theirs. */
  producers: string[];
  /** Rows of this producer with a smaller ordinal are no longer kept. */
  drops: { producer: string; ordinalBelow: number }[];
  /** Rows that have a producer, any, and a smaller ordinal are no longer kept. */
  ordinalBelow: number;
  /** Rows without producer received before this are no longer kept. */
  expireBefore: number;
}

interface Producer {
  ranges: SequenceRanges;
  details: DetailQueue;
  changedAt: number;
  droppedAt: number;
}

export class IdempotencyLedger {
  readonly #bounds: LedgerBounds;
  readonly #producers = new Map<string, Producer>();
  readonly #details = new Map<string, Detail>();
  /** Details of producers' batches, by ordinal. */
  readonly #byOrdinal = new DetailQueue((detail) => detail.ordinal);
  /** Details of free keys, by receipt. */
  readonly #byReceipt = new DetailQueue((detail) => detail.receivedAt);
  #newestReceivedAt = 0;
  #ordinal = 0;
  /** Not yet known to be committed; dead ones are skipped. */
  #unsaved: Detail[] = [];
  #touched = new Set<string>();

  constructor(bounds: Partial<LedgerBounds> = {}) {
    this.#bounds = { ...defaultBounds, ...bounds };
  }

  get #isSaved(): boolean {
    return this.#bounds.isSaved !== false;
  }

  /** Everything recorded so far, as a place for `changesSince`. */
  get mark(): number {
    return this.#ordinal;
  }

  /** The newest receipt recorded, epoch ms: what free keys' life is measured from. */
  get newestReceivedAt(): number {
    return this.#newestReceivedAt;
  }

  /**
   * What is known of a key. `digest` as in the batch's header; null compares with anything.
   * `bodyBytes`: how large the batch is.
   */
  look(key: string, digest: Uint8Array | null, bodyBytes = 0): LedgerAnswer {
    const parsed = classifyKey(key);
    if (parsed.producer === null) return this.#lookFree(key, digest, bodyBytes);
    const producer = this.#producers.get(parsed.producer);
    if (!producer) {
      const isFull = this.#producers.size >= this.#bounds.producersMax;
      return isFull ? { state: "full", bound: "producersMax" } : { state: "new" };
    }
    const detail = this.#details.get(key);
    const known = detail && this.#judge(detail, digest, bodyBytes);
    if (known && known.state !== "new") return known;
    if (producer.ranges.has(parsed.sequence) && this.#isOneRecord(bodyBytes)) {
      return { state: "seen", receivedAt: null, partitionCount: null };
    }
    if (known) return known;
    const { from, to } = producer.ranges.runWith(parsed.sequence);
    const isApart = from === to && this.#bounds.runsKept === undefined;
    if (isApart && producer.ranges.count >= this.#bounds.runsPerProducerMax) {
      return { state: "full", bound: "runsPerProducerMax" };
    }
    return { state: "new" };
  }

  /**
   * Into how many partitions the batch of this key was split whose record was recorded here;
   * null where none was, or it is too long ago.
   */
  partitionCountOf(key: string): number | null {
    return this.#details.get(key)?.partitionCount ?? null;
  }

  #isOneRecord(bodyBytes: number): boolean {
    return bodyBytes <= (this.#bounds.provenBytesMax ?? Number.POSITIVE_INFINITY);
  }

  /** By its details alone: "new" where these don't prove that all of the batch is in the log. */
  #judge(detail: Detail, digest: Uint8Array | null, bodyBytes: number): LedgerAnswer {
    const answer = compare(detail, digest);
    const { proof } = detail;
    const isProven = proof === "append" || (proof === "counts" && this.#isOneRecord(bodyBytes));
    return answer.state === "mismatch" || isProven ? answer : { state: "new" };
  }

  #lookFree(key: string, digest: Uint8Array | null, bodyBytes: number): LedgerAnswer {
    const detail = this.#details.get(key);
    if (detail) return this.#judge(detail, digest, bodyBytes);
    const isFull = this.#byReceipt.size >= this.#bounds.freeKeysMax;
    return isFull ? { state: "full", bound: "freeKeysMax" } : { state: "new" };
  }

  /**
   * For the edge, when it appends a batch: the run of sequences around this key's that are in
   * the log with it, or a longer one that is in the log, for the header's `seen`. While batches
   * are sent side by side the one before is mostly still on its way, and the long run ends
   * further back. Null for free keys.
   */
  seenAround(key: string): SequenceRun | null {
    const { producer, sequence } = classifyKey(key);
    if (producer === null) return null;
    const ranges = this.#producers.get(producer)?.ranges;
    const around = ranges?.runWith(sequence) ?? { from: sequence, to: sequence };
    const longest = ranges?.longest() ?? around;
    const isLonger = longest.to - longest.from > around.to - around.from;
    return isLonger ? { from: longest.from, to: longest.to } : around;
  }

  /** Remembers a batch that is in the log. Headers without key only move time on. */
  record(header: BatchHeader): void {
    const { key, receivedAt, partitionCount } = header;
    if (receivedAt > this.#newestReceivedAt) {
      this.#newestReceivedAt = receivedAt;
      this.#expire();
    }
    if (key === null) return;
    const parsed = classifyKey(key);
    const ordinal = ++this.#ordinal;
    if (parsed.producer !== null) this.#recordRun(parsed, header.seen ?? null, ordinal);
    const known = this.#details.get(key);
    if (known !== undefined) {
      known.proof = "append";
      return;
    }
    // Made up by an edge: sent again by nobody but whoever was told it, with the same body.
    if (header.digest === null && madePartitionCount(key) !== null) return;
    const digest = hexOf(header.digest);
    // Spread instead, V8 gives each its own hidden class: 520 bytes a key in place of 230.
    this.#keep(parsed, {
      ordinal,
      key,
      digest,
      receivedAt,
      partitionCount,
      proof: "append",
      isLive: true,
    });
  }

  #recordRun(key: IdempotencyKey, seen: SequenceRun | null, ordinal: number): void {
    const { ranges } = this.#producerOf(key.producer!);
    let isWider = ranges.add(key.sequence, key.sequence);
    if (seen !== null) isWider = ranges.add(seen.from, seen.to) || isWider;
    if (!isWider) return;
    const { runsKept = Number.POSITIVE_INFINITY } = this.#bounds;
    while (ranges.count > runsKept) ranges.dropFirst();
    const producer = this.#producerOf(key.producer!);
    producer.changedAt = ordinal;
    this.#touched.add(key.producer!);
  }

  #producerOf(name: string): Producer {
    let producer = this.#producers.get(name);
    if (!producer) {
      const details = new DetailQueue((detail) => detail.ordinal);
      producer = { ranges: new SequenceRanges(), details, changedAt: 0, droppedAt: 0 };
      this.#producers.set(name, producer);
    }
    return producer;
  }

  #keep(key: IdempotencyKey, detail: Detail): void {
    if (key.producer === null) {
      if (detail.receivedAt < this.#expireBefore()) return;
      this.#byReceipt.push(detail);
    } else {
      const producer = this.#producerOf(key.producer);
      producer.details.push(detail);
      this.#byOrdinal.push(detail);
      if (producer.details.size > this.#bounds.detailsPerProducerMax) {
        this.#forget(producer.details.first()!);
        producer.droppedAt = this.#ordinal;
        this.#touched.add(key.producer);
      }
      if (this.#byOrdinal.size > this.#bounds.detailsMax) {
        this.#forget(this.#byOrdinal.first()!);
      }
    }
    this.#details.set(detail.key, detail);
    if (this.#isSaved) this.#unsaved.push(detail);
  }

  #forget(detail: Detail): void {
    detail.isLive = false;
    this.#details.delete(detail.key);
    const { producer } = classifyKey(detail.key);
    if (producer === null) this.#byReceipt.died();
    else {
      this.#byOrdinal.died();
      this.#producers.get(producer)!.details.died();
    }
  }

  #expireBefore(): number {
    return this.#newestReceivedAt - freeKeyLifeMs;
  }

  #expire(): void {
    const before = this.#expireBefore();
    for (let oldest = this.#byReceipt.first(); oldest; oldest = this.#byReceipt.first()) {
      if (oldest.receivedAt >= before) return;
      this.#forget(oldest);
    }
  }

  /**
   * What changed since `mark`, which must be committed: the ledger drops its own notes of what
   * came before it. Asking again with the same mark, after a failed commit, is fine.
   */
  changesSince(mark: number): LedgerChanges {
    if (!this.#isSaved) throw new Error("this ledger notes no changes: isSaved is false");
    this.#unsaved = this.#unsaved.filter((detail) => detail.isLive && detail.ordinal > mark);
    const changes: LedgerChanges = {
      mark: this.#ordinal,
      newestReceivedAt: this.#newestReceivedAt,
      rows: this.#unsaved.map(rowOf),
      producers: [],
      runs: [],
      drops: [],
      ordinalBelow: this.#byOrdinal.first()?.ordinal ?? this.#ordinal + 1,
      expireBefore: this.#expireBefore(),
    };
    for (const name of this.#touched) {
      const producer = this.#producers.get(name)!;
      const isChanged = producer.changedAt > mark;
      const isDropped = producer.droppedAt > mark;
      if (isChanged) {
        changes.producers.push(name);
        for (const { from, to } of producer.ranges.runs()) {
          changes.runs.push({ producer: name, from, to });
        }
      }
      const first = producer.details.first()?.ordinal ?? this.#ordinal + 1;
      if (isDropped) changes.drops.push({ producer: name, ordinalBelow: first });
      if (!isChanged && !isDropped) this.#touched.delete(name);
    }
    return changes;
  }

  /**
   * Takes in stored state, which counts as committed. Into an empty ledger: the exact state it
   * was saved from. For the edge: `unionOfStates` of all partitions', or `provenByCounts`, of
   * whose keys only the `proven` ones are sure to be whole (ledger-union.ts).
   */
  load(state: LedgerState, proven: ReadonlySet<string> | null = null): void {
    this.#newestReceivedAt = Math.max(this.#newestReceivedAt, state.newestReceivedAt);
    this.#expire();
    for (const { producer, from, to } of state.runs) {
      this.#producerOf(producer).ranges.add(from, to);
    }
    const isFirst = this.#ordinal === 0;
    const rows = [...state.rows].sort((a, b) => a.ordinal - b.ordinal);
    for (const row of rows) {
      if (this.#details.has(row.key)) continue;
      this.#ordinal = isFirst ? row.ordinal : this.#ordinal + 1;
      const { key, digest, receivedAt, partitionCount } = row;
      const counted = proven?.has(key) === true ? "counts" : null;
      const proof = proven === null ? "append" : counted;
      this.#keep(classifyKey(key), {
        ordinal: this.#ordinal,
        key,
        digest,
        receivedAt,
        partitionCount,
        proof,
        isLive: true,
      });
    }
    this.#unsaved = [];
    this.#touched.clear();
  }

  /** How full the ledger is, for metrics. */
  sizes(): { producers: number; details: number; freeKeys: number } {
    const { size: details } = this.#byOrdinal;
    return { producers: this.#producers.size, details, freeKeys: this.#byReceipt.size };
  }
}

function compare(detail: Detail, digest: Uint8Array | null): LedgerAnswer {
  const hex = hexOf(digest);
  if (hex !== null && detail.digest !== null && hex !== detail.digest) {
    return { state: "mismatch" };
  }
  const { receivedAt, partitionCount } = detail;
  return { state: "seen", receivedAt, partitionCount };
}
