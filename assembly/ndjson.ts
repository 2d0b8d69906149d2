// The event scanner: NDJSON, or a JSON body of one object or an array of objects.
//
// One pass over the bytes, resumable between events. Every event is fully validated (UTF-8, JSON
// syntax, fields, lengths, timestamp) and located in an EVENT_* entry; each refused line gives an
// ERROR_* entry as long as there is room, and is counted. After G. Langdale and D. Lemire,
// "Parsing gigabytes of JSON per second" (2019), in that strings are walked 16 bytes at a time;
// no index of structural characters is built, as events are short and their keys known.
//
// During a call the byte after the input holds a NUL, which is legal nowhere in JSON: it stops
// every loop, so that none of them compares pointers.
import { findLineFeed } from "./bytes";
import { fastEvent, setFastTimes } from "./event-fast";
import { setKeys } from "./event-keys";
import { setSlowTimes, slowEvent } from "./event-slow";
import {
  faultBytes,
  faultCode,
  faultField,
  faultKeyLen,
  faultKeyPtr,
  faultLen,
  faultPtr,
  faultReason,
  resetFaults,
  syntaxCode,
  syntaxPtr,
  syntaxReason,
} from "./faults";
import { arenaNext, setArena } from "./json-string";
import { setMultiline, skipSpace, unexpected } from "./json-value";
import { readMark } from "./marks";
import {
  ERROR_BYTES,
  ERROR_CODE,
  ERROR_COLUMN,
  ERROR_FIELD,
  ERROR_KEY_LEN,
  ERROR_KEY_PTR,
  ERROR_LEN,
  ERROR_LINE,
  ERROR_PTR,
  ERROR_REASON,
  ERROR_SIZE,
  EVENT_LINE,
  EVENT_SIZE,
  EVENT_TEXT_LEN,
  EVENT_TEXT_PTR,
  FORMAT_JSON,
  MARK_SIZE,
  REASON_TRAILING,
  SCAN_ACCEPTED,
  SCAN_ARENA_BYTES,
  SCAN_ARENA_BYTES_PER_EVENT,
  SCAN_ARENA_PTR,
  SCAN_ARENA_USED,
  SCAN_END,
  SCAN_ERRORS_COUNT,
  SCAN_ERRORS_MAX,
  SCAN_ERRORS_PTR,
  SCAN_EVENTS_COUNT,
  SCAN_EVENTS_MAX,
  SCAN_EVENTS_PTR,
  SCAN_FAULT_CODE,
  SCAN_FAULT_PTR,
  SCAN_FAULT_REASON,
  SCAN_FORMAT,
  SCAN_FUTURE_MS_MAX,
  SCAN_KEYS,
  SCAN_LINE,
  SCAN_MARKS_END,
  SCAN_MARKS_PTR,
  SCAN_PHASE,
  SCAN_POSITION,
  SCAN_RECEIVED_AT,
  SCAN_REJECTED,
  SCAN_SLOW,
  SCAN_TEXT_BYTES,
  SCAN_TEXT_BYTES_MAX,
  STATUS_DONE,
  STATUS_EMPTY,
  STATUS_MALFORMED,
  STATUS_MORE,
} from "./layout";

const PHASE_START: u32 = 0;
const PHASE_SINGLE: u32 = 1;
const PHASE_ARRAY: u32 = 2;

/** Scans on from the state's position; a STATUS_*. The state says what was found. */
export function scan(state: usize): u32 {
  const end = <usize>load<u32>(state, SCAN_END);
  const after = load<u8>(end);
  store<u8>(end, 0);
  const received = <i64>load<f64>(state, SCAN_RECEIVED_AT);
  const future = received + <i64>load<f64>(state, SCAN_FUTURE_MS_MAX);
  setFastTimes(received, future);
  setSlowTimes(received, future);
  setKeys(state + SCAN_KEYS);
  setArena(load<u32>(state, SCAN_ARENA_PTR) + load<u32>(state, SCAN_ARENA_USED));
  const isJson = load<u32>(state, SCAN_FORMAT) == FORMAT_JSON;
  setMultiline(isJson);
  const hasMarks = load<u32>(state, SCAN_MARKS_PTR) < load<u32>(state, SCAN_MARKS_END);
  const status = isJson
    ? scanJson(state, end)
    : hasMarks
      ? scanMarked(state, end)
      : scanLines(state, end);
  store<u32>(state, <u32>arenaNext - load<u32>(state, SCAN_ARENA_PTR), SCAN_ARENA_USED);
  store<u8>(end, after);
  return status;
}

/** Whether the next event finds room for itself, its text and its unescaped strings. */
// @ts-ignore: decorator
@inline
function hasRoom(state: usize): bool {
  const used = <u32>arenaNext - load<u32>(state, SCAN_ARENA_PTR);
  return (
    load<u32>(state, SCAN_EVENTS_COUNT) < load<u32>(state, SCAN_EVENTS_MAX) &&
    load<u32>(state, SCAN_TEXT_BYTES) < load<u32>(state, SCAN_TEXT_BYTES_MAX) &&
    used + SCAN_ARENA_BYTES_PER_EVENT <= load<u32>(state, SCAN_ARENA_BYTES)
  );
}

// @ts-ignore: decorator
@inline
function increment(state: usize, offset: usize): void {
  store<u32>(state + offset, load<u32>(state + offset) + 1);
}

// @ts-ignore: decorator
@inline
function nextEvent(state: usize): usize {
  const count = load<u32>(state, SCAN_EVENTS_COUNT);
  return load<u32>(state, SCAN_EVENTS_PTR) + count * EVENT_SIZE;
}

// @ts-ignore: decorator
@inline
function accept(state: usize, event: usize, start: usize, end: usize, line: u32): void {
  const len = <u32>(end - start);
  store<u32>(event, line, EVENT_LINE);
  store<u32>(event, <u32>start, EVENT_TEXT_PTR);
  store<u32>(event, len, EVENT_TEXT_LEN);
  increment(state, SCAN_EVENTS_COUNT);
  increment(state, SCAN_ACCEPTED);
  store<u32>(state, load<u32>(state, SCAN_TEXT_BYTES) + len + 1, SCAN_TEXT_BYTES);
}

/** Counts and, where there is room, lists the fault at hand. */
function reject(state: usize, start: usize, line: u32, mark: usize): void {
  increment(state, SCAN_REJECTED);
  const count = load<u32>(state, SCAN_ERRORS_COUNT);
  if (count >= load<u32>(state, SCAN_ERRORS_MAX)) {
    setArena(mark);
    return;
  }
  const error = <usize>load<u32>(state, SCAN_ERRORS_PTR) + count * ERROR_SIZE;
  const isSyntax = syntaxCode != 0;
  const ptr = isSyntax ? syntaxPtr : faultPtr;
  store<u32>(error, line, ERROR_LINE);
  store<u32>(error, isSyntax ? syntaxCode : faultCode, ERROR_CODE);
  store<u32>(error, isSyntax ? 0 : faultField, ERROR_FIELD);
  store<u32>(error, isSyntax ? syntaxReason : faultReason, ERROR_REASON);
  store<u32>(error, <u32>ptr, ERROR_PTR);
  store<u32>(error, isSyntax ? 0 : faultLen, ERROR_LEN);
  store<u32>(error, isSyntax ? 0 : <u32>faultKeyPtr, ERROR_KEY_PTR);
  store<u32>(error, isSyntax ? 0 : faultKeyLen, ERROR_KEY_LEN);
  store<u32>(error, <u32>(ptr - start) + 1, ERROR_COLUMN);
  store<u32>(error, isSyntax ? 0 : faultBytes, ERROR_BYTES);
  increment(state, SCAN_ERRORS_COUNT);
}

// @ts-ignore: decorator
@inline
function skipMark(p: usize): usize {
  return (load<u32>(p) & 0xffffff) == 0xbfbbef ? p + 3 : p;
}

/** Whether a line ends at `p`: at its line feed, or where the input ends. */
// @ts-ignore: decorator
@inline
function endsLine(p: usize, end: usize): bool {
  return load<u8>(p) == 10 || p >= end;
}

/**
 * Lines that were scanned before, each with its mark; without one left, as `scanLines`. Every
 * line is an event's text alone.
 */
function scanMarked(state: usize, end: usize): u32 {
  let p = <usize>load<u32>(state, SCAN_POSITION);
  let line = load<u32>(state, SCAN_LINE);
  let mark = <usize>load<u32>(state, SCAN_MARKS_PTR);
  const marksEnd = <usize>load<u32>(state, SCAN_MARKS_END);
  let status = STATUS_DONE;
  while (p < end && mark < marksEnd) {
    if (!hasRoom(state)) {
      status = STATUS_MORE;
      break;
    }
    line++;
    const event = nextEvent(state);
    const arena = arenaNext;
    let after = readMark(mark, p, end, event);
    if (!after) after = fastEvent(p, event);
    mark += MARK_SIZE;
    if (after && load<u8>(after) == 10) {
      accept(state, event, p, after, line);
      p = after + 1;
      continue;
    }
    setArena(arena);
    p = slowLine(state, p, p, end, line);
  }
  store<u32>(state, <u32>mark, SCAN_MARKS_PTR);
  store<u32>(state, <u32>min(p, end), SCAN_POSITION);
  store<u32>(state, line, SCAN_LINE);
  store<u32>(state, PHASE_SINGLE, SCAN_PHASE);
  return status == STATUS_MORE || p >= end ? status : scanLines(state, end);
}

function scanLines(state: usize, end: usize): u32 {
  let p = <usize>load<u32>(state, SCAN_POSITION);
  let line = load<u32>(state, SCAN_LINE);
  if (load<u32>(state, SCAN_PHASE) == PHASE_START) p = skipMark(p);
  store<u32>(state, PHASE_SINGLE, SCAN_PHASE);
  let status = STATUS_DONE;
  while (p < end) {
    const lineStart = p;
    p = skipSpace(p);
    if (endsLine(p, end)) {
      line++;
      p++;
      continue;
    }
    if (!hasRoom(state)) {
      p = lineStart;
      status = STATUS_MORE;
      break;
    }
    line++;
    const event = nextEvent(state);
    const mark = arenaNext;
    const after = fastEvent(p, event);
    if (after) {
      const rest = skipSpace(after);
      if (endsLine(rest, end)) {
        accept(state, event, p, after, line);
        p = rest + 1;
        continue;
      }
    }
    setArena(mark);
    p = slowLine(state, lineStart, p, end, line);
  }
  store<u32>(state, <u32>min(p, end), SCAN_POSITION);
  store<u32>(state, line, SCAN_LINE);
  return status;
}

/** Judges the line in full; the start of the next one. */
function slowLine(state: usize, lineStart: usize, p: usize, end: usize, line: u32): usize {
  resetFaults();
  increment(state, SCAN_SLOW);
  const event = nextEvent(state);
  const mark = arenaNext;
  const after = slowEvent(p, event);
  let rest = after;
  if (after) {
    rest = skipSpace(after);
    if (!endsLine(rest, end)) unexpected(rest, REASON_TRAILING);
  }
  if (syntaxCode) rest = findLineFeed(syntaxPtr, end);
  if (syntaxCode || faultCode) reject(state, lineStart, line, mark);
  else accept(state, event, p, after, line);
  return rest + 1;
}

function malformed(state: usize): u32 {
  store<u32>(state, syntaxCode, SCAN_FAULT_CODE);
  store<u32>(state, syntaxReason, SCAN_FAULT_REASON);
  store<u32>(state, <u32>syntaxPtr, SCAN_FAULT_PTR);
  return STATUS_MALFORMED;
}

function misplaced(state: usize, p: usize): u32 {
  unexpected(p);
  return malformed(state);
}

/** After the body's value: only white space may follow. */
function endOfBody(state: usize, p: usize, end: usize, status: u32): u32 {
  p = skipSpace(p);
  store<u32>(state, <u32>p, SCAN_POSITION);
  if (p >= end) return status;
  unexpected(p, REASON_TRAILING);
  return malformed(state);
}

function scanJson(state: usize, end: usize): u32 {
  let p = <usize>load<u32>(state, SCAN_POSITION);
  if (load<u32>(state, SCAN_PHASE) == PHASE_START) {
    p = skipSpace(skipMark(p));
    if (p >= end) return STATUS_EMPTY;
    let phase = PHASE_SINGLE;
    if (load<u8>(p) == 0x5b) {
      phase = PHASE_ARRAY;
      p = skipSpace(p + 1);
      if (load<u8>(p) == 0x5d) return endOfBody(state, p + 1, end, STATUS_EMPTY);
    }
    store<u32>(state, phase, SCAN_PHASE);
  }
  const isArray = load<u32>(state, SCAN_PHASE) == PHASE_ARRAY;
  while (true) {
    if (!hasRoom(state)) {
      store<u32>(state, <u32>p, SCAN_POSITION);
      return STATUS_MORE;
    }
    p = scanElement(state, p);
    if (!p) return malformed(state);
    if (!isArray) return endOfBody(state, p, end, STATUS_DONE);
    p = skipSpace(p);
    const c = load<u8>(p);
    if (c == 0x5d) return endOfBody(state, p + 1, end, STATUS_DONE);
    if (c != 0x2c) return misplaced(state, p);
    p = skipSpace(p + 1);
  }
}

/** One element of the body: what follows it, 0 on a syntax fault. */
function scanElement(state: usize, p: usize): usize {
  increment(state, SCAN_LINE);
  const line = load<u32>(state, SCAN_LINE);
  const event = nextEvent(state);
  const mark = arenaNext;
  let after = fastEvent(p, event);
  if (after) {
    accept(state, event, p, after, line);
    return after;
  }
  setArena(mark);
  resetFaults();
  increment(state, SCAN_SLOW);
  after = slowEvent(p, event);
  if (!after) return 0;
  if (faultCode) reject(state, p, line, mark);
  else accept(state, event, p, after, line);
  return after;
}
