// The fields' names, and the set of metadata keys an event has shown so far.
import { sameBytes } from "./bytes";
import {
  FIELD_EVENT_ID,
  FIELD_EVENT_TYPE,
  FIELD_METADATA,
  FIELD_SESSION_ID,
  FIELD_TIMESTAMP,
  FIELD_USER_ID,
  FIELD_WEIGHT,
} from "./layout";

// Names as little-endian words: the first eight bytes, then what is left of them.
const EVENT_ID: u64 = 0x644974_6e657665; // eventId
const EVENT_TYPE: u64 = 0x70795474_6e657665; // eventTyp
const TIMESTAMP: u64 = 0x6d617473_656d6974; // timestam
const USER_ID: u64 = 0x6449_72657375; // userId
const SESSION_ID: u64 = 0x496e6f69_73736573; // sessionI
const METADATA: u64 = 0x61746164_6174656d; // metadata
const WEIGHT: u64 = 0x7468_67696577; // weight

const QUOTE: u64 = 0x22;

/** Length of the name that `quotedField` found last. */
export let nameLen: u32 = 0;

// @ts-ignore: decorator
@inline
function found(field: u32, len: u32): u32 {
  nameLen = len;
  return field;
}

/** The field whose name stands at `p`, followed by a quote, in plain letters; 0 for none. */
// @ts-ignore: decorator
@inline
export function quotedField(p: usize): u32 {
  const word = load<u64>(p);
  if (word == (EVENT_ID | (QUOTE << 56))) return found(FIELD_EVENT_ID, 7);
  if (word == EVENT_TYPE) return load<u16>(p, 8) == 0x2265 ? found(FIELD_EVENT_TYPE, 9) : 0;
  if (word == TIMESTAMP) return load<u16>(p, 8) == 0x2270 ? found(FIELD_TIMESTAMP, 9) : 0;
  if (word == METADATA) return load<u8>(p, 8) == 0x22 ? found(FIELD_METADATA, 8) : 0;
  if (word == SESSION_ID) return load<u16>(p, 8) == 0x2264 ? found(FIELD_SESSION_ID, 9) : 0;
  const seven = word & 0xffffffffffffff;
  if (seven == (USER_ID | (QUOTE << 48))) return found(FIELD_USER_ID, 6);
  if (seven == (WEIGHT | (QUOTE << 48))) return found(FIELD_WEIGHT, 6);
  return 0;
}

/** The field named by `len` bytes of unescaped text; 0 for none. Reads up to 9 bytes. */
export function namedField(p: usize, len: u32): u32 {
  const word = load<u64>(p);
  if (len == 6) {
    const six = word & 0xffffffffffff;
    return six == USER_ID ? FIELD_USER_ID : six == WEIGHT ? FIELD_WEIGHT : 0;
  }
  if (len == 7) return (word & 0xffffffffffffff) == EVENT_ID ? FIELD_EVENT_ID : 0;
  if (len == 8) return word == METADATA ? FIELD_METADATA : 0;
  if (len != 9) return 0;
  const last = load<u8>(p, 8);
  if (word == EVENT_TYPE && last == 0x65) return FIELD_EVENT_TYPE;
  if (word == TIMESTAMP && last == 0x70) return FIELD_TIMESTAMP;
  return word == SESSION_ID && last == 0x64 ? FIELD_SESSION_ID : 0;
}

let keysPtr: usize = 0;
let keysCount: u32 = 0;

/** Where the metadata keys of an event are listed: EVENT_METADATA_KEYS_MAX pairs of u32. */
export function setKeys(ptr: usize): void {
  keysPtr = ptr;
}

// @ts-ignore: decorator
@inline
export function clearKeys(): void {
  keysCount = 0;
}

/** Lists a key; false when it is listed already. The caller bounds their number. */
export function addKey(ptr: usize, len: u32): bool {
  let p = keysPtr;
  const end = p + (<usize>keysCount << 3);
  for (; p < end; p += 8) {
    if (load<u32>(p, 4) == len && sameBytes(load<u32>(p), ptr, len)) return false;
  }
  store<u32>(end, <u32>ptr);
  store<u32>(end, len, 4);
  keysCount++;
  return true;
}

// @ts-ignore: decorator
@inline
export function keyCount(): u32 {
  return keysCount;
}
