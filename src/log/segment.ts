/**
 * Segment files: `<sequence, 16 digits>.log`, numbered from 1 without gaps. Each begins with
 * a header that was durable, with the file's name, before any frame was written after it:
 *
 *      0  u32  magic FF 'R' 'K' 'S'
 *      4  u32  CRC-32 of bytes 8..headerBytes
 *      8  u32  headerBytes = 56 + 8 × partitionCount
 *     12  u32  version, 1
 *     16  16   log id (a random UUID)
 *     32  u53  sequence
 *     40  u53  previousBytes: the length of the segment before, complete; 0 in the first
 *     48  u32  partitionCount
 *     52  u32  zero
 *     56  u53  × partitionCount: offset of the first record in this segment, or the next one
 *
 * Frames' CRCs begin with a seed made from log id and sequence.
 */
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { RankstreamError } from "../errors.ts";
import { failPoint } from "../fail-point.ts";
import type { AppendFile, Files } from "../files.ts";
import { getU53, setU53 } from "./frame.ts";

const magic = 0x534b52ff;
export const segmentFormat = 1;
const fixedBytes = 56;
export const partitionCountMax = 4096;
const nameDigits = 16;
const namePattern = /^\d{16}\.log$/;

/** What a segment's header says. */
export interface SegmentHeader {
  id: string;
  sequence: number;
  previousBytes: number;
  baseOffsets: number[];
}

/** Length of a segment's header in bytes. */
export function segmentHeaderBytes(partitionCount: number): number {
  return fixedBytes + 8 * partitionCount;
}

/** Path of a segment file. */
export function segmentPath(folder: string, sequence: number): string {
  return join(folder, `${String(sequence).padStart(nameDigits, "0")}.log`);
}

/** Sequence numbers of the segment files in the folder, ascending. Other files are ignored. */
export async function listSegments(files: Files, folder: string): Promise<number[]> {
  const names = (await files.list(folder)).filter((name) => namePattern.test(name));
  return names.map((name) => Number.parseInt(name, 10)).sort((a, b) => a - b);
}

/** What frames' CRCs in this segment begin with. */
export function segmentSeed(id: string, sequence: number): number {
  return crc32(`${id}/${sequence}`);
}

function encodeHeader(header: SegmentHeader): Uint8Array {
  const size = segmentHeaderBytes(header.baseOffsets.length);
  const bytes = Buffer.alloc(size);
  const view = new DataView(bytes.buffer, bytes.byteOffset, size);
  view.setUint32(0, magic, true);
  view.setUint32(8, size, true);
  view.setUint32(12, segmentFormat, true);
  bytes.set(Buffer.from(header.id.replaceAll("-", ""), "hex"), 16);
  setU53(view, 32, header.sequence);
  setU53(view, 40, header.previousBytes);
  view.setUint32(48, header.baseOffsets.length, true);
  header.baseOffsets.forEach((offset, partition) => {
    setU53(view, fixedBytes + 8 * partition, offset);
  });
  view.setUint32(4, crc32(bytes.subarray(8)), true);
  return bytes;
}

/**
 * Reads a segment's header; null when there is none that is whole. Throws RankstreamError
 * `data_folder_newer` when it has another format version.
 */
export async function readSegmentHeader(
  files: Files,
  path: string,
): Promise<SegmentHeader | null> {
  return parseSegmentHeader(
    await files.read(path, 0, segmentHeaderBytes(partitionCountMax)),
    path,
  );
}

/** The header that these bytes of the file at `path` begin with; as `readSegmentHeader`. */
export function parseSegmentHeader(read: Uint8Array, path: string): SegmentHeader | null {
  if (read.length < fixedBytes) return null;
  const bytes = Buffer.from(read.buffer, read.byteOffset, read.length);
  const view = new DataView(read.buffer, read.byteOffset, read.length);
  const size = view.getUint32(8, true);
  if (view.getUint32(0, true) !== magic || size < fixedBytes || size > read.length) return null;
  if (crc32(bytes.subarray(8, size)) !== view.getUint32(4, true)) return null;
  const found = view.getUint32(12, true);
  if (found !== segmentFormat) {
    const detail = `${path}: segment format ${found}; this version reads format ${segmentFormat}`;
    throw new RankstreamError("data_folder_newer", detail);
  }
  const hex = bytes.toString("hex", 16, 32);
  const id = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  const partitionCount = view.getUint32(48, true);
  const baseOffsets = Array.from({ length: partitionCount }, (_, partition) =>
    getU53(view, fixedBytes + 8 * partition),
  );
  const sequence = getU53(view, 32);
  return { id, sequence, previousBytes: getU53(view, 40), baseOffsets };
}

/** Makes a segment file; it and its name are durable when this resolves. */
export async function createSegment(
  files: Files,
  folder: string,
  header: SegmentHeader,
): Promise<AppendFile> {
  const path = segmentPath(folder, header.sequence);
  const file = await files.openAppend(path);
  try {
    if (file.size !== 0) {
      throw new RankstreamError("log_corrupt", `${path} is there already, a new file expected`);
    }
    await file.append([encodeHeader(header)]);
    await file.sync();
    await files.syncFolder(folder);
    failPoint("log.segment_created");
    return file;
  } catch (error) {
    await file.close().catch(() => {});
    throw error;
  }
}
