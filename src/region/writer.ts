/** Writes what is missing of another region into this region's own log, through its edge. */
import { unlink } from "node:fs/promises";
import type { Edge } from "../edge/edge.ts";
import { failPoint } from "../fail-point.ts";
import { cellMinutes, type RegionCount, type RegionLevel } from "../model-region-wire.ts";
import type { RegionStore } from "../store/region-questions.ts";
import { countsIn, fileBytes } from "./count-lines.ts";
import {
  compareCounts,
  differenceAgeMsMax,
  differencesOf,
  type UnitBatch,
  unitKey,
} from "./differences.ts";
import type { KeyBudget } from "./key-budget.ts";
import { RegionRefusal } from "./peer.ts";

export interface RegionWriterDeps {
  region: string;
  regions: Pick<RegionStore, "counts">;
  edge: Pick<Edge, "ingest">;
  partitionCount: () => number;
  /** A batch of so many bytes is one record of the log. */
  batchBytesMax: number;
  keys: KeyBudget;
  elapsed?: () => number;
}

/** What became of the differences of some cells. */
export interface Written {
  /** Sum of the counts that were added. */
  added: number;
  /** There is more: a cell's differences did not fit, or somebody else wrote in between. */
  isMore: boolean;
  /** Why some were refused; null: none were. */
  refusal: string | null;
}

/** Cells that are compared. */
export interface WrittenSpan {
  level: RegionLevel;
  from: number;
  to: number;
}

const readMsMax = 60_000;
const appendsMax = 8;
const gotCharsMax = 200;

interface IngestBody {
  code?: string;
  detail?: string;
  rejected?: number;
  errors?: { message: string }[];
}

/**
 * The counts, as long as they are those asked for, in order: a unit's state is read of these cells
 * alone, so another one's would be written under the wrong key. Throws RegionRefusal.
 */
async function* checked(
  counts: AsyncIterable<RegionCount>,
  { level, from, to }: WrittenSpan,
): AsyncGenerator<RegionCount> {
  let last: RegionCount | null = null;
  for await (const row of counts) {
    const [start, , , count] = row;
    const isIn = start >= from && start < to && start % cellMinutes[level] === 0;
    const isNext = last === null || compareCounts(last, row) < 0;
    if (!isIn || !isNext || count < 1) {
      const got = JSON.stringify(row).slice(0, gotCharsMax);
      throw new RegionRefusal(`expected counts of ${from} to ${to} in order, got ${got}`);
    }
    last = row;
    yield row;
  }
}

export class RegionWriter {
  readonly #deps: RegionWriterDeps;
  readonly #elapsed: () => number;

  constructor(deps: RegionWriterDeps) {
    this.#deps = deps;
    this.#elapsed = deps.elapsed ?? (() => performance.now());
  }

  /**
   * Adds what `theirs` has and this region lacks. Throws where the log takes nothing now; what
   * was added before stays, and is known the next time.
   */
  async write(
    span: WrittenSpan,
    theirs: AsyncIterable<RegionCount>,
    signal: AbortSignal,
  ): Promise<Written> {
    const { region, regions, partitionCount, batchBytesMax } = this.#deps;
    const { level, from, to } = span;
    const options = { region, partitionCount: partitionCount(), batchBytesMax };
    const readAt = this.#elapsed();
    const query = { region, horizons: [], level, from, to, itemsMax: null, budgetMs: readMsMax };
    const { path, generation } = await regions.counts(query, { signal });
    const ours = countsIn(fileBytes(path, signal), false);
    const written: Written = { added: 0, isMore: false, refusal: null };
    let waiting: UnitBatch[] = [];
    const flush = async () => {
      const batches = waiting;
      waiting = [];
      const keyOf = (batch: UnitBatch) => unitKey(options, level, generation, batch);
      await Promise.all(
        batches.map((batch) => this.#append(batch, keyOf(batch), readAt, written, signal)),
      );
    };
    try {
      for await (const { batches, isCut } of differencesOf(checked(theirs, span), ours, options)) {
        written.isMore ||= isCut;
        waiting.push(...batches);
        if (waiting.length >= appendsMax) await flush();
      }
    } finally {
      // Where theirs fails at once, nobody has begun to read ours.
      await unlink(path).catch(() => undefined);
    }
    await flush();
    return written;
  }

  async #append(
    { body, added }: UnitBatch,
    key: string,
    readAt: number,
    written: Written,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#deps.keys.wait(signal);
    failPoint("region.before_append");
    if (this.#elapsed() - readAt > differenceAgeMsMax) {
      written.isMore = true;
      return;
    }
    const reply = await this.#deps.edge.ingest({
      body: Buffer.from(body),
      contentType: "application/x-ndjson",
      idempotencyKey: key,
      isOfRegion: true,
    });
    failPoint("region.after_append");
    const { code, detail, rejected = 0, errors = [] } = JSON.parse(reply.body) as IngestBody;
    const isReplay = reply.headers["idempotency-replayed"] === "true";
    // Somebody else has written from the same state, or this process did before it was ended.
    if (isReplay || code === "idempotency_key_reused") written.isMore = true;
    else if (reply.status === 202 && rejected === 0) written.added += added;
    else if (reply.status === 202 || reply.status < 429) {
      written.refusal ??= errors[0]?.message ?? detail ?? `status ${reply.status}`;
    } else throw new Error(`the log takes nothing now: ${detail ?? reply.status}`);
  }
}
