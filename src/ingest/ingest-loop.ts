/**
 * An ingest worker's loop: reads records of its partitions, counts each batch once, hands
 * checkpoints to the store. A checkpoint ends at a record's end; it is due after `checkpointMs`
 * or `checkpointBytesMax`, or soon (at most every 50 ms, for all who wait) when someone waits.
 * While nobody asks for anything a steady stream is committed less often: each commit holds up
 * the log's syncs for some 10 ms, and with them whoever sends events.
 */
import { failPoint } from "../fail-point.ts";
import type { Aggregator } from "../kernel/aggregator.ts";
import { AssignmentChanged, tailOf } from "../log/log.ts";
import type { LogRecord } from "../model.ts";
import { type SpanAttributes, wallMs } from "../model-trace.ts";
import type { CheckpointPart, OffsetRange, OpenPart } from "../store/store.ts";
import type { BlockScanner, RecordCounts } from "./block-scanner.ts";
import { type IngestTotals, noTotals } from "./messages.ts";
import type { SeenBatches } from "./seen-batches.ts";
import type { TraceNotes } from "./trace-notes.ts";

/** Shortest time between two checkpoints that someone waits for. */
const flushGapMs = 50;
/** Queries are taken to go on for so long after one: checkpoints then carry open minutes. */
const askedMs = 30_000;
/** While nobody asks: from one checkpoint to the next, in times of `checkpointMs`. */
const unaskedFactor = 5;
/** Checkpoints handed over and not yet committed; then the loop waits. */
const partsInFlightMax = 2;

export interface IngestReader {
  next(): Promise<LogRecord[]>;
}

export interface IngestLoopDeps {
  reader: IngestReader;
  scanner: BlockScanner;
  aggregator: Aggregator;
  seen: SeenBatches;
  worker: number;
  /** Added to; a thread's loops, one after the other, share them. */
  totals?: IngestTotals;
  /** What the open minutes hold now; nothing when nobody asks. */
  open: (isAsked: boolean) => OpenPart;
  starts: { partition: number; offset: number }[];
  checkpointMs: number;
  checkpointBytesMax: number;
  /** Puts aside what holds no event, before the offset of its record is committed. */
  letters?: { readonly isFull: boolean; flush(): Promise<void> };
  /** Told of records whose batches are traced. */
  traces?: TraceNotes;
  /** Told of each foreign record of which lines were refused. */
  onRefused?: (record: LogRecord, counts: RecordCounts) => void;
  /** Sends a part to the store; `committed` is called when it is. */
  commit: (part: CheckpointPart) => void;
  now: () => number;
}

export class IngestLoop {
  readonly totals: IngestTotals;
  readonly #deps: IngestLoopDeps;
  /** Next offset to read and the one the last part ended at, by owned partition. */
  readonly #next = new Map<number, number>();
  readonly #handedOver = new Map<number, number>();
  /** What tells the last record taken from another in its place, where the log wants that. */
  readonly #tails = new Map<number, string>();
  /** Offsets that someone waits for, by owned partition. */
  readonly #wanted = new Map<number, number>();
  #bytesPending = 0;
  #pendingSince: number | null = null;
  #lastFlush = Number.NEGATIVE_INFINITY;
  #lastWanted = Number.NEGATIVE_INFINITY;
  #sequence = 0;
  #inFlight = 0;
  #onCommitted: () => void = () => undefined;
  #stopping = false;
  #isFenced = false;
  /** Something happened since the loop last looked: it must not sleep over that. */
  #signalled = false;
  #wake: () => void = () => undefined;

  constructor(deps: IngestLoopDeps) {
    this.#deps = deps;
    this.totals = deps.totals ?? noTotals();
    for (const { partition, offset } of deps.starts) {
      this.#next.set(partition, offset);
      this.#handedOver.set(partition, offset);
    }
  }

  /** There may be more to read. */
  nudge(): void {
    this.#signal();
  }

  /** Someone waits until everything before `offsets` (by partition) is committed. */
  want(offsets: readonly number[]): void {
    this.#lastWanted = this.#deps.now();
    for (const partition of this.#next.keys()) {
      const offset = offsets[partition] ?? 0;
      if (offset > (this.#wanted.get(partition) ?? 0)) this.#wanted.set(partition, offset);
    }
    this.#signal();
  }

  /** A part was committed. */
  committed(): void {
    this.#inFlight--;
    this.#onCommitted();
    this.#signal();
  }

  /** A part was refused, since someone else has counted from its offsets. */
  fenced(): void {
    this.#isFenced = true;
    this.committed();
  }

  /** Resolves once the store has answered for every part handed over. */
  async settled(): Promise<void> {
    while (this.#inFlight > 0) await this.#committedOne();
  }

  /** Makes `run` end once all that was read is committed; the rest waits in the log. */
  stop(): void {
    this.#stopping = true;
    this.#signal();
  }

  /**
   * Runs until stopped. Throws what reading throws, and AssignmentChanged once fenced; what was
   * not handed over by then is for nobody.
   */
  async run(): Promise<void> {
    while (!this.#stopping) {
      if (this.#isFenced) throw new AssignmentChanged();
      const records = await this.#deps.reader.next();
      for (const record of records) {
        this.#take(record);
        if (this.#isDue()) await this.#flush();
      }
      if (records.length > 0) continue;
      if (this.#isDue()) await this.#flush();
      if (!this.#stopping) await this.#sleep();
    }
    if (!this.#isFenced) await this.#flush();
    await this.settled();
  }

  #take(record: LogRecord): void {
    const { seen, scanner } = this.#deps;
    this.#pendingSince ??= this.#deps.now();
    this.#next.set(record.partition, record.offset + 1);
    if (record.appendedAt !== undefined) this.#tails.set(record.partition, tailOf(record));
    const startMs = record.trace ? wallMs() : 0;
    const admission = seen.admit(record);
    if (admission === null) {
      this.totals.duplicates++;
      if (record.trace) this.#note(record, startMs, { "rankstream.duplicate": true });
      return;
    }
    const counted = scanner.take(record, admission.counted);
    if (record.trace) this.#note(record, startMs, { "rankstream.events": counted.events });
    if (counted.errors.length > 0) this.#deps.onRefused?.(record, counted);
    this.totals.batches++;
    this.totals.events += counted.events;
    this.totals.refusedLines += counted.refused;
    this.totals.slowLines += counted.slow;
    this.totals.bytes += record.value.length;
    this.#bytesPending += record.value.length;
  }

  #note(record: LogRecord, startMs: number, attributes: SpanAttributes): void {
    this.#deps.traces?.counted(record, startMs, attributes);
  }

  /** Milliseconds until a checkpoint is due; Infinity when nothing waits for one. */
  #dueInMs(): number {
    if (this.#pendingSince === null) return Number.POSITIVE_INFINITY;
    const now = this.#deps.now();
    const { checkpointMs } = this.#deps;
    const soonest = this.#isAsked(now) ? 0 : this.#lastFlush + unaskedFactor * checkpointMs;
    const regular = Math.max(this.#pendingSince + checkpointMs, soonest) - now;
    if (!this.#isWantedReached()) return regular;
    return Math.min(regular, this.#lastFlush + flushGapMs - now);
  }

  #isAsked(now: number): boolean {
    return now - this.#lastWanted < askedMs;
  }

  #isDue(): boolean {
    const { checkpointBytesMax, letters } = this.#deps;
    const isFull = this.#bytesPending >= checkpointBytesMax || letters?.isFull === true;
    return isFull || this.#dueInMs() <= 0;
  }

  /** Whether a part handed over now would satisfy someone who waits. */
  #isWantedReached(): boolean {
    for (const [partition, offset] of this.#wanted) {
      if (this.#next.get(partition)! < offset) return false;
    }
    for (const [partition, offset] of this.#wanted) {
      if (this.#handedOver.get(partition)! < offset) return true;
    }
    return false;
  }

  async #flush(): Promise<void> {
    if (this.#pendingSince === null) return;
    while (this.#inFlight >= partsInFlightMax) await this.#committedOne();
    if (this.#isFenced) return;
    // What is only located may still be put aside.
    this.#deps.scanner.finish();
    await this.#deps.letters?.flush();
    const offsets: OffsetRange[] = [];
    for (const [partition, next] of this.#next) {
      const from = this.#handedOver.get(partition)!;
      const tail = this.#tails.get(partition) ?? null;
      if (next > from) offsets.push({ partition, from, next, tail });
      this.#handedOver.set(partition, next);
    }
    const { notes, ...chunks } = this.#deps.aggregator.take();
    const seen = this.#deps.seen.takeChanges();
    const { worker } = this.#deps;
    const open = this.#deps.open(this.#isAsked(this.#deps.now()));
    this.#inFlight++;
    this.totals.checkpoints++;
    this.#bytesPending = 0;
    this.#pendingSince = null;
    this.#lastFlush = this.#deps.now();
    failPoint("ingest.before_checkpoint");
    const sequence = this.#sequence++;
    const part: CheckpointPart = {
      sequence,
      worker,
      offsets,
      ...chunks,
      types: notes,
      seen,
      open,
    };
    const trace = this.#deps.traces?.takeCheckpoint();
    this.#deps.commit(trace === undefined ? part : { ...part, trace });
  }

  /** Until one more part is committed; the time that is due has come already. */
  #committedOne(): Promise<void> {
    return new Promise((resolve) => {
      this.#onCommitted = resolve;
    });
  }

  #signal(): void {
    this.#signalled = true;
    this.#wake();
  }

  /** Until something happens or a checkpoint is due. */
  async #sleep(): Promise<void> {
    const dueInMs = this.#dueInMs();
    if (!this.#signalled) {
      await new Promise<void>((resolve) => {
        const timer = Number.isFinite(dueInMs) ? setTimeout(resolve, dueInMs) : undefined;
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = () => undefined;
    }
    this.#signalled = false;
  }
}
