// JSON tokens and whole values (RFC 8259), validated without keeping them.
import { fail, note } from "./faults";
import { resetText, scanString, textFault } from "./json-string";
import {
  CODE_INVALID_JSON,
  CODE_INVALID_TEXT,
  CODE_INVALID_UTF8,
  JSON_DEPTH_MAX,
  REASON_DEPTH,
  REASON_NUMBER,
  REASON_UNEXPECTED,
  REASON_UTF8,
} from "./layout";
import { sequenceLength } from "./utf8";

/** Whether a line feed is white space: in a JSON body, not in NDJSON. */
let multiline: bool = false;
/** Whether the number scanned last has neither fraction nor exponent. */
export let numberIsInteger: bool = false;

export function setMultiline(value: bool): void {
  multiline = value;
}

/** First byte at or after `p` that is not white space. */
// @ts-ignore: decorator
@inline
export function skipSpace(p: usize): usize {
  return load<u8>(p) > 0x20 ? p : skipSpaces(p);
}

function skipSpaces(p: usize): usize {
  while (true) {
    const c = load<u8>(p);
    if (c != 0x20 && c != 9 && c != 13 && (c != 10 || !multiline)) return p;
    p++;
  }
}

/** Notes that what stands at `p` has no place there; returns 0. */
export function unexpected(p: usize, reason: u32 = REASON_UNEXPECTED): usize {
  if (load<u8>(p) >= 0x80 && !sequenceLength(p)) {
    return fail(CODE_INVALID_UTF8, REASON_UTF8, p);
  }
  return fail(CODE_INVALID_JSON, reason, p);
}

// @ts-ignore: decorator
@inline
export function isDigit(p: usize): bool {
  return <u32>load<u8>(p) - 0x30 < 10;
}

function skipDigits(p: usize): usize {
  while (isDigit(p)) p++;
  return p;
}

/** The number at `p` (a digit or a minus): what follows it, 0 on a fault. */
export function scanNumber(p: usize): usize {
  numberIsInteger = true;
  if (load<u8>(p) == 0x2d) p++;
  if (!isDigit(p)) return unexpected(p, REASON_NUMBER);
  if (load<u8>(p) == 0x30) {
    p++;
    if (isDigit(p)) return unexpected(p, REASON_NUMBER);
  } else {
    p = skipDigits(p);
  }
  if (load<u8>(p) == 0x2e) {
    numberIsInteger = false;
    p++;
    if (!isDigit(p)) return unexpected(p, REASON_NUMBER);
    p = skipDigits(p);
  }
  if ((load<u8>(p) | 0x20) == 0x65) {
    numberIsInteger = false;
    p++;
    const sign = load<u8>(p);
    if (sign == 0x2b || sign == 0x2d) p++;
    if (!isDigit(p)) return unexpected(p, REASON_NUMBER);
    p = skipDigits(p);
  }
  return p;
}

/** Value of the integer text [p, end): -1 when it has a minus, `limit` + 1 when above it. */
export function integerValue(p: usize, end: usize, limit: i64): i64 {
  if (load<u8>(p) == 0x2d) return -1;
  if (end - p > 18) return limit + 1;
  let value: i64 = 0;
  for (; p < end; p++) value = value * 10 + <i64>(load<u8>(p) - 0x30);
  return min(value, limit + 1);
}

function skipWord(p: usize, word: u32, last: u32): usize {
  if (load<u32>(p) != word) return unexpectedWord(p, word);
  if (!last) return p + 4;
  return load<u8>(p, 4) == last ? p + 5 : unexpected(p + 4);
}

/** The first byte at which the text at `p` stops being `word`. */
function unexpectedWord(p: usize, word: u32): usize {
  return unexpected(p + <usize>(ctz(load<u32>(p) ^ word) >> 3));
}

/**
 * Validates the value at `p`, inside `depth` arrays and objects; returns what follows it, 0 on a
 * syntax fault. Strings that aren't text are noted as field faults.
 */
export function skipValue(p: usize, depth: u32): usize {
  const c = load<u8>(p);
  switch (c) {
    case 0x22:
      return skipString(p);
    case 0x5b:
    case 0x7b:
      if (depth >= JSON_DEPTH_MAX) return fail(CODE_INVALID_JSON, REASON_DEPTH, p);
      return skipContainer(p, depth + 1, c == 0x7b);
    case 0x74:
      return skipWord(p, 0x65757274, 0);
    case 0x66:
      return skipWord(p, 0x736c6166, 0x65);
    case 0x6e:
      return skipWord(p, 0x6c6c756e, 0);
    default:
      if (c == 0x2d || isDigit(p)) return scanNumber(p);
      return unexpected(p);
  }
}

function skipString(p: usize): usize {
  resetText();
  const end = scanString(p + 1, 0);
  if (end && textFault) note(CODE_INVALID_TEXT, 0, textFault, p, <u32>(end - p));
  return end;
}

function skipContainer(p: usize, depth: u32, isObject: bool): usize {
  const close: u32 = isObject ? 0x7d : 0x5d;
  p = skipSpace(p + 1);
  if (load<u8>(p) == close) return p + 1;
  while (true) {
    if (isObject) {
      if (load<u8>(p) != 0x22) return unexpected(p);
      p = skipString(p);
      if (!p) return 0;
      p = skipSpace(p);
      if (load<u8>(p) != 0x3a) return unexpected(p);
      p = skipSpace(p + 1);
    }
    p = skipValue(p, depth);
    if (!p) return 0;
    p = skipSpace(p);
    const c = load<u8>(p);
    if (c == close) return p + 1;
    if (c != 0x2c) return unexpected(p);
    p = skipSpace(p + 1);
  }
}
