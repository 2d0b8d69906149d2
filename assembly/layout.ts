// Memory layouts shared by the kernel and its host. This file owns every offset; index.ts exports
// them as globals and the host (src/kernel/layout.ts) refuses a module whose numbers differ.
//
// All memory is given out by the host: functions take pointers into regions that the host placed
// once, at start. The kernel allocates nothing and has no static data.

/** Raised whenever a layout or the meaning of an exported function changes. */
export const ABI_VERSION: u32 = 1;

// Located event: what the scanner found in one accepted event. 96 bytes, 8-aligned.
//
//   0  line u32       number of the line (NDJSON) or position (array), from 1
//   4  textPtr u32    the event's JSON text as sent
//   8  textLen u32
//  12  weight u32     1 when the event has none
//  16  timestamp i64  epoch ms; the time of receipt when the event has none
//  24  idPtr u32      eventId, unescaped UTF-8
//  28  idLen u32
//  32  typePtr u32    eventType, unescaped UTF-8
//  36  typeLen u32
//  40  userPtr u32    0 when absent
//  44  userLen u32
//  48  sessionPtr u32 0 when absent
//  52  sessionLen u32
//  56  metaPtr u32    metadata as sent (JSON object text), 0 when absent
//  60  metaLen u32
//  64  flags u32      see EVENT_FLAG_*
//  68  partition u32  murmur2 partition of eventId, filled by `partitionEvents`
//  72  typeIndex u32  index in the type dictionary, filled by `resolveTypes`
//  76  reserved u32
//  80  rowHash u64    seeded hash of (eventType, eventId), filled by `hashRows`
//  88  reserved u64
export const EVENT_LINE: u32 = 0;
export const EVENT_TEXT_PTR: u32 = 4;
export const EVENT_TEXT_LEN: u32 = 8;
export const EVENT_WEIGHT: u32 = 12;
export const EVENT_TIMESTAMP: u32 = 16;
export const EVENT_ID_PTR: u32 = 24;
export const EVENT_ID_LEN: u32 = 28;
export const EVENT_TYPE_PTR: u32 = 32;
export const EVENT_TYPE_LEN: u32 = 36;
export const EVENT_USER_PTR: u32 = 40;
export const EVENT_USER_LEN: u32 = 44;
export const EVENT_SESSION_PTR: u32 = 48;
export const EVENT_SESSION_LEN: u32 = 52;
export const EVENT_META_PTR: u32 = 56;
export const EVENT_META_LEN: u32 = 60;
export const EVENT_FLAGS: u32 = 64;
export const EVENT_PARTITION: u32 = 68;
export const EVENT_TYPE_INDEX: u32 = 72;
export const EVENT_ROW_HASH: u32 = 80;
export const EVENT_SIZE: u32 = 96;

/** The line took the scanner's slow path. */
export const EVENT_FLAG_SLOW: u32 = 1;
/** The event named no timestamp: `timestamp` is the time of receipt. */
export const EVENT_FLAG_NO_TIMESTAMP: u32 = 2;
