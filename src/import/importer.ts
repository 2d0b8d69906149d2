/**
 * Posts a file's batches to a running service, each under `producer/sequence`: the producer is
 * made of the file and its mapping, the sequence is the batch's place. So the same import again
 * sends the same batches under the same keys, and the service counts none twice.
 */
import { type BatchReply, ProblemError, type RankstreamClient } from "../client/client.ts";
import type { LineBatch } from "../store/reader.ts";
import type { EventFile } from "./event-file.ts";
import { ImportError } from "./import-error.ts";

export interface Refusal {
  /** What `place` counts: rows of data, or lines of the file. */
  unit: "row" | "line";
  /** From 1. */
  place: number;
  message: string;
}

export interface RefusalReason {
  code: string;
  count: number;
  /** The first few that came to be known. */
  examples: Refusal[];
}

export interface ImportTally {
  /** Rows whose batch is answered. */
  rows: number;
  /** Events stored by this import. */
  events: number;
  /** Events of batches that the service had before. */
  eventsBefore: number;
  batches: number;
  /** Batches that the service had before. */
  batchesBefore: number;
  /** Rows that are no events. */
  refused: number;
  /** By code, most frequent first. Rows the service counted and did not list are `unlisted`. */
  reasons: RefusalReason[];
  /** All was sent; false after an interruption. */
  isComplete: boolean;
}

export interface ImportOptions {
  client: RankstreamClient;
  /** Batches under way at once. Default 4. */
  inFlightMax?: number;
  /** Reads no further; what is under way is finished. */
  signal?: AbortSignal;
  onProgress?: (rows: number, fileBytes: number) => void;
}

const inFlightMaxDefault = 4;
const examplesMax = 5;
/** After so many batches without a single event the mapping is at fault, not the rows. */
const hopelessBatchesMax = 10;
/** The service keeps the numbers of a producer's batches as runs: refused ones are gaps. */
const refusedBatchesMax = 500;

class Tally {
  rows = 0;
  events = 0;
  eventsBefore = 0;
  batches = 0;
  batchesBefore = 0;
  refusedBatches = 0;
  refused = 0;
  readonly #reasons = new Map<string, RefusalReason>();

  refuse(code: string, refusal: Refusal | null, count = 1): void {
    this.refused += count;
    let reason = this.#reasons.get(code);
    if (reason === undefined) {
      reason = { code, count: 0, examples: [] };
      this.#reasons.set(code, reason);
    }
    reason.count += count;
    if (refusal === null) return;
    reason.examples.push(refusal);
    reason.examples.sort((a, b) => a.place - b.place);
    reason.examples.length = Math.min(reason.examples.length, examplesMax);
  }

  result(isComplete: boolean): ImportTally {
    const { rows, events, eventsBefore, batches, batchesBefore, refused } = this;
    const reasons = [...this.#reasons.values()].sort((a, b) => b.count - a.count);
    return { rows, events, eventsBefore, batches, batchesBefore, refused, reasons, isComplete };
  }
}

/** The row of the batch's so-manieth line, rows without line counted in. */
function rowOf(batch: LineBatch, line: number): number {
  let row = batch.firstRow + line - 1;
  for (const refused of batch.refused) {
    if (refused.row > row) break;
    row += 1;
  }
  return row;
}

/** The reply in a refusal of all of a batch's lines; null for any other problem. */
function refusalIn(error: unknown): BatchReply | null {
  if (!(error instanceof ProblemError) || error.status !== 400) return null;
  const { rejected, errors } = error.problem;
  if (typeof rejected !== "number" || !Array.isArray(errors)) return null;
  return { accepted: 0, rejected, errors, replayed: false };
}

class Importer {
  readonly #file: EventFile;
  readonly #options: ImportOptions;
  readonly #tally = new Tally();
  readonly #running = new Set<Promise<void>>();
  #failure: unknown = null;
  #sequence = 0;

  constructor(file: EventFile, options: ImportOptions) {
    this.#file = file;
    this.#options = options;
  }

  async run(): Promise<ImportTally> {
    const { signal, inFlightMax = inFlightMaxDefault } = this.#options;
    let isComplete = true;
    for await (const batch of this.#file.batches()) {
      while (this.#running.size >= inFlightMax) await Promise.race(this.#running);
      if (signal?.aborted === true || this.#failure !== null) {
        isComplete = false;
        break;
      }
      this.#start(batch);
    }
    await Promise.all(this.#running);
    if (this.#failure !== null) throw this.#failure;
    if (isComplete) {
      for (const { code, line, message } of await this.#file.brokenLines()) {
        this.#tally.refuse(code, { unit: "line", place: line, message });
      }
    }
    return this.#tally.result(isComplete);
  }

  #start(batch: LineBatch): void {
    for (const { code, row, message } of batch.refused) {
      this.#tally.refuse(code, { unit: "row", place: row, message });
    }
    const work = this.#post(batch).catch((error: unknown) => {
      this.#failure ??= error;
    });
    this.#running.add(work);
    void work.then(() => this.#running.delete(work));
  }

  async #post(batch: LineBatch): Promise<void> {
    const tally = this.#tally;
    if (batch.body.length > 0) {
      const key = `${this.#file.producer}/${this.#sequence++}`;
      this.#count(batch, await this.#reply(batch, key));
    } else this.#countRefused();
    tally.rows += batch.rows;
    this.#options.onProgress?.(tally.rows, batch.fileBytes);
  }

  async #reply(batch: LineBatch, key: string): Promise<BatchReply> {
    try {
      return await this.#options.client.postBatch(batch.body, { key });
    } catch (error) {
      const refusal = refusalIn(error);
      if (refusal === null) throw error;
      return refusal;
    }
  }

  #count(batch: LineBatch, reply: BatchReply): void {
    const tally = this.#tally;
    tally.batches += 1;
    if (reply.replayed) {
      tally.batchesBefore += 1;
      tally.eventsBefore += reply.accepted;
    } else tally.events += reply.accepted;
    for (const { line, code, message } of reply.errors) {
      tally.refuse(code, { unit: "row", place: rowOf(batch, line), message });
    }
    const unlisted = reply.rejected - reply.errors.length;
    if (unlisted > 0) tally.refuse("unlisted", null, unlisted);
    if (reply.accepted === 0 && reply.rejected > 0) this.#countRefused();
  }

  #countRefused(): void {
    const tally = this.#tally;
    tally.refusedBatches += 1;
    const isHopeless =
      tally.events + tally.eventsBefore === 0 && tally.refusedBatches >= hopelessBatchesMax;
    if (!isHopeless && tally.refusedBatches < refusedBatchesMax) return;
    const example = tally.result(false).reasons.find(({ examples }) => examples.length > 0)
      ?.examples[0];
    const why =
      example === undefined ? "" : `: ${example.unit} ${example.place}: ${example.message}`;
    throw new ImportError(
      `gave up after ${tally.refusedBatches} batches in which no row is an event${why}`,
    );
  }
}

/**
 * Sends the whole file; resolves once all of it is answered, or after `signal`, once what was
 * under way is. Throws what the client throws, and ImportError when next to nothing is an event.
 */
export async function importFile(file: EventFile, options: ImportOptions): Promise<ImportTally> {
  return await new Importer(file, options).run();
}
