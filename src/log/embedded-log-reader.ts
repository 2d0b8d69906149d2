/**
 * The embedded log's reading side, for worker threads: reads the segment files by itself, but
 * never past the durable end that the writer announced (`advance`).
 */
import { RankstreamError } from "../errors.ts";
import type { Files, ReadFile } from "../files.ts";
import type { LogRecord } from "../model.ts";
import { assertFrameVersion, visitRecords } from "./frame.ts";
import { type FramesRead, type ReadBytes, readFrames } from "./frame-cursor.ts";
import type { LogPosition, LogReader } from "./log.ts";
import {
  listSegments,
  readSegmentHeader,
  type SegmentHeader,
  segmentHeaderBytes,
  segmentPath,
  segmentSeed,
} from "./segment.ts";

/** An owned partition and the offset of the first record wanted of it. */
export interface PartitionStart {
  partition: number;
  offset: number;
}

export interface EmbeddedLogReaderOptions {
  starts: readonly PartitionStart[];
  /** How much is read at a time; one larger batch is still read whole. */
  readBytesMax?: number;
  /** Records then hold until the next call of `next` only: all reads share one buffer. */
  sharesBuffer?: boolean;
}

const mebibyte = 1024 * 1024;
const readBytesDefault = mebibyte;
/** While frames are big, this many fit one read: else each read would fetch one twice. */
const framesPerRead = 4;
const readBytesLimit = 16 * mebibyte;

interface OpenSegment {
  sequence: number;
  path: string;
  seed: number;
  /** Length of the file where it is complete; null while it is the one being written. */
  bytes: number | null;
}

export class EmbeddedLogReader implements LogReader {
  /** The log's id: to be compared with the one the store's offsets belong to. */
  readonly id: string;
  readonly #files: Files;
  readonly #folder: string;
  /** First wanted offset, by owned partition. */
  readonly #starts: Map<number, number>;
  /** Offset of the next record the log holds behind `#position`, by owned partition. */
  readonly #next: Map<number, number>;
  readonly #readBytesMax: number;
  readonly #partitionCount: number;
  #readBytes: number;
  /** The segment being read, while it is open. */
  #file: { path: string; opened: ReadFile } | null = null;
  readonly #sharesBuffer: boolean;
  #buffer = new Uint8Array(0);
  #segment: OpenSegment;
  #position: number;
  #end: LogPosition;
  #isTold = false;
  #startsReached = false;

  private constructor(
    files: Files,
    folder: string,
    options: EmbeddedLogReaderOptions,
    header: SegmentHeader,
  ) {
    this.#files = files;
    this.#folder = folder;
    this.#starts = new Map(options.starts.map(({ partition, offset }) => [partition, offset]));
    this.#next = new Map(
      options.starts.map(({ partition }) => [partition, header.baseOffsets[partition]!]),
    );
    this.id = header.id;
    this.#partitionCount = header.baseOffsets.length;
    this.#readBytesMax = options.readBytesMax ?? readBytesDefault;
    this.#readBytes = this.#readBytesMax;
    this.#sharesBuffer = options.sharesBuffer ?? false;
    this.#segment = this.#openSegment(header.sequence);
    this.#position = segmentHeaderBytes(this.#partitionCount);
    this.#end = { segment: header.sequence, position: this.#position };
  }

  /**
   * Finds the segment to begin in. Throws RankstreamError `offset_out_of_range` when a wanted
   * offset was trimmed away, `log_corrupt` when a header can't be read. That an offset lies
   * beyond the end shows when `next` reaches the end.
   */
  static async open(
    files: Files,
    folder: string,
    options: EmbeddedLogReaderOptions,
  ): Promise<EmbeddedLogReader> {
    let begin: SegmentHeader | null = null;
    const sequences = await listSegments(files, folder);
    for (const sequence of sequences) {
      const path = segmentPath(folder, sequence);
      const header = await readSegmentHeader(files, path);
      if (header === null) {
        // The writer is just making the next one.
        if (begin && sequence === sequences.at(-1)) break;
        throw new RankstreamError("log_corrupt", `${path}: damaged segment header at byte 0`);
      }
      for (const { partition } of options.starts) {
        if (partition < header.baseOffsets.length) continue;
        throw new RangeError(`partition ${partition} of ${header.baseOffsets.length}`);
      }
      const isBefore = options.starts.every(
        ({ partition, offset }) => header.baseOffsets[partition]! <= offset,
      );
      if (!isBefore && begin) break;
      if (!isBefore) throw trimmed(path, header, options.starts);
      begin = header;
    }
    if (!begin) throw new RankstreamError("log_corrupt", `${folder}: no log is there`);
    return new EmbeddedLogReader(files, folder, options, begin);
  }

  /**
   * Tells the durable end, as the writer's `durableEnd` gave it. Never goes back. The first
   * one told must not be older than the offsets to begin at.
   */
  advance(end: LogPosition): void {
    this.#isTold = true;
    const { segment, position } = this.#end;
    if (end.segment < segment) return;
    if (end.segment === segment && end.position <= position) return;
    this.#end = { segment: end.segment, position: end.position };
  }

  /** Whether everything up to the last announced end was given out. */
  get isAtEnd(): boolean {
    return this.#segment.sequence === this.#end.segment && this.#position >= this.#end.position;
  }

  /** The next offset of each owned partition that `next` will look at. */
  nextOffsets(): PartitionStart[] {
    return [...this.#next].map(([partition, offset]) => ({
      partition,
      offset: Math.max(offset, this.#starts.get(partition)!),
    }));
  }

  async next(): Promise<LogRecord[]> {
    const records: LogRecord[] = [];
    while (records.length === 0) {
      const limit = await this.#limit();
      if (this.#position < limit) {
        await this.#readInto(records, limit);
      } else if (this.#segment.sequence < this.#end.segment) {
        await this.#enterNextSegment();
      } else {
        this.#assertStartsReached();
        return records;
      }
    }
    return records;
  }

  async close(): Promise<void> {
    await this.#closeFile();
    this.#end = { segment: this.#segment.sequence, position: this.#position };
  }

  #openSegment(sequence: number): OpenSegment {
    const path = segmentPath(this.#folder, sequence);
    return { sequence, path, seed: segmentSeed(this.id, sequence), bytes: null };
  }

  /** Where reading in the current segment must stop. */
  async #limit(): Promise<number> {
    while (this.#segment.sequence !== this.#end.segment) {
      this.#segment.bytes ??= await this.#files.size(this.#segment.path);
      if (this.#segment.bytes !== null) return this.#segment.bytes;
      await this.#leaveTrimmed();
    }
    return this.#end.position;
  }

  /**
   * Of a segment that is gone: trimmed between the read of its last record and the word that the
   * log goes on elsewhere. The first segment that is there says whether anything was missed.
   */
  async #leaveTrimmed(): Promise<void> {
    const { sequence } = this.#segment;
    const later = (await listSegments(this.#files, this.#folder)).find((one) => one > sequence);
    if (later === undefined) throw this.#gone(sequence);
    const path = segmentPath(this.#folder, later);
    const header = await readSegmentHeader(this.#files, path).catch(() => null);
    const isNext = ([partition, offset]: [number, number]) =>
      header?.baseOffsets[partition] === offset;
    if (header === null || ![...this.#next].every(isNext)) throw this.#gone(sequence);
    this.#segment = this.#openSegment(later);
    this.#position = segmentHeaderBytes(this.#partitionCount);
    // What was told is older still: how far this one is durable is yet to be told.
    if (later > this.#end.segment) this.#end = { segment: later, position: this.#position };
  }

  async #readInto(records: LogRecord[], limit: number): Promise<void> {
    const { path, seed } = this.#segment;
    const limits = { end: limit, readBytes: this.#readBytes };
    const bytesOf = await this.#opened(path);
    const read = await readFrames(bytesOf, this.#position, seed, limits);
    if (read.frames.length === 0) throw this.#corrupt("damaged frame");
    for (const { at } of read.frames) {
      assertFrameVersion(read.chunk, at, path);
      visitRecords(read.chunk, at, (partition, offset, record) => {
        const expected = this.#next.get(partition);
        if (expected === undefined) return;
        if (offset !== expected) {
          throw this.#corrupt(
            `offset ${offset} of partition ${partition} found, ${expected} expected`,
          );
        }
        this.#next.set(partition, offset + 1);
        if (offset >= this.#starts.get(partition)!) records.push(record());
      });
    }
    this.#position = read.position;
    this.#adaptReadBytes(read);
  }

  async #opened(path: string): Promise<ReadBytes> {
    if (this.#file?.path !== path) {
      await this.#closeFile();
      this.#file = { path, opened: await this.#files.openRead(path) };
    }
    const { opened } = this.#file;
    return (position, length) => {
      if (!this.#sharesBuffer) return opened.read(position, length);
      if (this.#buffer.length < length) this.#buffer = new Uint8Array(length);
      return opened.read(position, length, this.#buffer);
    };
  }

  async #closeFile(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    await file?.opened.close();
  }

  #adaptReadBytes(read: FramesRead): void {
    let largest = 0;
    for (const { bytes } of read.frames) largest = Math.max(largest, bytes);
    const fitting = Math.min(framesPerRead * largest, readBytesLimit);
    this.#readBytes = Math.max(this.#readBytesMax, fitting);
  }

  async #enterNextSegment(): Promise<void> {
    const sequence = this.#segment.sequence + 1;
    const path = segmentPath(this.#folder, sequence);
    if ((await this.#files.size(path)) === null) return this.#leaveTrimmed();
    const header = await readSegmentHeader(this.#files, path);
    if (header === null) {
      throw new RankstreamError("log_corrupt", `${path}: damaged segment header at byte 0`);
    }
    if (header.previousBytes !== this.#position) {
      throw this.#corrupt(`the segment has ${header.previousBytes} bytes by the next one`);
    }
    for (const [partition, expected] of this.#next) {
      const base = header.baseOffsets[partition];
      if (base === expected) continue;
      throw new RankstreamError(
        "log_corrupt",
        `${path}: begins at offset ${base} of partition ${partition}, ${expected} expected`,
      );
    }
    this.#segment = this.#openSegment(sequence);
    this.#position = segmentHeaderBytes(this.#partitionCount);
  }

  /** At the announced end: every wanted offset must be at most the next one there. */
  #assertStartsReached(): void {
    if (this.#startsReached || !this.#isTold) return;
    for (const [partition, wanted] of this.#starts) {
      const end = this.#next.get(partition)!;
      if (wanted <= end) continue;
      throw new RankstreamError(
        "offset_out_of_range",
        `${this.#segment.path}: offset ${wanted} of partition ${partition} wanted, ` +
          `the log ends at ${end}`,
      );
    }
    this.#startsReached = true;
  }

  #corrupt(what: string): RankstreamError {
    const owned = this.nextOffsets()
      .slice(0, 8)
      .map(({ partition, offset }) => `${partition}: ${offset}`)
      .join(", ");
    const where = `${this.#segment.path}, byte ${this.#position}`;
    return new RankstreamError("log_corrupt", `${where}: ${what} (next offsets ${owned})`);
  }

  #gone(sequence: number): RankstreamError {
    const path = segmentPath(this.#folder, sequence);
    const owned = this.nextOffsets()
      .map(({ partition, offset }) => `${offset} of partition ${partition}`)
      .join(", ");
    return new RankstreamError(
      "offset_out_of_range",
      `${path} is gone; wanted from it: offset ${owned}`,
    );
  }
}

function trimmed(
  path: string,
  header: SegmentHeader,
  starts: readonly PartitionStart[],
): RankstreamError {
  const { partition, offset } = starts.find(
    (start) => header.baseOffsets[start.partition]! > start.offset,
  )!;
  return new RankstreamError(
    "offset_out_of_range",
    `${path}: offset ${offset} of partition ${partition} wanted, ` +
      `the log begins at ${header.baseOffsets[partition]}`,
  );
}
