// JSON strings (RFC 8259) over UTF-8: validated, and unescaped where they hold escapes.
//
// A string without escapes is not copied: its text is where it was sent. One with escapes is
// written to the arena. NUL and lone surrogates are legal JSON but no text: `textFault` keeps the
// first of them until `resetText`.
//
// The input ends with a NUL sentinel (ndjson.ts), which stops every loop here.
import { copyBytes, findSpecial } from "./bytes";
import { fail } from "./faults";
import {
  CODE_INVALID_JSON,
  CODE_INVALID_UTF8,
  REASON_CONTROL,
  REASON_ESCAPE,
  REASON_NUL,
  REASON_SURROGATE,
  REASON_UTF8,
} from "./layout";
import { sequenceLength } from "./utf8";

/** Unescaped text of the string scanned last. */
export let textPtr: usize = 0;
/** Its bytes; past the maximum it was scanned with, only the first so many are at `textPtr`. */
export let textLen: u32 = 0;
/** REASON_NUL, REASON_SURROGATE or 0. */
export let textFault: u32 = 0;
/** Next free byte of the arena. */
export let arenaNext: usize = 0;

let escapeLen: u32 = 0;
let escapeBytes: u32 = 0;

export function setArena(next: usize): void {
  arenaNext = next;
}

// @ts-ignore: decorator
@inline
export function resetText(): void {
  textFault = 0;
}

/**
 * Scans the string whose opening quote is before `start`; returns the byte after its closing
 * quote, 0 on a syntax fault. At most `bytesMax` bytes of unescaped text are written.
 */
// @ts-ignore: decorator
@inline
export function scanString(start: usize, bytesMax: u32): usize {
  const p = findSpecial(start);
  if (load<u8>(p) != 0x22) return scanHardString(start, p, bytesMax);
  textPtr = start;
  textLen = <u32>(p - start);
  return p + 1;
}

function scanHardString(start: usize, p: usize, bytesMax: u32): usize {
  let run = start;
  let len: u32 = 0;
  let escaped = false;
  while (true) {
    let c = <u32>load<u8>(p);
    if (c >= 0x80) {
      do {
        const n = sequenceLength(p);
        if (!n) return fail(CODE_INVALID_UTF8, REASON_UTF8, p);
        p += n;
        c = load<u8>(p);
      } while (c >= 0x80);
    } else if (c == 0x22) {
      break;
    } else if (c == 0x5c) {
      len = copyRun(run, p, len, bytesMax);
      p = unescape(p);
      if (!p) return 0;
      if (len + escapeLen <= bytesMax) store<u32>(arenaNext + len, escapeBytes);
      len += escapeLen;
      run = p;
      escaped = true;
    } else {
      return fail(CODE_INVALID_JSON, REASON_CONTROL, p);
    }
    p = findSpecial(p);
  }
  if (escaped) {
    textPtr = arenaNext;
    textLen = copyRun(run, p, len, bytesMax);
    arenaNext += min(textLen, bytesMax);
  } else {
    textPtr = start;
    textLen = <u32>(p - start);
  }
  return p + 1;
}

/** Copies [run, p) behind the `len` bytes unescaped so far; returns the new length. */
function copyRun(run: usize, p: usize, len: u32, bytesMax: u32): u32 {
  const n = <u32>(p - run);
  if (len < bytesMax) copyBytes(arenaNext + len, run, min(n, bytesMax - len));
  return len + n;
}

// @ts-ignore: decorator
@inline
function setEscape(len: u32, bytes: u32): void {
  escapeLen = len;
  escapeBytes = bytes;
}

/** Reads the escape at `p` into `escapeBytes`; returns what follows it, 0 on a fault. */
function unescape(p: usize): usize {
  const c = <u32>load<u8>(p, 1);
  switch (c) {
    case 0x22:
    case 0x5c:
    case 0x2f:
      setEscape(1, c);
      return p + 2;
    case 0x62:
      setEscape(1, 8);
      return p + 2;
    case 0x66:
      setEscape(1, 12);
      return p + 2;
    case 0x6e:
      setEscape(1, 10);
      return p + 2;
    case 0x72:
      setEscape(1, 13);
      return p + 2;
    case 0x74:
      setEscape(1, 9);
      return p + 2;
    case 0x75:
      return unescapeUnit(p);
    default:
      return fail(CODE_INVALID_JSON, REASON_ESCAPE, p);
  }
}

function unescapeUnit(p: usize): usize {
  let unit = hex4(p + 2);
  if (unit < 0) return fail(CODE_INVALID_JSON, REASON_ESCAPE, p);
  p += 6;
  if (unit < 0x80) {
    if (!unit && !textFault) textFault = REASON_NUL;
    setEscape(1, <u32>unit);
  } else if (unit < 0x800) {
    setEscape(2, 0x80c0 | (unit >> 6) | ((unit & 63) << 8));
  } else if ((unit & 0xf800) != 0xd800) {
    setEscape(3, 0x8080e0 | (unit >> 12) | (((unit >> 6) & 63) << 8) | ((unit & 63) << 16));
  } else {
    const low = unit < 0xdc00 && load<u16>(p) == 0x755c ? hex4(p + 2) : -1;
    if (low < 0xdc00 || low > 0xdfff) {
      if (!textFault) textFault = REASON_SURROGATE;
      setEscape(3, 0xbdbfef);
      return p;
    }
    p += 6;
    unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    const ends = (((unit >> 6) & 63) << 16) | ((unit & 63) << 24);
    setEscape(4, 0x808080f0 | (unit >> 18) | (((unit >> 12) & 63) << 8) | ends);
  }
  return p;
}

/** Value of four hexadecimal digits; negative when they aren't. */
function hex4(p: usize): i32 {
  return (hex(p) << 12) | (hex(p + 1) << 8) | (hex(p + 2) << 4) | hex(p + 3);
}

// @ts-ignore: decorator
@inline
function hex(p: usize): i32 {
  const c = <i32>load<u8>(p);
  const digit = c - 0x30;
  if (<u32>digit < 10) return digit;
  const letter = (c | 0x20) - 0x61;
  return <u32>letter < 6 ? letter + 10 : -1;
}
