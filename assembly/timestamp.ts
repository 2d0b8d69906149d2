// Timestamps: RFC 3339 (https://www.rfc-editor.org/rfc/rfc3339) with a zone, and integers of
// epoch ms. Days by the proleptic Gregorian calendar (days_from_civil, Howard Hinnant,
// "chrono-compatible low-level date algorithms"). The instant must lie in 1970..9999 UTC.
//
// The first 16 characters are checked as two words: each digit position is XORed with '0', each
// separator with itself, so that a digit leaves 0..9 and a separator 0.
import {
  REASON_TIME_CLOCK,
  REASON_TIME_DAY,
  REASON_TIME_FORM,
  REASON_TIME_FRACTION,
  REASON_TIME_OFFSET,
  REASON_TIME_SECONDS,
  REASON_TIME_TEXT,
  REASON_TIME_YEARS,
  REASON_TIME_ZONE,
} from "./layout";

/** Why the timestamp parsed last was refused: REASON_TIME_*. */
export let timeReason: u32 = 0;

/** Last millisecond of year 9999. */
export const TIMESTAMP_MAX: i64 = 253402300799999;
/** Integers below are seconds by mistake: 10^11 ms is March 1973, 10^11 s is year 5138. */
const EPOCH_MS_MIN: i64 = 100000000000;
/** No accepted form is longer than 35 bytes. */
export const TIMESTAMP_TEXT_BYTES_MAX: u32 = 64;

// The date seen last and its days: events that follow each other mostly share it, and the
// calendar costs a third of a timestamp.
let dateWord: u64 = 0;
let dateDay: i32 = -1;
let dateDays: i32 = 0;

// @ts-ignore: decorator
@inline
function refuse(reason: u32): i64 {
  timeReason = reason;
  return -1;
}

// @ts-ignore: decorator
@inline
function digit(word: u64, at: u32): i32 {
  return <i32>((word >> (at << 3)) & 15);
}

// @ts-ignore: decorator
@inline
function pair(word: u64, at: u32): i32 {
  return digit(word, at) * 10 + digit(word, at + 1);
}

function daysInMonth(year: i32, month: i32): i32 {
  if (month != 2) return 30 + ((month + (month >> 3)) & 1);
  return (year & 3) == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28;
}

/** Days from 1970-01-01 to the day given; for years from 1 on. */
function daysFromCivil(year: i32, month: i32, day: i32): i32 {
  const y = month <= 2 ? year - 1 : year;
  const era = y / 400;
  const yearOfEra = y - era * 400;
  const dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear;
  return era * 146097 + dayOfEra - 719468;
}

/** Makes the date the one seen last; false when there is no such day. `a` is "YYYY-MM-". */
function setDate(a: u64, day: i32): bool {
  const year = pair(a, 0) * 100 + pair(a, 2);
  const month = pair(a, 5);
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return false;
  dateWord = a;
  dateDay = day;
  // Years before 1969 lie before 1970 in every zone.
  dateDays = year < 1969 ? -1000 : daysFromCivil(year, month, day);
  return true;
}

/** Epoch ms as an accepted value, or -1 with `timeReason`. */
export function checkEpochMs(value: i64): i64 {
  if (value < EPOCH_MS_MIN) return refuse(REASON_TIME_SECONDS);
  return value > TIMESTAMP_MAX ? refuse(REASON_TIME_YEARS) : value;
}

function refuseForm(p: usize, len: u32): i64 {
  let i: u32 = load<u8>(p) == 0x2d ? 1 : 0;
  if (i >= len) return refuse(REASON_TIME_FORM);
  while (i < len && <u32>load<u8>(p + i) - 0x30 < 10) i++;
  return refuse(i == len ? REASON_TIME_TEXT : REASON_TIME_FORM);
}

/** Epoch ms of the text, or -1 with `timeReason`. Reads up to 24 bytes whatever `len` is. */
export function parseTimestamp(p: usize, len: u32): i64 {
  if (len < 19) return refuseForm(p, len);
  // "YYYY-MM-" and "DDTHH:MM"; the T is looked at by itself.
  const a = load<u64>(p) ^ 0x2d30302d30303030;
  const b = (load<u64>(p, 8) ^ 0x30303a3030003030) & 0xffffffffff00ffff;
  const c = load<u32>(p, 16) & 0xffffff ^ 0x30303a;
  const badA = ((a + 0x0006060006060606) | a) & 0xfff0f0fff0f0f0f0;
  const badB = ((b + 0x0606000606000606) | b) & 0xf0f0fff0f000f0f0;
  const badC = ((c + 0x060600) | c) & 0xf0f0ff;
  const separator = load<u8>(p, 10);
  if ((badA | badB | badC) != 0) return refuseForm(p, len);
  if ((separator | 0x20) != 0x74 && separator != 0x20) return refuse(REASON_TIME_FORM);
  const day = pair(b, 0);
  const hour = pair(b, 3);
  const minute = pair(b, 6);
  const second = <i32>(((c >> 8) & 15) * 10 + ((c >> 16) & 15));
  if (a != dateWord || day != dateDay) {
    if (!setDate(a, day)) return refuse(REASON_TIME_DAY);
  }
  if (hour > 23 || minute > 59 || second > 59) return refuse(REASON_TIME_CLOCK);
  const shift = parseRest(p + 19, p + len);
  if (shift == i64.MIN_VALUE) return -1;
  const seconds = hour * 3600 + minute * 60 + second;
  const ms = <i64>dateDays * 86400000 + <i64>(seconds * 1000) + shift;
  return ms < 0 || ms > TIMESTAMP_MAX ? refuse(REASON_TIME_YEARS) : ms;
}

// @ts-ignore: decorator
@inline
function refuseRest(reason: u32): i64 {
  timeReason = reason;
  return i64.MIN_VALUE;
}

/** Fraction and zone in [p, end): the ms to add, or i64.MIN_VALUE with `timeReason`. */
function parseRest(p: usize, end: usize): i64 {
  let ms: i32 = 0;
  if (p < end && load<u8>(p) == 0x2e) {
    const start = ++p;
    let scale = 100;
    while (p < end && <u32>load<u8>(p) - 0x30 < 10) {
      ms += (<i32>load<u8>(p) - 0x30) * scale;
      scale /= 10;
      p++;
    }
    if (p == start || p - start > 9) return refuseRest(REASON_TIME_FRACTION);
  }
  if (p >= end) return refuseRest(REASON_TIME_ZONE);
  const sign = load<u8>(p);
  if ((sign | 0x20) == 0x7a) return p + 1 == end ? ms : refuseRest(REASON_TIME_FORM);
  if (sign != 0x2b && sign != 0x2d) return refuseRest(REASON_TIME_FORM);
  const offset = parseOffset(p + 1, <u32>(end - p - 1));
  if (offset < 0) return refuseRest(REASON_TIME_OFFSET);
  // Local time ahead of UTC (+) is an earlier instant.
  return <i64>(ms + (sign == 0x2b ? -offset : offset) * 60000);
}

/** Minutes of "hh:mm" or "hhmm", -1 when it is neither. */
function parseOffset(p: usize, len: u32): i32 {
  let word: u64;
  if (len == 4) {
    word = load<u32>(p);
  } else if (len == 5 && load<u8>(p, 2) == 0x3a) {
    word = <u64>load<u16>(p) | (<u64>load<u16>(p, 3) << 16);
  } else {
    return -1;
  }
  word ^= 0x30303030;
  if (((word + 0x06060606) | word) & 0xf0f0f0f0) return -1;
  const hours = pair(word, 0);
  const minutes = pair(word, 2);
  return hours > 23 || minutes > 59 ? -1 : hours * 60 + minutes;
}
