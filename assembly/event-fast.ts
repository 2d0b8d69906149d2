// The fast path: one event that is valid in every respect, in any key order, with any white
// space, escapes in its values and any UTF-8. It explains nothing: whatever it doesn't take
// (each fault, an escaped field name, odd number forms) goes to event-slow.ts, which decides.
// So it may refuse what is valid, but must never accept what the slow path would not.
import { addKey, clearKeys, keyCount, nameLen, quotedField } from "./event-keys";
import { resetText, scanString, textFault, textLen, textPtr } from "./json-string";
import { isDigit, skipSpace } from "./json-value";
import {
  EVENT_FLAGS,
  EVENT_FLAG_NO_TIMESTAMP,
  EVENT_ID_BYTES_MAX,
  EVENT_ID_PTR,
  EVENT_METADATA_BYTES_MAX,
  EVENT_METADATA_KEYS_MAX,
  EVENT_META_LEN,
  EVENT_META_PTR,
  EVENT_SESSION_BYTES_MAX,
  EVENT_SESSION_PTR,
  EVENT_TEXT_BYTES_MAX,
  EVENT_TIMESTAMP,
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
  FIELD_USER_ID,
} from "./layout";
import { TIMESTAMP_TEXT_BYTES_MAX, checkEpochMs, parseTimestamp } from "./timestamp";

let receivedAt: i64 = 0;
let futureAt: i64 = 0;

/** Time of receipt and the last instant that is not too far ahead of it, epoch ms. */
export function setFastTimes(received: i64, future: i64): void {
  receivedAt = received;
  futureAt = future;
}

/** Puts the values of absent fields into the event. */
// @ts-ignore: decorator
@inline
export function clearEvent(event: usize, received: i64): void {
  store<u32>(event, 1, EVENT_WEIGHT);
  store<i64>(event, received, EVENT_TIMESTAMP);
  store<u64>(event, 0, EVENT_ID_PTR);
  store<u64>(event, 0, EVENT_TYPE_PTR);
  store<u64>(event, 0, EVENT_USER_PTR);
  store<u64>(event, 0, EVENT_SESSION_PTR);
  store<u64>(event, 0, EVENT_META_PTR);
  store<u32>(event, 0, EVENT_FLAGS);
}

/** Fills `event` from the object at `start`; what follows the object, or 0. */
export function fastEvent(start: usize, event: usize): usize {
  if (load<u8>(start) != 0x7b) return 0;
  clearEvent(event, receivedAt);
  resetText();
  let seen: u32 = 0;
  let p = skipSpace(start + 1);
  while (load<u8>(p) == 0x22) {
    const field = quotedField(p + 1);
    if (!field || (seen & field)) return 0;
    seen |= field;
    p = fastColon(p + nameLen + 2);
    if (!p) return 0;
    p = fastValue(field, p, event);
    if (!p) return 0;
    p = skipSpace(p);
    const c = load<u8>(p);
    if (c == 0x2c) {
      p = skipSpace(p + 1);
      continue;
    }
    if (c != 0x7d) return 0;
    p++;
    const required = FIELD_EVENT_ID | FIELD_EVENT_TYPE;
    if ((seen & required) != required || textFault) return 0;
    if (p - start > <usize>EVENT_TEXT_BYTES_MAX) return 0;
    if (!(seen & FIELD_TIMESTAMP)) store<u32>(event, EVENT_FLAG_NO_TIMESTAMP, EVENT_FLAGS);
    return p;
  }
  return 0;
}

/** The first byte of the value after the colon at `p`, 0 when there is none. */
// @ts-ignore: decorator
@inline
function fastColon(p: usize): usize {
  if (load<u8>(p) != 0x3a) {
    p = skipSpace(p);
    if (load<u8>(p) != 0x3a) return 0;
  }
  return skipSpace(p + 1);
}

// @ts-ignore: decorator
@inline
function fastValue(field: u32, p: usize, event: usize): usize {
  if (field == FIELD_EVENT_ID) return fastText(p, event + EVENT_ID_PTR, 1, EVENT_ID_BYTES_MAX);
  if (field == FIELD_EVENT_TYPE) {
    return fastText(p, event + EVENT_TYPE_PTR, 1, EVENT_TYPE_BYTES_MAX);
  }
  if (field == FIELD_TIMESTAMP) return fastTimestamp(p, event);
  if (field == FIELD_METADATA) return fastMetadata(p, event);
  if (field == FIELD_USER_ID) return fastText(p, event + EVENT_USER_PTR, 0, EVENT_USER_BYTES_MAX);
  if (field == FIELD_SESSION_ID) {
    return fastText(p, event + EVENT_SESSION_PTR, 0, EVENT_SESSION_BYTES_MAX);
  }
  return fastWeight(p, event);
}

// @ts-ignore: decorator
@inline
function fastText(p: usize, target: usize, bytesMin: u32, bytesMax: u32): usize {
  if (load<u8>(p) != 0x22) return 0;
  p = scanString(p + 1, bytesMax);
  if (!p || textLen < bytesMin || textLen > bytesMax) return 0;
  store<u32>(target, <u32>textPtr);
  store<u32>(target, textLen, 4);
  return p;
}

function fastTimestamp(p: usize, event: usize): usize {
  let time: i64 = 0;
  if (load<u8>(p) == 0x22) {
    p = scanString(p + 1, TIMESTAMP_TEXT_BYTES_MAX);
    if (!p || textLen > TIMESTAMP_TEXT_BYTES_MAX) return 0;
    time = parseTimestamp(textPtr, textLen);
  } else {
    // A fraction or an exponent after the digits makes the caller refuse: neither ',' nor '}'.
    const start = p;
    if (load<u8>(p) == 0x30) return 0;
    while (isDigit(p) && p - start < 16) {
      time = time * 10 + <i64>(load<u8>(p) - 0x30);
      p++;
    }
    time = checkEpochMs(time);
  }
  if (time < 0 || time > futureAt) return 0;
  store<i64>(event, time, EVENT_TIMESTAMP);
  return p;
}

function fastWeight(p: usize, event: usize): usize {
  if (load<u8>(p) == 0x30) return 0;
  const start = p;
  let weight: u32 = 0;
  while (isDigit(p) && p - start < 8) {
    weight = weight * 10 + (<u32>load<u8>(p) - 0x30);
    p++;
  }
  if (weight < 1 || weight > EVENT_WEIGHT_MAX) return 0;
  store<u32>(event, weight, EVENT_WEIGHT);
  return p;
}

function fastMetadata(start: usize, event: usize): usize {
  if (load<u8>(start) != 0x7b) return 0;
  clearKeys();
  let p = skipSpace(start + 1);
  if (load<u8>(p) != 0x7d) {
    while (true) {
      if (load<u8>(p) != 0x22 || keyCount() == EVENT_METADATA_KEYS_MAX) return 0;
      p = scanString(p + 1, EVENT_METADATA_BYTES_MAX);
      if (!p || p - start > <usize>EVENT_METADATA_BYTES_MAX) return 0;
      if (!addKey(textPtr, textLen)) return 0;
      p = fastColon(p);
      if (!p || load<u8>(p) != 0x22) return 0;
      p = scanString(p + 1, 0);
      if (!p) return 0;
      p = skipSpace(p);
      const c = load<u8>(p);
      if (c == 0x7d) break;
      if (c != 0x2c) return 0;
      p = skipSpace(p + 1);
    }
  }
  p++;
  const len = p - start;
  if (len > <usize>EVENT_METADATA_BYTES_MAX) return 0;
  store<u32>(event, <u32>start, EVENT_META_PTR);
  store<u32>(event, <u32>len, EVENT_META_LEN);
  return p;
}
