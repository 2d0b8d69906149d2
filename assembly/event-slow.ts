// The slow path: one event of any kind, judged in full. It is the scanner's meaning; the fast
// path only repeats what it accepts.
//
// A syntax fault anywhere in the value wins. Otherwise the first field fault in text order counts;
// within one string: not text, then empty, then too long. Missing fields come after those, the
// event's own length last.
import { clearEvent } from "./event-fast";
import { namedField } from "./event-keys";
import { faultCode, note, noteBytes, noteEnd, noteKey } from "./faults";
import { resetText, scanString, textFault, textLen, textPtr } from "./json-string";
import {
  integerValue,
  isDigit,
  numberIsInteger,
  scanNumber,
  skipSpace,
  skipValue,
  unexpected,
} from "./json-value";
import {
  CODE_DUPLICATE_FIELD,
  CODE_EMPTY,
  CODE_FUTURE_TIMESTAMP,
  CODE_INVALID_TEXT,
  CODE_INVALID_TIMESTAMP,
  CODE_MISSING_FIELD,
  CODE_OUT_OF_RANGE,
  CODE_TOO_LONG,
  CODE_UNKNOWN_FIELD,
  CODE_WRONG_TYPE,
  EVENT_FLAGS,
  EVENT_FLAG_NO_TIMESTAMP,
  EVENT_FLAG_SLOW,
  EVENT_ID_BYTES_MAX,
  EVENT_ID_PTR,
  EVENT_SESSION_BYTES_MAX,
  EVENT_SESSION_PTR,
  EVENT_TEXT_BYTES_MAX,
  EVENT_TIMESTAMP,
  EVENT_REGION_TYPE_BYTES_MAX,
  EVENT_TYPE_BYTES_MAX,
  EVENT_TYPE_PTR,
  EVENT_USER_BYTES_MAX,
  EVENT_USER_PTR,
  EVENT_WEIGHT,
  EVENT_WEIGHT_MAX,
  FIELD_EVENT_ID,
  FIELD_EVENT_TYPE,
  FIELD_METADATA,
  FIELD_SESSION_ID,
  FIELD_TIMESTAMP,
  FIELD_UNKNOWN,
  FIELD_USER_ID,
  FIELD_WEIGHT,
  REASON_INTEGER,
  REASON_RANGE,
  REASON_TIME_FORM,
  REASON_TIME_INTEGER,
} from "./layout";
import { readMetadata } from "./event-metadata";
import {
  TIMESTAMP_MAX,
  TIMESTAMP_TEXT_BYTES_MAX,
  checkEpochMs,
  parseTimestamp,
  timeReason,
} from "./timestamp";

/** Of a field name that is not one of ours, so much is kept for the message. */
const NAME_BYTES_MAX: u32 = 128;

let receivedAt: i64 = 0;
let futureAt: i64 = 0;

/** Time of receipt and the last instant that is not too far ahead of it, epoch ms. */
export function setSlowTimes(received: i64, future: i64): void {
  receivedAt = received;
  futureAt = future;
}

/**
 * Reads the value at `p` into `event`; what follows the value, 0 on a syntax fault. The event is
 * valid when no field fault was noted either.
 */
export function slowEvent(p: usize, event: usize): usize {
  if (load<u8>(p) != 0x7b) return wrongType(0, p);
  clearEvent(event, receivedAt);
  const start = p;
  let seen: u32 = 0;
  p = skipSpace(p + 1);
  if (load<u8>(p) == 0x7d) {
    p++;
  } else {
    while (true) {
      if (load<u8>(p) != 0x22) return unexpected(p);
      resetText();
      // After a fault only syntax counts, and nothing is written to the arena any more: so an
      // object of any number of keys stays within SCAN_ARENA_BYTES_PER_EVENT.
      const keyEnd = scanString(p + 1, faultCode ? 0 : NAME_BYTES_MAX);
      if (!keyEnd) return 0;
      const field = faultCode ? 0 : judgeKey(seen, p, keyEnd);
      seen |= field;
      p = skipSpace(keyEnd);
      if (load<u8>(p) != 0x3a) return unexpected(p);
      p = readField(field, skipSpace(p + 1), event);
      if (!p) return 0;
      p = skipSpace(p);
      const c = load<u8>(p);
      if (c == 0x7d) break;
      if (c != 0x2c) return unexpected(p);
      p = skipSpace(p + 1);
    }
    p++;
  }
  finish(seen, start, p, event);
  return p;
}

/** The field that the scanned key names, 0 (and a fault) when it is none or a repetition. */
function judgeKey(seen: u32, start: usize, end: usize): u32 {
  const len = <u32>(end - start);
  if (textFault) {
    note(CODE_INVALID_TEXT, 0, textFault, start, len);
    return 0;
  }
  const field = namedField(textPtr, textLen);
  if (!field) {
    const kept = min(textLen, NAME_BYTES_MAX);
    noteKey(CODE_UNKNOWN_FIELD, FIELD_UNKNOWN, 0, start, len, textPtr, kept);
    return 0;
  }
  if (!(seen & field)) return field;
  note(CODE_DUPLICATE_FIELD, field, 0, start, len);
  return 0;
}

function finish(seen: u32, start: usize, end: usize, event: usize): void {
  if (!(seen & FIELD_EVENT_ID)) note(CODE_MISSING_FIELD, FIELD_EVENT_ID, 0, start, 0);
  if (!(seen & FIELD_EVENT_TYPE)) note(CODE_MISSING_FIELD, FIELD_EVENT_TYPE, 0, start, 0);
  const len = <u32>(end - start);
  if (len > EVENT_TEXT_BYTES_MAX) noteBytes(CODE_TOO_LONG, 0, start, 0, len);
  const untimed = seen & FIELD_TIMESTAMP ? 0 : EVENT_FLAG_NO_TIMESTAMP;
  store<u32>(event, EVENT_FLAG_SLOW | untimed, EVENT_FLAGS);
}

function readField(field: u32, p: usize, event: usize): usize {
  switch (field) {
    case FIELD_EVENT_ID:
      return readText(field, p, event + EVENT_ID_PTR, 1, EVENT_ID_BYTES_MAX);
    case FIELD_EVENT_TYPE:
      return readText(field, p, event + EVENT_TYPE_PTR, 1, typeBytesMax(p));
    case FIELD_USER_ID:
      return readText(field, p, event + EVENT_USER_PTR, 0, EVENT_USER_BYTES_MAX);
    case FIELD_SESSION_ID:
      return readText(field, p, event + EVENT_SESSION_PTR, 0, EVENT_SESSION_BYTES_MAX);
    case FIELD_TIMESTAMP:
      return readTimestamp(p, event);
    case FIELD_WEIGHT:
      return readWeight(p, event);
    case FIELD_METADATA:
      return load<u8>(p) == 0x7b ? readMetadata(p, event) : wrongType(field, p);
    default:
      return skipValue(p, 0);
  }
}

/** Notes that the value at `p` is of another type than the field's, and skips it. */
function wrongType(field: u32, p: usize): usize {
  // Noted before the value is read: it comes before what may be wrong inside.
  note(CODE_WRONG_TYPE, field, 0, p, 0);
  return noteEnd(p, skipValue(p, 0));
}

function readText(field: u32, p: usize, target: usize, bytesMin: u32, bytesMax: u32): usize {
  if (load<u8>(p) != 0x22) return wrongType(field, p);
  resetText();
  const end = scanString(p + 1, bytesMax);
  if (!end) return 0;
  const len = <u32>(end - p);
  if (textFault) note(CODE_INVALID_TEXT, field, textFault, p, len);
  else if (textLen < bytesMin) note(CODE_EMPTY, field, 0, p, len);
  else if (textLen > bytesMax) noteBytes(CODE_TOO_LONG, field, p, len, textLen);
  store<u32>(target, <u32>textPtr);
  store<u32>(target, textLen, 4);
  return end;
}

/**
 * Names of other regions' types are longer than those of users by the region's. They begin with
 * U+001F, which JSON only has escaped: so the fast path meets none of them.
 */
function typeBytesMax(p: usize): u32 {
  // `\u00`, `1`, `f` or `F`; input is padded.
  const isRegion =
    load<u32>(p, 1) == 0x3030755c && load<u8>(p, 5) == 0x31 && (load<u8>(p, 6) | 0x20) == 0x66;
  return isRegion ? EVENT_REGION_TYPE_BYTES_MAX : EVENT_TYPE_BYTES_MAX;
}

function readTimestamp(p: usize, event: usize): usize {
  let time: i64 = -1;
  let reason: u32 = 0;
  let end: usize;
  const c = load<u8>(p);
  if (c == 0x22) {
    resetText();
    end = scanString(p + 1, TIMESTAMP_TEXT_BYTES_MAX);
    if (!end) return 0;
    if (textFault) note(CODE_INVALID_TEXT, FIELD_TIMESTAMP, textFault, p, <u32>(end - p));
    if (textLen > TIMESTAMP_TEXT_BYTES_MAX) reason = REASON_TIME_FORM;
    else time = parseTimestamp(textPtr, textLen);
  } else if (c == 0x2d || isDigit(p)) {
    end = scanNumber(p);
    if (!end) return 0;
    if (numberIsInteger) time = checkEpochMs(integerValue(p, end, TIMESTAMP_MAX));
    else reason = REASON_TIME_INTEGER;
  } else {
    return wrongType(FIELD_TIMESTAMP, p);
  }
  const len = <u32>(end - p);
  if (time < 0) {
    note(CODE_INVALID_TIMESTAMP, FIELD_TIMESTAMP, reason ? reason : timeReason, p, len);
  } else if (time > futureAt) {
    note(CODE_FUTURE_TIMESTAMP, FIELD_TIMESTAMP, 0, p, len);
  }
  store<i64>(event, time, EVENT_TIMESTAMP);
  return end;
}

function readWeight(p: usize, event: usize): usize {
  if (load<u8>(p) != 0x2d && !isDigit(p)) return wrongType(FIELD_WEIGHT, p);
  const end = scanNumber(p);
  if (!end) return 0;
  const len = <u32>(end - p);
  if (!numberIsInteger) {
    note(CODE_OUT_OF_RANGE, FIELD_WEIGHT, REASON_INTEGER, p, len);
    return end;
  }
  const weight = integerValue(p, end, EVENT_WEIGHT_MAX);
  if (weight < 1 || weight > <i64>EVENT_WEIGHT_MAX) {
    note(CODE_OUT_OF_RANGE, FIELD_WEIGHT, REASON_RANGE, p, len);
  }
  store<u32>(event, <u32>weight, EVENT_WEIGHT);
  return end;
}
