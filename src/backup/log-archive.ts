/**
 * Copies the embedded log to a repository, as it grows: whole frames from where the repository
 * ends to where the log is durable. How far it is, the repository says itself, so a crash at any
 * moment costs nothing and repeats nothing.
 */
import { RankstreamError } from "../errors.ts";
import { failPoint } from "../fail-point.ts";
import { nodeFiles } from "../files.ts";
import { frameHeaderOf, recordCountOf } from "../log/frame.ts";
import { readFrames } from "../log/frame-cursor.ts";
import type { LogPosition } from "../log/log.ts";
import {
  listSegments,
  readSegmentHeader,
  type SegmentHeader,
  segmentHeaderBytes,
  segmentPath,
  segmentSeed,
} from "../log/segment.ts";
import {
  type HeadDocument,
  headName,
  type LogPart,
  parsePart,
  partName,
  segmentPrefix,
} from "./log-parts.ts";
import { openDocument, sealDocument } from "./manifest.ts";
import { pack, type Repository, unpack } from "./repository.ts";

export interface LogArchiveOptions {
  /** The log's folder. */
  folder: string;
  logId: string;
  /** Bytes of one part, about, before they are packed. */
  partBytesMax: number;
}

export const logArchiveDefaults = Object.freeze({ partBytesMax: 16 * 1024 * 1024 });

/** How far the copy is, and what it came to since it was opened. */
export interface ArchiveState {
  /** Where the next part begins. */
  position: LogPosition;
  /** Receipt of the last batch copied, epoch ms; 0 before the first. */
  lastReceivedAt: number;
  parts: number;
  logBytes: number;
  keptBytes: number;
  /** How often something was missing in between: freed before it could be copied. */
  gaps: number;
}

/** The segment that is being copied. */
interface OpenSegment {
  header: SegmentHeader;
  path: string;
}

export class LogArchive {
  readonly state: ArchiveState;
  readonly #repository: Repository;
  readonly #options: LogArchiveOptions;
  #segment: OpenSegment | null = null;
  /** head.json as it was when last seen. */
  #head: string | null;

  private constructor(
    repository: Repository,
    options: LogArchiveOptions,
    state: ArchiveState,
    head: string | null,
  ) {
    this.#repository = repository;
    this.#options = options;
    this.state = state;
    this.#head = head;
  }

  /** Finds where the repository's copy of this log ends. */
  static async open(repository: Repository, options: LogArchiveOptions): Promise<LogArchive> {
    const { folder, logId } = options;
    const sequences = await listSegments(nodeFiles, folder);
    const first = sequences[0] ?? 1;
    let last: LogPart | null = null;
    // What lies before the oldest segment here matters only where it ends right before it.
    for (const sequence of [first - 1, ...sequences].reverse()) {
      last = await lastPartOf(repository, logId, sequence);
      if (last !== null) break;
    }
    const position = { segment: last?.segment ?? first, position: last?.end ?? 0 };
    const none = { parts: 0, logBytes: 0, keptBytes: 0, gaps: 0 };
    const lastReceivedAt = last?.lastReceivedAt ?? 0;
    const state = { position, lastReceivedAt, ...none };
    return new LogArchive(repository, options, state, await headOf(repository, logId));
  }

  /**
   * Copies what lies between the copy's end and `end`, where the log is durable. Throws
   * `log_corrupt`, `backup_mismatch` where the repository has another continuation of this log,
   * and `backup_unreachable`: then it goes on from there the next time.
   */
  async copyTo(end: LogPosition): Promise<void> {
    const { state } = this;
    if (isAfter(state.position, end)) {
      const place = `segment ${state.position.segment}, byte ${state.position.position}`;
      const own = `here it ends at segment ${end.segment}, byte ${end.position}`;
      const detail = `the repository has this log up to ${place}; ${own}`;
      throw new RankstreamError("backup_mismatch", detail);
    }
    while (isAfter(end, state.position)) {
      const segment = await this.#open();
      if (segment === null) continue;
      const isLast = segment.header.sequence === end.segment;
      const size = isLast ? end.position : await nodeFiles.size(segment.path);
      if (size === null) await this.#skip();
      else if (state.position.position < size) await this.#copyPart(segment, size);
      else this.#next();
    }
    await this.#repository.destination.settle();
  }

  /**
   * Says in the repository that everything received up to `through` is in. Throws
   * `backup_mismatch` where another process copies a log of this name.
   */
  async writeHead(through: number): Promise<void> {
    const { destination } = this.#repository;
    const { logId } = this.#options;
    const found = await headOf(this.#repository, logId);
    if (found !== this.#head && found !== null && isWhole(headName(logId), found)) {
      const detail = `${destination.address}: another process copies the log ${logId}, too`;
      throw new RankstreamError("backup_mismatch", detail);
    }
    const document: HeadDocument = { through, ...this.state.position };
    const head = sealDocument(document);
    await destination.put(headName(logId), Buffer.from(head));
    this.#head = head;
    await destination.settle();
  }

  /** The segment to be copied from; null where that is another one than it was. */
  async #open(): Promise<OpenSegment | null> {
    const { segment } = this.state.position;
    if (this.#segment?.header.sequence === segment) return this.#segment;
    const path = segmentPath(this.#options.folder, segment);
    const header = await readSegmentHeader(nodeFiles, path).catch((error) => {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    });
    if (header === null) throw new RankstreamError("log_corrupt", `${path}: no header`);
    if (header === undefined) {
      await this.#skip();
      return null;
    }
    this.#segment = { header, path };
    return this.#segment;
  }

  /** The segment is complete, and so is its copy. */
  #next(): void {
    const { position } = this.state;
    this.state.position = { segment: position.segment + 1, position: 0 };
  }

  /** The segment is gone: on to the oldest that is still there. */
  async #skip(): Promise<void> {
    const { folder, logId } = this.#options;
    const { segment, position } = this.state.position;
    const oldest = (await listSegments(nodeFiles, folder)).find((sequence) => sequence > segment);
    if (oldest === undefined) {
      throw new RankstreamError("log_corrupt", `${folder}: segment ${segment} is gone`);
    }
    const header = await readSegmentHeader(nodeFiles, segmentPath(folder, oldest));
    const isWhole = oldest === segment + 1 && header?.previousBytes === position;
    if (!isWhole) this.state.gaps++;
    this.#segment = null;
    this.state.position = { segment: oldest, position: 0 };
    const known = await lastPartOf(this.#repository, logId, oldest);
    if (known !== null) this.state.position.position = known.end;
  }

  /** Copies one stretch of the segment, of which `size` bytes are durable. */
  async #copyPart({ header, path }: OpenSegment, size: number): Promise<void> {
    const { logId, partBytesMax } = this.#options;
    const { position } = this.state.position;
    const headBytes = position === 0 ? segmentHeaderBytes(header.baseOffsets.length) : 0;
    const from = position + headBytes;
    const read = (at: number, length: number) => nodeFiles.read(path, at, length);
    const head = headBytes > 0 ? await read(0, headBytes) : new Uint8Array(0);
    const limits = { end: size, readBytes: partBytesMax };
    const found = await readFrames(read, from, segmentSeed(logId, header.sequence), limits);
    if (found.frames.length === 0 && from < size) {
      throw new RankstreamError("log_corrupt", `${path}: damaged frame at byte ${from}`);
    }
    const receipts = found.frames
      .filter(({ at }) => recordCountOf(found.chunk, at) > 0)
      .map(({ at }) => frameHeaderOf(found.chunk, at).receivedAt);
    const last = receipts.at(-1) ?? this.state.lastReceivedAt;
    const part: LogPart = {
      logId,
      segment: header.sequence,
      start: position,
      end: found.position,
      firstReceivedAt: receipts[0] ?? last,
      lastReceivedAt: last,
      before: header.previousBytes,
    };
    const frames = found.chunk.bytes.subarray(0, found.position - from);
    await this.#write(part, Buffer.concat([head, frames]));
    this.state.position = { segment: part.segment, position: part.end };
    this.state.lastReceivedAt = last;
  }

  async #write(part: LogPart, bytes: Buffer): Promise<void> {
    const { destination } = this.#repository;
    const name = partName(part);
    const kept = pack(bytes);
    if (!(await destination.create(name, kept))) {
      // Written before by us, and the answer was lost; or by someone else.
      const known = await destination.get(name);
      if (known === null || !(await unpack(name, known)).equals(bytes)) {
        const detail = `${destination.address} has another ${name}: two services write to it`;
        throw new RankstreamError("backup_mismatch", detail);
      }
    }
    failPoint("backup.after_part");
    this.state.parts++;
    this.state.logBytes += bytes.length;
    this.state.keptBytes += kept.length;
  }
}

/** Whether the document is as somebody wrote it. */
function isWhole(name: string, text: string): boolean {
  try {
    openDocument(name, text);
    return true;
  } catch {
    return false;
  }
}

async function headOf({ destination }: Repository, logId: string): Promise<string | null> {
  return (await destination.get(headName(logId)))?.toString("utf8") ?? null;
}

/** The part that ends last of those the repository has of the segment. */
async function lastPartOf(
  { destination }: Repository,
  logId: string,
  segment: number,
): Promise<LogPart | null> {
  let last: LogPart | null = null;
  for await (const { name } of destination.list(segmentPrefix(logId, segment))) {
    const part = parsePart(name);
    if (part !== null && (last === null || part.end > last.end)) last = part;
  }
  return last;
}

function isAfter(a: LogPosition, b: LogPosition): boolean {
  return a.segment > b.segment || (a.segment === b.segment && a.position > b.position);
}
