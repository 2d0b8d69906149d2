/**
 * What a record of ours carries beside its NDJSON: one record header named `rankstream`, so
 * that the value stays what any other program can read. All numbers are little-endian.
 *
 *      0  u32  "RKSR": whoever else gives a header this name does not begin it so
 *      4  u8   version, 1
 *      5  u8   flags: 1 has a digest, 2 has a run of seen sequences
 *      6  u16  keyBytes; 0: the batch has no key
 *      8  u32  partitionCount: how many partitions the batch was split into
 *     12  u32  piece: 0 for the first of the batch's records in this partition, then 1, 2, …
 *     16  u32  linesBytes
 *     20  u53  receivedAt, epoch ms
 *     28  digest, 16 bytes, where there is one
 *         seen.from u53, seen.to u53, where there is one
 *         key, UTF-8
 *         lines, as PartitionBlock's
 *
 * The record of a batch that is traced has a second header, `traceparent`, as every program that
 * takes part in traces writes and reads it.
 */
import { RankstreamError } from "../errors.ts";
import type { BatchHeader, LogRecord } from "../model.ts";
import { parseTraceparent, traceparentChars } from "../model-trace.ts";
import { getU53, setU53 } from "./frame.ts";
import { topicPartitionsMax } from "./kafka-topic.ts";

export const recordHeaderName = "rankstream";
export const traceHeaderName = "traceparent";
/** What the header of a trace adds to a record. */
export const traceHeaderBytes = traceHeaderName.length + traceparentChars + 4;
const magic = Buffer.from("RKSR");
export const recordFormat = 1;
const fixedBytes = 28;
const digestBytes = 16;
const runBytes = 16;
const flagDigest = 1;
const flagSeen = 2;
const noBytes = new Uint8Array(0);

/** Bytes that `encodeRecordHeader` makes, beside `lines`. */
export function recordHeaderBytes(header: BatchHeader): number {
  const digest = header.digest === null ? 0 : digestBytes;
  const seen = header.seen ? runBytes : 0;
  const key = header.key === null ? 0 : Buffer.byteLength(header.key, "utf8");
  return fixedBytes + digest + seen + key;
}

/** The header's value, a copy of all that is given. */
export function encodeRecordHeader(header: BatchHeader, piece: number, lines: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(recordHeaderBytes(header) + lines.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const { key, digest, seen = null } = header;
  const keyBytes = key === null ? 0 : Buffer.byteLength(key, "utf8");
  bytes.set(magic, 0);
  view.setUint8(4, recordFormat);
  view.setUint8(5, (digest ? flagDigest : 0) | (seen ? flagSeen : 0));
  view.setUint16(6, keyBytes, true);
  view.setUint32(8, header.partitionCount, true);
  view.setUint32(12, piece, true);
  view.setUint32(16, lines.length, true);
  setU53(view, 20, header.receivedAt);
  let at = fixedBytes;
  if (digest) {
    bytes.set(digest, at);
    at += digestBytes;
  }
  if (seen) {
    setU53(view, at, seen.from);
    setU53(view, at + 8, seen.to);
    at += runBytes;
  }
  if (key !== null) at += bytes.write(key, at, "utf8");
  bytes.set(lines, at);
  return bytes;
}

/** A record as the broker gives it. */
export interface RawRecord {
  partition: number;
  offset: number;
  /** Epoch ms: the broker's clock, or its producer's, as the topic is set. */
  appendedAt: number;
  value: Buffer | null;
  /** The value of our record header, where there is one. */
  header: Buffer | undefined;
  /** The value of its header `traceparent`, where there is one. */
  traceparent?: Buffer | undefined;
}

/** Of a record that is traced, whoever wrote it. */
function traceOf({ traceparent }: RawRecord): string | null {
  if (traceparent?.length !== traceparentChars) return null;
  const text = traceparent.toString("latin1");
  return parseTraceparent(text)?.isSampled === true ? text : null;
}

/** A record of another program: its time of receipt is the record's own. */
function foreignRecord(raw: RawRecord): LogRecord {
  return {
    partition: raw.partition,
    offset: raw.offset,
    key: null,
    digest: null,
    receivedAt: Math.max(0, raw.appendedAt),
    partitionCount: 0,
    seen: null,
    trace: traceOf(raw),
    lines: noBytes,
    marks: noBytes,
    value: raw.value ?? noBytes,
    appendedAt: raw.appendedAt,
    isForeign: true,
  };
}

/**
 * Reads a record: ours with its header, any other as one of a foreign producer. Throws
 * RankstreamError `log_mismatch` for a header of a later version, which might mean anything.
 */
export function decodeRecord(raw: RawRecord): LogRecord {
  const { header: bytes } = raw;
  if (bytes === undefined || bytes.length < fixedBytes) return foreignRecord(raw);
  if (!bytes.subarray(0, magic.length).equals(magic)) return foreignRecord(raw);
  const found = bytes.readUInt8(4);
  if (found !== recordFormat) {
    const where = `partition ${raw.partition}, offset ${raw.offset}`;
    const detail = `${where}: record format ${found}, expected ${recordFormat}`;
    throw new RankstreamError("log_mismatch", detail);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const flags = bytes.readUInt8(5);
  const digestAt = fixedBytes;
  const seenAt = digestAt + (flags & flagDigest ? digestBytes : 0);
  const keyAt = seenAt + (flags & flagSeen ? runBytes : 0);
  const keyBytes = bytes.readUInt16LE(6);
  const linesAt = keyAt + keyBytes;
  const end = linesAt + bytes.readUInt32LE(16);
  const partitionCount = bytes.readUInt32LE(8);
  // Whoever writes such a header is not us: its events are still events.
  const isSplit = partitionCount >= 1 && partitionCount <= topicPartitionsMax;
  if (end !== bytes.length || !isSplit) return foreignRecord(raw);
  return {
    partition: raw.partition,
    offset: raw.offset,
    key: keyBytes === 0 ? null : bytes.toString("utf8", keyAt, linesAt),
    digest: flags & flagDigest ? bytes.subarray(digestAt, seenAt) : null,
    receivedAt: getU53(view, 20),
    partitionCount,
    piece: bytes.readUInt32LE(12),
    seen: flags & flagSeen ? { from: getU53(view, seenAt), to: getU53(view, seenAt + 8) } : null,
    trace: traceOf(raw),
    lines: bytes.subarray(linesAt, end),
    marks: noBytes,
    value: raw.value ?? noBytes,
    appendedAt: raw.appendedAt,
  };
}

const lineFeed = 10;

/** Where a block's lines are cut: `bytes` of its value, their line numbers. */
export interface Piece {
  value: Uint8Array;
  lines: Uint8Array;
}

/** Bytes of the first `count` LEB128 numbers from `at` on. */
function leb128Bytes(lines: Uint8Array, at: number, count: number): number {
  let end = at;
  for (let left = count; left > 0; end++) if (lines[end]! < 0x80) left--;
  return end - at;
}

function leb128Sum(lines: Uint8Array): number {
  let sum = 0;
  let value = 0;
  let scale = 1;
  for (const byte of lines) {
    value += (byte & 0x7f) * scale;
    scale *= 128;
    if (byte >= 0x80) continue;
    sum += value;
    value = 0;
    scale = 1;
  }
  return sum;
}

function leb128(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) | 0x80);
  }
}

/** The lines of a piece: their first number counts from 0 again. */
function linesFrom(lines: Uint8Array, before: number): Uint8Array {
  const firstBytes = leb128Bytes(lines, 0, 1);
  const first = before + leb128Sum(lines.subarray(0, firstBytes));
  return Buffer.concat([Uint8Array.from(leb128(first)), lines.subarray(firstBytes)]);
}

/**
 * Cuts a block into pieces of at most `bytesMax` bytes of NDJSON, at line ends. Views of the
 * block's memory. Throws RangeError for a longer line: an event's bound lies far below.
 */
export function cutBlock(value: Uint8Array, lines: Uint8Array, bytesMax: number): Piece[] {
  if (value.length <= bytesMax) return [{ value, lines }];
  const pieces: Piece[] = [];
  let linesAt = 0;
  let before = 0;
  for (let from = 0; from < value.length; ) {
    const isLast = value.length - from <= bytesMax;
    const end = isLast ? value.length : value.lastIndexOf(lineFeed, from + bytesMax - 1) + 1;
    if (end <= from) throw new RangeError(`a line of more than ${bytesMax} bytes`);
    let count = 0;
    for (let at = value.indexOf(lineFeed, from); at >= 0 && at < end; count++) {
      at = value.indexOf(lineFeed, at + 1);
    }
    const own = lines.subarray(linesAt, linesAt + leb128Bytes(lines, linesAt, count));
    pieces.push({ value: value.subarray(from, end), lines: linesFrom(own, before) });
    before += leb128Sum(own);
    linesAt += own.length;
    from = end;
  }
  return pieces;
}
