/**
 * The embedded log's writing side: one append-only log in segment files (see segment.ts,
 * frame.ts). A batch is one frame, so it is durable whole or not at all. Batches that wait
 * while a sync is under way are written together and share the next one (group commit).
 */
import { discard } from "../discard.ts";
import { RankstreamError } from "../errors.ts";
import { failPoint } from "../fail-point.ts";
import { type AppendFile, type Files, isDiskFull } from "../files.ts";
import type { BatchHeader, PartitionBlock } from "../model.ts";
import { diskBuckets, Histogram } from "../telemetry-histogram.ts";
import { BatchSettling } from "./batch-settling.ts";
import {
  assertRoom,
  diskRetrySeconds,
  type EmbeddedLogOptions,
  type EmbeddedLogStats,
  fullOptions,
} from "./embedded-log-options.ts";
import { encodeFrame, type Frame, stampFrame } from "./frame.ts";
import type { Log, LogPosition } from "./log.ts";
import { recoverLog, type Segment } from "./recovery.ts";
import { createSegment, segmentHeaderBytes, segmentPath, segmentSeed } from "./segment.ts";

interface Waiting {
  frame: Frame;
  resolve: () => void;
  reject: (error: unknown) => void;
}

export class EmbeddedLog implements Log {
  readonly id: string;
  readonly partitionCount: number;
  /** Bytes of a torn last write that opening cut off. */
  readonly cutBytes: number;
  readonly #files: Files;
  readonly #folder: string;
  readonly #options: Required<EmbeddedLogOptions>;
  readonly #segments: Segment[];
  readonly #listeners = new Set<(end: LogPosition) => void>();
  readonly #writes = new Histogram(diskBuckets);
  readonly #syncs = new Histogram(diskBuckets);
  #file: AppendFile;
  #nextOffsets: number[];
  #markNeeded: boolean;
  #queue: Waiting[] = [];
  #queueBytes = 0;
  #segmentsBytes: number;
  readonly #settling = new BatchSettling();
  #appendedBatches = 0;
  #appendedBytes = 0;
  #writing: Promise<void> | null = null;
  #trimming: Promise<void> = Promise.resolve();
  /** A segment's removal may not be durable yet. */
  #removalPending = false;
  #keptFrom = Number.POSITIVE_INFINITY;
  #isToRoll = false;
  /** Once set, nothing more is written until the log is opened anew. */
  #failure: RankstreamError | null = null;
  #closing: Promise<void> | null = null;

  private constructor(
    files: Files,
    folder: string,
    options: Required<EmbeddedLogOptions>,
    recovered: Awaited<ReturnType<typeof recoverLog>>,
    file: AppendFile,
  ) {
    this.#files = files;
    this.#folder = folder;
    this.#options = options;
    this.id = recovered.id;
    this.partitionCount = options.partitionCount;
    this.cutBytes = recovered.cutBytes;
    this.#segments = recovered.segments;
    this.#segmentsBytes = recovered.segments.reduce((sum, segment) => sum + segment.bytes, 0);
    this.#nextOffsets = recovered.nextOffsets;
    this.#markNeeded = !recovered.stoppedCleanly;
    this.#file = file;
  }

  /**
   * Opens or makes the log in a folder of its own, cutting off a torn last write. Throws
   * RankstreamError `log_corrupt` (file and byte) or `log_mismatch` (other partition count or
   * format). One writer at a time: the caller holds the data folder's lock.
   */
  static async open(
    files: Files,
    folder: string,
    options: EmbeddedLogOptions,
  ): Promise<EmbeddedLog> {
    const full = fullOptions(options);
    const recovered = await recoverLog(files, folder, full.partitionCount);
    const last = recovered.segments.at(-1)!;
    const file = await files.openAppend(segmentPath(folder, last.sequence));
    return new EmbeddedLog(files, folder, full, recovered, file);
  }

  /**
   * See Log. Copies the batch before it returns: the caller's buffers are free at once. A
   * batch without blocks is nothing to store and resolves.
   */
  append(header: BatchHeader, blocks: readonly PartitionBlock[]): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#failure) throw this.#failure;
      if (this.#closing) {
        throw new RankstreamError("log_failed", `${this.#folder}: the log is closed`);
      }
      if (blocks.length === 0) return resolve();
      let bytes = 0;
      for (const { partition, value, lines, marks } of blocks) {
        if (!(partition >= 0 && partition < this.partitionCount)) {
          throw new RangeError(`partition ${partition} of ${this.partitionCount}`);
        }
        bytes += value.length + lines.length + (marks?.length ?? 0);
      }
      const [queueBytes, segmentsBytes] = [this.#queueBytes, this.#segmentsBytes];
      assertRoom(this.#options, { queueBytes, segmentsBytes, bytes });
      const frame = encodeFrame(header, blocks);
      this.#queue.push({ frame, resolve, reject });
      this.#queueBytes += frame.bytes.length;
      this.#settling.noteQueued();
      this.#writing ??= this.#writeAll();
    });
  }

  endOffsets(): number[] {
    return [...this.#nextOffsets];
  }

  ends = async (): Promise<number[]> => this.endOffsets();

  get failure(): string | null {
    return this.#failure?.message ?? null;
  }

  /** Offset of the oldest record still here, by partition (the end offset when none is). */
  beginOffsets(): number[] {
    return [...this.#segments[0]!.baseOffsets];
  }

  /** Where the durable log ends. `onAppend` tells each new end, `advance` lets readers go on. */
  durableEnd(): LogPosition {
    const last = this.#segments.at(-1)!;
    return { segment: last.sequence, position: last.bytes };
  }

  onAppend(listener: (end: LogPosition) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  stats(): EmbeddedLogStats {
    return {
      bytes: this.#segmentsBytes,
      bytesMax: this.#options.logBytesMax,
      segments: this.#segments.length,
      queueBytes: this.#queueBytes,
      queueBatches: this.#queue.length,
      appendedBatches: this.#appendedBatches,
      appendedBytes: this.#appendedBytes,
      writes: this.#writes,
      syncs: this.#syncs,
    };
  }

  /** Resolves once every batch appended before this call is durable, or was refused. */
  settled(): Promise<void> {
    return this.#settling.settled();
  }

  /**
   * Segments of this sequence and later ones stay, whatever is trimmed: they are to be copied
   * elsewhere first. Infinity: none do.
   */
  keepFrom(sequence: number): void {
    this.#keptFrom = sequence;
  }

  /** Bytes from this place to the durable end. */
  bytesAfter({ segment, position }: LogPosition): number {
    const after = this.#segments.filter(({ sequence }) => sequence >= segment);
    const bytes = after.reduce((sum, { bytes: own }) => sum + own, 0);
    return after[0]?.sequence === segment ? bytes - position : bytes;
  }

  /** Sequence of the segment from which on all records from these offsets on are. */
  segmentOf(offsets: readonly number[]): number {
    const isBefore = ({ baseOffsets }: Segment) =>
      baseOffsets.every((base, partition) => base <= (offsets[partition] ?? 0));
    return (this.#segments.findLast(isBefore) ?? this.#segments[0]!).sequence;
  }

  trim(committed: readonly number[]): Promise<void> {
    const offsets = [...committed];
    const done = this.#trimming.then(() => this.#trimSegments(offsets));
    this.#trimming = done.catch(() => {});
    return done;
  }

  /**
   * Goes on in a new segment, where it can, so that all there is can be trimmed once committed.
   */
  async closeSegment(): Promise<void> {
    if (this.#failure || this.#closing) return;
    this.#isToRoll = true;
    this.#writing ??= this.#writeAll();
    await this.#writing;
  }

  /** Refuses new appends, waits for what is under way, marks a clean stop, closes. */
  close(): Promise<void> {
    this.#closing ??= this.#closeOnce();
    return this.#closing;
  }

  async #writeAll(): Promise<void> {
    // Appends of the same turn go into the first group too.
    await Promise.resolve();
    while (this.#queue.length > 0 || this.#isToRoll) {
      if (this.#isToRoll) await this.#rollNow();
      else await this.#writeGroup();
    }
    this.#writing = null;
  }

  #takeGroup(room: number): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const { frame } of this.#queue) {
      if (bytes + frame.bytes.length > room) break;
      bytes += frame.bytes.length;
      count++;
    }
    return this.#queue.splice(0, count);
  }

  async #writeGroup(): Promise<void> {
    const { segmentBytesMax, groupBytesMax } = this.#options;
    const first = this.#queue[0]!.frame.bytes.length;
    const emptyBytes = segmentHeaderBytes(this.partitionCount);
    const active = this.#segments.at(-1)!;
    const isOver = active.bytes > emptyBytes && active.bytes + first > segmentBytesMax;
    const used = isOver ? emptyBytes : active.bytes;
    const room = Math.max(first, Math.min(groupBytesMax, segmentBytesMax - used));
    const group = this.#takeGroup(room);
    try {
      if (isOver) await this.#roll();
      await this.#writeFrames(group.map(({ frame }) => frame));
    } catch (error) {
      this.#settle(group, await this.#recoverFrom(error));
      return;
    }
    this.#appendedBatches += group.length;
    this.#settle(group, null);
  }

  /** Writes and syncs frames at the active segment's end, then moves the durable end. */
  async #writeFrames(frames: Frame[]): Promise<void> {
    const active = this.#segments.at(-1)!;
    const nextOffsets = [...this.#nextOffsets];
    const seed = segmentSeed(this.id, active.sequence);
    const syncedThrough = active.bytes;
    let position = active.bytes;
    for (const frame of frames) {
      stampFrame(frame, { position, syncedThrough, seed }, nextOffsets);
      position += frame.bytes.length;
    }
    failPoint("log.before_write");
    const begun = performance.now();
    await this.#file.append(frames.map(({ bytes }) => bytes));
    failPoint("log.after_write");
    const written = performance.now();
    try {
      await this.#file.sync();
    } catch (cause) {
      throw this.#failed("the disk failed to sync; what it holds is unknown", cause);
    }
    failPoint("log.after_sync");
    this.#writes.observe((written - begun) / 1000);
    this.#syncs.observe((performance.now() - written) / 1000);
    this.#appendedBytes += position - active.bytes;
    this.#segmentsBytes += position - active.bytes;
    active.bytes = position;
    this.#nextOffsets = nextOffsets;
    this.#markNeeded = true;
  }

  async #rollNow(): Promise<void> {
    this.#isToRoll = false;
    // What is empty holds nothing that could go.
    if (this.#segments.at(-1)!.bytes <= segmentHeaderBytes(this.partitionCount)) return;
    const failure = await this.#roll().then(
      () => null,
      (error) => this.#recoverFrom(error),
    );
    this.#settle([], failure);
  }

  async #roll(): Promise<void> {
    const active = this.#segments.at(-1)!;
    const sequence = active.sequence + 1;
    const baseOffsets = [...this.#nextOffsets];
    const header = { id: this.id, sequence, previousBytes: active.bytes, baseOffsets };
    const path = segmentPath(this.#folder, sequence);
    let file: AppendFile;
    try {
      file = await createSegment(this.#files, this.#folder, header);
    } catch (error) {
      if (isDiskFull(error)) await this.#dropSegment(path);
      throw error;
    }
    const before = this.#file;
    this.#file = file;
    this.#segments.push({ ...header, bytes: file.size });
    this.#segmentsBytes += file.size;
    await before.close();
  }

  /** Undoes a segment that could not be made; it must not come back after a power loss. */
  async #dropSegment(path: string): Promise<void> {
    try {
      await this.#files.remove(path);
      await this.#files.syncFolder(this.#folder);
    } catch (cause) {
      throw this.#failed("a segment could not be made, nor removed", cause);
    }
  }

  #failed(what: string, cause: unknown): RankstreamError {
    const why = cause instanceof Error ? cause.message : String(cause);
    const detail = `${this.#folder}: ${what} (${why}). No more is taken until a restart.`;
    return new RankstreamError("log_failed", detail, { cause });
  }

  /** After a failed write: what to answer. Goes on only where the file could be put right. */
  async #recoverFrom(error: unknown): Promise<RankstreamError> {
    if (error instanceof RankstreamError) {
      this.#failure = error;
      return error;
    }
    try {
      if (!isDiskFull(error)) throw error;
      const active = this.#segments.at(-1)!;
      const path = segmentPath(this.#folder, active.sequence);
      await this.#file.close();
      await this.#files.truncate(path, active.bytes);
      this.#file = await this.#files.openAppend(path);
      return new RankstreamError("log_full", `${this.#folder}: no space left on the disk`, {
        cause: error,
        retryAfterSeconds: diskRetrySeconds,
      });
    } catch (cause) {
      this.#failure = this.#failed("a write failed", cause);
      return this.#failure;
    }
  }

  #settle(group: Waiting[], error: RankstreamError | null): void {
    // After a failure nothing that waits can be written any more.
    const all = this.#failure ? [...group, ...this.#queue.splice(0)] : group;
    for (const { frame, resolve, reject } of all) {
      this.#queueBytes -= frame.bytes.length;
      discard(frame.bytes);
      if (error) reject(error);
      else resolve();
    }
    this.#settling.noteSettled(all.length);
    if (error) return;
    const end = this.durableEnd();
    for (const listener of this.#listeners) listener(end);
  }

  async #trimSegments(committed: number[]): Promise<void> {
    for (;;) {
      // Each removal is durable before the next: a power loss must not leave a hole.
      if (this.#removalPending) await this.#files.syncFolder(this.#folder);
      this.#removalPending = false;
      const [oldest, next] = this.#segments;
      const isStored = next?.baseOffsets.every((base, partition) => base <= committed[partition]!);
      if (!oldest || !isStored || oldest.sequence >= this.#keptFrom) return;
      failPoint("log.before_trim");
      await this.#files.remove(segmentPath(this.#folder, oldest.sequence));
      this.#removalPending = true;
      this.#segments.shift();
      this.#segmentsBytes -= oldest.bytes;
    }
  }

  async #closeOnce(): Promise<void> {
    await this.#writing;
    await this.#trimming;
    if (this.#failure === null && this.#markNeeded) {
      const nothing = { key: null, digest: null, receivedAt: 0, partitionCount: 0 };
      await this.#writeFrames([encodeFrame(nothing, [])]);
    }
    await this.#file.close();
  }
}
