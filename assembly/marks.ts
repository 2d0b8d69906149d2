// Marks: where the fields of an event lie in its line, so that whoever reads the line again need
// not scan it. 32 bytes an event; offsets are from the line's first byte.
//
//   0  textLen u16     of the line without its line feed
//   2  idAt u16        4  typeAt u16     6  userAt u16     8  sessionAt u16    10  metaAt u16
//                      (0 for a field that is absent: a line begins with a brace)
//  12  metaLen u16    14  idLen u16     16  userLen u16   18  sessionLen u16
//  20  rest u32       weight in 20 bits, typeLen in 8, MARK_* in 4
//  24  timestamp i64  epoch ms
//
// An event whose strings hold escapes, or that only the slow path took, is marked MARK_SCAN: its
// line must be scanned. So must one whose mark does not fit it, whatever the reason.
import {
  EVENT_FLAGS, EVENT_FLAG_NO_TIMESTAMP, EVENT_FLAG_SLOW, EVENT_ID_LEN, EVENT_ID_PTR,
  EVENT_META_LEN, EVENT_META_PTR, EVENT_SESSION_LEN, EVENT_SESSION_PTR, EVENT_TEXT_LEN,
  EVENT_TEXT_PTR, EVENT_TIMESTAMP, EVENT_TYPE_LEN, EVENT_TYPE_PTR, EVENT_USER_LEN,
  EVENT_USER_PTR, EVENT_WEIGHT, MARK_SIZE,
} from "./layout";

const MARK_SCAN: u32 = 1;
const MARK_NO_TIMESTAMP: u32 = 2;

const ID_AT: usize = 2;
const TYPE_AT: usize = 4;
const USER_AT: usize = 6;
const SESSION_AT: usize = 8;
const META_AT: usize = 10;
const META_LEN: usize = 12;
const ID_LEN: usize = 14;
const USER_LEN: usize = 16;
const SESSION_LEN: usize = 18;
const REST: usize = 20;
const TIMESTAMP: usize = 24;

const WEIGHT_MASK: u32 = 0xfffff;
const TYPE_LEN_SHIFT: u32 = 20;
const FLAGS_SHIFT: u32 = 28;

/** Offset of a field in the line; whatever lies elsewhere becomes one beyond its end. */
// @ts-ignore: decorator
@inline
function offsetOf(event: usize, field: usize, text: u32): u32 {
  const ptr = load<u32>(event + field);
  return ptr ? ptr - text : 0;
}

/** Writes the mark of `event`; what follows it. */
// @ts-ignore: decorator
@inline
export function writeMark(mark: usize, event: usize): usize {
  const text = load<u32>(event, EVENT_TEXT_PTR);
  const len = load<u32>(event, EVENT_TEXT_LEN);
  const id = offsetOf(event, EVENT_ID_PTR, text);
  const type = offsetOf(event, EVENT_TYPE_PTR, text);
  const user = offsetOf(event, EVENT_USER_PTR, text);
  const session = offsetOf(event, EVENT_SESSION_PTR, text);
  const meta = offsetOf(event, EVENT_META_PTR, text);
  const flags = load<u32>(event, EVENT_FLAGS);
  // Unsigned: what lies before the line is far beyond its end too.
  const isElsewhere =
    (id >= len) | (type >= len) | (user >= len) | (session >= len) | (meta >= len);
  if (isElsewhere | (len > 0xffff) | (flags & EVENT_FLAG_SLOW)) {
    store<u32>(mark, MARK_SCAN << FLAGS_SHIFT, REST);
    store<u64>(mark, 0);
    store<u64>(mark, 0, 8);
    store<u32>(mark, 0, 16);
    store<u64>(mark, 0, TIMESTAMP);
    return mark + MARK_SIZE;
  }
  store<u16>(mark, <u16>len);
  store<u16>(mark, <u16>id, ID_AT);
  store<u16>(mark, <u16>type, TYPE_AT);
  store<u16>(mark, <u16>user, USER_AT);
  store<u16>(mark, <u16>session, SESSION_AT);
  store<u16>(mark, <u16>meta, META_AT);
  store<u16>(mark, <u16>load<u32>(event, EVENT_META_LEN), META_LEN);
  store<u16>(mark, <u16>load<u32>(event, EVENT_ID_LEN), ID_LEN);
  store<u16>(mark, <u16>load<u32>(event, EVENT_USER_LEN), USER_LEN);
  store<u16>(mark, <u16>load<u32>(event, EVENT_SESSION_LEN), SESSION_LEN);
  const untimed = flags & EVENT_FLAG_NO_TIMESTAMP ? MARK_NO_TIMESTAMP << FLAGS_SHIFT : 0;
  const typeLen = load<u32>(event, EVENT_TYPE_LEN) << TYPE_LEN_SHIFT;
  store<u32>(mark, load<u32>(event, EVENT_WEIGHT) | typeLen | untimed, REST);
  store<i64>(mark, load<i64>(event, EVENT_TIMESTAMP), TIMESTAMP);
  return mark + MARK_SIZE;
}

/** Puts a field of `len` bytes at `at` of the line into the event; absent where `at` is 0. */
// @ts-ignore: decorator
@inline
function place(target: usize, line: usize, at: u32, len: u32): void {
  store<u32>(target, at ? <u32>line + at : 0);
  store<u32>(target, len, 4);
}

/**
 * Fills `event` by its mark from the line at `line`, of input that ends at `end`; where the
 * line's text ends, or 0 when it must be scanned.
 */
// @ts-ignore: decorator
@inline
export function readMark(mark: usize, line: usize, end: usize, event: usize): usize {
  const rest = load<u32>(mark, REST);
  const flags = rest >> FLAGS_SHIFT;
  const len = <u32>load<u16>(mark);
  const after = line + len;
  if (flags & MARK_SCAN || after >= end || load<u8>(after) != 10) return 0;
  const id = <u32>load<u16>(mark, ID_AT);
  const idLen = <u32>load<u16>(mark, ID_LEN);
  const type = <u32>load<u16>(mark, TYPE_AT);
  const typeLen = (rest >> TYPE_LEN_SHIFT) & 0xff;
  const user = <u32>load<u16>(mark, USER_AT);
  const userLen = <u32>load<u16>(mark, USER_LEN);
  const session = <u32>load<u16>(mark, SESSION_AT);
  const sessionLen = <u32>load<u16>(mark, SESSION_LEN);
  const meta = <u32>load<u16>(mark, META_AT);
  const metaLen = <u32>load<u16>(mark, META_LEN);
  const isBeyond =
    (id + idLen > len) | (type + typeLen > len) | (user + userLen > len) |
    (session + sessionLen > len) | (meta + metaLen > len);
  if (isBeyond | (idLen == 0) | (typeLen == 0)) return 0;
  store<u32>(event, rest & WEIGHT_MASK, EVENT_WEIGHT);
  store<i64>(event, load<i64>(mark, TIMESTAMP), EVENT_TIMESTAMP);
  place(event + EVENT_ID_PTR, line, id, idLen);
  place(event + EVENT_TYPE_PTR, line, type, typeLen);
  place(event + EVENT_USER_PTR, line, user, userLen);
  place(event + EVENT_SESSION_PTR, line, session, sessionLen);
  place(event + EVENT_META_PTR, line, meta, metaLen);
  const isUntimed = flags & MARK_NO_TIMESTAMP;
  store<u32>(event, isUntimed ? EVENT_FLAG_NO_TIMESTAMP : 0, EVENT_FLAGS);
  return after;
}
