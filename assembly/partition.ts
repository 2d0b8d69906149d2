// Splits located events into partitions as Kafka's default partitioner does: murmur2 (Austin
// Appleby, public domain; seed and sign handling as org.apache.kafka.common.utils.Utils) over
// the key's bytes, here the unescaped eventId. So records that any Kafka client keyed by
// eventId lie in the partition computed here.
import { copyAsLine } from "./bytes";
import {
  EVENT_ID_LEN,
  EVENT_ID_PTR,
  EVENT_LINE,
  EVENT_PARTITION,
  EVENT_SIZE,
  EVENT_TEXT_LEN,
  EVENT_TEXT_PTR,
  EVENT_TIMESTAMP,
  PART_BYTES,
  PART_EVENTS,
  PART_LAST_LINE,
  PART_LINES_PTR,
  PART_MARKS_PTR,
  PART_OUT_PTR,
  PART_SIZE,
} from "./layout";
import { writeMark } from "./marks";

const SEED: u32 = 0x9747b28c;
const M: u32 = 0x5bd1e995;

/** Kafka's murmur2 of `len` bytes. */
export function murmur2(p: usize, len: u32): u32 {
  let h = SEED ^ len;
  const end = p + (len & ~3);
  for (; p < end; p += 4) {
    let k = load<u32>(p) * M;
    k ^= k >> 24;
    h = (h * M) ^ (k * M);
  }
  const tail = len & 3;
  if (tail) {
    if (tail == 3) h ^= <u32>load<u8>(p, 2) << 16;
    if (tail >= 2) h ^= <u32>load<u8>(p, 1) << 8;
    h = (h ^ <u32>load<u8>(p)) * M;
  }
  h = (h ^ (h >> 13)) * M;
  return h ^ (h >> 15);
}

/** Fills EVENT_PARTITION of `count` events. */
export function partitionEvents(events: usize, count: u32, partitionCount: u32): void {
  const end = events + <usize>count * EVENT_SIZE;
  for (; events < end; events += EVENT_SIZE) {
    const hash = murmur2(load<u32>(events, EVENT_ID_PTR), load<u32>(events, EVENT_ID_LEN));
    store<u32>(events, (hash & 0x7fffffff) % partitionCount, EVENT_PARTITION);
  }
}

/** Adds each event's text with its line feed to its partition's PART_BYTES and PART_EVENTS. */
export function sizeBlocks(events: usize, count: u32, parts: usize): void {
  const end = events + <usize>count * EVENT_SIZE;
  for (; events < end; events += EVENT_SIZE) {
    const part = parts + <usize>load<u32>(events, EVENT_PARTITION) * PART_SIZE;
    const bytes = load<u32>(part, PART_BYTES) + load<u32>(events, EVENT_TEXT_LEN) + 1;
    store<u32>(part, bytes, PART_BYTES);
    store<u32>(part, load<u32>(part, PART_EVENTS) + 1, PART_EVENTS);
  }
}

/**
 * Writes each event as one line, its mark, and its line number's difference, behind its
 * partition's.
 */
export function writeBlocks(events: usize, count: u32, parts: usize): void {
  const end = events + <usize>count * EVENT_SIZE;
  for (; events < end; events += EVENT_SIZE) {
    const part = parts + <usize>load<u32>(events, EVENT_PARTITION) * PART_SIZE;
    const out = <usize>load<u32>(part, PART_OUT_PTR);
    const len = load<u32>(events, EVENT_TEXT_LEN);
    copyAsLine(out, load<u32>(events, EVENT_TEXT_PTR), len);
    store<u8>(out + len, 10);
    store<u32>(part, <u32>out + len + 1, PART_OUT_PTR);
    const marksEnd = writeMark(load<u32>(part, PART_MARKS_PTR), events);
    store<u32>(part, <u32>marksEnd, PART_MARKS_PTR);
    const line = load<u32>(events, EVENT_LINE);
    const step = line - load<u32>(part, PART_LAST_LINE);
    const linesEnd = writeLeb128(load<u32>(part, PART_LINES_PTR), step);
    store<u32>(part, <u32>linesEnd, PART_LINES_PTR);
    store<u32>(part, line, PART_LAST_LINE);
  }
}

/** Unsigned LEB128, at most 5 bytes; what follows it. */
function writeLeb128(p: usize, value: u32): usize {
  while (value >= 0x80) {
    store<u8>(p++, (value & 0x7f) | 0x80);
    value >>= 7;
  }
  store<u8>(p++, value);
  return p;
}

/** Begins a span of event times: first i64, last i64. */
export function resetSpan(span: usize): void {
  store<i64>(span, i64.MAX_VALUE);
  store<i64>(span, i64.MIN_VALUE, 8);
}

/** Extends the span by the times of `count` events. */
export function extendSpan(span: usize, events: usize, count: u32): void {
  let first = load<i64>(span);
  let last = load<i64>(span, 8);
  for (let i: u32 = 0; i < count; i++, events += EVENT_SIZE) {
    const time = load<i64>(events, EVENT_TIMESTAMP);
    if (time < first) first = time;
    if (time > last) last = time;
  }
  store<i64>(span, first);
  store<i64>(span, last, 8);
}
