/**
 * Writes a fresh log from parts of an old one: the records that a base doesn't count, at the
 * offsets where it goes on, under a new id. So what is appended later is never taken for what the
 * old log had at the same place.
 */
import { RankstreamError } from "../errors.ts";
import { nodeFiles } from "../files.ts";
import { EmbeddedLog } from "../log/embedded-log.ts";
import { assertFrameVersion, frameHeaderOf, recordCountOf, visitRecords } from "../log/frame.ts";
import { type FramesRead, readFrames } from "../log/frame-cursor.ts";
import {
  createSegment,
  parseSegmentHeader,
  segmentHeaderBytes,
  segmentSeed,
} from "../log/segment.ts";
import type { PartitionBlock } from "../model.ts";
import { type LogPart, partName } from "./log-parts.ts";
import { type Repository, unpack } from "./repository.ts";

export interface RestoredLog {
  batches: number;
  events: number;
  /** Receipt of the last batch, epoch ms; null without any. */
  lastReceivedAt: number | null;
}

/** Bytes of batches that wait to be written. */
const pendingBytesMax = 32 * 1024 * 1024;
/** A log that is being restored holds whatever it has to. */
const logBytesMax = 2 ** 50;

function damaged(part: LogPart, what: string): RankstreamError {
  return new RankstreamError("backup_damaged", `${partName(part)}: ${what}`);
}

/** Events have one line number each, as LEB128: so many bytes end one. */
function eventsIn(lines: Uint8Array): number {
  let events = 0;
  for (const byte of lines) if (byte < 0x80) events++;
  return events;
}

/** The part's frames, each checked. Throws `backup_damaged`. */
export async function readPart(repository: Repository, part: LogPart): Promise<FramesRead> {
  const name = partName(part);
  const kept = await repository.destination.get(name);
  if (kept === null) throw damaged(part, "it is missing");
  const bytes = await unpack(name, kept);
  if (bytes.length !== part.end - part.start) throw damaged(part, `${bytes.length} bytes`);
  let headBytes = 0;
  if (part.start === 0) {
    const header = parseSegmentHeader(bytes, name);
    if (header === null) throw damaged(part, "no segment header");
    headBytes = segmentHeaderBytes(header.baseOffsets.length);
  }
  const from = part.start + headBytes;
  const read = async (position: number, length: number) =>
    bytes.subarray(position - part.start, position - part.start + length);
  const limits = { end: part.end, readBytes: bytes.length };
  const found = await readFrames(read, from, segmentSeed(part.logId, part.segment), limits);
  if (found.position === part.end) return found;
  throw damaged(part, `damaged frame at byte ${found.position} of the segment`);
}

export class LogRestorer {
  readonly #log: EmbeddedLog;
  readonly #next: number[];
  readonly #to: number;
  #pending: Promise<void>[] = [];
  #pendingBytes = 0;
  readonly result: RestoredLog = { batches: 0, events: 0, lastReceivedAt: null };

  private constructor(log: EmbeddedLog, offsets: readonly number[], to: number | null) {
    this.#log = log;
    this.#next = [...offsets];
    this.#to = to ?? Number.POSITIVE_INFINITY;
  }

  /** Makes the log in `folder`, which is empty, beginning at these offsets. */
  static async open(
    folder: string,
    id: string,
    offsets: readonly number[],
    to: number | null,
  ): Promise<LogRestorer> {
    await nodeFiles.makeFolder(folder);
    const header = { id, sequence: 1, previousBytes: 0, baseOffsets: [...offsets] };
    await (await createSegment(nodeFiles, folder, header)).close();
    const partitionCount = offsets.length;
    const log = await EmbeddedLog.open(nodeFiles, folder, { partitionCount, logBytesMax });
    return new LogRestorer(log, offsets, to);
  }

  /** Appends what of the next part is wanted. Throws `backup_damaged`. */
  async add(part: LogPart, { chunk, frames }: FramesRead): Promise<void> {
    for (const { at, bytes } of frames) {
      assertFrameVersion(chunk, at, partName(part));
      if (recordCountOf(chunk, at) === 0) continue;
      const header = frameHeaderOf(chunk, at);
      // Receipts never fall: nothing wanted follows.
      if (header.receivedAt > this.#to) return;
      const blocks: PartitionBlock[] = [];
      visitRecords(chunk, at, (partition, offset, record) => {
        const next = this.#next[partition];
        if (next !== undefined && offset < next) return;
        if (offset !== next) {
          throw damaged(part, `offset ${offset} of partition ${partition}, ${next} expected`);
        }
        this.#next[partition] = next + 1;
        const { value, lines, marks } = record();
        blocks.push({ partition, value, lines, events: eventsIn(lines), marks: marks! });
      });
      if (blocks.length === 0) continue;
      if (this.#pendingBytes + bytes > pendingBytesMax) await this.#drain();
      this.#pending.push(this.#log.append(header, blocks));
      this.#pendingBytes += bytes;
      this.result.batches++;
      this.result.events += blocks.reduce((sum, { events }) => sum + events, 0);
      this.result.lastReceivedAt = header.receivedAt;
    }
  }

  async close(): Promise<void> {
    try {
      await this.#drain();
    } finally {
      await this.#log.close();
    }
  }

  async #drain(): Promise<void> {
    const pending = this.#pending;
    this.#pending = [];
    this.#pendingBytes = 0;
    await Promise.all(pending);
  }
}
