// Column builder: located events → one chunk of raw columns in the shape DuckDB's vectors have.
//
//   header  0 rows u32 | 4 totalBytes u32 | 8 firstTime i64 | 16 lastTime i64
//          24 + 12·c    of string column c: heapStart u32 | heapLen u32 | nulls u32
//   from RAW_HEADER_SIZE, each padded to 16 bytes:
//           event_time i64[rows], received_at i64[rows], weight i32[rows],
//           string_t[rows] × 5: event_type, event_id, user_id, session_id, metadata
//           validity bits, 256 bytes × 5 (1 = present)
//           heap × 5
//
// A column at a time, so that each column's long strings lie end to end.

import {
  EVENT_ID_PTR, EVENT_RECEIVED_AT, EVENT_SIZE, EVENT_TIMESTAMP, EVENT_TYPE_PTR, EVENT_USER_PTR,
  EVENT_SESSION_PTR, EVENT_META_PTR, EVENT_PARTITION, EVENT_WEIGHT, RAW_HEADER_SIZE, ROWS_MAX,
} from "./layout";
import { writeString } from "./duckdb-string";

const STRING_COLUMNS: u32 = 5;
const VALIDITY_BYTES: u32 = ROWS_MAX >> 3;

// @ts-ignore: decorator
@inline
function align16(n: u32): u32 {
  return (n + 15) & ~15;
}

/** Where an event's string column starts in its located record: pointer, then length. */
// @ts-ignore: decorator
@inline
function fieldOffset(column: u32): u32 {
  if (column == 0) return EVENT_TYPE_PTR;
  if (column == 1) return EVENT_ID_PTR;
  if (column == 2) return EVENT_USER_PTR;
  if (column == 3) return EVENT_SESSION_PTR;
  return EVENT_META_PTR;
}

/** One string column of `n` events; returns where its heap ends. */
function buildStrings(
  out: usize, column: u32, events: usize, n: u32, rows: usize, validity: usize, heap: usize,
): usize {
  const field = fieldOffset(column);
  let heapUsed: u32 = 0;
  let nulls: u32 = 0;
  for (let i: u32 = 0; i < n; i++, events += EVENT_SIZE, rows += 16) {
    const ptr = <usize>load<u32>(events + field);
    if (ptr == 0) {
      nulls++;
      store<u64>(rows, 0);
      store<u64>(rows, 0, 8);
      const byte = validity + (i >> 3);
      store<u8>(byte, load<u8>(byte) & ~(<u8>1 << <u8>(i & 7)));
      continue;
    }
    heapUsed = writeString(rows, ptr, load<u32>(events + field, 4), heap, heapUsed);
  }
  const entry = out + 24 + column * 12;
  store<u32>(entry, <u32>(heap - out));
  store<u32>(entry, heapUsed, 4);
  store<u32>(entry, nulls, 8);
  return heap + align16(heapUsed);
}

/**
 * Writes the chunk of `n` ≤ ROWS_MAX events to `out`; returns its bytes. `out` must hold
 * rawChunkBytesMax: header, ROWS_MAX fixed rows, and all strings of these events.
 */
export function buildRaw(events: usize, n: u32, out: usize): u32 {
  const times = out + RAW_HEADER_SIZE;
  const received = times + align16(n << 3);
  const weights = received + align16(n << 3);
  const strings = weights + align16(n << 2);
  const validity = strings + STRING_COLUMNS * (n << 4);
  let first = i64.MAX_VALUE;
  let last = i64.MIN_VALUE;
  let event = events;
  for (let i: u32 = 0; i < n; i++, event += EVENT_SIZE) {
    const time = load<i64>(event, EVENT_TIMESTAMP);
    if (time < first) first = time;
    if (time > last) last = time;
    store<i64>(times + (i << 3), time);
    store<i64>(received + (i << 3), load<i64>(event, EVENT_RECEIVED_AT));
    store<u32>(weights + (i << 2), load<u32>(event, EVENT_WEIGHT));
  }
  memory.fill(validity, 0xff, STRING_COLUMNS * VALIDITY_BYTES);
  let heap = validity + STRING_COLUMNS * VALIDITY_BYTES;
  for (let c: u32 = 0; c < STRING_COLUMNS; c++) {
    heap = buildStrings(
      out, c, events, n, strings + c * (n << 4), validity + c * VALIDITY_BYTES, heap,
    );
  }
  const total = <u32>(heap - out);
  store<u32>(out, n);
  store<u32>(out, total, 4);
  store<i64>(out, first, 8);
  store<i64>(out, last, 16);
  return total;
}

/** Sets partition and time of receipt (epoch ms, as two halves) of `n` events. */
export function stampEvents(
  events: usize, n: u32, partition: u32, receivedLow: u32, receivedHigh: u32,
): void {
  const received = <i64>(<u64>receivedLow | (<u64>receivedHigh << 32));
  for (let i: u32 = 0; i < n; i++, events += EVENT_SIZE) {
    store<u32>(events, partition, EVENT_PARTITION);
    store<i64>(events, received, EVENT_RECEIVED_AT);
  }
}
