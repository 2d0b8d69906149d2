/** Looks through an embedded log that nobody writes to, without changing anything. */
import { RankstreamError } from "../errors.ts";
import type { Files } from "../files.ts";
import { recordCountOf, visitRecords } from "./frame.ts";
import { readFrames } from "./frame-cursor.ts";
import {
  listSegments,
  readSegmentHeader,
  segmentHeaderBytes,
  segmentPath,
  segmentSeed,
} from "./segment.ts";

/** What a log was found to hold. */
export interface CheckedLog {
  id: string;
  segments: number;
  bytes: number;
  batches: number;
  /** Offset of the first record and after the last one, by partition. */
  begin: number[];
  end: number[];
  /** Of a last write that was torn: the next start cuts them off. */
  tornBytes: number;
}

const readBytes = 4 * 1024 * 1024;

/**
 * Reads every frame of the log in the folder and holds it against its checksum and offsets.
 * `onProgress` is told bytes. Returns null where there is no log. Throws `log_corrupt` with file
 * and byte, `log_mismatch` for a format of a later version.
 */
export async function checkLog(
  files: Files,
  folder: string,
  onProgress: (bytes: number) => void,
): Promise<CheckedLog | null> {
  const sequences = await listSegments(files, folder);
  if (sequences.length === 0) return null;
  const checked: CheckedLog = {
    id: "",
    segments: sequences.length,
    bytes: 0,
    batches: 0,
    begin: [],
    end: [],
    tornBytes: 0,
  };
  let before: { id: string; sequence: number; bytes: number } | null = null;
  for (const sequence of sequences) {
    const path = segmentPath(folder, sequence);
    const corrupt = (what: string) => new RankstreamError("log_corrupt", `${path}: ${what}`);
    const header = await readSegmentHeader(files, path);
    const bytes = (await files.size(path)) ?? 0;
    const isLast = sequence === sequences.at(-1);
    if (header === null) {
      if (!isLast) throw corrupt("damaged segment header at byte 0");
      checked.tornBytes += bytes;
      continue;
    }
    if (before === null) {
      checked.id = header.id;
      checked.begin = [...header.baseOffsets];
      checked.end = [...header.baseOffsets];
    } else if (header.id !== before.id || sequence !== before.sequence + 1) {
      throw corrupt("it does not follow the segment before it");
    } else if (header.previousBytes !== before.bytes) {
      throw corrupt(`${before.bytes} bytes are before it, ${header.previousBytes} expected`);
    }
    const end = await checkSegment(files, path, { header, bytes }, checked);
    if (end < bytes && !isLast) throw corrupt(`damaged frame at byte ${end}`);
    checked.tornBytes += bytes - end;
    checked.bytes += bytes;
    onProgress(bytes);
    before = { id: header.id, sequence, bytes };
  }
  return checked;
}

/** Returns where the segment's last sound frame ends. */
async function checkSegment(
  files: Files,
  path: string,
  { header, bytes }: { header: { id: string; sequence: number }; bytes: number },
  checked: CheckedLog,
): Promise<number> {
  const seed = segmentSeed(header.id, header.sequence);
  const read = (position: number, length: number) => files.read(path, position, length);
  let at = segmentHeaderBytes(checked.end.length);
  for (;;) {
    const { chunk, frames, position } = await readFrames(read, at, seed, {
      end: bytes,
      readBytes,
    });
    for (const frame of frames) {
      if (recordCountOf(chunk, frame.at) > 0) checked.batches++;
      visitRecords(chunk, frame.at, (partition, offset) => {
        const expected = checked.end[partition];
        if (offset !== expected) {
          const place = `byte ${chunk.position + frame.at}`;
          const detail = `${path}, ${place}: offset ${offset}, ${expected} expected`;
          throw new RankstreamError("log_corrupt", detail);
        }
        checked.end[partition] = offset + 1;
      });
    }
    at = position;
    if (frames.length === 0) return at;
  }
}
