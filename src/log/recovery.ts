/**
 * Opening the embedded log after any end: finds the segments, checks what ties them together,
 * and cuts what a power loss tore off the last one.
 *
 * Torn or damaged? Frames are written in groups, and the next group begins only after the
 * sync of the one before. So at most one group is not durable, and any part of it may be
 * missing in any pattern. Each frame says up to where the file was durable when its group was
 * written (`syncedThrough`). Behind a bad frame at P there may be sound frames of the same
 * group: they claim at most P. A sound frame that claims more proves that P was once durable:
 * then the file is damaged, and nothing is cut. The last group can't be told apart this way;
 * after a clean stop it can, by the mark `close` leaves. The store's offsets are the second
 * line: a log that lost what the store had read answers `offset_out_of_range`.
 */
import { randomUUID } from "node:crypto";
import { basename, dirname } from "node:path";
import { RankstreamError } from "../errors.ts";
import type { Files } from "../files.ts";
import {
  assertFrameVersion,
  chunkOf,
  claimedFrameBytes,
  frameHeaderBytes,
  frameIsSound,
  frameMagic,
  recordCountOf,
  syncedThroughOf,
  visitRecords,
} from "./frame.ts";
import { readFrames } from "./frame-cursor.ts";
import {
  createSegment,
  listSegments,
  readSegmentHeader,
  type SegmentHeader,
  segmentHeaderBytes,
  segmentPath,
  segmentSeed,
} from "./segment.ts";

const scanBytes = 4 * 1024 * 1024;

/** A segment and its length in bytes. */
export interface Segment extends SegmentHeader {
  bytes: number;
}

/** What opening found: everything before the last segment's `bytes` is durable and whole. */
export interface RecoveredLog {
  id: string;
  segments: Segment[];
  nextOffsets: number[];
  /** The last frame is the mark of a clean stop. */
  stoppedCleanly: boolean;
  /** Bytes cut off the last segment. */
  cutBytes: number;
}

function corrupt(path: string, detail: string): RankstreamError {
  return new RankstreamError("log_corrupt", `${path}: ${detail}`);
}

/**
 * Opens or makes the log in the folder. Throws RankstreamError `log_corrupt` naming file and
 * byte, `log_mismatch` when the log has another number of partitions or format.
 */
export async function recoverLog(
  files: Files,
  folder: string,
  partitionCount: number,
): Promise<RecoveredLog> {
  await files.makeFolder(folder);
  const { segments, lastIsComplete } = await loadSegments(files, folder, partitionCount);
  if (segments.length === 0) return makeLog(files, folder, partitionCount);
  // What a killed process left is in the page cache, names included, but may not be on disk.
  await files.syncFolder(folder);
  const last = segments.at(-1)!;
  const path = segmentPath(folder, last.sequence);
  const scan = await scanSegment(files, path, last);
  if (scan.end < last.bytes) {
    if (lastIsComplete) throw corrupt(path, `damaged frame at byte ${scan.end}`);
    await assertTornTail(files, path, last, scan.end);
    await files.truncate(path, scan.end);
  } else {
    await files.syncFile(path);
  }
  const cutBytes = last.bytes - scan.end;
  last.bytes = scan.end;
  const { nextOffsets, stoppedCleanly } = scan;
  return { id: last.id, segments, nextOffsets, stoppedCleanly, cutBytes };
}

async function makeLog(
  files: Files,
  folder: string,
  partitionCount: number,
): Promise<RecoveredLog> {
  const baseOffsets = new Array<number>(partitionCount).fill(0);
  const header = { id: randomUUID(), sequence: 1, previousBytes: 0, baseOffsets };
  const file = await createSegment(files, folder, header);
  const segments = [{ ...header, bytes: file.size }];
  await file.close();
  const nextOffsets = [...baseOffsets];
  return { id: header.id, segments, nextOffsets, stoppedCleanly: false, cutBytes: 0 };
}

async function loadSegments(
  files: Files,
  folder: string,
  partitionCount: number,
): Promise<{ segments: Segment[]; lastIsComplete: boolean }> {
  const segments: Segment[] = [];
  const sequences = await listSegments(files, folder);
  for (const sequence of sequences) {
    const path = segmentPath(folder, sequence);
    const bytes = (await files.size(path)) ?? 0;
    const header = await readSegmentHeader(files, path);
    if (header === null) {
      const isLast = sequence === sequences.at(-1);
      // A new segment is used only once its header is durable: one that ends inside it
      // was being made when the power went, and the segment before it was complete.
      const wasBeingMade = isLast && (segments.length > 0 || sequence === 1);
      if (!wasBeingMade || bytes > segmentHeaderBytes(partitionCount)) {
        throw corrupt(path, "damaged segment header at byte 0");
      }
      await files.remove(path);
      await files.syncFolder(folder);
      return { segments, lastIsComplete: true };
    }
    if (header.baseOffsets.length !== partitionCount) {
      throw new RankstreamError(
        "log_mismatch",
        `${path}: made with ${header.baseOffsets.length} partitions, ${partitionCount} configured`,
      );
    }
    assertFollows(path, segments.at(-1), header, sequence);
    segments.push({ ...header, bytes });
  }
  return { segments, lastIsComplete: false };
}

function assertFollows(
  path: string,
  before: Segment | undefined,
  header: SegmentHeader,
  sequence: number,
): void {
  if (header.sequence !== sequence) {
    throw corrupt(path, `its header says it is segment ${header.sequence}`);
  }
  if (!before) return;
  if (header.id !== before.id) throw corrupt(path, `of log ${header.id}, ${before.id} expected`);
  if (sequence !== before.sequence + 1) {
    const missing = segmentPath(dirname(path), before.sequence + 1);
    throw corrupt(missing, `the file is missing, ${basename(path)} follows it`);
  }
  if (header.previousBytes !== before.bytes) {
    // The file to be restored is the one before.
    throw corrupt(
      segmentPath(dirname(path), before.sequence),
      `${before.bytes} bytes, ${header.previousBytes} expected by ${basename(path)}`,
    );
  }
}

interface Scan {
  /** Where the first frame that isn't sound begins, or the file ends. */
  end: number;
  nextOffsets: number[];
  stoppedCleanly: boolean;
}

async function scanSegment(files: Files, path: string, segment: Segment): Promise<Scan> {
  const seed = segmentSeed(segment.id, segment.sequence);
  const nextOffsets = [...segment.baseOffsets];
  let end = segmentHeaderBytes(nextOffsets.length);
  let stoppedCleanly = false;
  const read = (position: number, length: number) => files.read(path, position, length);
  for (;;) {
    const limits = { end: segment.bytes, readBytes: scanBytes };
    const { chunk, frames, position } = await readFrames(read, end, seed, limits);
    for (const { at } of frames) {
      assertFrameVersion(chunk, at, path);
      stoppedCleanly = recordCountOf(chunk, at) === 0;
      visitRecords(chunk, at, (partition, offset) => {
        if (offset !== nextOffsets[partition]) {
          throw corrupt(
            path,
            `byte ${chunk.position + at}: offset ${offset} of partition ${partition}, ` +
              `${nextOffsets[partition]} expected`,
          );
        }
        nextOffsets[partition] = offset + 1;
      });
    }
    end = position;
    if (frames.length === 0) return { end, nextOffsets, stoppedCleanly };
  }
}

/** Throws `log_corrupt` when a sound frame behind the bad one at `bad` proves it was durable. */
async function assertTornTail(
  files: Files,
  path: string,
  segment: Segment,
  bad: number,
): Promise<void> {
  const seed = segmentSeed(segment.id, segment.sequence);
  for (let start = bad + 1; start < segment.bytes; ) {
    const wanted = Math.min(scanBytes, segment.bytes - start);
    const chunk = chunkOf(await files.read(path, start, wanted), start);
    for (let at = chunk.bytes.indexOf(frameMagic); at >= 0; ) {
      if (await isDurableProof(files, path, start + at, seed, bad)) {
        throw corrupt(path, `damaged frame at byte ${bad}, durable before byte ${start + at}`);
      }
      at = chunk.bytes.indexOf(frameMagic, at + 1);
    }
    if (start + chunk.bytes.length >= segment.bytes) return;
    // A magic may lie across two chunks.
    start += chunk.bytes.length - frameMagic.length + 1;
  }
}

async function isDurableProof(
  files: Files,
  path: string,
  position: number,
  seed: number,
  bad: number,
): Promise<boolean> {
  const head = chunkOf(await files.read(path, position, frameHeaderBytes), position);
  const bytes = claimedFrameBytes(head, 0);
  if (bytes === null || syncedThroughOf(head, 0) <= bad) return false;
  const whole = chunkOf(await files.read(path, position, bytes), position);
  return whole.bytes.length === bytes && frameIsSound(whole, 0, bytes, seed);
}
